// Transactions with owners that fence each other, late requests, crashes and bad disks.
#include <gtest/gtest.h>

#include "sim_seeds.h"
#include "transaction_sim.h"

namespace weir::tests {
namespace {

TEST(transaction_sim, no_seed_breaks_a_promise) {
  const auto [total, count, telling] =
      run_seeds(run_transaction_simulation, under_sanitizer ? 20 : 300);
  if (!telling) return;
  // A run that was not hard proves nothing.
  EXPECT_GE(total.committed, 10 * count);
  EXPECT_GE(total.aborted, 5 * count);
  EXPECT_GE(total.fenced, count);
  EXPECT_GE(total.timed_out, count / 10);
  EXPECT_GE(total.offset_commits, 5 * count);
  EXPECT_GE(total.replayed, 10 * count);
  EXPECT_GE(total.session_answers, 50 * count);
  EXPECT_GE(total.cut_open, count / 2);
  EXPECT_GE(total.cut_prepared, count / 100);
  EXPECT_GE(total.machine.crashes, count);
}

TEST(transaction_sim, one_seed_gives_one_run) {
  const auto a = run_transaction_simulation(12345);
  const auto b = run_transaction_simulation(12345);
  EXPECT_EQ(a.counters.to_string(), b.counters.to_string());
}

}  // namespace
}  // namespace weir::tests
