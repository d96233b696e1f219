// MurmurHash3, x64, 128 bits: tells values apart; no protection against who wants them alike.
//
// Rules: Austin Appleby's MurmurHash3_x64_128.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

namespace weir {

/// The first and the second eight bytes, as numbers.
std::pair<std::uint64_t, std::uint64_t> murmur3_128(std::string_view bytes,
                                                    std::uint64_t seed = 0) noexcept;

}  // namespace weir
