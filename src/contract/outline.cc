#include "contract/outline.h"

#include <algorithm>
#include <array>

namespace weir::contract {

std::string_view name_of(Shape shape) {
  constexpr std::array<std::string_view, 12> names = {"null",  "boolean", "integer",     "number",
                                                      "bytes", "string",  "enumeration", "record",
                                                      "array", "map",     "one of",      "any"};
  return names[static_cast<std::size_t>(shape)];
}

std::string_view short_name(std::string_view full_name) {
  const auto dot = full_name.rfind('.');
  return dot == std::string_view::npos ? full_name : full_name.substr(dot + 1);
}

std::string proto_json_name(std::string_view name) {
  std::string out;
  bool upper = false;
  for (const char c : name) {
    if (c == '_') {
      upper = true;
      continue;
    }
    out += upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    upper = false;
  }
  return out;
}

const OutlineField* OutlineRecord::field(std::string_view wanted) const {
  const auto found = std::ranges::find(fields, wanted, &OutlineField::name);
  return found == fields.end() ? nullptr : &*found;
}

const OutlineRecord* Outline::record(std::string_view name) const {
  const auto found = std::ranges::find(records, name, &OutlineRecord::name);
  return found == records.end() ? nullptr : &*found;
}

const OutlineEnum* Outline::enumeration(std::string_view name) const {
  const auto found = std::ranges::find(enums, name, &OutlineEnum::name);
  return found == enums.end() ? nullptr : &*found;
}

}  // namespace weir::contract
