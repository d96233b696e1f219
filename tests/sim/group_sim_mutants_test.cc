// Three planted bugs in the coordinator: the ordinary runs, which do not know them, must find each.
#include <gtest/gtest.h>

#include <cstdio>

#include "base/mutant.h"
#include "group_sim.h"

namespace weir::tests {
namespace {

constexpr std::uint64_t most_seeds = 100;

struct Planted {
  Mutant mutant;
  const char* name;
  const char* anomaly;  // how it shows
};

class planted_group_bug : public ::testing::TestWithParam<Planted> {};

TEST_P(planted_group_bug, is_found_by_the_ordinary_runs) {
  active_mutant = GetParam().mutant;
  std::uint64_t seed = 1;
  std::string found;
  for (; seed <= most_seeds && found.empty(); ++seed)
    for (const auto& line : run_group_simulation(seed).anomalies)
      if (line.starts_with(GetParam().anomaly)) found = line;
  active_mutant = Mutant::none;
  std::printf("%s: seed %llu: %s\n", GetParam().name, static_cast<unsigned long long>(seed - 1),
              found.c_str());
  EXPECT_FALSE(found.empty()) << "not found in " << most_seeds << " seeds";
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
