// Planted bugs in transactions: the ordinary runs, which do not know them, must find each.
#include <gtest/gtest.h>

#include "planted_bugs.h"
#include "transaction_sim.h"

namespace weir::tests {
namespace {

struct Planted {
  Mutant bug;
  const char* name;
};

class planted_transaction_bug : public ::testing::TestWithParam<Planted> {};

TEST_P(planted_transaction_bug, is_found_by_the_ordinary_runs) {
  expect_found(GetParam().bug, GetParam().name, 200, [](std::uint64_t seed) {
    return first_line(run_transaction_simulation(seed).anomalies);
  });
}

INSTANTIATE_TEST_SUITE_P(
    all, planted_transaction_bug,
    ::testing::Values(Planted{Mutant::duplicates_across_epochs, "duplicates_across_epochs"},
                      Planted{Mutant::stable_is_high_watermark, "stable_is_high_watermark"},
                      Planted{Mutant::no_marker_before_fence, "no_marker_before_fence"},
                      Planted{Mutant::reply_before_state, "reply_before_state"},
                      Planted{Mutant::late_end_accepted, "late_end_accepted"},
                      Planted{Mutant::pending_offset_lost, "pending_offset_lost"}),
    [](const auto& planted) { return std::string(planted.param.name); });

TEST(planted_transaction_bug_control, without_a_bug_nothing_is_found) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed)
    EXPECT_TRUE(run_transaction_simulation(seed).anomalies.empty()) << seed;
}

}  // namespace
}  // namespace weir::tests
