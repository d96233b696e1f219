// ListOffsets for many partitions at once: asked of each leader, tried again until a deadline.
#pragma once

#include <weir/consumer.h>

#include <functional>
#include <map>

#include "client/cluster.h"

namespace weir::client {

inline constexpr std::int64_t latest_timestamp = -1;
inline constexpr std::int64_t earliest_timestamp = -2;

struct ListedOffset {
  std::int64_t offset = -1;  // -1: there is no record so young
  std::int64_t timestamp_ms = -1;
  std::int32_t leader_epoch = -1;
};
using ListedOffsets = std::map<TopicPartition, ListedOffset>;
std::map<TopicPartition, std::optional<OffsetAndTimestamp>> to_public(const ListedOffsets& found);

/// With Isolation::read_committed the latest offset is the last stable one.
/// `done` is called once, later, unless the cluster is gone by then: all offsets, or the first
/// error that is not worth a retry, or the last one at the deadline.
void query_offsets(Cluster& cluster, std::map<TopicPartition, std::int64_t> timestamps,
                   MonoTime deadline, std::move_only_function<void(Result<ListedOffsets>)> done,
                   Isolation isolation = Isolation::read_uncommitted);

}  // namespace weir::client
