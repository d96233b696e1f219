#include "sim_counters.h"

#include <fmt/core.h>

namespace weir::tests {

void SimCounters::add(const SimCounters& other) {
  runs += other.runs;
  operations += other.operations;
  acknowledged += other.acknowledged;
  crashes += other.crashes;
  crashes_in_recovery += other.crashes_in_recovery;
  torn_writes += other.torn_writes;
  lost_renames += other.lost_renames;
  lost_names += other.lost_names;
  failed_syncs += other.failed_syncs;
  repeated_batches += other.repeated_batches;
  forged_requests += other.forged_requests;
  cut_connections += other.cut_connections;
  repairs += other.repairs;
}

std::string SimCounters::to_string() const {
  return fmt::format(
      "{} runs: {} operations, {} batches acknowledged, {} crashes, {} of them in recovery, {} "
      "torn writes, {} lost renames, "
      "{} lost names, {} failed syncs, {} repeated batches, {} forged requests, {} cut "
      "connections, {} repaired segments",
      runs, operations, acknowledged, crashes, crashes_in_recovery, torn_writes, lost_renames,
      lost_names, failed_syncs, repeated_batches, forged_requests, cut_connections, repairs);
}

}  // namespace weir::tests
