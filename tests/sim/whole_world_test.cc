// The whole broker, many seeds: transactions, streams, compaction, faults of every kind.
#include "sim_seeds.h"

namespace weir::tests {
namespace {

constexpr Minimum minimums[] = {
    {Count::operations, 300},
    {Count::commits, 10},
    {Count::aborts, 5},
    {Count::fenced, 1},
    {Count::timed_out, 0.1},
    {Count::transactional_offsets, 5},
    {Count::refused_transactional_offsets, 0.1},
    {Count::rebalances_in_a_commit, 0.1},
    {Count::cut_empty, 0.1},
    {Count::cut_ongoing, 0.5},
    {Count::cut_prepare_commit, 0.01},
    {Count::cut_prepare_abort, 0.01},
    {Count::cut_complete, 0.5},
    {Count::found_open, 0.5},
    {Count::found_prepared, 0.01},
    {Count::replayed_requests, 10},
    {Count::late_deliveries, 1},
    {Count::fetch_session_answers, 50},
    {Count::times_listed, 5},
    {Count::epoch_ends, 1},
    {Count::compactions, 1},
    {Count::records_compacted, 5},
    {Count::clock_jumps, 0.5},
    {Count::native_records, 50},
    {Count::native_transactions, 5},
    {Count::native_stream_transactions, 2},
    {Count::native_assignments, 1},
    {Count::generations, 1},
    {Count::crashes, 1},
    {Count::crashes_in_recovery, 0.1},
    {Count::failed_syncs, 0.1},
    {Count::torn_writes, 1},
    {Count::cut_connections, 1},
};

TEST(whole_world, no_seed_breaks_a_promise) { expect_no_anomaly(WorldKind::whole, minimums); }

}  // namespace
}  // namespace weir::tests
