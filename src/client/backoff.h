// Exponential backoff with jitter: so that a thousand clients do not come back at one moment.
#pragma once

#include <algorithm>

#include "base/clock.h"
#include "base/rng.h"

namespace weir::client {

struct BackoffRange {
  Duration first = std::chrono::milliseconds(100);
  Duration most = std::chrono::milliseconds(1000);
};

/// The pause after `failures` (from 1) failures in a row: first * 2^(failures - 1), at most `most`,
/// give or take a fifth.
inline Duration backoff(const BackoffRange& range, unsigned failures, Rng& rng) {
  const unsigned doublings = std::min(failures == 0 ? 0U : failures - 1, 20U);
  const auto full = std::min(range.most.count(), range.first.count() << doublings);
  return Duration(rng.between(full - full / 5, full + full / 5));
}

}  // namespace weir::client
