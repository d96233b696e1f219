// Compaction beside everything that can go wrong: 400 seeds.
#include "compaction_sim.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

namespace weir::tests {
namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(compaction_sim, no_seed_breaks_a_promise) {
  const std::uint64_t first = number_from("WEIR_SIM_FIRST_SEED", 1);
  const std::uint64_t count = number_from("WEIR_SIM_SEEDS", 400);
  CompactionCounters total;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const CompactionResult result = run_compaction_simulation(seed);
    for (const auto& line : result.anomalies) ADD_FAILURE() << "seed " << seed << ": " << line;
    if (HasFailure()) break;
    total.add(result.counters);
  }
  std::printf("%s\n", total.to_string().c_str());
  if (HasFailure() || count < 100) return;
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
