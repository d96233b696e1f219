// The whole broker with scripted clients in one thread: 500 seeds, each with crashes and bad disks.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "broker_sim.h"

namespace weir::tests {
namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// Under a sanitizer a run takes ten times as long, and looks for other faults.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t usual_seeds = 40;
#else
constexpr std::uint64_t usual_seeds = 500;
#endif

// WEIR_SIM_SEEDS and WEIR_SIM_FIRST_SEED choose others; `./run sim` sets them.
TEST(broker_sim, no_seed_breaks_a_promise) {
  const std::uint64_t first = number_from("WEIR_SIM_FIRST_SEED", 1);
  const std::uint64_t count = number_from("WEIR_SIM_SEEDS", usual_seeds);
  SimCounters total;
  std::uint64_t fewest_operations = UINT64_MAX;
  std::uint64_t fewest_crashes = UINT64_MAX;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const SimResult result = run_broker_simulation(seed);
    for (const auto& line : result.anomalies) ADD_FAILURE() << "seed " << seed << ": " << line;
    if (HasFailure()) break;
    total.add(result.counters);
    fewest_operations = std::min(fewest_operations, result.counters.operations);
    fewest_crashes = std::min(fewest_crashes, result.counters.crashes);
  }
  std::printf("%s\n", total.to_string().c_str());
  if (HasFailure() || count < 100) return;
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
