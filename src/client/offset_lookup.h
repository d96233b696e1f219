// ListOffsets for one partition: asked of its leader, again after a change of leader, until a
// deadline.
#pragma once

#include <weir/consumer.h>

#include <map>
#include <optional>

#include "client/cluster.h"

namespace weir::client {

/// `timestamp_ms`: milliseconds, or -1 latest, -2 earliest, -3 largest timestamp. `done` once, by
/// the deadline; absent if no record is so young. The cluster must outlive the call or be destroyed
/// with its loop's tasks.
void look_up_offset(Cluster& cluster, const TopicPartition& partition, std::int64_t timestamp_ms,
                    MonoTime deadline,
                    std::move_only_function<void(Result<std::optional<OffsetAndTimestamp>>)> done);

/// The same for several; the first error, if there is one, is the answer.
void look_up_offsets(Cluster& cluster, const std::map<TopicPartition, std::int64_t>& wanted,
                     MonoTime deadline,
                     std::move_only_function<
                         void(Result<std::map<TopicPartition, std::optional<OffsetAndTimestamp>>>)>
                         done);

}  // namespace weir::client
