// What simulated runs of the broker went through.
#pragma once

#include <cstdint>
#include <string>

namespace weir::tests {

/// What a run went through; summed over runs and held against minimums.
struct SimCounters {
  std::uint64_t runs = 0;
  std::uint64_t operations = 0;    // requests answered
  std::uint64_t acknowledged = 0;  // batches
  std::uint64_t crashes = 0;
  std::uint64_t crashes_in_recovery = 0;
  std::uint64_t torn_writes = 0;
  std::uint64_t lost_renames = 0;
  std::uint64_t lost_names = 0;
  std::uint64_t failed_syncs = 0;
  std::uint64_t repeated_batches = 0;  // batches sent again with the same sequence
  std::uint64_t forged_requests = 0;
  std::uint64_t cut_connections = 0;
  std::uint64_t repairs = 0;

  void add(const SimCounters& other);
  std::string to_string() const;
};

}  // namespace weir::tests
