#include "transaction_owner.h"

#include <fmt/core.h>

#include <set>

#include "kafka/batch_builder.h"
#include "kafka/messages/add_offsets_to_txn.h"
#include "kafka/messages/add_partitions_to_txn.h"
#include "kafka/messages/end_txn.h"
#include "kafka/messages/init_producer_id.h"
#include "kafka/messages/produce.h"
#include "kafka/messages/txn_offset_commit.h"

namespace weir::tests {

constexpr std::uint64_t keys = 6;  // of the compacted topic
constexpr int most_end_tries = 20;

bool is_passing(Errc code) {
  return code == Errc::concurrent_transactions || code == Errc::coordinator_not_available ||
         code == Errc::coordinator_load_in_progress || code == Errc::kafka_storage_error ||
         code == Errc::not_enough_replicas;
}

bool is_loss(Errc code) {
  return code == Errc::producer_fenced || code == Errc::invalid_producer_epoch ||
         code == Errc::invalid_txn_state || code == Errc::transaction_abortable ||
         code == Errc::invalid_producer_id_mapping;
}

TransactionOwner::TransactionOwner(WholeRun& run, Options options)
    : Actor(run.world, options.id),
      run_(run),
      options_(std::move(options)),
      timeout_ms_(static_cast<std::int32_t>(run.world.rng.between(100, 1500))) {}

std::string TransactionOwner::describe() const {
  return fmt::format("{} in phase {}, last refused: {}", options_.id, static_cast<int>(phase_),
                     last_refusal_.empty() ? "nothing" : last_refusal_);
}

// Does the present step, again if it was done on an earlier connection.
void TransactionOwner::proceed() {
  if (!connected()) return;
  switch (phase_) {
    case Phase::idle: return begin_soon();
    case Phase::owning: return own();
    case Phase::adding: return add_partitions();
    case Phase::sending: return send_batches();
    case Phase::committing: return commit_offset();
    case Phase::ending: return end();
  }
}

void TransactionOwner::to(Phase phase) {
  phase_ = phase;
  proceed();
}

void TransactionOwner::begin_soon() {
  if (planned_ || ending_) return;
  planned_ = true;
  loop().call_after(Duration(world_.rng.between(100'000, 80'000'000)), [this] {
    planned_ = false;
    if (phase_ != Phase::idle || ending_) return;
    if (producer_id_ < 0) return to(Phase::owning);
    begin();
  });
}

/// What the client holds is worth nothing: the id is taken again, later.
void TransactionOwner::give_up(bool fenced) {
  if (fenced) ++world_.counters[Count::fenced];
  producer_id_ = -1;
  batches_.clear();
  phase_ = Phase::idle;
  begin_anew();
  loop().call_after(Duration(world_.rng.between(20'000'000, 400'000'000)), [this] {
    if (phase_ == Phase::idle && !ending_) to(Phase::owning);
  });
}

void TransactionOwner::refused(std::string_view what, Errc code) {
  last_refusal_ = fmt::format("{} with {}", what, name_of(code));
  if (is_passing(code))
    return later(Duration(world_.rng.between(1'000'000, 20'000'000)), [this] { proceed(); });
  if (!is_loss(code))
    world_.anomaly(fmt::format("lawful-answer: {} of {} got {}", what, options_.id, name_of(code)));
  give_up(code == Errc::producer_fenced || code == Errc::invalid_producer_epoch);
}

void TransactionOwner::own() {
  kafka::InitProducerIdRequest request;
  request.transactional_id = options_.id;
  request.transaction_timeout_ms = timeout_ms_;
  ask<kafka::InitProducerIdResponse>(request, 4, [this](const auto& response) {
    const Errc code = errc_from_wire(response.error_code);
    if (code != Errc::none) return refused("InitProducerId", code);
    producer_id_ = response.producer_id;
    epoch_ = response.producer_epoch;
    sequences_.clear();
    phase_ = Phase::idle;
    begin_soon();
  });
}

void TransactionOwner::begin() {
  present_ = run_.history.runs.size();
  run_.begin(options_.id, producer_id_);
  if (world_.traced()) trace(fmt::format("begins transaction {}", present().number));
  batches_.clear();
  with_offset_ = world_.rng.one_in(2);
  wants_commit_ = !world_.rng.one_in(3);
  end_tries_ = 0;
  hasty_now_ = options_.is_hasty && world_.rng.one_in(2);
  const auto count = world_.rng.below(4) + (with_offset_ ? 0 : 1);
  for (std::uint64_t i = 0; i < count; ++i) make_batch();
  book();
  to(options_.raises_epochs ? Phase::sending : Phase::adding);
}

void TransactionOwner::make_batch() {
  const Key key{static_cast<int>(world_.rng.below(plain_topics + 1)),
                static_cast<std::int32_t>(world_.rng.below(whole_partitions))};
  TransactionalSend send;
  send.partition = name_of_partition(key);
  kafka::BatchBuilder builder;
  const auto records = 1 + world_.rng.below(3);
  for (std::uint64_t i = 0; i < records; ++i) {
    send.values.push_back(fmt::format("{}:{}:{}:{}{}", options_.id, present().number,
                                      present().sends.size(), i,
                                      std::string(world_.rng.below(200), '.')));
    std::optional<std::string_view> name;
    if (key.first == compacted_topic)
      name = send.keys.emplace_back("k" + std::to_string(world_.rng.below(keys)));
    builder.append(world_.sim.clock().wall_ms(), name, std::string_view(send.values.back()));
  }
  std::int32_t& sequence = sequences_[key];
  const auto batch = builder.finish({.producer_id = producer_id_,
                                     .producer_epoch = epoch_,
                                     .base_sequence = sequence,
                                     .transactional = true});
  sequence += static_cast<std::int32_t>(records);
  batches_.push_back({.send = present().sends.size(),
                      .key = key,
                      .bytes = std::string(batch.value().view()),
                      .answered = false});
  present().sends.push_back(std::move(send));
}

/// Moves something from one account to another; compaction may delete what has a key.
void TransactionOwner::book() {
  std::int64_t sum = 0;
  std::int64_t* last = nullptr;
  for (auto& send : present().sends) {
    if (!send.keys.empty()) continue;
    for (std::size_t i = 0; i < send.values.size(); ++i) {
      send.amounts.push_back(world_.rng.between(-100, 100));
      sum += send.amounts.back();
    }
    last = &send.amounts.back();
  }
  if (last != nullptr) *last -= sum;
}

void TransactionOwner::add_partitions() {
  if (batches_.empty()) return add_offsets();
  kafka::AddPartitionsToTxnRequest request;
  request.v3_and_below_transactional_id = options_.id;
  request.v3_and_below_producer_id = producer_id_;
  request.v3_and_below_producer_epoch = epoch_;
  std::map<int, std::set<std::int32_t>> wanted;
  for (const auto& batch : batches_) wanted[batch.key.first].insert(batch.key.second);
  std::vector<std::string> names;
  for (const auto& [topic, partitions] : wanted) names.push_back(topic_name(topic));
  std::size_t at = 0;
  for (const auto& [topic, partitions] : wanted) {
    auto& row = request.v3_and_below_topics.emplace_back();
    row.name = names[at++];
    row.partitions.assign(partitions.begin(), partitions.end());
  }
  ask<kafka::AddPartitionsToTxnResponse>(request, 3, [this](const auto& response) {
    Errc code = Errc::none;
    for (const auto& topic : response.results_by_topic_v3_and_below)
      for (const auto& row : topic.results_by_partition)
        if (row.partition_error_code != 0) code = errc_from_wire(row.partition_error_code);
    if (code != Errc::none) return refused("AddPartitionsToTxn", code);
    add_offsets();
  });
}

void TransactionOwner::add_offsets() {
  if (!with_offset_) return to(Phase::sending);
  kafka::AddOffsetsToTxnRequest request;
  request.transactional_id = options_.id;
  request.producer_id = producer_id_;
  request.producer_epoch = epoch_;
  request.group_id = options_.id;
  ask<kafka::AddOffsetsToTxnResponse>(request, 3, [this](const auto& response) {
    const Errc code = errc_from_wire(response.error_code);
    if (code != Errc::none) return refused("AddOffsetsToTxn", code);
    to(Phase::sending);
  });
}

/// Longer than the transaction may last: the coordinator ends it.
void TransactionOwner::fall_silent() {
  trace("falls silent");
  begin_anew();
  phase_ = Phase::idle;
  batches_.clear();
  producer_id_ = -1;
  planned_ = true;
  loop().call_after(std::chrono::milliseconds(timeout_ms_) + 200ms, [this] {
    planned_ = false;
    begin_soon();
  });
}

void TransactionOwner::send_batches() {
  if (world_.rng.one_in(20)) return fall_silent();
  for (std::size_t i = 0; i < batches_.size(); ++i)
    if (!batches_[i].answered) transmit(i);
  if (hasty_now_ || all_answered()) to(Phase::committing);
}

bool TransactionOwner::all_answered() const {
  return std::all_of(batches_.begin(), batches_.end(), [](const auto& b) { return b.answered; });
}

void TransactionOwner::transmit(std::size_t index) {
  const Batch& batch = batches_[index];
  kafka::ProduceRequest request;
  request.transactional_id = options_.id;
  request.acks = -1;
  request.timeout_ms = 1000;
  const std::string name = topic_name(batch.key.first);
  auto& topic = request.topic_data.emplace_back();
  topic.name = name;
  auto& data = topic.partition_data.emplace_back();
  data.index = batch.key.second;
  data.records = kafka::Records(batch.bytes);
  const auto old_version = static_cast<std::int16_t>(world_.rng.between(3, 11));
  ask<kafka::ProduceResponse>(
      request, since_raising(12, old_version), [this, index, run = present_](const auto& response) {
        if (run != present_ || index >= batches_.size()) return;
        const auto& out = response.responses.at(0).partition_responses.at(0);
        note_answer(index, errc_from_wire(out.error_code), out.base_offset);
      });
  run_.keep_frame(*client_);
}

void TransactionOwner::note_answer(std::size_t index, Errc code, std::int64_t base_offset) {
  if (code == Errc::none) {
    batches_[index].answered = true;
    run_.acknowledge(present().sends[batches_[index].send], base_offset);
    if (phase_ == Phase::sending && all_answered()) to(Phase::committing);
    return;
  }
  if (phase_ != Phase::sending) return;  // in haste: it is on its way to the end
  // All that are unanswered go again, in order.
  if (code == Errc::out_of_order_sequence_number || is_passing(code)) return drop();
  refused("Produce", code);
}

void TransactionOwner::commit_offset() {
  if (!with_offset_) return to(Phase::ending);
  kafka::TxnOffsetCommitRequest request;
  request.transactional_id = options_.id;
  request.group_id = options_.id;
  request.producer_id = producer_id_;
  request.producer_epoch = epoch_;
  auto& topic = request.topics.emplace_back();
  const std::string name = topic_name(0);
  topic.name = name;
  auto& partition = topic.partitions.emplace_back();
  partition.committed_offset = present().number;
  ask<kafka::TxnOffsetCommitResponse>(
      request, since_raising(5, 3), [this, run = present_](const auto& response) {
        const Errc code = errc_from_wire(response.topics.at(0).partitions.at(0).error_code);
        if (code == Errc::none) {
          run_.history.runs[run].offset_acknowledged = true;
          ++world_.counters[Count::transactional_offsets];
        }
        if (phase_ != Phase::committing || run != present_) return;
        if (code != Errc::none) return refused("TxnOffsetCommit", code);
        to(Phase::ending);
      });
  if (options_.raises_epochs) run_.keep_frame(*client_);
  if (hasty_now_) to(Phase::ending);
}

void TransactionOwner::end() {
  kafka::EndTxnRequest request;
  request.transactional_id = options_.id;
  request.producer_id = producer_id_;
  request.producer_epoch = epoch_;
  request.committed = wants_commit_;
  // A transaction without anything in it is not known to the coordinator.
  if (wants_commit_) present().commit_asked = true;
  ask<kafka::EndTxnResponse>(request, since_raising(5, 3), [this](const auto& response) {
    const Errc code = errc_from_wire(response.error_code);
    if (code == Errc::none) return ended(response.producer_id, response.producer_epoch);
    if (!is_passing(code)) ++world_.counters[Count::unknown_ends];
    // What was to be in it may never come: its requests were lost.
    if (code == Errc::concurrent_transactions && ++end_tries_ > most_end_tries)
      return give_up(false);
    refused("EndTxn", code);
  });
  if (options_.raises_epochs) run_.keep_frame(*client_);
}

void TransactionOwner::ended(std::int64_t producer, std::int16_t epoch) {
  if (world_.traced())
    trace(fmt::format("transaction {} is {}", present().number,
                      wants_commit_ ? "committed" : "aborted"));
  (wants_commit_ ? present().committed : present().aborted) = true;
  ++world_.counters[wants_commit_ ? Count::commits : Count::aborts];
  if (options_.raises_epochs) {
    producer_id_ = producer;
    epoch_ = epoch;
    sequences_.clear();
  }
  const bool whole = all_answered();
  phase_ = Phase::idle;
  // What was never answered leaves a hole in the sequences of its epoch.
  if (!whole) return give_up(false);
  begin_soon();
}

}  // namespace weir::tests
