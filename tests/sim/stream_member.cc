#include "stream_member.h"

#include <fmt/core.h>

#include "kafka/batch_builder.h"
#include "kafka/messages/end_txn.h"
#include "kafka/messages/fetch.h"
#include "kafka/messages/init_producer_id.h"
#include "kafka/messages/offset_fetch.h"
#include "kafka/messages/produce.h"
#include "kafka/messages/txn_offset_commit.h"
#include "transaction_readers.h"

namespace weir::tests {

namespace {

constexpr std::size_t most_inputs = 4;  // of a transaction

bool is_of_membership(Errc code) {
  return code == Errc::illegal_generation || code == Errc::unknown_member_id ||
         code == Errc::rebalance_in_progress || code == Errc::fenced_instance_id;
}

}  // namespace

StreamMember::StreamMember(WholeRun& run, int number)
    : GroupMember(run.world, run.groups,
                  {.group = stream_group, .number = number, .partitions = whole_partitions}),
      run_(run),
      id_("s" + std::to_string(number)) {}

std::string StreamMember::describe() const {
  return fmt::format("{} in phase {}, last refused: {}", id_, static_cast<int>(phase_),
                     last_refusal_.empty() ? "nothing" : last_refusal_);
}

// A rebalance waits for members a while: some finish what they are at, some do not care.
bool StreamMember::on_rebalance() {
  if (phase_ == Phase::committing || phase_ == Phase::ending)
    ++world_.counters[Count::rebalances_in_a_commit];
  if (phase_ < Phase::sending || world_.rng.one_in(2)) return true;
  rejoins_after_ = true;
  return false;
}

void StreamMember::to(Phase phase) {
  phase_ = phase;
  proceed();
}

void StreamMember::proceed() {
  switch (phase_) {
    case Phase::idle: return read();
    case Phase::owning: return own();
    case Phase::taking_up: return take_up();
    case Phase::sending: return send();
    case Phase::committing: return commit_offset();
    case Phase::aborting: return end(false);
    case Phase::ending: return end(true);
  }
}

void StreamMember::proceed_soon() {
  later(between_ms(1, 20), [this] { proceed(); });
}

// Ends what it, or the one whose id it has, left open: an assignment begins with nothing under way.
void StreamMember::own() {
  kafka::InitProducerIdRequest request;
  request.transactional_id = id_;
  request.transaction_timeout_ms = 3000;
  rejoins_after_ = false;
  ask<kafka::InitProducerIdResponse>(request, 4, [this](const auto& response) {
    const Errc code = errc_from_wire(response.error_code);
    if (code != Errc::none) return refused("InitProducerId", code);
    producer_id_ = response.producer_id;
    epoch_ = response.producer_epoch;
    heartbeat();
    to(Phase::taking_up);
  });
}

// Where the one before has stopped; what is pending must be decided first.
void StreamMember::take_up() {
  positions_.clear();
  if (owned_.empty()) return to(Phase::idle);
  kafka::OffsetFetchRequest request;
  request.group_id = stream_group;
  request.require_stable = true;
  const std::string name = topic_name(0);
  auto& topic = request.topics.emplace().emplace_back();
  topic.name = name;
  for (const auto p : owned_) topic.partition_indexes.push_back(p);
  ask<kafka::OffsetFetchResponse>(request, 7, [this](const auto& response) {
    if (response.error_code != 0) return proceed_soon();
    for (const auto& row : response.topics.at(0).partitions) {
      if (row.error_code != 0) return proceed_soon();
      positions_[row.partition_index] = std::max<std::int64_t>(0, row.committed_offset);
    }
    to(Phase::idle);
  });
}

void StreamMember::read() {
  if (ending_ || !in_ || positions_.empty()) return;
  auto at = positions_.begin();
  std::advance(at, static_cast<std::ptrdiff_t>(world_.rng.below(positions_.size())));
  partition_ = at->first;
  kafka::FetchRequest request;
  request.max_wait_ms = static_cast<std::int32_t>(world_.rng.below(50));
  request.min_bytes = 1;
  request.max_bytes = 4000;
  request.isolation_level = 1;
  request.session_epoch = -1;
  const std::string name = topic_name(0);
  auto& topic = request.topics.emplace_back();
  topic.topic = name;
  auto& partition = topic.partitions.emplace_back();
  partition.partition = partition_;
  partition.fetch_offset = at->second;
  partition.partition_max_bytes = static_cast<std::int32_t>(1 + world_.rng.below(2000));
  ask<kafka::FetchResponse>(request, 11, [this, from = at->second](const auto& response) {
    if (phase_ != Phase::idle || response.responses.empty()) return proceed_soon();
    const auto& data = response.responses.at(0).partitions.at(0);
    if (data.error_code != 0) return proceed_soon();
    auto inputs = read_records(data, from, true);
    if (!inputs.fault.empty()) world_.anomaly(inputs.fault);
    passed_ = inputs.passed;
    if (inputs.records.size() > most_inputs) {
      inputs.records.resize(most_inputs);
      passed_ = inputs.records.back().first + 1;
    }
    positions_[partition_] = passed_;
    if (inputs.records.empty()) return proceed_soon();
    begin(inputs.records);
  });
}

void StreamMember::begin(const Records& inputs) {
  present_ = run_.history.runs.size();
  auto& run = run_.begin(id_, producer_id_);
  const PartitionName from = name_of_partition({0, partition_});
  if (world_.traced())
    trace(fmt::format("begins transaction {} of {} inputs of {}", run.number, inputs.size(), from));
  run.polls.push_back({.partition = from, .records = inputs});
  TransactionalSend send;
  send.partition = name_of_partition({output_topic, partition_});
  kafka::BatchBuilder builder;
  for (const auto& [offset, value] : inputs) {
    send.inputs.emplace_back(from, offset);
    send.values.push_back(fmt::format("{}:{}:of {}/{}", id_, run.number, from, offset));
    builder.append(world_.sim.clock().wall_ms(), std::nullopt,
                   std::string_view(send.values.back()));
  }
  // Each transaction has an epoch of its own, in which sequences begin with 0.
  const auto batch = builder.finish({.producer_id = producer_id_,
                                     .producer_epoch = epoch_,
                                     .base_sequence = 0,
                                     .transactional = true});
  batch_ = std::string(batch.value().view());
  run.sends.push_back(std::move(send));
  to(Phase::sending);
}

void StreamMember::send() {
  kafka::ProduceRequest request;
  request.transactional_id = id_;
  request.acks = -1;
  request.timeout_ms = 1000;
  const std::string name = topic_name(output_topic);
  auto& topic = request.topic_data.emplace_back();
  topic.name = name;
  auto& data = topic.partition_data.emplace_back();
  data.index = partition_;
  data.records = kafka::Records(batch_);
  ask<kafka::ProduceResponse>(request, 12, [this](const auto& response) {
    const auto& out = response.responses.at(0).partition_responses.at(0);
    const Errc code = errc_from_wire(out.error_code);
    if (code != Errc::none) return refused("Produce", code);
    run_.acknowledge(present().sends.front(), out.base_offset);
    phase_ = Phase::committing;
    if (!ending_ && world_.rng.one_in(15)) return misbehave();
    commit_offset();
  });
  if (connected()) run_.keep_frame(*client_);
}

// The rest of its group may take it for dead meanwhile: then what it commits must not count.
void StreamMember::misbehave() {
  switch (world_.rng.below(3)) {
    case 0:
      ++world_.counters[Count::stalls];
      trace("stalls in a transaction");
      begin_anew();  // its heartbeats stop too
      return later(between_ms(300, 1200), [this] {
        heartbeat();
        commit_offset();
      });
    case 1: return drop(between_ms(1, 100));
    default: trace("dies in a transaction"); return die(between_ms(1, 600));
  }
}

void StreamMember::commit_offset() {
  kafka::TxnOffsetCommitRequest request;
  request.transactional_id = id_;
  request.group_id = stream_group;
  request.producer_id = producer_id_;
  request.producer_epoch = epoch_;
  request.generation_id = generation_;
  request.member_id = member_;
  const std::string name = topic_name(0);
  auto& topic = request.topics.emplace_back();
  topic.name = name;
  auto& partition = topic.partitions.emplace_back();
  partition.partition_index = partition_;
  partition.committed_offset = passed_;
  ask<kafka::TxnOffsetCommitResponse>(request, 5, [this](const auto& response) {
    if (phase_ != Phase::committing) return;
    const Errc code = errc_from_wire(response.topics.at(0).partitions.at(0).error_code);
    if (code == Errc::none) {
      ++world_.counters[Count::transactional_offsets];
      return to(Phase::ending);
    }
    if (!is_of_membership(code)) return refused("TxnOffsetCommit", code);
    ++world_.counters[Count::refused_transactional_offsets];
    ++world_.counters[Count::rebalances_in_a_commit];
    rejoins_after_ = true;
    to(Phase::aborting);
  });
  if (connected()) run_.keep_frame(*client_);
}

void StreamMember::end(bool commit) {
  kafka::EndTxnRequest request;
  request.transactional_id = id_;
  request.producer_id = producer_id_;
  request.producer_epoch = epoch_;
  request.committed = commit;
  if (commit) present().commit_asked = true;
  ask<kafka::EndTxnResponse>(request, 5, [this, commit](const auto& response) {
    if (phase_ != (commit ? Phase::ending : Phase::aborting)) return;
    const Errc code = errc_from_wire(response.error_code);
    if (code == Errc::none) return ended(commit, response.producer_id, response.producer_epoch);
    if (!is_passing(code)) ++world_.counters[Count::unknown_ends];
    refused("EndTxn", code);
  });
  if (connected()) run_.keep_frame(*client_);
}

void StreamMember::ended(bool commit, std::int64_t producer, std::int16_t epoch) {
  if (world_.traced())
    trace(fmt::format("transaction {} is {}", present().number, commit ? "committed" : "aborted"));
  (commit ? present().committed : present().aborted) = true;
  ++world_.counters[commit ? Count::commits : Count::aborts];
  producer_id_ = producer;
  epoch_ = epoch;
  phase_ = Phase::idle;
  if (std::exchange(rejoins_after_, false)) return rejoin(between_ms(0, 30));
  if (!commit) return to(Phase::taking_up);
  proceed_soon();
}

void StreamMember::refused(std::string_view what, Errc code) {
  last_refusal_ = fmt::format("{} with {}", what, name_of(code));
  if (is_passing(code)) return proceed_soon();
  if (!is_loss(code))
    world_.anomaly(fmt::format("lawful-answer: {} of {} got {}", what, id_, name_of(code)));
  if (code == Errc::producer_fenced || code == Errc::invalid_producer_epoch)
    ++world_.counters[Count::fenced];
  // The transaction is lost, and it must know again where it is; perhaps nobody expects it there.
  phase_ = Phase::owning;
  rejoin(between_ms(0, 30));
}

}  // namespace weir::tests
