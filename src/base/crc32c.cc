#include "base/crc32c.h"

#include <array>
#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#include <wmmintrin.h>
#endif

namespace weir {
namespace {

constexpr std::uint32_t polynomial = 0x82f63b78U;  // reflected

constexpr std::array<std::array<std::uint32_t, 256>, 8> make_tables() {
  std::array<std::array<std::uint32_t, 256>, 8> t{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? polynomial : 0U);
    t[0][i] = crc;
  }
  for (std::uint32_t i = 0; i < 256; ++i)
    for (std::size_t k = 1; k < 8; ++k) t[k][i] = (t[k - 1][i] >> 8U) ^ t[0][t[k - 1][i] & 0xffU];
  return t;
}
constexpr auto tables = make_tables();

#if defined(__x86_64__)

// x^(8 * bytes) mod P, as the factor that shifts a lane's crc past what follows it.
constexpr std::uint32_t shift_factor(std::size_t bytes) {
  // Multiply the polynomial "x^0" (reflected: top bit) by x, 8 * bytes - 33 times: the carry-less
  // product of two reflected 32-bit values is one bit short, and crc32 of the 64-bit product
  // adds 32.
  std::uint32_t value = 0x80000000U;
  for (std::size_t i = 0; i < 8 * bytes - 33; ++i)
    value = (value >> 1U) ^ ((value & 1U) != 0 ? polynomial : 0U);
  return value;
}

std::uint64_t load64(const char* p) {
  std::uint64_t v = 0;
  std::memcpy(&v, p, 8);
  return v;
}

__attribute__((target("sse4.2,pclmul"))) std::uint32_t shift(std::uint32_t crc,
                                                             std::uint32_t factor) {
  const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi32_si128(static_cast<int>(crc)),
                                               _mm_cvtsi32_si128(static_cast<int>(factor)), 0);
  return static_cast<std::uint32_t>(
      _mm_crc32_u64(0, static_cast<std::uint64_t>(_mm_cvtsi128_si64(product))));
}

/// Takes three lanes of that length at a time from the front, as long as there are.
template <std::size_t lane>
__attribute__((target("sse4.2,pclmul"))) std::uint64_t take_lanes(std::uint64_t crc, const char*& p,
                                                                  std::size_t& n) {
  constexpr std::uint32_t past_one = shift_factor(lane);
  constexpr std::uint32_t past_two = shift_factor(2 * lane);
  for (; n >= 3 * lane; n -= 3 * lane, p += 3 * lane) {
    std::uint64_t second = 0;
    std::uint64_t third = 0;
    for (std::size_t i = 0; i < lane; i += 8) {
      crc = _mm_crc32_u64(crc, load64(p + i));
      second = _mm_crc32_u64(second, load64(p + lane + i));
      third = _mm_crc32_u64(third, load64(p + 2 * lane + i));
    }
    crc = shift(static_cast<std::uint32_t>(crc), past_two) ^
          shift(static_cast<std::uint32_t>(second), past_one) ^ static_cast<std::uint32_t>(third);
  }
  return crc;
}

__attribute__((target("sse4.2,pclmul"))) std::uint32_t extend_hardware(std::uint32_t start,
                                                                       std::string_view bytes) {
  std::uint64_t crc = ~start;
  const char* p = bytes.data();
  std::size_t n = bytes.size();
  // The instruction has a latency of three cycles: three independent lanes keep it busy. Of bytes
  // that are in no cache, long lanes are read twice as fast as short ones: the machine fetches
  // ahead within a page, and three streams in one page confuse it.
  crc = take_lanes<16U * 1024>(crc, p, n);
  crc = take_lanes<4U * 1024>(crc, p, n);
  crc = take_lanes<1U * 1024>(crc, p, n);
  for (; n >= 8; n -= 8, p += 8) crc = _mm_crc32_u64(crc, load64(p));
  auto tail = static_cast<std::uint32_t>(crc);
  for (; n > 0; --n, ++p) tail = _mm_crc32_u8(tail, static_cast<unsigned char>(*p));
  return ~tail;
}

#endif

}  // namespace

std::uint32_t crc32c_extend_portable(std::uint32_t crc, std::string_view bytes) noexcept {
  crc = ~crc;
  const auto* p = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t n = bytes.size();
  if constexpr (std::endian::native == std::endian::little) {
    for (; n >= 8; n -= 8, p += 8) {
      std::uint32_t low = 0;
      std::memcpy(&low, p, 4);
      low ^= crc;
      crc = tables[7][low & 0xffU] ^ tables[6][(low >> 8U) & 0xffU] ^
            tables[5][(low >> 16U) & 0xffU] ^ tables[4][low >> 24U] ^ tables[3][p[4]] ^
            tables[2][p[5]] ^ tables[1][p[6]] ^ tables[0][p[7]];
    }
  }
  for (; n > 0; --n, ++p) crc = (crc >> 8U) ^ tables[0][(crc ^ *p) & 0xffU];
  return ~crc;
}

std::uint32_t crc32c_extend(std::uint32_t crc, std::string_view bytes) noexcept {
#if defined(__x86_64__)
  static const bool hardware =
      __builtin_cpu_supports("sse4.2") != 0 && __builtin_cpu_supports("pclmul") != 0;
  if (hardware) return extend_hardware(crc, bytes);
#endif
  return crc32c_extend_portable(crc, bytes);
}

std::uint32_t crc32c(std::string_view bytes) noexcept { return crc32c_extend(0, bytes); }

}  // namespace weir
