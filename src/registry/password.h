// Passwords: kept as salted, slow hashes, compared in constant time. OpenSSL is behind this alone.
#pragma once

#include <weir/result.h>

#include <string>
#include <string_view>

namespace weir::registry {

/// "pbkdf2-sha256$ROUNDS$SALT$HASH", the last two in base64; another salt each time.
Result<std::string> hash_password(std::string_view password);
/// True if `hash` has the form above.
bool is_password_hash(std::string_view hash);
/// Takes some tenths of a second. Threads: any.
bool password_fits(std::string_view password, std::string_view hash);

bool equal_in_constant_time(std::string_view a, std::string_view b);
/// 32 bytes that nobody can guess.
Result<std::string> random_key();
/// HMAC-SHA-256: by which credentials are remembered without being kept.
std::string keyed_digest(std::string_view key, std::string_view text);

}  // namespace weir::registry
