// Whatever text comes: it is refused, or what was read is written and read back as the same value.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "json/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto value = json::parse(text)) {
    for (const int indent : {-1, 2}) {
      const std::string written = json::write(*value, indent);
      const auto again = json::parse(written);
      check(again.has_value(), "what was written cannot be read");
      check(*again == *value, "what was written says something else");
      check(json::write(*again, indent) == written, "the second writing differs");
    }
  }
  const auto bytes = json::from_base64(text);
  if (bytes)
    check(json::to_base64(*bytes) == text, "base64 that was read is written in another way");
  check(*json::from_base64(json::to_base64(text)) == text, "base64 loses bytes");
  return 0;
}
