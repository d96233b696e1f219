// Digests by which contracts are known: CRC-64-AVRO, MD5, SHA-256. Not for secrets.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace weir::contract {

/// The Rabin fingerprint of the Avro specification.
std::uint64_t crc64_avro(std::string_view bytes);
/// RFC 1321.
std::array<std::uint8_t, 16> md5(std::string_view bytes);
/// FIPS 180-4.
std::array<std::uint8_t, 32> sha256(std::string_view bytes);

}  // namespace weir::contract
