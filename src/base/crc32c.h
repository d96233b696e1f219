// CRC-32C (Castagnoli), as Kafka's record batches and our own files use it (RFC 3720, appendix
// B.4).
#pragma once

#include <cstdint>
#include <string_view>

namespace weir {

/// CRC-32C of `bytes`. Uses the processor's instruction where there is one.
std::uint32_t crc32c(std::string_view bytes) noexcept;

/// Goes on from `crc`, the value of what came before: crc32c_extend(crc32c(a), b) == crc32c(a + b).
std::uint32_t crc32c_extend(std::uint32_t crc, std::string_view bytes) noexcept;

/// The table version, always portable; tests compare both.
std::uint32_t crc32c_extend_portable(std::uint32_t crc, std::string_view bytes) noexcept;

}  // namespace weir
