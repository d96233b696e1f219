#include "streams/names.h"

#include <algorithm>

#include "streams/limits.h"

namespace weir::streams {

std::optional<std::string> name_fault(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  if (name.empty()) return "a name is not empty";
  if (name.size() > limits::name_bytes)
    return std::to_string(name.size()) + " characters, at most " +
           std::to_string(limits::name_bytes);
  if (!std::ranges::all_of(name, allowed))
    return "a name has letters, digits and . _ - as topics have";
  return std::nullopt;
}

std::string repartition_topic(std::string_view application, std::string_view name) {
  return std::string(application).append("-").append(name).append("-repartition");
}

std::string changelog_topic(std::string_view application, std::string_view store) {
  return std::string(application).append("-").append(store).append("-changelog");
}

}  // namespace weir::streams
