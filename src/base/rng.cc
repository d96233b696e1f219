#include "base/rng.h"

#include <bit>
#include <random>

namespace weir {
namespace {

__extension__ using uint128 = unsigned __int128;

std::uint64_t splitmix(std::uint64_t& x) {
  x += 0x9e3779b97f4a7c15U;
  std::uint64_t z = x;
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

}  // namespace

Rng::Rng(std::uint64_t seed) {
  for (auto& word : state_) word = splitmix(seed);
}

Rng Rng::from_system() {
  std::random_device device;
  return Rng((static_cast<std::uint64_t>(device()) << 32U) | device());
}

std::uint64_t Rng::next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t t = state_[1] << 17U;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Rng::below(std::uint64_t bound) {
  // Lemire's multiplication; the bias is below 2^-32 for every bound we use.
  return static_cast<std::uint64_t>((static_cast<uint128>(next()) * bound) >> 64U);
}

std::int64_t Rng::between(std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
}

Uuid Rng::uuid() {
  for (;;) {
    Uuid id;
    for (std::size_t half = 0; half < 2; ++half) {
      const std::uint64_t bits = next();
      for (std::size_t i = 0; i < 8; ++i)
        id.bytes[half * 8 + i] = static_cast<std::uint8_t>(bits >> (i * 8));
    }
    id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0fU) | 0x40U);
    id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3fU) | 0x80U);
    if (id.to_string().front() != '-') return id;
  }
}

}  // namespace weir
