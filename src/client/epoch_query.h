// OffsetForLeaderEpoch of one leader: where the records of an epoch end in its log.
#pragma once

#include <weir/record.h>

#include <functional>
#include <map>

#include "client/cluster.h"

namespace weir::client {

struct EpochQuestion {
  std::int32_t leader_epoch = -1;  // of the leader as we know it
  std::int32_t epoch = -1;         // of our last record
};
struct EpochEnd {
  Errc error = Errc::none;
  std::int32_t epoch = -1;       // the asked one, or the largest smaller one that the log has
  std::int64_t end_offset = -1;  // -1: it has none
};

/// Asks the leader `node` once. `done` is called later, unless the cluster is gone by then; what
/// the answer lacks is Errc::protocol_error.
void query_epochs(Cluster& cluster, std::int32_t node,
                  const std::map<TopicPartition, EpochQuestion>& questions,
                  std::move_only_function<void(Result<std::map<TopicPartition, EpochEnd>>)> done);

}  // namespace weir::client
