// Reading the binary encoding: numbers and lengths, none believed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "base/varint.h"

namespace weir::contract::avro {

/// The rest of take_long for numbers of several bytes.
inline bool take_long_slowly(const char*& p, const char* end, std::int64_t& out) {
  std::uint64_t value = 0;
  const std::ptrdiff_t room = end - p < 10 ? end - p : 10;
  for (std::ptrdiff_t i = 0; i < room; ++i) {
    const auto byte = static_cast<unsigned char>(p[i]);
    if (i == 9 && byte > 1) return false;
    value |= static_cast<std::uint64_t>(byte & 0x7fU) << static_cast<unsigned>(7 * i);
    if (byte < 0x80U) {
      p += i + 1;
      out = unzigzag(value);
      return true;
    }
  }
  return false;
}

/// An int or long at `p`, which is moved behind it. False if it is cut short or too long.
inline bool take_long(const char*& p, const char* end, std::int64_t& out) {
  if (p == end) [[unlikely]]
    return false;
  const auto first = static_cast<unsigned char>(*p);
  if (first < 0x80U) [[likely]] {
    ++p;
    out = static_cast<std::int64_t>(first >> 1U) ^ -static_cast<std::int64_t>(first & 1U);
    return true;
  }
  return take_long_slowly(p, end, out);
}

inline bool is_int(std::int64_t value) { return value == static_cast<std::int32_t>(value); }

/// A length whose bytes are all there.
inline bool take_length(const char*& p, const char* end, std::size_t& out) {
  std::int64_t length = 0;
  if (!take_long(p, end, length)) return false;
  out = static_cast<std::size_t>(length);
  return out <= static_cast<std::size_t>(end - p);  // a negative one is very large
}

}  // namespace weir::contract::avro
