// One simulated run of groups on the whole broker: scripted members that come, stall and go, a disk
// that fails, a checked record of who owned what and which offsets were seen; from one seed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weir::tests {

/// What a run went through; summed over runs and held against minimums.
struct GroupSimCounters {
  std::uint64_t runs = 0;
  std::uint64_t operations = 0;   // requests answered
  std::uint64_t generations = 0;  // that somebody had an assignment of
  std::uint64_t assignments = 0;  // that members were given
  std::uint64_t commits = 0;      // acknowledged
  std::uint64_t refused_commits = 0;
  std::uint64_t failed_commits = 0;  // the disk did not take them
  std::uint64_t lost_commits = 0;    // cut off: nobody knows
  std::uint64_t fetched = 0;         // offsets that were seen
  std::uint64_t leaves = 0;
  std::uint64_t stalls = 0;
  std::uint64_t static_returns = 0;
  std::uint64_t kept_generations = 0;  // static returns without a rebalance
  std::uint64_t resumed = 0;           // generations that went on after a restart of the broker
  std::uint64_t crashes = 0;
  std::uint64_t crashes_in_recovery = 0;
  std::uint64_t failed_syncs = 0;

  void add(const GroupSimCounters& other);
  std::string to_string() const;
};

struct GroupSimResult {
  std::vector<std::string> anomalies;
  GroupSimCounters counters;
};

GroupSimResult run_group_simulation(std::uint64_t seed);

}  // namespace weir::tests
