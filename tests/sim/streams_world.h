// A simulated run of stream processing: the broker, applications of three instances, their crashes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "simulation.h"

namespace weir::tests {

/// What runs went through.
enum class StreamCount : std::uint8_t {
  runs,
  inputs,
  outputs,
  commits,
  recoveries,
  tasks_opened,
  records_restored,
  kills,
  kills_in_a_commit,
  kills_before_store_write,  // its transaction is committed, its disk does not have it
  kills_in_a_restore,
  restores_cut_short,  // by a rebalance
  refused_commits,     // of members that the group had given up
  lost_disks,
  old_disks,  // a crash brought back an earlier state of the disk
  records_replicated,
  stalls,  // long enough to be taken for dead
  purges,  // of repartitions
  late_records,
  ticks,  // by the wall clock
  sessions_merged,
  joined,
  joined_alone,
  windows_closed,  // and told of once
  rows_ruled,      // by the join by foreign key, in the end
  count,
};
std::string_view name_of(StreamCount count);

struct StreamResult {
  std::vector<std::string> anomalies;
  std::array<std::uint64_t, static_cast<std::size_t>(StreamCount::count)> counts{};
  std::uint64_t& operator[](StreamCount count) { return counts[static_cast<std::size_t>(count)]; }
};

/// Everything is a function of the seed.
StreamResult run_streams_world(std::uint64_t seed, const TraceSink& trace = {});

}  // namespace weir::tests
