#include "client/producer_core.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"

namespace weir::client {
namespace {

ClusterOptions cluster_options(ClusterOptions cluster, const ProducerOptions& options) {
  cluster.auto_create_topics = true;
  cluster.request_timeout = options.request_timeout;
  cluster.connection.max_in_flight = options.max_in_flight;
  return cluster;
}

// Produce adds its partitions to the transaction from version 12 on (KIP-890).
constexpr std::int16_t last_version_that_adds_not = 11;
constexpr std::int16_t first_version_that_adds = 12;

}  // namespace

Result<ProducerOptions> checked(ProducerOptions options) {
  const auto wrong = [](std::string what) { return fail(Errc::invalid_setting, std::move(what)); };
  if (!options.idempotent) options.idempotent = options.acks == Acks::all;
  if (*options.idempotent && options.acks != Acks::all)
    return wrong("idempotent: needs acks = all");
  if (options.max_in_flight < 1 || (*options.idempotent && options.max_in_flight > 5))
    return wrong(fmt::format("max_in_flight: {}, want 1 to 5", options.max_in_flight));
  if (options.batch_bytes == 0 || options.batch_bytes > options.max_request_bytes)
    return wrong(fmt::format("batch_bytes: {}, want 1 to max_request_bytes = {}",
                             options.batch_bytes, options.max_request_bytes));
  if (options.buffer_bytes < options.batch_bytes)
    return wrong(fmt::format("buffer_bytes: {} are less than one batch of {}", options.buffer_bytes,
                             options.batch_bytes));
  if (options.max_request_bytes > limits::frame_bytes)
    return wrong(fmt::format("max_request_bytes: {}, at most {}", options.max_request_bytes,
                             limits::frame_bytes));
  if (options.linger.count() < 0 || options.max_block.count() < 0 ||
      options.request_timeout.count() <= 0)
    return wrong("linger, max_block and request_timeout: must not be negative");
  if (options.delivery_timeout < options.linger + options.request_timeout)
    return wrong(fmt::format(
        "delivery_timeout: {} ms, want at least linger + request_timeout = {} ms",
        options.delivery_timeout.count(), (options.linger + options.request_timeout).count()));
  return options;
}

ProducerCore::ProducerCore(io::Loop& loop, Transport& transport, Rng& rng, ClusterOptions cluster,
                           ProducerOptions options,
                           const std::optional<std::string>& transactional_id,
                           Accumulator::Senders senders)
    : loop_(loop),
      options_(options),
      idempotent_(options.idempotent.value_or(true)),
      cluster_(loop, transport, rng, cluster_options(std::move(cluster), options)),
      accumulator_(options_, loop.clock(), rng.next(), [this] { wake_soon(); }, senders) {
  cluster_.on_show(
      [this](Telemetry::Gauges& gauges) { gauges.buffered_bytes += accumulator_.used_bytes(); });
  if (transactional_id) transactions_ = std::make_unique<Transactions>(*this, *transactional_id);
  cluster_.on_metadata([this](const Result<void>& outcome) { on_metadata(outcome); });
  cluster_.refresh();
}

ProducerCore::~ProducerCore() {
  fail_all(Error(Errc::closed, "the producer was closed before the record was acknowledged"));
  *alive_ = false;
  loop_.cancel(timer_);
}

void ProducerCore::wake_soon() {
  loop_.post([this, alive = alive_] {
    if (*alive) pump();
  });
}

void ProducerCore::plan(MonoTime when) {
  if (when == MonoTime::max() || (timer_ != io::TimerId::none && timer_at_ <= when)) return;
  loop_.cancel(timer_);
  timer_at_ = when;
  timer_ = loop_.call_at(when, [this] {
    timer_ = io::TimerId::none;
    pump();
  });
}

void ProducerCore::pump() {
  for (const std::string& topic : accumulator_.take_new_topics()) cluster_.watch(topic);
  const MonoTime now = loop_.now();
  expire(now);
  for (;;) {
    std::map<std::int32_t, Request> requests;
    fill(requests, now);
    if (requests.empty()) break;
    for (auto& [node, request] : requests) {
      std::erase_if(request.batches,
                    [this](Sent& sent) { return !seal(*sent.queue, *sent.batch); });
      if (!request.batches.empty()) send_request(std::move(request));
    }
  }
  plan(accumulator_.next_waiting_deadline());
  accumulator_.looks_at(timer_ == io::TimerId::none ? MonoTime::max() : timer_at_);
  check_flushes();
  if (transactions_) transactions_->step();
}

void ProducerCore::fill(std::map<std::int32_t, Request>& requests, MonoTime now) {
  MonoTime next = MonoTime::max();
  accumulator_.each_active([&](PartitionQueue& queue) {
    const MonoTime ready = queue.retries.empty() ? accumulator_.ready_at(queue) : queue.retry_at;
    const ProducerBatch* first = !queue.retries.empty()   ? queue.retries.front().get()
                                 : !queue.batches.empty() ? queue.batches.front().get()
                                                          : nullptr;
    if (first == nullptr) return;
    next = std::min(next, first->deadline(options_.delivery_timeout));
    if (ready > now || queue.retry_at > now) {
      next = std::min(next, std::max(ready, queue.retry_at));
      return;
    }
    if (!may_send(queue)) return;
    Request* request = room_for(queue, requests, now);
    if (request == nullptr) return;
    auto batch = take(queue);
    queue.leader = request->node;
    request->bytes += batch->bytes.empty() ? batch->builder.size() : batch->bytes.size();
    ++queue.in_flight;
    ++batch->tries;
    request->batches.push_back({&queue, std::move(batch), {}});
  });
  plan(next);
}

bool ProducerCore::may_send(PartitionQueue& queue) {
  if (queue.recovering || queue.in_flight >= options_.max_in_flight) return false;
  // A broker knows a repetition only among the last five batches: none may go further ahead of the
  // oldest that is open than that, even if those between have been answered.
  if (queue.retries.empty() && !queue.open.empty() &&
      queue.next_ordinal - queue.open.front() >= static_cast<std::uint64_t>(options_.max_in_flight))
    return false;
  if (!idempotent_) return true;
  if (transactions_ && !transactions_->may_send(queue)) return false;
  const bool begins_anew = queue.restart || queue.identity.id < 0 || queue.identity != identity_;
  // Numbers under way must be settled before new ones begin: the broker would fence them.
  if (begins_anew && queue.in_flight == 0 && (queue.restart || queue.retries.empty())) {
    if (identity_.id < 0) {
      if (!transactions_) ask_identity();
      return false;
    }
    restart_sequence(queue);
  }
  if (queue.restart || queue.identity.id < 0) return false;
  return queue.known_id == queue.identity.id || queue.in_flight == 0;
}

void ProducerCore::restart_sequence(PartitionQueue& queue) {
  queue.identity = identity_;
  queue.next_sequence = 0;
  queue.restart = false;
  for (auto& batch : queue.retries) {
    number(queue, *batch);
    // A copy: a broker in this process may still hold the old bytes.
    batch->bytes = Slice::copy_of(batch->bytes.view());
    kafka::rewrite_producer(batch->bytes.mutable_data(), batch->bytes.size(), batch->identity.id,
                            batch->identity.epoch, batch->base_sequence);
  }
}

void ProducerCore::number(PartitionQueue& queue, ProducerBatch& batch) {
  batch.identity = queue.identity;
  batch.base_sequence = queue.next_sequence;
  queue.next_sequence = sequence_after(queue.next_sequence, batch.record_count);
}

ProducerCore::Request* ProducerCore::room_for(PartitionQueue& queue,
                                              std::map<std::int32_t, Request>& requests,
                                              MonoTime now) {
  const auto leader = cluster_.metadata().leader(queue.topic, queue.partition);
  if (!leader) {
    cluster_.refresh();
    return nullptr;
  }
  // What the old leader has not answered must not overtake what goes to the new one.
  if (queue.in_flight > 0 && queue.leader != *leader) return nullptr;
  const auto muted = muted_until_.find(*leader);
  if (muted != muted_until_.end()) {
    if (muted->second > now) {
      plan(muted->second);
      return nullptr;
    }
    muted_until_.erase(muted);
  }
  const auto begun = requests.find(*leader);
  if (begun == requests.end() && !cluster_.node(*leader, Lane::data)->has_room()) return nullptr;
  Request& request = requests[*leader];
  request.node = *leader;
  const std::size_t more = !queue.retries.empty() ? queue.retries.front()->bytes.size()
                                                  : queue.batches.front()->builder.size();
  if (!request.batches.empty() && request.bytes + more > options_.max_request_bytes) return nullptr;
  return &request;
}

std::unique_ptr<ProducerBatch> ProducerCore::take(PartitionQueue& queue) {
  if (!queue.retries.empty()) {
    auto batch = std::move(queue.retries.front());
    queue.retries.pop_front();
    return batch;
  }
  auto batch = accumulator_.take_front(queue);
  batch->ordinal = queue.next_ordinal++;
  queue.open.push_back(batch->ordinal);
  if (idempotent_) number(queue, *batch);
  return batch;
}

kafka::BatchOptions ProducerCore::batch_options() const {
  return {.codec = static_cast<compress::Codec>(options_.compression),
          .level = options_.compression_level.value_or(compress::default_level),
          .transactional = transactions_ != nullptr};
}

bool ProducerCore::seal(PartitionQueue& queue, ProducerBatch& batch) {
  if (!batch.bytes.empty()) return true;
  kafka::BatchOptions options = batch_options();
  options.producer_id = batch.identity.id;
  options.producer_epoch = batch.identity.epoch;
  options.base_sequence = batch.base_sequence;
  auto bytes = batch.builder.finish(options);
  if (bytes) {
    batch.bytes = std::move(*bytes);
    return true;
  }
  --queue.in_flight;
  if (idempotent_) queue.next_sequence = batch.base_sequence;
  tell(queue, batch, {bytes.error().code(), bytes.error().message()});
  settle(queue, batch);
  return false;
}

void ProducerCore::send_request(Request request) {
  using Produce = kafka::ProduceRequest;
  auto body = std::make_shared<Produce>();
  body->acks = static_cast<std::int16_t>(options_.acks);
  body->timeout_ms = static_cast<std::int32_t>(options_.request_timeout.count());
  Call call;
  call.key = kafka::ApiKey::produce;
  call.min_version = Produce::min_version;
  call.max_version = Produce::max_version;
  if (transactions_) {
    body->transactional_id = transactions_->id();
    const bool implicit = transactions_->core().protocol() == TransactionProtocol::v2;
    (implicit ? call.min_version : call.max_version) =
        implicit ? first_version_that_adds : last_version_that_adds_not;
  }
  std::sort(request.batches.begin(), request.batches.end(), [](const Sent& a, const Sent& b) {
    return std::tie(a.queue->topic, a.queue->partition) <
           std::tie(b.queue->topic, b.queue->partition);
  });
  for (Sent& sent : request.batches) {
    const TopicInfo* topic = cluster_.metadata().topic(sent.queue->topic);
    check(topic != nullptr, "producer: a leader without a topic");
    sent.topic_id = topic->id;
    if (topic->id.is_zero())
      call.max_version =
          std::min<std::int16_t>(call.max_version, 12);  // 13 knows topics by id alone
    if (body->topic_data.empty() || body->topic_data.back().name != sent.queue->topic) {
      body->topic_data.emplace_back().name = sent.queue->topic;
      body->topic_data.back().topic_id = topic->id;
    }
    auto& partition = body->topic_data.back().partition_data.emplace_back();
    partition.index = sent.queue->partition;
    partition.records = kafka::Records::external(sent.batch->bytes.size());
    call.splices.push_back(sent.batch->bytes);
  }
  call.encode = [body = std::move(body)](std::int16_t version, kafka::Encoder& encoder) {
    body->encode(encoder, version);
  };
  call.timeout = options_.request_timeout;
  call.expects_reply = options_.acks != Acks::none;
  const std::uint64_t id = ++last_request_;
  const std::int32_t node = request.node;
  under_way_[id] = std::make_shared<Request>(std::move(request));
  call.done = [this, id](Result<RawReply> reply) {
    const auto node_handle = under_way_.extract(id);
    on_reply(*node_handle.mapped(), std::move(reply));
  };
  cluster_.node(node, Lane::data)->send(std::move(call));
}

void ProducerCore::ask_identity() {
  if (asking_identity_ || fatal_) return;
  asking_identity_ = true;
  auto request = std::make_shared<kafka::InitProducerIdRequest>();
  request->transactional_id = std::nullopt;
  request->transaction_timeout_ms = 60'000;  // not used, but brokers check it
  loop_.post([this, alive = alive_, request] {
    if (!*alive) return;
    cluster_.call<kafka::InitProducerIdRequest, kafka::InitProducerIdResponse>(
        Route::any, loop_.now() + options_.delivery_timeout, request,
        [](const kafka::InitProducerIdResponse& response) -> Result<void> {
          const Errc code = errc_from_wire(response.error_code);
          if (code == Errc::none) return {};
          return fail(code, fmt::format("no producer id: {}", name_of(code)));
        },
        [this](auto reply) { on_identity(std::move(reply)); });
  });
}

void ProducerCore::on_identity(Result<Reply<kafka::InitProducerIdResponse>> reply) {
  asking_identity_ = false;
  if (reply) {
    identity_ = {reply->message.producer_id, reply->message.producer_epoch};
  } else if (!worth_a_retry(reply.error().code())) {
    return fail_all(reply.error());
  }
  pump();
}

void ProducerCore::on_metadata(const Result<void>& outcome) {
  last_metadata_error_.reset();
  if (!outcome) last_metadata_error_ = outcome.error();
  if (!outcome && is_about_identity(outcome.error().code()))
    fail_waiting(accumulator_.take_waiting(nullptr, MonoTime::max()), outcome.error().code(),
                 outcome.error().message());
  for (const auto& [name, topic] : cluster_.metadata().topics()) {
    if (topic.partitions.empty()) {
      if (topic.error != Errc::none && !is_retriable(topic.error))
        fail_waiting(accumulator_.take_waiting(&name, loop_.now()), topic.error,
                     std::string(name_of(topic.error)));
      continue;
    }
    std::vector<std::int32_t> with_leader;
    for (std::size_t i = 0; i < topic.partitions.size(); ++i)
      if (topic.partitions[i].leader >= 0) with_leader.push_back(static_cast<std::int32_t>(i));
    for (FailedRecord& record :
         accumulator_.set_partitions(name, topic.partitions.size(), with_leader)) {
      accumulator_.complete_waiting(record);
      if (transactions_) transactions_->delivery_failed(record.error, false);
      if (record.done) {
        record.done(fail(record.error));
      } else {
        note_failure(record.error);
      }
    }
  }
  pump();
}

void ProducerCore::flush(std::move_only_function<void(Result<void>)> done) {
  flushes_.push_back({accumulator_.flush(), std::move(done)});
  pump();
}

void ProducerCore::check_flushes() {
  std::vector<Flush> over;
  for (auto at = flushes_.begin(); at != flushes_.end();) {
    if (!accumulator_.is_flushed(at->id)) {
      ++at;
      continue;
    }
    over.push_back(std::move(*at));
    at = flushes_.erase(at);
  }
  for (Flush& flush : over) {
    auto failure = std::exchange(first_failure_, std::nullopt);
    flush.done(failure ? Result<void>(fail(std::move(*failure))) : Result<void>());
  }
}

void ProducerCore::note_failure(const Error& error) {
  if (!first_failure_) first_failure_ = error;
}

}  // namespace weir::client
