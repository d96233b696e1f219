// Whatever a settings file holds: it is read or refused, and what was read has names.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "config/broker_settings.h"
#include "config/properties.h"
#include "config/settings.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto read = config::read_properties(text, "fuzz"))
    for (const auto& property : *read) check(!property.name.empty(), "a property without a name");
  const auto settings =
      config::load_settings(config::broker_settings(), {.file_text = text, .file_name = "fuzz"});
  if (settings)
    for (const auto& [name, value] : settings->overrides())
      check(config::broker_settings().find(name) != nullptr, "a setting that the table lacks");
  return 0;
}
