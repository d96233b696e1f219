#include "client/fake_transactions.h"

#include <algorithm>

namespace weir::client {

using State = FakeTransactions::State;

Errc FakeTransactions::init(const kafka::InitProducerIdRequest& request,
                            kafka::InitProducerIdResponse& out, std::int64_t fresh_id) {
  const std::string id(*request.transactional_id);
  Transaction& transaction = transactions_[id];
  if (transaction.state == State::preparing) return Errc::concurrent_transactions;
  if (request.producer_id >= 0) {
    if (request.producer_id != transaction.producer_id) return Errc::producer_fenced;
    // Who names the epoch before repeats a request whose answer was lost (KIP-360).
    if (transaction.state == State::empty && request.producer_epoch + 1 == transaction.epoch) {
      out.producer_id = transaction.producer_id;
      out.producer_epoch = transaction.epoch;
      return Errc::none;
    }
    if (request.producer_epoch != transaction.epoch) return Errc::producer_fenced;
  }
  if (transaction.state == State::ongoing) {
    ++transaction.epoch;
    decide(id, false);
    return Errc::concurrent_transactions;
  }
  if (transaction.producer_id < 0) transaction.producer_id = fresh_id;
  ++transaction.epoch;
  transaction.state = State::empty;
  out.producer_id = transaction.producer_id;
  out.producer_epoch = transaction.epoch;
  return Errc::none;
}

Errc FakeTransactions::check(Transaction*& found, std::string_view id, std::int64_t producer_id,
                             std::int16_t epoch) {
  found = &transactions_[std::string(id)];
  if (found->producer_id != producer_id) return Errc::invalid_producer_id_mapping;
  if (found->epoch != epoch) return Errc::producer_fenced;
  if (found->state == State::preparing) return Errc::concurrent_transactions;
  return Errc::none;
}

Errc FakeTransactions::add_partitions(const kafka::AddPartitionsToTxnRequest& request) {
  Transaction* transaction = nullptr;
  const Errc code = check(transaction, request.v3_and_below_transactional_id,
                          request.v3_and_below_producer_id, request.v3_and_below_producer_epoch);
  if (code != Errc::none) return code;
  transaction->state = State::ongoing;
  for (const auto& topic : request.v3_and_below_topics)
    for (const std::int32_t index : topic.partitions)
      transaction->partitions.insert({std::string(topic.name), index});
  return Errc::none;
}

Errc FakeTransactions::add_offsets(const kafka::AddOffsetsToTxnRequest& request) {
  Transaction* transaction = nullptr;
  const Errc code =
      check(transaction, request.transactional_id, request.producer_id, request.producer_epoch);
  if (code != Errc::none) return code;
  transaction->state = State::ongoing;
  transaction->offsets[std::string(request.group_id)];
  return Errc::none;
}

Errc FakeTransactions::commit_offsets(const kafka::TxnOffsetCommitRequest& request, bool implicit) {
  Transaction* transaction = nullptr;
  const Errc code =
      check(transaction, request.transactional_id, request.producer_id, request.producer_epoch);
  if (code != Errc::none) return code;
  const std::string group(request.group_id);
  if (implicit) {
    transaction->state = State::ongoing;
  } else if (transaction->state != State::ongoing || !transaction->offsets.contains(group)) {
    return Errc::invalid_txn_state;
  }
  for (const auto& topic : request.topics)
    for (const auto& partition : topic.partitions)
      transaction->offsets[group][{std::string(topic.name), partition.partition_index}] =
          partition.committed_offset;
  return Errc::none;
}

Errc FakeTransactions::check_produce(std::int64_t producer_id, std::int16_t epoch,
                                     const TopicPartition& partition, bool implicit) {
  for (auto& [id, transaction] : transactions_) {
    if (transaction.producer_id != producer_id) continue;
    if (epoch < transaction.epoch) return Errc::invalid_producer_epoch;
    if (implicit) {
      if (transaction.state == State::preparing) return Errc::concurrent_transactions;
      transaction.state = State::ongoing;
      transaction.partitions.insert(partition);
      return Errc::none;
    }
    const bool added =
        transaction.state == State::ongoing && transaction.partitions.contains(partition);
    return added ? Errc::none : Errc::invalid_txn_state;
  }
  return Errc::invalid_producer_id_mapping;
}

Errc FakeTransactions::end(const kafka::EndTxnRequest& request, std::int16_t version,
                           kafka::EndTxnResponse& out) {
  const std::string id(request.transactional_id);
  Transaction& transaction = transactions_[id];
  if (transaction.producer_id != request.producer_id) return Errc::invalid_producer_id_mapping;
  const bool v2 = version >= 5;
  const bool again = v2 && request.producer_epoch + 1 == transaction.epoch;
  if (request.producer_epoch != transaction.epoch && !again) return Errc::producer_fenced;
  const bool same = transaction.committed == request.committed;
  switch (transaction.state) {
    case State::preparing: return same ? Errc::concurrent_transactions : Errc::invalid_txn_state;
    case State::empty:
      if (request.committed || again)
        return v2 && again ? Errc::producer_fenced : Errc::invalid_txn_state;
      if (!v2) return Errc::invalid_txn_state;
      break;
    case State::complete:
      if (v2 && !again && !request.committed) break;  // a new, empty abort
      if (!same || (v2 && !again)) return Errc::invalid_txn_state;
      out.producer_id = transaction.producer_id;
      out.producer_epoch = transaction.epoch;
      return Errc::none;
    case State::ongoing:
      if (again) return Errc::producer_fenced;
      break;
  }
  if (v2) ++transaction.epoch;
  decide(id, request.committed);
  out.producer_id = transaction.producer_id;
  out.producer_epoch = transaction.epoch;
  return Errc::none;
}

void FakeTransactions::decide(const std::string& id, bool commit) {
  Transaction& transaction = transactions_[id];
  transaction.state = State::preparing;
  transaction.committed = commit;
  ++(commit ? committed : aborted)[id];
  loop_.call_after(marker_delay, [this, id] {
    Transaction& decided = transactions_[id];
    for (const TopicPartition& partition : decided.partitions) write_marker_(partition, decided);
    for (const auto& [group, offsets] : decided.offsets) decide_offsets_(group, decided);
    decided.partitions.clear();
    decided.offsets.clear();
    decided.state = State::complete;
  });
}

namespace {

std::string_view name_of_state(const FakeTransactions::Transaction& transaction) {
  switch (transaction.state) {
    case State::empty: return "Empty";
    case State::ongoing: return "Ongoing";
    case State::preparing: return transaction.committed ? "PrepareCommit" : "PrepareAbort";
    case State::complete: return transaction.committed ? "CompleteCommit" : "CompleteAbort";
  }
  return {};
}

}  // namespace

kafka::ListTransactionsResponse FakeTransactions::list(
    const kafka::ListTransactionsRequest& request) const {
  const auto& wanted = request.producer_id_filters;
  kafka::ListTransactionsResponse response;
  for (const auto& [id, transaction] : transactions_) {
    if (!wanted.empty() &&
        std::find(wanted.begin(), wanted.end(), transaction.producer_id) == wanted.end())
      continue;
    auto& told = response.transaction_states.emplace_back();
    told.transactional_id = id;
    told.producer_id = transaction.producer_id;
    told.transaction_state = name_of_state(transaction);
  }
  return response;
}

kafka::DescribeTransactionsResponse FakeTransactions::describe(
    const kafka::DescribeTransactionsRequest& request) const {
  kafka::DescribeTransactionsResponse response;
  for (const std::string_view id : request.transactional_ids) {
    auto& told = response.transaction_states.emplace_back();
    told.transactional_id = id;
    const auto found = transactions_.find(std::string(id));
    if (found == transactions_.end()) {
      told.error_code = static_cast<std::int16_t>(Errc::transactional_id_not_found);
      continue;
    }
    const Transaction& transaction = found->second;
    told.transaction_state = name_of_state(transaction);
    told.producer_id = transaction.producer_id;
    told.producer_epoch = transaction.epoch;
    told.transaction_timeout_ms = 60'000;
    told.transaction_start_time_ms = transaction.state == State::ongoing ? 1000 : -1;
    for (const TopicPartition& partition : transaction.partitions) {
      if (told.topics.empty() || told.topics.back().topic != partition.topic)
        told.topics.emplace_back().topic = partition.topic;
      told.topics.back().partitions.push_back(partition.partition);
    }
  }
  return response;
}

void FakeTransactions::time_out(const std::string& id) {
  ++transactions_[id].epoch;
  decide(id, false);
}

}  // namespace weir::client
