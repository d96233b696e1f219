// SCRAM (RFC 5802, RFC 7677): its arithmetic and its four messages, for the client and the server.
//
//   C: n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL                      client first, the gs2 header in
//   front S: r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096       server
//   first C: c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts= S:
//   v=rmF9pqV8S7suAoZWja4dJRkFsKQ=                            server final, or e=other-error
//
// No channel binding: the gs2 flag is "n", so c= is always the base64 of "n,,". Mandatory
// extensions (m=) are refused, others are passed over.
#pragma once

#include <weir/result.h>
#include <weir/secret.h>

#include <string>
#include <string_view>

#include "sasl/crypto.h"

namespace weir::sasl {

/// Larger messages of the other side are refused unread.
inline constexpr std::size_t scram_message_bytes = 4096;
/// Kafka's floor. A server that asks for fewer makes a stolen exchange cheap to guess from.
inline constexpr int scram_iterations_min = 4096;
/// A server that asks for more would only keep our processor busy.
inline constexpr int scram_iterations_max = 1'000'000;
inline constexpr std::size_t scram_salt_bytes_max = 256;

/// What a server keeps of a password; nobody can log in with it.
struct ScramCredential {
  std::string salt;
  int iterations = 0;
  std::string stored_key;
  std::string server_key;
};

/// What both sides know at the end, whose signature proves each to the other.
struct ScramKeys {
  Secret client_key;
  std::string stored_key;
  Secret server_key;
};
ScramKeys derive_keys(Hash hash, std::string_view password, std::string_view salt, int iterations);
ScramCredential make_credential(Hash hash, std::string_view password, std::string_view salt,
                                int iterations);
/// Client key xor signature of the stored key, and back.
std::string xor_bytes(std::string_view a, std::string_view b);

struct ClientFirst {
  std::string user;   // =2C and =3D read
  std::string nonce;  // the client's
  std::string bare;   // without the gs2 header: a part of what is signed
};
struct ServerFirst {
  std::string nonce;  // both, the client's in front
  std::string salt;
  int iterations = 0;
};
struct ClientFinal {
  std::string nonce;
  std::string proof;
  std::string without_proof;  // a part of what is signed
};

/// Readers of the other side's messages. Errc::malformed says what is wrong, Errc::limit_exceeded
/// what is too large; neither shows the message.
Result<ClientFirst> read_client_first(std::string_view message);
Result<ServerFirst> read_server_first(std::string_view message);
Result<ClientFinal> read_client_final(std::string_view message);
/// The server's signature; its e= is Errc::sasl_authentication_failed.
Result<std::string> read_server_final(std::string_view message);

/// A name as it stands in n=.
std::string escape_name(std::string_view name);
/// Printable ASCII, which SASLprep leaves as it is; `what` names it in the message, which does not
/// show it. Errc::invalid_setting.
Result<void> check_prepared(std::string_view what, std::string_view text);

}  // namespace weir::sasl
