// How a client proves who it is and knows whom it talks to: TLS and SASL, by Kafka's names.
//
// Threads: values; any thread. Sources: Kafka's client settings, RFC 8446 (TLS 1.3), RFC 4616
// (PLAIN), RFC 5802 and 7677 (SCRAM), RFC 7628 (OAUTHBEARER).
#pragma once

#include <weir/result.h>
#include <weir/secret.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace weir {
inline namespace v1 {

/// `security.protocol`: TLS or not, SASL or not. All brokers of a cluster are reached in the same
/// way.
enum class SecurityProtocol : std::uint8_t { plaintext, ssl, sasl_plaintext, sasl_ssl };
/// "SASL_SSL", as Kafka writes it.
std::string_view name_of(SecurityProtocol protocol) noexcept;

/// Certificates and keys are PEM or PKCS#12 (a Java key store since Java 9), told apart by content.
struct ClientTls {
  /// Authorities whose certificates are believed: a file (`ssl.truststore.location`) or PEM
  /// (`ssl.truststore.certificates`); neither: those of the system.
  std::string trust_file{};
  std::string trust_certificates{};
  Secret trust_password{};
  /// Our own certificate with its chain, for brokers that want one (mutual TLS): a file that may
  /// hold the key as well (`ssl.keystore.location`), or PEM (`ssl.keystore.certificate.chain` and
  /// `ssl.keystore.key`).
  std::string certificate_file{};
  std::string certificate_chain{};
  Secret key{};
  /// Of the key in PEM (`ssl.key.password`), or of the PKCS#12 (`ssl.keystore.password`).
  Secret key_password{};
  /// Must the broker's certificate be for the name or address that we connect to? False only for
  /// `ssl.endpoint.identification.algorithm=` (empty): then any certificate of a believed authority
  /// does, and whoever has one can listen.
  bool verify_host_name = true;
  bool allow_tls_1_2 = true;
  bool allow_tls_1_3 = true;
};

/// A bearer token, and what is known of it.
struct OAuthToken {
  Secret value{};
  /// It is used for further connections until four fifths of its time are over; unset: it is
  /// asked for anew each time.
  std::optional<std::chrono::system_clock::time_point> expires{};
  std::map<std::string, std::string> extensions{};  // KIP-342
};
/// Gets a token; may block, and then so does the end of its client. Called on a thread of its own,
/// one call at a time.
using OAuthTokenSource = std::function<Result<OAuthToken>()>;

struct ClientSasl {
  /// PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER.
  std::string mechanism{};
  std::string username{};
  Secret password{};
  /// Of OAUTHBEARER, one of: a function, a file that holds the token, a command for /bin/sh that
  /// prints it. Each is asked whenever a connection must prove itself.
  OAuthTokenSource token_source{};
  std::string token_file{};
  std::string token_command{};
};

struct ClientSecurity {
  SecurityProtocol protocol = SecurityProtocol::plaintext;
  ClientTls tls{};    // with ssl and sasl_ssl
  ClientSasl sasl{};  // with sasl_plaintext and sasl_ssl
};

}  // namespace v1
}  // namespace weir
