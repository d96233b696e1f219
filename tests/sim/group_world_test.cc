// Groups on the whole broker, many seeds, each with crashes and bad disks.
#include "sim_seeds.h"

namespace weir::tests {
namespace {

constexpr Minimum minimums[] = {
    {Count::operations, 200},     {Count::generations, 5},
    {Count::offset_commits, 50},  {Count::refused_commits, 1},
    {Count::failed_commits, 0.1}, {Count::lost_commits, 0.5},
    {Count::stalls, 1},           {Count::leaves, 1},
    {Count::static_returns, 0.5}, {Count::kept_generations, 0.1},
    {Count::resumed, 1},          {Count::native_assignments, 3},
    {Count::native_commits, 20},  {Count::native_refused_commits, 0.5},
    {Count::native_losses, 0.5},  {Count::native_records, 50},
    {Count::crashes, 2},          {Count::crashes_in_recovery, 0.25},
    {Count::failed_syncs, 0.1},
};

TEST(groups_world, no_seed_breaks_a_promise) { expect_no_anomaly(WorldKind::groups, minimums); }

}  // namespace
}  // namespace weir::tests
