// Stream processing, many seeds: instances are killed, stall and lose their disks, the broker
// crashes; what comes out is what the inputs say, each record once.
#include "streams_world.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "sim_seeds.h"

namespace weir::tests {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t seeds = 30;
#else
constexpr std::uint64_t seeds = 500;
#endif

/// A run must meet so many of these on the average, else it proves little.
constexpr std::pair<StreamCount, double> minimums[] = {
    {StreamCount::inputs, 100},
    {StreamCount::outputs, 150},
    {StreamCount::commits, 20},
    {StreamCount::recoveries, 0.3},
    {StreamCount::tasks_opened, 6},
    {StreamCount::records_restored, 5},
    {StreamCount::kills, 2},
    {StreamCount::kills_in_a_commit, 0.2},
    {StreamCount::kills_before_store_write, 0.2},
    {StreamCount::kills_in_a_restore, 0.01},
    {StreamCount::restores_cut_short, 0.05},
    {StreamCount::refused_commits, 0.1},
    {StreamCount::lost_disks, 0.5},
    {StreamCount::old_disks, 0.2},
    {StreamCount::stalls, 1},
    {StreamCount::late_records, 5},
    {StreamCount::records_replicated, 5},
    {StreamCount::purges, 1},
    {StreamCount::sessions_merged, 2},
    {StreamCount::joined, 5},
    {StreamCount::joined_alone, 5},
    {StreamCount::windows_closed, 5},
    {StreamCount::rows_ruled, 3},
};

TEST(streams_world, no_seed_loses_doubles_or_reorders_anything) {
  const std::uint64_t first = number_from("WEIR_SIM_FIRST_SEED", 1);
  const std::uint64_t count = number_from("WEIR_SIM_SEEDS", seeds);
  StreamResult total;
  for (std::uint64_t seed = first; seed < first + count && !::testing::Test::HasFailure(); ++seed) {
    const StreamResult result = run_streams_world(seed);
    for (const auto& line : result.anomalies)
      ADD_FAILURE() << line << "\n  seed " << seed << ": WEIR_SIM_FIRST_SEED=" << seed
                    << " WEIR_SIM_SEEDS=1";
    for (std::size_t i = 0; i < total.counts.size(); ++i) total.counts[i] += result.counts[i];
  }
  const double runs = static_cast<double>(total[StreamCount::runs]);
  for (std::size_t i = 0; i < total.counts.size(); ++i)
    std::printf("%s %llu, ", std::string(name_of(static_cast<StreamCount>(i))).c_str(),
                static_cast<unsigned long long>(total.counts[i]));
  std::printf("\n");
  if (::testing::Test::HasFailure() || runs < 50) return;
  for (const auto& [what, least] : minimums)
    EXPECT_GE(static_cast<double>(total[what]) / runs, least) << name_of(what);
}

}  // namespace
}  // namespace weir::tests
