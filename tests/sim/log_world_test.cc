// The log under producers and forged requests, many seeds, each with crashes and bad disks.
#include "sim_seeds.h"

namespace weir::tests {
namespace {

constexpr Minimum minimums[] = {
    {Count::operations, 1000},     {Count::crashes, 2},         {Count::crashes_in_recovery, 0.25},
    {Count::torn_writes, 1},       {Count::lost_renames, 0.01}, {Count::failed_syncs, 0.1},
    {Count::repeated_batches, 1},  {Count::forged_requests, 1}, {Count::cut_connections, 1},
    {Count::damaged_batches, 0.2},
};

TEST(log_world, no_seed_breaks_a_promise) { expect_no_anomaly(WorldKind::log, minimums); }

}  // namespace
}  // namespace weir::tests
