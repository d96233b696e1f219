// What a producer makes of answers, of failures and of time that is over.
#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "client/batch_split.h"
#include "client/producer_core.h"

namespace weir::client {
namespace {

constexpr std::int16_t last_epoch = 0x7fff;

std::string place(const PartitionQueue& queue) {
  return fmt::format("{}-{}", queue.topic, queue.partition);
}

/// Did the broker never look at the batch, or may it do so differently at another time?
bool is_open(Errc code) {
  return worth_a_retry(code) || code == Errc::protocol_error || code == Errc::malformed;
}

}  // namespace

void ProducerCore::on_reply(Request& request, Result<RawReply> reply) {
  std::vector<Outcome> outcomes(request.batches.size());
  if (!reply) {
    for (Outcome& outcome : outcomes)
      outcome = {.code = reply.error().code(), .message = reply.error().message()};
  } else if (options_.acks != Acks::none) {
    for (Outcome& outcome : outcomes)
      outcome = {.code = Errc::protocol_error, .message = "not in the broker's answer"};
    auto message = kafka::decode_all<kafka::ProduceResponse>(reply->body, reply->version);
    if (!message) {
      for (Outcome& outcome : outcomes)
        outcome = {.code = Errc::malformed, .message = message.error().message()};
    } else {
      for (const auto& topic : message->responses) {
        for (const auto& partition : topic.partition_responses) {
          for (std::size_t i = 0; i < outcomes.size(); ++i) {
            const Sent& sent = request.batches[i];
            const bool same_topic = reply->version >= 13 ? sent.topic_id == topic.topic_id
                                                         : sent.queue->topic == topic.name;
            if (!same_topic || sent.queue->partition != partition.index) continue;
            const Errc code = errc_from_wire(partition.error_code);
            outcomes[i] = {.code = code,
                           .message = std::string(partition.error_message.value_or(name_of(code))),
                           .offset = partition.base_offset,
                           .append_time_ms = partition.log_append_time_ms};
          }
        }
      }
      if (message->throttle_time_ms > 0)
        muted_until_[request.node] =
            loop_.now() + std::chrono::milliseconds(message->throttle_time_ms);
    }
  }
  const auto alive = alive_;
  for (std::size_t i = 0; i < outcomes.size(); ++i) judge(request.batches[i], outcomes[i]);
  if (*alive) pump();
}

void ProducerCore::judge(Sent& sent, const Outcome& outcome) {
  PartitionQueue& queue = *sent.queue;
  ProducerBatch& batch = *sent.batch;
  --queue.in_flight;
  const auto earlier_is_open = [&] {
    if (!queue.retries.empty() && queue.retries.front()->is_before(batch)) return true;
    return std::any_of(under_way_.begin(), under_way_.end(), [&](const auto& request) {
      return std::any_of(
          request.second->batches.begin(), request.second->batches.end(), [&](const Sent& other) {
            return other.queue == &queue && other.batch && other.batch->is_before(batch);
          });
    });
  };
  const bool lost_sequence = idempotent_ && (outcome.code == Errc::out_of_order_sequence_number ||
                                             outcome.code == Errc::unknown_producer_id);
  if (outcome.code == Errc::none || outcome.code == Errc::duplicate_sequence_number) {
    queue.failures = 0;
    queue.known_id = batch.identity.id;
    tell(queue, batch,
         {.code = Errc::none,
          .message = {},
          .offset = outcome.code == Errc::none ? outcome.offset : -1,
          .append_time_ms = outcome.append_time_ms});
    settle(queue, batch);
  } else if (fatal_ || batch.told) {
    // One request may carry what made all of them fail and, behind it, others that failed with it.
    if (fatal_) tell(queue, batch, {.code = fatal_->code(), .message = fatal_->message()});
    settle(queue, batch);
  } else if (divide(sent, outcome)) {
    log_debug("client", fmt::format("{}: {}; divided", place(queue), outcome.message));
  } else if (transactions_ && (!transactions_->goes_on() || !may_heal(outcome.code) ||
                               (lost_sequence && !earlier_is_open()))) {
    Outcome lost = outcome;
    if (outcome.code == Errc::invalid_producer_epoch) {
      // Fenced, or the transaction took too long: the coordinator tells when it is aborted.
      lost.code = Errc::transaction_abortable;
    }
    tell(queue, batch, lost);
    settle(queue, batch);
  } else if (idempotent_ && (outcome.code == Errc::invalid_producer_epoch ||
                             outcome.code == Errc::producer_fenced)) {
    const Error error(outcome.code, place(queue) + ": " + outcome.message);
    tell(queue, batch, outcome);
    settle(queue, batch);
    fail_all(error);
  } else if (lost_sequence) {
    const bool follows = earlier_is_open();
    if (!follows) {
      // The broker has told that this batch is not in the log, so a new number cannot double it.
      log_info("client", fmt::format("{}: {} at sequence {}; going on with a new epoch",
                                     place(queue), name_of(outcome.code), batch.base_sequence));
      if (queue.identity == identity_) new_epoch();
      queue.restart = true;
    }
    retry(sent, outcome, follows);
  } else if (is_open(outcome.code)) {
    retry(sent, outcome);
  } else {
    tell(queue, batch, outcome);
    settle(queue, batch);
  }
  if (queue.in_flight == 0) queue.recovering = false;
}

bool ProducerCore::may_heal(Errc code) {
  return is_open(code) || code == Errc::out_of_order_sequence_number ||
         code == Errc::unknown_producer_id;
}

void ProducerCore::retry(Sent& sent, const Outcome& outcome, bool follows) {
  PartitionQueue& queue = *sent.queue;
  log_debug("client",
            fmt::format("{}: {}; try {} failed", place(queue), outcome.message, sent.batch->tries));
  cluster_.telemetry().retries.add();
  queue.recovering = queue.in_flight > 0;
  if (!follows) {
    ++queue.failures;
    queue.retry_at = loop_.now() + cluster_.retry_pause(queue.failures);
    cluster_.refresh();
  }
  if (outcome.code == Errc::concurrent_transactions)
    queue.retry_at = std::min(queue.retry_at, loop_.now() + concurrent_pause);
  const auto where = std::find_if(queue.retries.begin(), queue.retries.end(),
                                  [&](const auto& other) { return sent.batch->is_before(*other); });
  queue.retries.insert(where, std::move(sent.batch));
  accumulator_.activate(queue);
}

bool ProducerCore::divide(Sent& sent, const Outcome& outcome) {
  if (outcome.code != Errc::message_too_large && outcome.code != Errc::record_list_too_large)
    return false;
  if (sent.batch->record_count < 2 || (transactions_ && !transactions_->goes_on())) return false;
  auto parts = split(*sent.batch, batch_options());
  if (!parts) return false;
  PartitionQueue& queue = *sent.queue;
  queue.recovering = queue.in_flight > 0;
  queue.retry_at = loop_.now();
  const auto where = std::find_if(queue.retries.begin(), queue.retries.end(),
                                  [&](const auto& other) { return sent.batch->is_before(*other); });
  queue.retries.insert(where, std::make_move_iterator(parts->begin()),
                       std::make_move_iterator(parts->end()));
  accumulator_.activate(queue);
  return true;
}

void ProducerCore::new_epoch() {
  if (identity_.epoch == last_epoch) {
    identity_ = {};
    return;
  }
  ++identity_.epoch;
}

void ProducerCore::tell(PartitionQueue& queue, ProducerBatch& batch, const Outcome& outcome) {
  if (std::exchange(batch.told, true)) return;
  if (batch.siblings == nullptr || --batch.siblings->untold == 0) accumulator_.complete(batch);
  const auto records = static_cast<std::uint64_t>(batch.record_count);
  Telemetry::Topic& counters = cluster_.telemetry().topic(queue.topic);
  if (outcome.code != Errc::none) {
    counters.failed_records.add(records);
    std::string message = place(queue) + ": " + outcome.message;
    if (batch.tries > 1) message += fmt::format("; tried {} times", batch.tries);
    const Error error(outcome.code, std::move(message));
    if (transactions_) transactions_->delivery_failed(error, batch.base_sequence >= 0);
    if (batch.deliveries.size() < static_cast<std::size_t>(batch.record_count)) note_failure(error);
    for (const auto& interceptor : options_.interceptors)
      interceptor->on_delivery({queue.topic, queue.partition}, batch.record_count, fail(error));
    for (Delivery& delivery : batch.deliveries) delivery.done(fail(error));
    return;
  }
  counters.sent_records.add(records);
  counters.sent_bytes.add(batch.bytes.size());
  for (const auto& interceptor : options_.interceptors)
    interceptor->on_delivery({queue.topic, queue.partition}, batch.record_count, outcome.offset);
  for (Delivery& delivery : batch.deliveries) {
    const std::int64_t ms =
        outcome.append_time_ms >= 0 ? outcome.append_time_ms : delivery.timestamp_ms;
    delivery.done(
        RecordMetadata{.partition = queue.partition,
                       .offset = outcome.offset < 0 ? -1 : outcome.offset + delivery.index,
                       .timestamp = Timestamp(std::chrono::milliseconds(ms))});
  }
}

void ProducerCore::settle(PartitionQueue& queue, const ProducerBatch& batch) {
  // Its last request is over, so nobody reads the bytes, and it will not be sent again.
  if (batch.siblings != nullptr && --batch.siblings->unsettled > 0) return;
  std::erase(queue.open, batch.ordinal);
  accumulator_.release(batch.charge);
}

void ProducerCore::expire(MonoTime now) {
  struct Expired {
    PartitionQueue* queue;
    std::unique_ptr<ProducerBatch> batch;
  };
  std::vector<Expired> over;
  const auto is_over = [&](const ProducerBatch& batch) {
    return batch.deadline(options_.delivery_timeout) <= now;
  };
  accumulator_.each_active([&](PartitionQueue& queue) {
    while (!queue.retries.empty() && is_over(*queue.retries.front())) {
      over.push_back({&queue, std::move(queue.retries.front())});
      queue.retries.pop_front();
    }
    while (!queue.batches.empty() && is_over(*queue.batches.front()))
      over.push_back({&queue, accumulator_.take_front(queue)});
  });
  const Outcome late{.code = Errc::timed_out,
                     .message = fmt::format("not acknowledged within {} ms (delivery_timeout)",
                                            options_.delivery_timeout.count())};
  for (Expired& expired : over) {
    tell(*expired.queue, *expired.batch, late);
    settle(*expired.queue, *expired.batch);
  }
  // Under way: the callbacks are told, the buffer stays until the request has ended.
  MonoTime next = MonoTime::max();
  for (const auto& [id, request] : under_way_) {
    for (Sent& sent : request->batches) {
      if (sent.batch->told) continue;
      if (is_over(*sent.batch)) {
        tell(*sent.queue, *sent.batch, late);
      } else {
        next = std::min(next, sent.batch->deadline(options_.delivery_timeout));
      }
    }
  }
  plan(next);
  auto waiting = accumulator_.take_waiting(nullptr, now);
  if (waiting.empty()) return;
  const std::string why = last_metadata_error_ ? last_metadata_error_->message()
                                               : fmt::format("not known to the cluster after {} ms",
                                                             options_.max_block.count());
  fail_waiting(std::move(waiting),
               last_metadata_error_ ? Errc::timed_out : Errc::unknown_topic_or_partition, why);
}

void ProducerCore::fail_waiting(std::vector<FailedRecord> records, Errc code,
                                const std::string& why) {
  for (FailedRecord& record : records) {
    const Error error(code, record.topic + ": " + why);
    accumulator_.complete_waiting(record);
    accumulator_.release(record.charge);
    if (transactions_) transactions_->delivery_failed(error, false);
    if (record.done) {
      record.done(fail(error));
    } else {
      note_failure(error);
    }
  }
}

void ProducerCore::fail_all(const Error& why) {
  if (fatal_) return;
  fatal_ = why;
  accumulator_.close(why);
  fail_undelivered(why);
  const Outcome outcome{.code = why.code(), .message = why.message()};
  for (const auto& [id, request] : under_way_)
    for (Sent& sent : request->batches) tell(*sent.queue, *sent.batch, outcome);
  check_flushes();
}

/// All but what is under way.
void ProducerCore::fail_undelivered(const Error& why) {
  std::vector<std::pair<PartitionQueue*, std::unique_ptr<ProducerBatch>>> all;
  accumulator_.each_active([&](PartitionQueue& queue) {
    for (auto& batch : queue.retries) all.emplace_back(&queue, std::move(batch));
    queue.retries.clear();
    while (!queue.batches.empty()) all.emplace_back(&queue, accumulator_.take_front(queue));
  });
  const Outcome outcome{.code = why.code(), .message = why.message()};
  for (auto& [queue, batch] : all) {
    tell(*queue, *batch, outcome);
    settle(*queue, *batch);
  }
  fail_waiting(accumulator_.take_waiting(nullptr, MonoTime::max()), why.code(), why.message());
}

}  // namespace weir::client
