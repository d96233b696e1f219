// Every planted bug is found by the ordinary runs, which do not know it.
#include "planted_bugs.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "invariants.h"

namespace weir::tests {
namespace {

class planted_bug : public ::testing::TestWithParam<PlantedBug> {};

TEST_P(planted_bug, is_found_by_the_ordinary_runs) {
  const auto found = find_bug(GetParam().bug, 1);
  std::printf("%s: seed %llu: %s\n", std::string(GetParam().name).c_str(),
              static_cast<unsigned long long>(found.seeds), found.anomaly.c_str());
  ASSERT_NE(found.seeds, 0U) << "not found in " << most_seeds_for_a_bug << " seeds";
  EXPECT_NE(invariant_of(found.anomaly), "") << "no invariant has that name";
}

INSTANTIATE_TEST_SUITE_P(all, planted_bug, ::testing::ValuesIn(planted_bugs()),
                         [](const auto& planted) { return std::string(planted.param.name); });

TEST(planted_bug_control, without_a_bug_nothing_is_found) {
  EXPECT_EQ(find_bug(Mutant::none, 1, 40).anomaly, "");
}

}  // namespace
}  // namespace weir::tests
