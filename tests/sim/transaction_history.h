// What transactional clients did and what readers saw; the promises checked against it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace weir::tests {

/// "t0-3"
using PartitionName = std::string;
using Place = std::pair<PartitionName, std::int64_t>;
/// By offset.
using Records = std::vector<std::pair<std::int64_t, std::string>>;

/// One batch of a transaction.
struct TransactionalSend {
  PartitionName partition;
  std::vector<std::string> values;    // each unique in the run
  std::vector<std::string> keys;      // of the values, if they have some: then compaction may come
  std::vector<std::int64_t> amounts;  // that the values book; those of a transaction add up to 0
  std::vector<Place> inputs;          // that the values were made from, if there are some
  bool acknowledged = false;
  std::int64_t base_offset = -1;  // then
};

/// What a transaction read of a partition in one answer.
struct TransactionalPoll {
  PartitionName partition;
  Records records;
};

/// One transaction, from its begin to what its client knows of its end.
struct TransactionRun {
  std::string id;              // transactional
  int number = 0;              // of that id, rising; also the offset that it commits
  std::int64_t producer = -1;  // its number
  std::vector<TransactionalSend> sends;
  std::vector<TransactionalPoll> polls;
  bool offset_acknowledged = false;  // TxnOffsetCommit of `number` was
  bool commit_asked = false;         // an EndTxn that commits has left the client
  bool committed = false;            // and was acknowledged
  bool aborted = false;              // an abort was acknowledged
};

/// One answer to a reader of committed data, which chooses its offsets itself.
struct Poll {
  int reader = 0;
  int stretch = 0;  // rises when the reader goes elsewhere
  PartitionName partition;
  std::int64_t stable_end = 0;
  std::int64_t high_watermark = 0;
  std::int64_t log_start = 0;
  Records records;
};

/// An answer of ListOffsets; `floor`: the end of what was acknowledged when it was asked.
struct ListedOffset {
  PartitionName partition;
  bool latest = false;  // else earliest
  std::int64_t offset = 0;
  std::int64_t floor = 0;
};

/// An answer of ListOffsets by time; no record is so young: offset -1.
struct TimedOffset {
  PartitionName partition;
  bool committed = false;  // asked for at read_committed
  bool compacted = false;  // the topic is
  std::int64_t asked = 0;
  std::int64_t offset = -1;
  std::int64_t timestamp = -1;
};

/// An answer of OffsetForLeaderEpoch, to a client that knew of a later epoch than it asked for.
struct EpochEnd {
  PartitionName partition;
  std::int32_t asked = 0;
  std::int32_t epoch = -1;
  std::int64_t end = -1;
};

/// A marker in a log.
struct EndMarker {
  std::int64_t offset = 0;
  std::int64_t producer = -1;
};

struct TransactionHistory {
  std::vector<TransactionRun> runs;
  std::vector<Poll> polls;
  std::vector<ListedOffset> listed;
  std::vector<TimedOffset> by_time;
  std::vector<EpochEnd> epoch_ends;
  // Read when all faults were over and every transaction had ended.
  std::map<PartitionName, std::map<std::int64_t, std::string>> committed;
  std::map<PartitionName, std::map<std::int64_t, std::string>> uncommitted;
  std::map<PartitionName, std::map<std::int64_t, std::int32_t>> epochs;  // of `uncommitted`
  std::map<PartitionName, std::vector<EndMarker>> markers;
  std::map<std::string, std::int64_t> offsets;        // by transactional id; none: -1
  std::map<PartitionName, std::int64_t> stream_ends;  // that the members of a stream committed
};

/// One line for each broken promise, "name: what". tests/README.md explains the names: those of
/// Jepsen's Kafka tests where it has one.
std::vector<std::string> check_transactions(const TransactionHistory& history);

}  // namespace weir::tests
