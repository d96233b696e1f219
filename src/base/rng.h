// Randomness, passed in: a seeded generator (xoshiro256**), and one seeded by the machine.
#pragma once

#include <cstdint>

#include "base/ids.h"

namespace weir {

/// Not for secrets. Same seed, same numbers, on every machine. Threads: its owner's.
class Rng {
 public:
  explicit Rng(std::uint64_t seed);
  /// Seeded from the operating system.
  static Rng from_system();

  std::uint64_t next();
  /// In [0, bound); bound > 0.
  std::uint64_t below(std::uint64_t bound);
  /// In [low, high].
  std::int64_t between(std::int64_t low, std::int64_t high);
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  /// A random (version 4) UUID that is none of Kafka's reserved ones and does not begin with '-'.
  Uuid uuid();

 private:
  std::uint64_t state_[4];
};

}  // namespace weir
