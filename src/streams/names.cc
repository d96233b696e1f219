#include "streams/names.h"

#include <algorithm>

#include "base/ids.h"
#include "streams/limits.h"

namespace weir::streams {
namespace {

constexpr std::size_t java_uuid_size = 36;

}  // namespace

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

std::string_view application_of_id(std::string_view id) {
  const std::size_t last = id.rfind('-');
  if (last == std::string_view::npos || last + 1 == id.size()) return {};
  const auto digits = id.substr(last + 1);
  if (digits.find_first_not_of("0123456789") != std::string_view::npos) return {};
  const auto rest = id.substr(0, last);
  const auto cut = [&](std::size_t size) -> std::string_view {
    if (rest.size() <= size + 1 || rest[rest.size() - size - 1] != '-') return {};
    return rest.substr(0, rest.size() - size - 1);
  };
  if (const auto name = cut(java_uuid_size); !name.empty()) {
    const auto uuid = rest.substr(name.size() + 1);
    if (uuid.find_first_not_of("0123456789abcdef-") == std::string_view::npos) return name;
  }
  const std::size_t ours = Uuid().to_string().size();
  const auto name = cut(ours);
  Uuid process;
  return !name.empty() && Uuid::parse(rest.substr(rest.size() - ours), process)
             ? name
             : std::string_view();
}

}  // namespace weir::streams
