// The server's side of SCRAM, over what it keeps of a password.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "sasl/scram.h"

namespace weir::sasl {

/// Looks up what is kept of a user; nothing: there is none.
using FindCredential = std::function<std::optional<ScramCredential>(std::string_view user)>;

/// One authentication. Every failure has one text for the other side, "authentication failed", so
/// that users cannot be listed: one who is unknown gets a made-up salt and fails at the proof.
///
/// | state       | takes        | gives        | next        |
/// |-------------|--------------|--------------|-------------|
/// | first       | client first | server first | proof       |
/// | proof       | client final | server final | done        |
/// | done, ended | nothing      |              |             |
class ScramServer {
 public:
  /// `nonce`: the server's part. `unknown_user`: the salt and iterations of users that there are
  /// not; its salt is a secret of the server, from which one is derived for each name.
  ScramServer(Hash hash, FindCredential find, std::string nonce, ScramCredential unknown_user);

  /// The answer to a message. After an error the exchange is over: malformed, limit_exceeded,
  /// sasl_authentication_failed; the message is for the log.
  Result<std::string> next(std::string_view message);
  bool done() const { return state_ == State::done; }
  /// Who it is, once done.
  const std::string& user() const { return first_.user; }

 private:
  enum class State : std::uint8_t { first, proof, done, ended };
  Result<std::string> on_first(std::string_view message);
  Result<std::string> on_final(std::string_view message);

  Hash hash_;
  FindCredential find_;
  std::string nonce_;
  ScramCredential unknown_;
  State state_ = State::first;
  ClientFirst first_;
  std::string gs2_;  // base64 of the header that came
  std::string server_first_;
  ScramCredential credential_;
  bool known_ = false;
};

}  // namespace weir::sasl
