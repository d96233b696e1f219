// Digests, HMAC, PBKDF2 and nonces; OpenSSL's headers stay in crypto.cc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::sasl {

/// SHA-1 is here for the worked example of RFC 5802 alone; no mechanism of ours uses it.
enum class Hash : std::uint8_t { sha1, sha256, sha512 };

std::size_t digest_size(Hash hash);
std::string digest(Hash hash, std::string_view bytes);
std::string hmac(Hash hash, std::string_view key, std::string_view bytes);
/// As many bytes as a digest has; `iterations` > 0.
std::string pbkdf2(Hash hash, std::string_view password, std::string_view salt, int iterations);
/// Takes the same time wherever they differ.
bool equal_in_constant_time(std::string_view a, std::string_view b);
/// `size` bytes that nobody can guess, from the machine.
std::string random_bytes(std::size_t size);

}  // namespace weir::sasl
