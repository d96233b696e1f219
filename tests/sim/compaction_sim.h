// One simulated run of compaction beside appends, crashes, bad disks and a jumping clock; from one
// seed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weir::tests {

/// What a run went through; summed over runs and held against minimums.
struct CompactionCounters {
  std::uint64_t runs = 0;
  std::uint64_t acknowledged = 0;  // records
  std::uint64_t compactions = 0;
  std::uint64_t records_compacted = 0;
  std::uint64_t tombstones_gone = 0;  // keys whose tombstone went, and with it the last of them
  std::uint64_t crashes = 0;
  std::uint64_t crashes_in_compaction = 0;
  std::uint64_t failed_calls = 0;
  std::uint64_t clock_jumps = 0;
  std::uint64_t repeated_batches = 0;  // of idempotent producers, after compaction or a crash

  void add(const CompactionCounters& other);
  std::string to_string() const;
};

struct CompactionResult {
  std::vector<std::string> anomalies;
  CompactionCounters counters;
};

/// Promises that are checked: of every key the last acknowledged value can be read; a value that
/// was deleted or replaced does not come back; an offset never names another record; the memory of
/// an idempotent producer outlives compaction; a wall clock that jumped deletes nothing.
CompactionResult run_compaction_simulation(std::uint64_t seed);

}  // namespace weir::tests
