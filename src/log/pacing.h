// When the next cycle of the write-ahead log begins: under load fewer, larger syncs cost less.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace weir::log {

struct PacingOptions {
  /// After a cycle of at least `paced_bytes` the next begins no sooner than `pause` after it began.
  /// A lone append never waits.
  std::uint64_t paced_bytes = 32U << 10U;
  Duration pause = std::chrono::milliseconds(1);
  /// It goes on waiting, a pause at a time, while `flowing_bytes` came in the second half of the
  /// last one: writers that wait for their acknowledgements are silent by then.
  std::uint64_t flowing_bytes = 8U << 10U;
  Duration longest_pause = std::chrono::milliseconds(4);
  std::uint64_t enough_bytes = 512U << 10U;  // gathered: no further pause
};

/// Pure: it is told of the time and asked for it.
class Pacing {
 public:
  explicit Pacing(PacingOptions options) : options_(options) {}

  /// A cycle of `bytes` begins.
  void began(MonoTime now, std::uint64_t bytes) {
    began_ = now;
    paced_ = bytes >= options_.paced_bytes;
    next_pause(now + options_.pause);
  }

  /// Something came when `gathered` bytes waited already.
  void arriving(MonoTime now, std::uint64_t gathered) {
    if (before_half_ || now < earliest_ - options_.pause / 2) return;
    before_half_ = gathered;
  }

  /// Until when a cycle of `gathered` bytes is to wait; nothing: it may begin.
  std::optional<MonoTime> wait(MonoTime now, std::uint64_t gathered) {
    if (!paced_) return std::nullopt;
    if (now < earliest_) return earliest_;
    const MonoTime last = began_ + options_.longest_pause;
    const std::uint64_t late = before_half_ ? gathered - *before_half_ : 0;
    if (now >= last || gathered >= options_.enough_bytes || late < options_.flowing_bytes)
      return std::nullopt;
    next_pause(std::min(now + options_.pause, last));
    return earliest_;
  }

 private:
  void next_pause(MonoTime until) {
    earliest_ = until;
    before_half_.reset();
  }

  const PacingOptions options_;
  bool paced_ = false;
  MonoTime began_{};
  MonoTime earliest_{};
  std::optional<std::uint64_t> before_half_;  // gathered at the half of the pause
};

}  // namespace weir::log
