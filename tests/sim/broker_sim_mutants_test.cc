// Planted bugs in the log: the ordinary runs, which do not know them, must find each.
#include <gtest/gtest.h>

#include "broker_sim.h"
#include "compaction_sim.h"
#include "planted_bugs.h"

namespace weir::tests {
namespace {

struct Planted {
  Mutant bug;
  const char* name;
  bool in_compaction = false;  // else in what the whole broker's runs go through
};

std::string first_anomaly(std::uint64_t seed, bool in_compaction) {
  return first_line(in_compaction ? run_compaction_simulation(seed).anomalies
                                  : run_broker_simulation(seed).anomalies);
}

class planted_bug : public ::testing::TestWithParam<Planted> {};

TEST_P(planted_bug, is_found_by_the_ordinary_runs) {
  const auto [bug, name, in_compaction] = GetParam();
  expect_found(bug, name, 200,
               [&](std::uint64_t seed) { return first_anomaly(seed, in_compaction); });
}

INSTANTIATE_TEST_SUITE_P(
    all, planted_bug,
    ::testing::Values(Planted{Mutant::acknowledge_before_sync, "acknowledge_before_sync"},
                      Planted{Mutant::high_watermark_before_sync, "high_watermark_before_sync"},
                      Planted{Mutant::recovery_without_sync, "recovery_without_sync"},
                      Planted{Mutant::believe_failed_sync, "believe_failed_sync"},
                      Planted{Mutant::no_directory_sync, "no_directory_sync"},
                      Planted{Mutant::forget_last_batches, "forget_last_batches"},
                      Planted{Mutant::no_sync, "no_sync"},
                      Planted{Mutant::leader_epoch_not_raised, "leader_epoch_not_raised"},
                      Planted{Mutant::tombstones_not_mapped, "tombstones_not_mapped", true},
                      Planted{Mutant::believe_jumped_clock, "believe_jumped_clock", true}),
    [](const auto& planted) { return std::string(planted.param.name); });

TEST(planted_bug_control, without_a_bug_nothing_is_found) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed)
    for (const bool in_compaction : {false, true})
      EXPECT_EQ(first_anomaly(seed, in_compaction), "") << seed;
}

}  // namespace
}  // namespace weir::tests
