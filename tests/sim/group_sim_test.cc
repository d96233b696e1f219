// Groups on the whole broker in one thread: members that come and go, crashes and bad disks.
#include "group_sim.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

namespace weir::tests {
namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t usual_seeds = 30;
#else
constexpr std::uint64_t usual_seeds = 200;
#endif

// WEIR_SIM_SEEDS and WEIR_SIM_FIRST_SEED choose others.
TEST(group_sim, no_seed_breaks_a_promise) {
  const std::uint64_t first = number_from("WEIR_SIM_FIRST_SEED", 1);
  const std::uint64_t count = number_from("WEIR_SIM_SEEDS", usual_seeds);
  GroupSimCounters total;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const GroupSimResult result = run_group_simulation(seed);
    for (const auto& line : result.anomalies) ADD_FAILURE() << "seed " << seed << ": " << line;
    if (HasFailure()) break;
    total.add(result.counters);
  }
  std::printf("%s\n", total.to_string().c_str());
  if (HasFailure() || count < 100) return;
  // A run that was not hard proves nothing.
  EXPECT_GE(total.operations, count * 200);
  EXPECT_GE(total.generations, count * 5);
  EXPECT_GE(total.commits, count * 50);
  EXPECT_GE(total.refused_commits, count);
  EXPECT_GE(total.failed_commits, count / 10);
  EXPECT_GE(total.lost_commits, count / 2);
  EXPECT_GE(total.stalls, count);
  EXPECT_GE(total.leaves, count);
  EXPECT_GE(total.static_returns, count / 2);
  EXPECT_GE(total.kept_generations, count / 10);
  EXPECT_GE(total.resumed, count);
  EXPECT_GE(total.crashes, count * 2);
  EXPECT_GE(total.crashes_in_recovery, count / 4);
  EXPECT_GE(total.failed_syncs, count / 10);
}

TEST(group_sim, one_seed_gives_one_run) {
  EXPECT_EQ(run_group_simulation(4711).counters.to_string(),
            run_group_simulation(4711).counters.to_string());
}

}  // namespace
}  // namespace weir::tests
