#include "base/murmur3.h"

#include <bit>
#include <cstddef>

namespace weir {
namespace {

constexpr std::uint64_t c1 = 0x87c37b91114253d5U;
constexpr std::uint64_t c2 = 0x4cf5ad432745937fU;
constexpr std::size_t half = 8;

/// Little-endian, of up to eight bytes.
std::uint64_t load(std::string_view bytes) noexcept {
  std::uint64_t out = 0;
  for (std::size_t i = bytes.size(); i-- > 0;)
    out = out << 8U | static_cast<unsigned char>(bytes[i]);
  return out;
}

std::uint64_t mix_first(std::uint64_t k) noexcept { return std::rotl(k * c1, 31) * c2; }
std::uint64_t mix_second(std::uint64_t k) noexcept { return std::rotl(k * c2, 33) * c1; }

std::uint64_t finish(std::uint64_t h) noexcept {
  h ^= h >> 33U;
  h *= 0xff51afd7ed558ccdU;
  h ^= h >> 33U;
  h *= 0xc4ceb9fe1a85ec53U;
  return h ^ h >> 33U;
}

}  // namespace

std::pair<std::uint64_t, std::uint64_t> murmur3_128(std::string_view bytes,
                                                    std::uint64_t seed) noexcept {
  std::uint64_t h1 = seed;
  std::uint64_t h2 = seed;
  std::string_view rest = bytes;
  for (; rest.size() >= 2 * half; rest.remove_prefix(2 * half)) {
    h1 ^= mix_first(load(rest.substr(0, half)));
    h1 = (std::rotl(h1, 27) + h2) * 5 + 0x52dce729U;
    h2 ^= mix_second(load(rest.substr(half, half)));
    h2 = (std::rotl(h2, 31) + h1) * 5 + 0x38495ab5U;
  }
  if (rest.size() > half) h2 ^= mix_second(load(rest.substr(half)));
  if (!rest.empty()) h1 ^= mix_first(load(rest.substr(0, half)));
  h1 ^= bytes.size();
  h2 ^= bytes.size();
  h1 += h2;
  h2 += h1;
  h1 = finish(h1);
  h2 = finish(h2);
  h1 += h2;
  h2 += h1;
  return {h1, h2};
}

}  // namespace weir
