// Transactions with owners that fence each other, late requests, crashes and bad disks.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "transaction_history.h"
#include "transaction_sim.h"

namespace weir::tests {
namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t usual_seeds = 20;
#else
constexpr std::uint64_t usual_seeds = 300;
#endif

// WEIR_SIM_SEEDS and WEIR_SIM_FIRST_SEED choose others.
TEST(transaction_sim, no_seed_breaks_a_promise) {
  const std::uint64_t first = number_from("WEIR_SIM_FIRST_SEED", 1);
  const std::uint64_t count = number_from("WEIR_SIM_SEEDS", usual_seeds);
  TransactionCounters total;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const auto result = run_transaction_simulation(seed);
    for (const auto& line : result.anomalies) ADD_FAILURE() << "seed " << seed << ": " << line;
    if (HasFailure()) break;
    total.add(result.counters);
  }
  std::printf("%s\n", total.to_string().c_str());
  if (HasFailure() || count < 100) return;
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
