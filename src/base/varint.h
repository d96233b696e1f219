// Variable-length integers: unsigned (Kafka's flexible versions) and zigzag (Kafka's records).
// Both are little-endian groups of seven bits, as in Protocol Buffers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

constexpr std::uint32_t zigzag(std::int32_t v) {
  return (static_cast<std::uint32_t>(v) << 1U) ^ static_cast<std::uint32_t>(v >> 31);
}
constexpr std::uint64_t zigzag(std::int64_t v) {
  return (static_cast<std::uint64_t>(v) << 1U) ^ static_cast<std::uint64_t>(v >> 63);
}
constexpr std::int32_t unzigzag(std::uint32_t v) {
  return static_cast<std::int32_t>((v >> 1U) ^ (~(v & 1U) + 1U));
}
constexpr std::int64_t unzigzag(std::uint64_t v) {
  return static_cast<std::int64_t>((v >> 1U) ^ (~(v & 1U) + 1U));
}

constexpr std::size_t uvarint_size(std::uint64_t v) {
  std::size_t n = 1;
  for (; v >= 0x80U; v >>= 7U) ++n;
  return n;
}

/// Writes at `p` (room for 10 bytes) and returns the end.
inline char* put_uvarint(char* p, std::uint64_t v) {
  for (; v >= 0x80U; v >>= 7U) *p++ = static_cast<char>(static_cast<unsigned char>(v) | 0x80U);
  *p++ = static_cast<char>(v);
  return p;
}
inline void append_uvarint(std::string& out, std::uint64_t v) {
  char bytes[10];
  out.append(bytes, static_cast<std::size_t>(put_uvarint(bytes, v) - bytes));
}

/// Takes an unsigned varint of at most 32 (64) bits off the front of `in`.
/// False, and `in` unchanged, if it is cut short or has bits above its type.
inline bool take_uvarint(std::string_view& in, std::uint64_t& out) {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < 10 && i < in.size(); ++i) {
    const auto byte = static_cast<unsigned char>(in[i]);
    if (i == 9 && byte > 1) return false;
    value |= static_cast<std::uint64_t>(byte & 0x7fU) << (7 * i);
    if (byte < 0x80U) {
      out = value;
      in.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}
inline bool take_uvarint(std::string_view& in, std::uint32_t& out) {
  if (!in.empty() && static_cast<unsigned char>(in[0]) < 0x80U) [[likely]] {
    out = static_cast<unsigned char>(in[0]);
    in.remove_prefix(1);
    return true;
  }
  std::uint32_t value = 0;
  for (unsigned i = 0; i < 5 && i < in.size(); ++i) {
    const auto byte = static_cast<unsigned char>(in[i]);
    if (i == 4 && byte > 0x0fU) return false;
    value |= static_cast<std::uint32_t>(byte & 0x7fU) << (7 * i);
    if (byte < 0x80U) {
      out = value;
      in.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}
inline bool take_varint(std::string_view& in, std::int32_t& out) {
  std::uint32_t v = 0;
  if (!take_uvarint(in, v)) return false;
  out = unzigzag(v);
  return true;
}
inline bool take_varint(std::string_view& in, std::int64_t& out) {
  std::uint64_t v = 0;
  if (!take_uvarint(in, v)) return false;
  out = unzigzag(v);
  return true;
}

}  // namespace weir
