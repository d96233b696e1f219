// Time, passed in: a monotonic clock for timeouts and retention, a wall clock for what people see.
#pragma once

#include <chrono>
#include <cstdint>

namespace weir {

using Duration = std::chrono::nanoseconds;

/// Tag clock of monotonic time points; it has no now(): ask the Clock you were given.
struct Monotonic {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<Monotonic>;
  static constexpr bool is_steady = true;
};
/// A moment that never goes back; its zero has no meaning (boot, or the start of a simulation).
using MonoTime = Monotonic::time_point;

/// Where time comes from. Threads: any.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonoTime now() const = 0;
  /// Milliseconds since 1970-01-01 UTC. May jump: never used for timeouts or retention.
  virtual std::int64_t wall_ms() const = 0;
};

/// The clock of the machine.
class SystemClock final : public Clock {
 public:
  MonoTime now() const override;
  std::int64_t wall_ms() const override;
};

}  // namespace weir
