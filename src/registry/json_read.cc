#include "registry/json_read.h"

#include <limits>
#include <utility>

namespace weir::registry {

MemberReader::MemberReader(const json::Value& value, std::string what)
    : value_(value), what_(std::move(what)) {
  if (value.as_object() == nullptr)
    problem_ = Problem{Code::unprocessable, what_ + " must be a JSON object"};
}

const json::Value* MemberReader::any(std::string_view name) {
  const json::Value* found = value_.find(name);
  return found == nullptr || found->is_null() ? nullptr : found;
}

std::optional<std::string> MemberReader::text(std::string_view name) {
  const json::Value* found = any(name);
  if (found == nullptr) return std::nullopt;
  if (const auto* value = found->as_string()) return *value;
  note(name, "a string");
  return std::nullopt;
}

std::optional<std::int32_t> MemberReader::number(std::string_view name) {
  const json::Value* found = any(name);
  if (found == nullptr) return std::nullopt;
  const auto* value = found->as_int();
  using Bounds = std::numeric_limits<std::int32_t>;
  if (value != nullptr && *value >= Bounds::min() && *value <= Bounds::max())
    return static_cast<std::int32_t>(*value);
  note(name, "a whole number of 32 bits");
  return std::nullopt;
}

std::optional<bool> MemberReader::flag(std::string_view name) {
  const json::Value* found = any(name);
  if (found == nullptr) return std::nullopt;
  if (const auto* value = found->as_bool()) return *value;
  note(name, "true or false");
  return std::nullopt;
}

void MemberReader::note(Problem problem) {
  if (!problem_) problem_ = std::move(problem);
}

void MemberReader::note(std::string_view member, std::string_view want) {
  note(Problem{Code::unprocessable,
               what_ + ": \"" + std::string(member) + "\" must be " + std::string(want)});
}

}  // namespace weir::registry
