// How connections prove who we are: a mechanism, and credentials that are fetched when needed.
#pragma once

#include <weir/security.h>

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "io/runtime.h"
#include "sasl/mechanism.h"

namespace weir::client {

/// Larger answers of a token command, or token files, are refused.
inline constexpr std::size_t token_file_bytes = 128U * 1024;
/// How long a command may take to print a token.
inline constexpr Duration token_command_timeout = std::chrono::seconds(20);

using LoginDone = std::move_only_function<void(Result<std::unique_ptr<sasl::Exchange>>)>;

/// Begins an exchange for each connection that authenticates. A token is fetched by a thread of its
/// own, once for all who wait for it. Owner: a transport. Threads: the loop's.
class Login {
 public:
  /// `sasl` was checked: see open_security().
  Login(io::Runtime& runtime, sasl::Mechanism mechanism, ClientSasl sasl);
  ~Login();
  Login(const Login&) = delete;

  sasl::Mechanism mechanism() const { return mechanism_; }
  /// `done` is called once, perhaps before this returns, unless this is destroyed first.
  void begin(LoginDone done);

 private:
  void fetch();
  void on_token(Result<OAuthToken> token);
  Result<std::unique_ptr<sasl::Exchange>> exchange_with(const OAuthToken& token) const;

  io::Runtime& runtime_;
  const sasl::Mechanism mechanism_;
  const std::shared_ptr<const ClientSasl> sasl_;  // the thread that fetches a token has it too
  std::optional<OAuthToken> token_;
  std::int64_t fetch_again_at_ms_ = 0;  // by the wall clock, as tokens expire
  std::vector<LoginDone> waiting_;
  std::unique_ptr<io::Worker> worker_;  // once a token was wanted
};

}  // namespace weir::client
