// What the registry answers when it cannot do what was asked: the codes of the Confluent REST API.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace weir::registry {

/// The first three digits are the HTTP status; numbers below 1000 are one themselves.
enum class Code : int {
  malformed_json = 400,
  not_found = 404,
  incompatible = 409,
  unsupported_media_type = 415,
  unprocessable = 422,
  subject_not_found = 40401,
  version_not_found = 40402,
  schema_not_found = 40403,
  subject_soft_deleted = 40404,
  subject_not_soft_deleted = 40405,
  version_soft_deleted = 40406,
  version_not_soft_deleted = 40407,
  no_subject_config = 40408,
  no_subject_mode = 40409,
  invalid_schema = 42201,
  invalid_version = 42202,
  invalid_compatibility = 42203,
  invalid_mode = 42204,
  not_permitted = 42205,
  reference_exists = 42206,
  invalid_subject = 42208,
  schema_too_large = 42209,
  invalid_rule_set = 42210,
  context_not_empty = 42211,
  store_failed = 50001,
  store_timeout = 50002,
  forward_failed = 50003,
  unknown_leader = 50004,
  busy = 50301,
};

struct Problem {
  Code code = Code::store_failed;
  std::string message;
  int status() const {
    const int number = static_cast<int>(code);
    return number < 1000 ? number : number / 100;
  }
};

template <class T>
using Answer = tl::expected<T, Problem>;

/// `return refuse(Code::subject_not_found, "orders-value: no such subject");`
inline tl::unexpected<Problem> refuse(Code code, std::string message) {
  return tl::unexpected<Problem>(Problem{code, std::move(message)});
}
inline tl::unexpected<Problem> refuse(Problem problem) {
  return tl::unexpected<Problem>(std::move(problem));
}

}  // namespace weir::registry
