// Whatever text comes: it is refused, or what was read is written and read back as the same value.
#include <cstddef>
#include <string_view>

#include "base/base64.h"
#include "base/check.h"
#include "fuzz/harness.h"
#include "json/json.h"

namespace {

using namespace weir;

// A member is five bytes, `"":0,`, and becomes a string and a Value, in a vector that holds its old
// block beside the new one while it grows, and a row of the tables that find equal keys. Whoever
// parses what strangers send bounds the text: HTTP bodies, messages of a user.
constexpr std::size_t bytes_a_byte = 256;

/// A list within an object that begins with a number, any but 1.
bool is_deep(const json::Value& value) {
  const json::Value* list = value.find("a");
  if (list == nullptr || list->as_array() == nullptr || list->as_array()->empty()) return false;
  const std::int64_t* number = list->as_array()->front().as_int();
  return number != nullptr && *number != 1;
}

}  // namespace

void weir::fuzz::input(std::string_view text) {
  const auto value = bounded_by(bytes_a_byte * text.size() + allocation_bound(0),
                                [&] { return json::parse(text); });
  if (value) {
    canary(is_deep(*value));
    for (const int indent : {-1, 2}) {
      const std::string written = json::write(*value, indent);
      const auto again = json::parse(written);
      check(again.has_value(), "what was written cannot be read");
      check(*again == *value, "what was written says something else");
      check(json::write(*again, indent) == written, "the second writing differs");
    }
  }
  const auto bytes = bounded(text.size(), [&] { return from_base64(text); });
  if (bytes) check(to_base64(*bytes) == text, "base64 that was read is written in another way");
  check(*from_base64(to_base64(text)) == text, "base64 loses bytes");
}
