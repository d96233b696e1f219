// Compaction beside everything else, many seeds, each with crashes and bad disks.
#include "sim_seeds.h"

namespace weir::tests {
namespace {

constexpr Minimum minimums[] = {
    {Count::compactions, 5}, {Count::records_compacted, 50},      {Count::keys_gone, 1},
    {Count::crashes, 2},     {Count::crashes_in_compaction, 0.1}, {Count::failed_calls, 0.1},
    {Count::clock_jumps, 1}, {Count::repeated_batches, 5},
};

TEST(compaction_world, no_seed_breaks_a_promise) {
  expect_no_anomaly(WorldKind::compaction, minimums);
}

}  // namespace
}  // namespace weir::tests
