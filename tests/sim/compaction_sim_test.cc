// Compaction beside everything that can go wrong: 400 seeds.
#include "compaction_sim.h"

#include <gtest/gtest.h>

#include "sim_seeds.h"

namespace weir::tests {
namespace {

TEST(compaction_sim, no_seed_breaks_a_promise) {
  const auto [total, count, telling] = run_seeds(run_compaction_simulation, 400);
  if (!telling) return;
  // A run that was not hard proves nothing.
  EXPECT_GE(total.compactions, count * 5);
  EXPECT_GE(total.records_compacted, count * 50);
  EXPECT_GE(total.tombstones_gone, count);
  EXPECT_GE(total.crashes, count * 2);
  EXPECT_GE(total.crashes_in_compaction, count / 10);
  EXPECT_GE(total.failed_calls, count / 10);
  EXPECT_GE(total.clock_jumps, count);
  EXPECT_GE(total.repeated_batches, count * 5);
}

}  // namespace
}  // namespace weir::tests
