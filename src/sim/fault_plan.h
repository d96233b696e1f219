// When what breaks, drawn from a seed: the same seed gives the same plan.
#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/rng.h"

namespace weir::sim {

enum class Fault : std::uint8_t {
  power_cut,      // the process dies, un-synced writes are lost, torn or kept
  kill,           // the process dies, the machine lives
  crash_at_call,  // the process dies at the Nth call to the disk from now on
  crash_at_sync,  // the same at the Nth sync of a file: written, not synced
  failed_wal_sync,
  failed_segment_sync,
  failed_write,
  cut_connections,
  disk_full,  // for a while
};

struct PlannedFault {
  MonoTime at{};
  Fault fault{};
  std::uint64_t number = 0;               // of crash_at_…: which call
  std::uint64_t crashes_in_recovery = 0;  // of crashes: how often the next start is cut short
};

/// `crashes` crashes and as many other faults, in order of time within (from, from + length).
std::vector<PlannedFault> plan_faults(Rng& rng, MonoTime from, Duration length, int crashes);

}  // namespace weir::sim
