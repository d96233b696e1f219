// Produce: what may be appended, and in which order.
#include <fmt/core.h>

#include <map>

#include "base/limits.h"
#include "broker/broker.h"
#include "broker/handlers.h"
#include "broker/transaction_service.h"
#include "kafka/batch_check.h"
#include "kafka/batch_rewrite.h"

namespace weir::broker {
namespace {

/// Partitions join a transaction by being produced to (KIP-890).
constexpr std::int16_t first_implicit = 12;

/// One Produce request: every partition's verdict is gathered, then the reply leaves.
class PendingProduce : public std::enable_shared_from_this<PendingProduce> {
 public:
  PendingProduce(Broker& broker, RequestInfo info, kafka::ProduceRequest request,
                 Reply<kafka::ProduceResponse> reply)
      : broker_(broker),
        info_(std::move(info)),
        request_(std::move(request)),
        reply_(std::move(reply)) {}

  void run() {
    judge();
    admit();
    for (auto& part : parts_) {
      if (part.produced) append(*part.topic, *part.produced, *part.out);
    }
    finish_one();
  }

 private:
  using Out = kafka::ProduceResponse::PartitionProduceResponse;
  struct Part {
    const Topic* topic = nullptr;
    Out* out = nullptr;
    std::optional<kafka::ProducedBatch> produced;
  };

  // What can be said of each batch alone.
  void judge() {
    for (const auto& topic : request_.topic_data) {
      kafka::ProduceResponse::TopicProduceResponse out;
      out.topic_id = topic.topic_id;
      out.name = topic.name;
      out.partition_responses.resize(topic.partition_data.size());
      waiting_ += topic.partition_data.size();
      response_.responses.push_back(std::move(out));
    }
    ++waiting_;  // this loop
    for (std::size_t t = 0; t < request_.topic_data.size(); ++t) {
      const auto& topic = request_.topic_data[t];
      const bool by_id = info_.api_version >= 13;
      const Topic* found =
          by_id ? broker_.metadata().find(topic.topic_id) : broker_.metadata().find(topic.name);
      for (std::size_t p = 0; p < topic.partition_data.size(); ++p) {
        auto& out = response_.responses[t].partition_responses[p];
        out.index = topic.partition_data[p].index;
        judge(found, topic.partition_data[p], out, by_id);
      }
    }
  }

  void judge(const Topic* topic, const kafka::ProduceRequest::PartitionProduceData& data, Out& out,
             bool by_id) {
    if (topic == nullptr)
      return refuse(out, {by_id ? Errc::unknown_topic_id : Errc::unknown_topic_or_partition,
                          "there is no such topic"});
    if (data.index < 0 || data.index >= topic->partitions)
      return refuse(out, {Errc::unknown_topic_or_partition,
                          fmt::format("topic {} has {} partitions, there is no {}", topic->name,
                                      topic->partitions, data.index)});
    if (request_.acks < -1 || request_.acks > 1)
      return refuse(out, {Errc::invalid_required_acks,
                          fmt::format("acks={}; want -1, 0 or 1", request_.acks)});
    if (is_internal_topic(topic->name))
      return refuse(out, {Errc::invalid_topic_exception, topic->name + " is internal"});
    const auto checks = checks_for(*topic);
    auto produced = kafka::validate_produced(data.records.bytes(), checks);
    if (!produced) return refuse(out, produced.error());
    const bool transactional = produced->batch.is_transactional();
    if (transactional && (!request_.transactional_id || request_.transactional_id->empty()))
      return refuse(out, {Errc::transactional_id_authorization_failed,
                          "a transactional batch without a transactional id"});
    parts_.push_back({.topic = topic, .out = &out, .produced = *produced});
  }

  // Transactional batches may be appended only while their transaction is open, and must be known
  // to be of it before: else nobody would write their marker. Old clients said so with
  // AddPartitionsToTxn, whose word is checked (KIP-890); since Produce 12 this is how they say it.
  void admit() {
    std::map<std::pair<std::int64_t, std::int16_t>, coordinator::PartitionSet> by_producer;
    const auto owner_of = [](const Part& part) {
      return std::pair(part.produced->batch.producer_id(), part.produced->batch.producer_epoch());
    };
    for (const auto& part : parts_)
      if (part.produced->batch.is_transactional())
        by_producer[owner_of(part)][part.topic->name].insert(part.out->index);
    for (const auto& [owner, partitions] : by_producer) {
      const Errc verdict =
          broker_.transactions().admit({.id = *request_.transactional_id,
                                        .producer = ProducerId(owner.first),
                                        .epoch = ProducerEpoch(owner.second)},
                                       partitions, info_.api_version >= first_implicit);
      if (verdict == Errc::none) continue;
      for (auto& part : parts_) {
        if (!part.produced || !part.produced->batch.is_transactional() || owner_of(part) != owner)
          continue;
        part.produced.reset();
        refuse(*part.out, Error(as_known(verdict), std::string(why_not(verdict))));
      }
    }
  }

  static std::string_view why_not(Errc verdict) {
    switch (verdict) {
      case Errc::producer_fenced:
      case Errc::invalid_producer_epoch: return "another producer has its transactional id now";
      case Errc::invalid_producer_id_mapping: return "the transactional id is not this producer's";
      case Errc::invalid_txn_state: return "the partition is not in an open transaction";
      case Errc::concurrent_transactions: return "the transaction before it is not over yet";
      case Errc::coordinator_not_available: return "transactions are not served";
      default: return name_of(verdict);
    }
  }

  // What the client of this version can do something with.
  Errc as_known(Errc verdict) const {
    constexpr std::int16_t first_abortable = 11;
    switch (verdict) {
      case Errc::producer_fenced: return Errc::invalid_producer_epoch;
      case Errc::invalid_txn_state:
        return info_.api_version >= first_abortable ? Errc::transaction_abortable : verdict;
      case Errc::concurrent_transactions:
      case Errc::coordinator_not_available:
        return info_.api_version >= first_implicit ? verdict : Errc::not_enough_replicas;
      default: return verdict;
    }
  }

  kafka::ProduceChecks checks_for(const Topic& topic) const {
    kafka::ProduceChecks checks;
    checks.max_batch_bytes = topic.rules.max_batch_bytes;
    checks.segment_bytes = topic.rules.segment_bytes;
    checks.check_timestamps = !topic.rules.log_append_time;
    checks.now_ms = broker_.wall_ms();
    checks.timestamp_before_max_ms = topic.rules.timestamp_before_max_ms;
    checks.timestamp_after_max_ms = topic.rules.timestamp_after_max_ms;
    checks.compacted = topic.rules.compacted;
    checks.zstd_allowed = info_.api_version >= 7;
    return checks;
  }

  void append(const Topic& topic, const kafka::ProducedBatch& produced, Out& out) {
    Slice batch = info_.frame.sub(produced.batch.bytes());
    if (topic.rules.codec && *topic.rules.codec != produced.batch.codec()) {
      auto stored = kafka::recompress(produced.batch, *topic.rules.codec, topic.rules.level);
      if (!stored) return refuse(out, stored.error());
      if (stored->size() > std::min(topic.rules.max_batch_bytes, topic.rules.segment_bytes))
        return refuse(out, {Errc::message_too_large,
                            fmt::format("with the topic's compression.type the batch takes {} "
                                        "bytes, at most {} are allowed",
                                        stored->size(), topic.rules.max_batch_bytes)});
      batch = std::move(*stored);
    }
    const bool append_time = topic.rules.log_append_time;
    if (append_time) {
      kafka::rewrite_log_append_time(batch.mutable_data(), batch.size(), broker_.wall_ms());
    } else if (!produced.max_timestamp_is_right()) {
      // A client's claim is never believed: retention and search by time depend on it.
      kafka::rewrite_max_timestamp(batch.mutable_data(), batch.size(), produced.max_timestamp);
    }
    log::PartitionLog* log = topic.logs[static_cast<std::size_t>(out.index)];
    if (!std::exchange(appending_, true)) reply_.note_append(broker_.now());
    log->append(
        std::move(batch),
        [self = shared_from_this(), &out, id = log->spec().id,
         append_time](Result<log::Appended> appended) {
          if (!appended) {
            self->broker_.note_append(fail(appended.error()));
            return self->refuse(out, appended.error());
          }
          self->broker_.note_append({});
          out.base_offset = appended->base_offset.value;
          if (append_time) out.log_append_time_ms = appended->timestamp;
          if (const auto* there = self->broker_.log().find(id))
            out.log_start_offset = there->log_start().value;
          self->finish_one();
        },
        info_.api_version >= first_implicit);
  }

  void refuse(Out& out, const Error& error) {
    out.error_code = wire_code(error.code());
    out.base_offset = -1;
    out.error_message = response_.keep(error.message());
    failed_ = true;
    finish_one();
  }

  void refuse(Out& out, const kafka::ProduceRefusal& refusal) {
    for (const auto& fault : refusal.records) {
      kafka::ProduceResponse::BatchIndexAndErrorMessage row;
      row.batch_index = fault.index;
      row.batch_index_error_message = response_.keep(fault.message);
      out.record_errors.push_back(std::move(row));
    }
    refuse(out, refusal.error);
  }

  void finish_one() {
    if (--waiting_ > 0) return;
    if (request_.acks != 0) return reply_(response_);
    // Without a reply a closed connection is the only way to say that something failed.
    if (failed_) return reply_.close("a Produce with acks=0 failed");
    reply_.nothing();
  }

  Broker& broker_;
  RequestInfo info_;
  kafka::ProduceRequest request_;
  Reply<kafka::ProduceResponse> reply_;
  kafka::ProduceResponse response_;
  std::vector<Part> parts_;
  std::size_t waiting_ = 0;
  bool failed_ = false;
  bool appending_ = false;
};

}  // namespace

void handle_produce(Broker& broker, RequestInfo info, kafka::ProduceRequest request,
                    Reply<kafka::ProduceResponse> reply) {
  std::size_t count = 0;
  for (const auto& topic : request.topic_data) count += topic.partition_data.size();
  if (count > limits::partitions_per_request)
    return reply.close(fmt::format("a Produce of {} partitions, at most {} are served", count,
                                   limits::partitions_per_request));
  std::make_shared<PendingProduce>(broker, std::move(info), std::move(request), std::move(reply))
      ->run();
}

}  // namespace weir::broker
