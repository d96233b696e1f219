// What transactional clients did and what readers saw; the promises checked against it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace weir::tests {

/// "topic-3"
using PartitionName = std::string;

/// One batch of a transaction.
struct TransactionalSend {
  PartitionName partition;
  std::vector<std::string> values;  // each unique in the run
  bool acknowledged = false;
};

/// One transaction, from its begin to what its client knows of its end.
struct TransactionRun {
  std::string id;  // transactional
  int number = 0;  // of that id, rising; also the offset that it commits
  std::vector<TransactionalSend> sends;
  bool offset_acknowledged = false;  // TxnOffsetCommit of `number` was
  bool commit_asked = false;         // an EndTxn that commits has left the client
  bool committed = false;            // and was acknowledged
  bool aborted = false;              // an abort was acknowledged
};

struct TransactionHistory {
  std::vector<TransactionRun> runs;
  /// Values that readers of committed data saw, with where.
  std::map<std::string, std::pair<PartitionName, std::int64_t>> seen;
  /// Last stable offsets in the order in which they were shown.
  std::vector<std::pair<PartitionName, std::int64_t>> stable_ends;
  // Read when all faults were over and every transaction had ended.
  std::map<PartitionName, std::map<std::int64_t, std::string>> committed;
  std::map<PartitionName, std::map<std::int64_t, std::string>> uncommitted;
  std::map<std::string, std::int64_t> offsets;  // by transactional id; none: -1
};

/// One line for each broken promise. Names as in Jepsen's Kafka tests where it has one.
///
/// | name | broken when |
/// |---|---|
/// | lost-write | an acknowledged value of a committed transaction is not visible |
/// | aborted-read | a value of a transaction that was not committed is, or was, visible |
/// | torn-transaction | of a transaction of unknown outcome a part is visible |
/// | torn-offset | the committed offset is not that of the last visible transaction with one |
/// | duplicate | a value stands at two offsets |
/// | inconsistent-offsets | a value was seen at another offset than it stands at |
/// | producer-order | values of one id stand in another order than they were sent |
/// | stable-end | a last stable offset fell |
std::vector<std::string> check_transactions(const TransactionHistory& history);

}  // namespace weir::tests
