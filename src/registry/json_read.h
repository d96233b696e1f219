// Reading members of JSON objects with errors that name them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "json/json.h"
#include "registry/problem.h"

namespace weir::registry {

/// Members of one object, each of a kind or null; the first that is wrong is kept as a problem.
class MemberReader {
 public:
  /// `what` names the object in messages: "the request", "reference 2".
  MemberReader(const json::Value& value, std::string what);

  std::optional<std::string> text(std::string_view name);
  std::optional<std::int32_t> number(std::string_view name);
  std::optional<bool> flag(std::string_view name);
  /// nullptr if it is absent or null.
  const json::Value* any(std::string_view name);
  /// Notes a problem of a member's value, unless there is one already.
  void note(Problem problem);
  void note(std::string_view member, std::string_view want);

  const std::optional<Problem>& problem() const { return problem_; }

 private:
  const json::Value& value_;
  std::string what_;
  std::optional<Problem> problem_;
};

}  // namespace weir::registry
