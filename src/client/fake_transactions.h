// The transaction coordinator of a FakeCluster: both protocols by the rules that producers see.
#pragma once

#include <weir/record.h>

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "base/clock.h"
#include "io/loop.h"
#include "kafka/messages/add_offsets_to_txn.h"
#include "kafka/messages/add_partitions_to_txn.h"
#include "kafka/messages/describe_transactions.h"
#include "kafka/messages/end_txn.h"
#include "kafka/messages/init_producer_id.h"
#include "kafka/messages/list_transactions.h"
#include "kafka/messages/txn_offset_commit.h"

namespace weir::client {

/// Threads: its loop's.
class FakeTransactions {
 public:
  enum class State : std::uint8_t { empty, ongoing, preparing, complete };
  struct Transaction {
    std::int64_t producer_id = -1;
    std::int16_t epoch = -1;
    State state = State::empty;
    bool committed = false;  // of preparing and complete
    std::set<TopicPartition> partitions;
    std::map<std::string, std::map<TopicPartition, std::int64_t>> offsets;  // by group, pending
  };
  /// What happens to a partition, or to a group's pending offsets, when a transaction is decided.
  using WriteMarker = std::function<void(const TopicPartition&, const Transaction&)>;
  using DecideOffsets = std::function<void(const std::string& group, const Transaction&)>;

  FakeTransactions(io::Loop& loop, WriteMarker marker, DecideOffsets offsets)
      : loop_(loop), write_marker_(std::move(marker)), decide_offsets_(std::move(offsets)) {}

  Errc init(const kafka::InitProducerIdRequest& request, kafka::InitProducerIdResponse& out,
            std::int64_t fresh_id);
  Errc add_partitions(const kafka::AddPartitionsToTxnRequest& request);
  Errc add_offsets(const kafka::AddOffsetsToTxnRequest& request);
  /// `implicit`: the group is added by this.
  Errc commit_offsets(const kafka::TxnOffsetCommitRequest& request, bool implicit);
  Errc end(const kafka::EndTxnRequest& request, std::int16_t version, kafka::EndTxnResponse& out);
  /// May a batch of this producer be appended to `partition`? `implicit`: it is added by this.
  Errc check_produce(std::int64_t producer_id, std::int16_t epoch, const TopicPartition& partition,
                     bool implicit);
  /// For administrators. Of the filters only producer ids are obeyed.
  kafka::ListTransactionsResponse list(const kafka::ListTransactionsRequest& request) const;
  kafka::DescribeTransactionsResponse describe(
      const kafka::DescribeTransactionsRequest& request) const;
  /// As the coordinator does when a transaction is open for too long.
  void time_out(const std::string& id);

  Transaction& of(const std::string& id) { return transactions_[id]; }
  /// From the decision to the markers.
  Duration marker_delay = std::chrono::milliseconds(3);
  std::map<std::string, int> committed, aborted;  // how often

 private:
  Errc check(Transaction*& found, std::string_view id, std::int64_t producer_id,
             std::int16_t epoch);
  void decide(const std::string& id, bool commit);

  io::Loop& loop_;
  WriteMarker write_marker_;
  DecideOffsets decide_offsets_;
  std::map<std::string, Transaction> transactions_;
};

}  // namespace weir::client
