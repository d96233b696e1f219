// Whatever a settings file holds: it is read or refused, and what was read has names.
#include <cstddef>
#include <string_view>

#include "base/check.h"
#include "config/broker_settings.h"
#include "config/properties.h"
#include "config/settings.h"
#include "fuzz/harness.h"

namespace {

// "a\n" is a property with its name and line; a vector that grows holds its old block beside the
// new one. The file is the operator's own.
constexpr std::size_t bytes_a_byte = 3 * sizeof(weir::config::Property) / 2;

}  // namespace

void weir::fuzz::input(std::string_view text) {
  using namespace weir;
  const std::size_t bound = bytes_a_byte * text.size() + allocation_bound(0);
  if (const auto read = bounded_by(bound, [&] { return config::read_properties(text, "fuzz"); })) {
    for (const auto& property : *read) check(!property.name.empty(), "a property without a name");
    canary(read->size() == 2 && read->back().name.size() > 2 && read->back().value == "1");
  }
  const auto settings =
      config::load_settings(config::broker_settings(), {.file_text = text, .file_name = "fuzz"});
  if (settings)
    for (const auto& [name, value] : settings->overrides())
      check(config::broker_settings().find(name) != nullptr, "a setting that the table lacks");
}
