// The client's side of an authentication: which messages it sends, and when it believes the server.
#pragma once

#include <weir/result.h>
#include <weir/secret.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::sasl {

enum class Mechanism : std::uint8_t { plain, scram_sha_256, scram_sha_512, oauthbearer };
/// As it is written on the wire: "SCRAM-SHA-256".
std::string_view name_of(Mechanism mechanism);
/// Errc::invalid_setting names those that there are.
Result<Mechanism> mechanism_named(std::string_view name);

struct Credentials {
  std::string username{};
  Secret password{};
  Secret token{};                                   // of OAUTHBEARER
  std::map<std::string, std::string> extensions{};  // of OAUTHBEARER (KIP-342)
};

/// One authentication. Owner: a connection. Pure: no thread, socket or clock.
class Exchange {
 public:
  virtual ~Exchange() = default;
  /// The first message. Called once.
  virtual Secret first() = 0;
  /// The answer to a message of the server; nothing if there is none to send. An error ends it:
  /// sasl_authentication_failed, malformed, limit_exceeded.
  virtual Result<std::optional<Secret>> next(std::string_view challenge) = 0;
  /// True once the server has said all that it must say: for SCRAM, that it knows the password.
  virtual bool complete() const = 0;
  /// What the server has told about a failure before it ended the exchange; empty: nothing.
  virtual std::string failure() const { return {}; }
};

/// Errc::invalid_setting: a credential that is missing, or that the mechanism cannot carry.
/// `nonce`: of SCRAM, printable without a comma; see make_nonce().
Result<std::unique_ptr<Exchange>> make_exchange(Mechanism mechanism, const Credentials& credentials,
                                                std::string nonce);
/// 144 random bits as text.
std::string make_nonce();

}  // namespace weir::sasl
