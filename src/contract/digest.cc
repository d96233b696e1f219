#include "contract/digest.h"

#include <bit>
#include <cmath>
#include <cstddef>
#include <string>

#include "base/bytes.h"

namespace weir::contract {
namespace {

constexpr std::uint64_t crc64_empty = 0xc15d213aa4d7a795U;

constexpr std::array<std::uint64_t, 256> make_crc64_table() {
  std::array<std::uint64_t, 256> table{};
  for (std::uint64_t i = 0; i < 256; ++i) {
    std::uint64_t value = i;
    for (int bit = 0; bit < 8; ++bit)
      value = (value >> 1U) ^ (crc64_empty & (std::uint64_t{0} - (value & 1U)));
    table[i] = value;
  }
  return table;
}
constexpr auto crc64_table = make_crc64_table();

/// The message with its padding: a one bit, zeros, and its length in bits in the last eight bytes.
std::string padded(std::string_view bytes, bool big_endian) {
  std::string out(bytes);
  out += '\x80';
  out.append((120 - out.size() % 64) % 64, '\0');
  const std::uint64_t bits = std::uint64_t{bytes.size()} * 8;
  for (unsigned i = 0; i < 8; ++i)
    out += static_cast<char>(bits >> 8U * (big_endian ? 7 - i : i) & 255U);
  return out;
}

constexpr std::array<unsigned, 16> md5_shifts = {7, 12, 17, 22, 5, 9,  14, 20,
                                                 4, 11, 16, 23, 6, 10, 15, 21};

void md5_block(const char* block, const std::array<std::uint32_t, 64>& sines,
               std::array<std::uint32_t, 4>& state) {
  std::array<std::uint32_t, 16> words{};
  for (std::size_t i = 0; i < 16; ++i)
    words[i] = __builtin_bswap32(load_be<std::uint32_t>(block + 4 * i));
  auto [a, b, c, d] = state;
  for (unsigned i = 0; i < 64; ++i) {
    std::uint32_t mixed = 0;
    unsigned word = 0;
    switch (i / 16) {
      case 0: mixed = (b & c) | (~b & d), word = i; break;
      case 1: mixed = (d & b) | (~d & c), word = 5 * i + 1; break;
      case 2: mixed = b ^ c ^ d, word = 3 * i + 5; break;
      default: mixed = c ^ (b | ~d), word = 7 * i; break;
    }
    const auto shift = static_cast<int>(md5_shifts[i / 16 * 4 + i % 4]);
    const std::uint32_t turned = std::rotl(a + mixed + sines[i] + words[word % 16], shift);
    a = d, d = c, c = b, b += turned;
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d;
}

/// The first 32 bits of the fractions of the square or cube roots of the first primes.
template <std::size_t count>
std::array<std::uint32_t, count> fractions_of_roots(bool cube) {
  std::array<std::uint32_t, count> out{};
  std::size_t found = 0;
  for (unsigned n = 2; found < count; ++n) {
    bool prime = true;
    for (unsigned d = 2; d * d <= n; ++d) prime = prime && n % d != 0;
    if (!prime) continue;
    const long double value = n;
    const long double root = cube ? std::cbrt(value) : std::sqrt(value);
    out[found++] = static_cast<std::uint32_t>((root - std::floor(root)) * 4294967296.0L);
  }
  return out;
}

void sha256_block(const char* block, const std::array<std::uint32_t, 64>& constants,
                  std::array<std::uint32_t, 8>& state) {
  std::array<std::uint32_t, 64> w{};
  for (std::size_t i = 0; i < 16; ++i) w[i] = load_be<std::uint32_t>(block + 4 * i);
  for (std::size_t i = 16; i < 64; ++i) {
    const std::uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ w[i - 15] >> 3U;
    const std::uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ w[i - 2] >> 10U;
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (std::size_t i = 0; i < 64; ++i) {
    const std::uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    const std::uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + constants[i] + w[i];
    const std::uint32_t s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    const std::uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d;
  state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

}  // namespace

std::uint64_t crc64_avro(std::string_view bytes) {
  std::uint64_t crc = crc64_empty;
  for (const char c : bytes)
    crc = (crc >> 8U) ^ crc64_table[(crc ^ static_cast<unsigned char>(c)) & 255U];
  return crc;
}

std::array<std::uint8_t, 16> md5(std::string_view bytes) {
  static const auto sines = [] {
    std::array<std::uint32_t, 64> out{};
    for (std::size_t i = 0; i < 64; ++i)
      out[i] = static_cast<std::uint32_t>(std::abs(std::sin(static_cast<long double>(i + 1))) *
                                          4294967296.0L);
    return out;
  }();
  std::array<std::uint32_t, 4> state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  const std::string message = padded(bytes, false);
  for (std::size_t at = 0; at < message.size(); at += 64)
    md5_block(message.data() + at, sines, state);
  std::array<std::uint8_t, 16> out{};
  for (std::size_t i = 0; i < 16; ++i)
    out[i] = static_cast<std::uint8_t>(state[i / 4] >> 8U * (i % 4));
  return out;
}

std::array<std::uint8_t, 32> sha256(std::string_view bytes) {
  static const auto constants = fractions_of_roots<64>(true);
  static const auto start = fractions_of_roots<8>(false);
  std::array<std::uint32_t, 8> state = start;
  const std::string message = padded(bytes, true);
  for (std::size_t at = 0; at < message.size(); at += 64)
    sha256_block(message.data() + at, constants, state);
  std::array<std::uint8_t, 32> out{};
  for (std::size_t i = 0; i < 32; ++i)
    out[i] = static_cast<std::uint8_t>(state[i / 4] >> 8U * (3 - i % 4));
  return out;
}

}  // namespace weir::contract
