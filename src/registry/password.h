// Passwords: kept as salted, slow hashes, compared in constant time.
#pragma once

#include <string>
#include <string_view>

namespace weir::registry {

/// "pbkdf2-sha256$ROUNDS$SALT$HASH", the last two in base64; another salt each time.
std::string hash_password(std::string_view password);
/// True if `hash` has the form above.
bool is_password_hash(std::string_view hash);
/// Takes some tenths of a second. Threads: any.
bool password_fits(std::string_view password, std::string_view hash);

}  // namespace weir::registry
