// Bugs planted in stream processing are found by the ordinary runs, which do not know them.
#include <gtest/gtest.h>

#include <cstdio>

#include "base/mutant.h"
#include "streams_world.h"

namespace weir::tests {
namespace {

constexpr std::uint64_t most_seeds = 200;

struct Planted {
  Mutant bug{};
  const char* name;
};
void PrintTo(const Planted& planted, std::ostream* out) { *out << planted.name; }

class planted_stream_bug : public ::testing::TestWithParam<Planted> {};

TEST_P(planted_stream_bug, is_found_by_the_ordinary_runs) {
  active_mutant = GetParam().bug;
  std::uint64_t seed = 0;
  std::string found;
  while (found.empty() && seed < most_seeds) {
    const StreamResult result = run_streams_world(++seed);
    if (!result.anomalies.empty()) found = result.anomalies.front();
  }
  active_mutant = Mutant::none;
  std::printf("%s: seed %llu: %s\n", GetParam().name, static_cast<unsigned long long>(seed),
              found.c_str());
  EXPECT_NE(found, "") << "not found in " << most_seeds << " seeds";
}

INSTANTIATE_TEST_SUITE_P(
    all, planted_stream_bug,
    ::testing::Values(Planted{Mutant::offsets_beside_transaction, "offsets_beside_transaction"},
                      Planted{Mutant::store_before_commit, "store_before_commit"},
                      Planted{Mutant::no_member_in_commit, "no_member_in_commit"},
                      Planted{Mutant::operator_time_forgotten, "operator_time_forgotten"},
                      Planted{Mutant::changelog_expires, "changelog_expires"},
                      Planted{Mutant::merged_session_stays, "merged_session_stays"},
                      Planted{Mutant::given_row_stays, "given_row_stays"},
                      Planted{Mutant::hash_says_nothing, "hash_says_nothing"}),
    [](const auto& planted) { return std::string(planted.param.name); });

TEST(planted_stream_bug_control, without_a_bug_nothing_is_found) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed)
    EXPECT_EQ(run_streams_world(seed).anomalies, std::vector<std::string>());
}

}  // namespace
}  // namespace weir::tests
