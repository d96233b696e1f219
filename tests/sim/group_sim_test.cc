// Groups on the whole broker in one thread: members that come and go, crashes and bad disks.
#include "group_sim.h"

#include <gtest/gtest.h>

#include "sim_seeds.h"

namespace weir::tests {
namespace {

TEST(group_sim, no_seed_breaks_a_promise) {
  const auto [total, count, telling] = run_seeds(run_group_simulation, under_sanitizer ? 30 : 200);
  if (!telling) return;
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
