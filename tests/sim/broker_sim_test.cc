// The whole broker with scripted clients in one thread: many seeds, each with crashes and bad
// disks.
#include <gtest/gtest.h>

#include <algorithm>

#include "broker_sim.h"
#include "sim_seeds.h"

namespace weir::tests {
namespace {

TEST(broker_sim, no_seed_breaks_a_promise) {
  std::uint64_t fewest_operations = UINT64_MAX;
  std::uint64_t fewest_crashes = UINT64_MAX;
  const auto [total, count, telling] = run_seeds(
      run_broker_simulation, under_sanitizer ? 40 : 500, [&](const SimCounters& counters) {
        fewest_operations = std::min(fewest_operations, counters.operations);
        fewest_crashes = std::min(fewest_crashes, counters.crashes);
      });
  if (!telling) return;
  // A run that was not hard proves nothing.
  EXPECT_GE(fewest_operations, 200U);
  EXPECT_GE(fewest_crashes, 2U);
  EXPECT_GE(total.crashes_in_recovery, count / 4);
  EXPECT_GE(total.torn_writes, count);
  EXPECT_GE(total.lost_renames, count / 50);
  EXPECT_GE(total.failed_syncs, count / 10);
  EXPECT_GE(total.repeated_batches, count);
  EXPECT_GE(total.forged_requests, count);
  EXPECT_GE(total.cut_connections, count);
}

TEST(broker_sim, one_seed_gives_one_run) {
  const SimResult a = run_broker_simulation(12345);
  const SimResult b = run_broker_simulation(12345);
  EXPECT_EQ(a.counters.to_string(), b.counters.to_string());
}

}  // namespace
}  // namespace weir::tests
