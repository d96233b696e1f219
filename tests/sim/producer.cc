#include "producer.h"

#include <fmt/core.h>

#include "kafka/batch_builder.h"
#include "kafka/messages/init_producer_id.h"
#include "kafka/messages/produce.h"

namespace weir::tests {

constexpr std::size_t most_in_flight = 5;

void Producer::on_connected() {
  version_ = static_cast<std::int16_t>(world_.rng.between(3, 12));
  if (options_.idempotent && producer_id_ < 0) return init();
  for (auto& [partition, batches] : in_flight_)
    for (auto& batch : batches) {
      ++world_.counters[Count::repeated_batches];
      transmit(batch);
    }
  go_on();
}

void Producer::on_disconnected() {
  if (!options_.idempotent) in_flight_.clear();  // unknown for ever: the history says so already
}

void Producer::init() {
  kafka::InitProducerIdRequest request;
  request.transactional_id.reset();
  ask<kafka::InitProducerIdResponse>(request, 4, [this](const auto& response) {
    if (response.error_code != 0) return later(20ms, [this] { init(); });
    producer_id_ = response.producer_id;
    go_on();
  });
}

void Producer::go_on() {
  if (ending_ || !connected()) return;
  std::size_t waiting = 0;
  for (const auto& [partition, batches] : in_flight_) waiting += batches.size();
  if (waiting < most_in_flight) produce();
  if (planned_) return;
  planned_ = true;
  loop().call_after(Duration(world_.rng.between(100'000, options_.pause_max_ms * 1'000'000)),
                    [this] {
                      planned_ = false;
                      go_on();
                    });
}

void Producer::produce() {
  const Key key{
      static_cast<int>(world_.rng.below(static_cast<std::uint64_t>(options_.topics))),
      static_cast<std::int32_t>(world_.rng.below(static_cast<std::uint64_t>(options_.partitions)))};
  auto& queue = in_flight_[key];
  const bool alone = options_.waits_for_first && !known_.contains(key);
  if (queue.size() >= (alone ? 1 : most_in_flight)) return;
  queue.push_back(make_batch(key));
  transmit(queue.back());
}

Producer::Batch Producer::make_batch(const Key& key) {
  sim::Send send;
  send.producer = options_.number;
  send.idempotent = options_.idempotent;
  send.partition = name_of_partition(key);
  send.invoked = now();
  send.invoked_life = world_.counters[Count::crashes];
  kafka::BatchBuilder builder;
  const auto count = 1 + world_.rng.below(4);
  for (std::uint64_t i = 0; i < count; ++i) {
    send.values.push_back(fmt::format("p{}-{}-{}", options_.number, ++values_,
                                      std::string(world_.rng.below(300), '.')));
    builder.append(world_.sim.clock().wall_ms(), std::nullopt,
                   std::string_view(send.values.back()));
  }
  kafka::BatchOptions options;
  if (options_.idempotent) {
    auto& sequence = sequences_[key];
    options.producer_id = producer_id_;
    options.producer_epoch = 0;
    options.base_sequence = sequence;
    sequence += static_cast<std::int32_t>(count);
  }
  Batch batch{.send = history_.sends.size(),
              .key = key,
              .bytes = std::string(builder.finish(options).value().view())};
  history_.sends.push_back(std::move(send));
  return batch;
}

void Producer::transmit(const Batch& batch) {
  kafka::ProduceRequest request;
  request.transactional_id.reset();
  request.acks = world_.rng.one_in(2) ? std::int16_t{-1} : std::int16_t{1};
  request.timeout_ms = 1000;
  auto& topic = request.topic_data.emplace_back();
  const std::string name = topic_name(batch.key.first);
  topic.name = name;
  auto& data = topic.partition_data.emplace_back();
  data.index = batch.key.second;
  data.records = kafka::Records(batch.bytes);
  ask<kafka::ProduceResponse>(
      request, version_, [this, send = batch.send, key = batch.key](const auto& response) {
        const auto& out = response.responses.at(0).partition_responses.at(0);
        note(send, key, errc_from_wire(out.error_code), out.base_offset);
      });
}

void Producer::note(std::size_t send, const Key& key, Errc code, std::int64_t base_offset) {
  auto& queue = in_flight_[key];
  const auto found =
      std::find_if(queue.begin(), queue.end(), [&](const Batch& b) { return b.send == send; });
  if (found == queue.end()) return;  // an answer to an earlier copy was enough
  auto& entry = history_.sends[send];
  if (code == Errc::none) {
    entry.outcome = sim::Outcome::ok;
    entry.base_offset = base_offset;
    entry.completed = now();
    entry.completed_life = world_.counters[Count::crashes];
    ++world_.counters[Count::acknowledged];
    known_.insert(key);
    queue.erase(found);
    return;
  }
  if (world_.traced())
    trace(fmt::format("{} is refused: {}", entry.values.front().substr(0, 20), name_of(code)));
  if (!options_.idempotent) {
    queue.erase(found);
    return;
  }
  // A later batch of five is out of order once an earlier one was refused: all go again, in order.
  if (code != Errc::kafka_storage_error && code != Errc::out_of_order_sequence_number)
    world_.anomaly(fmt::format("lawful-answer: {} of an idempotent producer got {}",
                               entry.values.front(), name_of(code)));
  drop();
}

}  // namespace weir::tests
