// A seed is a run: the same every time, bit for bit, in each of the worlds.
#include "simulation.h"

#include <gtest/gtest.h>

#include <set>

#include "invariants.h"

namespace weir::tests {
namespace {

std::vector<std::string> trace_of(std::uint64_t seed) {
  std::vector<std::string> lines;
  simulate(seed, [&](std::string_view line) { lines.emplace_back(line); });
  return lines;
}

class seed_of : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(seed_of, gives_the_same_trace_again_byte_for_byte) {
  const auto once = trace_of(GetParam());
  const auto again = trace_of(GetParam());
  ASSERT_GT(once.size(), 1000U);
  for (std::size_t i = 0; i < once.size(); ++i) {
    ASSERT_LT(i, again.size());
    ASSERT_EQ(once[i], again[i]) << "line " << i;
  }
  EXPECT_EQ(once.size(), again.size());
}

TEST_P(seed_of, runs_the_same_with_a_trace_and_without) {
  const auto traced = simulate(GetParam(), [](std::string_view) {});
  EXPECT_EQ(traced.counters.to_string(), simulate(GetParam()).counters.to_string());
}

INSTANTIATE_TEST_SUITE_P(every_world, seed_of,
                         ::testing::Values(4710U, 4711U, 4712U, 4713U, 4715U, 4717U),
                         [](const auto& seed) {
                           return std::string(name_of(kind_of(seed.param))) + "_" +
                                  std::to_string(seed.param);
                         });

TEST(simulation, tells_requests_operations_and_faults) {
  std::string all;
  for (const auto& line : trace_of(4710)) all += line + "\n";
  for (const char* word : {"asks Produce v12", "is answered #", "disk: sync data/wal/",
                           "fault: ", "broker: is up", "begins transaction", "faults are over"})
    EXPECT_NE(all.find(word), std::string::npos) << word;
}

TEST(simulation, different_seeds_are_different_runs) { EXPECT_NE(trace_of(4710), trace_of(4712)); }

TEST(simulation, every_world_has_its_seeds) {
  std::set<WorldKind> kinds;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) kinds.insert(kind_of(seed));
  EXPECT_EQ(kinds.size(), world_kinds);
  for (const auto kind : kinds) EXPECT_EQ(world_kind(name_of(kind)), kind);
}

TEST(invariants, are_found_at_the_front_of_a_line) {
  EXPECT_EQ(invariant_of("lost-write: p0 is gone"), "lost-write");
  EXPECT_EQ(invariant_of("lost: p0 is gone"), "");
  EXPECT_EQ(invariant_of(""), "");
}

TEST(counters, tell_what_was_missed) {
  Counters total;
  total[Count::runs] = 10;
  total[Count::crashes] = 9;
  constexpr Minimum minimums[] = {{Count::crashes, 1}, {Count::aborts, 0}};
  EXPECT_EQ(missed(total, minimums).size(), 1U);
  ++total[Count::crashes];
  EXPECT_TRUE(missed(total, minimums).empty());
}

}  // namespace
}  // namespace weir::tests
