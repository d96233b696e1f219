// Six planted bugs in the log: the ordinary runs, which do not know them, must find each.
#include <gtest/gtest.h>

#include <cstdio>

#include "base/mutant.h"
#include "broker_sim.h"

namespace weir::tests {
namespace {

constexpr std::uint64_t most_seeds = 200;

class planted_bug : public ::testing::TestWithParam<std::pair<Mutant, const char*>> {};

TEST_P(planted_bug, is_found_by_the_ordinary_runs) {
  active_mutant = GetParam().first;
  std::uint64_t seed = 1;
  std::string anomaly;
  for (; seed <= most_seeds && anomaly.empty(); ++seed) {
    const SimResult result = run_broker_simulation(seed);
    if (!result.anomalies.empty()) anomaly = result.anomalies.front();
  }
  active_mutant = Mutant::none;
  std::printf("%s: seed %llu: %s\n", GetParam().second, static_cast<unsigned long long>(seed - 1),
              anomaly.c_str());
  EXPECT_FALSE(anomaly.empty()) << "not found in " << most_seeds << " seeds";
}

INSTANTIATE_TEST_SUITE_P(
    all, planted_bug,
    ::testing::Values(std::pair(Mutant::acknowledge_before_sync, "acknowledge_before_sync"),
                      std::pair(Mutant::high_watermark_before_sync, "high_watermark_before_sync"),
                      std::pair(Mutant::recovery_without_sync, "recovery_without_sync"),
                      std::pair(Mutant::believe_failed_sync, "believe_failed_sync"),
                      std::pair(Mutant::no_directory_sync, "no_directory_sync"),
                      std::pair(Mutant::forget_last_batches, "forget_last_batches")),
    [](const auto& planted) { return std::string(planted.param.second); });

TEST(planted_bug_control, without_a_bug_nothing_is_found) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed)
    EXPECT_TRUE(run_broker_simulation(seed).anomalies.empty()) << seed;
}

}  // namespace
}  // namespace weir::tests
