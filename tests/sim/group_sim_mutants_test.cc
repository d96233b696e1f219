// Three planted bugs in the coordinator: the ordinary runs, which do not know them, must find each.
#include <gtest/gtest.h>

#include "group_sim.h"
#include "planted_bugs.h"

namespace weir::tests {
namespace {

struct Planted {
  Mutant mutant;
  const char* name;
  const char* anomaly;  // how it shows
};

class planted_group_bug : public ::testing::TestWithParam<Planted> {};

TEST_P(planted_group_bug, is_found_by_the_ordinary_runs) {
  const auto& planted = GetParam();
  expect_found(planted.mutant, planted.name, 100, [&](std::uint64_t seed) {
    std::string found;
    for (const auto& line : run_group_simulation(seed).anomalies)
      if (line.starts_with(planted.anomaly)) found = line;
    return found;
  });
}

INSTANTIATE_TEST_SUITE_P(all, planted_group_bug,
                         ::testing::Values(Planted{Mutant::generation_not_raised, "double_owner",
                                                   "double-owner"},
                                           Planted{Mutant::commit_checked_again,
                                                   "applied_but_refused", "refused-but-applied"},
                                           Planted{Mutant::offsets_before_durable,
                                                   "offsets_before_durable", "offset-back"}),
                         [](const auto& planted) { return std::string(planted.param.name); });

TEST(planted_group_bug_control, without_a_bug_nothing_is_found) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed)
    EXPECT_TRUE(run_group_simulation(seed).anomalies.empty()) << seed;
}

}  // namespace
}  // namespace weir::tests
