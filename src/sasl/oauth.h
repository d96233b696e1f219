// OAUTHBEARER (RFC 7628, and Kafka's extensions of KIP-342).
//
//   C: n,,^Aauth=Bearer TOKEN^Atraceid=17^A^A
//   S: nothing, or {"status":"invalid_token"}, to which the client answers ^A and is refused
#pragma once

#include "sasl/mechanism.h"

namespace weir::sasl {

/// Larger tokens are refused, as is what a server says in more bytes.
inline constexpr std::size_t token_bytes_max = 64U * 1024;
inline constexpr std::size_t token_failure_bytes = 4096;

Result<std::unique_ptr<Exchange>> make_oauth_exchange(const Credentials& credentials);
/// What a bearer token may be made of (RFC 6750), and not too long.
Result<void> check_token(std::string_view token);

}  // namespace weir::sasl
