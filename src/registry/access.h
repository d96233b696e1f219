// Who may use the registry: HTTP basic authentication against a list of users.
#pragma once

#include <weir/result.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "http/message.h"
#include "io/runtime.h"

namespace weir::registry {

/// By name; the value as hash_password() makes it.
using Users = std::map<std::string, std::string, std::less<>>;

/// Lines of USER:HASH; empty ones and those that begin with '#' are passed over. Errc::malformed
/// names the line, never its content.
Result<Users> parse_users(std::string_view text);

/// The user and password of `Authorization: Basic …`; nothing if it is not that.
std::optional<std::pair<std::string, std::string>> basic_credentials(const http::Request& request);

/// Threads: the loop's; passwords are tried on a worker.
class Access {
 public:
  /// Nothing for yes, or the answer that refuses.
  using Verdict = std::move_only_function<void(std::optional<http::Response>)>;

  static std::unique_ptr<Access> open(io::Runtime& runtime, Users users);
  /// `verdict` is told once, at once if the credentials are known to be right.
  void check(const http::Request& request, Verdict verdict);

 private:
  Access(io::Runtime& runtime, Users users, std::string key);

  const Users users_;
  const std::string key_;
  std::unique_ptr<io::Worker> worker_;
  std::set<std::string> known_;  // digests of credentials that were right
  std::size_t waiting_ = 0;
};

}  // namespace weir::registry
