// The wall clock for timestamps of records: read anew only when some microseconds have passed.
#pragma once

#include <cstdint>

#include "base/clock.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace weir::client {

/// Asking the system for the time costs as much as copying a record. The processor's own counter
/// says whether enough of its cycles have passed to ask again: at 1 to 5 GHz the time is at most 33
/// us old. A simulated clock is always asked. Threads: its owner's lock.
class WallTime {
 public:
  explicit WallTime(const Clock& clock)
      : clock_(clock), real_(dynamic_cast<const SystemClock*>(&clock) != nullptr) {}

  std::int64_t now_ms() {
#if defined(__x86_64__)
    if (real_) {
      const std::uint64_t cycles = __rdtsc();
      if (cycles - read_at_ < window_cycles) return last_ms_;
      read_at_ = cycles;
      return last_ms_ = clock_.wall_ms();
    }
#endif
    return clock_.wall_ms();
  }

 private:
  static constexpr std::uint64_t window_cycles = 1U << 15U;

  const Clock& clock_;
  const bool real_;
  std::uint64_t read_at_ = 0;
  std::int64_t last_ms_ = 0;
};

}  // namespace weir::client
