// The framing that Java's snappy streams put around snappy blocks:
// 16 bytes of header, then blocks: int32 length (big-endian), that many bytes of raw snappy.
#pragma once

#include <cstddef>
#include <string_view>

namespace weir::compress::xerial {

inline constexpr std::size_t magic_bytes = 8;
inline constexpr std::size_t length_bytes = 4;
/// Uncompressed bytes of one block, as Java writes them.
inline constexpr std::size_t block_bytes = 32U * 1024;

/// Magic, version 1, oldest compatible version 1.
constexpr std::string_view header() { return {"\x82SNAPPY\0\0\0\0\1\0\0\0\1", 16}; }

}  // namespace weir::compress::xerial
