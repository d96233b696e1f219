#include "broker_sim.h"

#include <fmt/core.h>

#include <cstdlib>
#include <map>
#include <set>

#include "base/check.h"
#include "base/log.h"
#include "broker_world.h"
#include "kafka/batch_builder.h"
#include "kafka/messages/create_topics.h"
#include "kafka/messages/fetch.h"
#include "kafka/messages/init_producer_id.h"
#include "kafka/messages/list_offsets.h"
#include "kafka/messages/metadata.h"
#include "kafka/messages/produce.h"
#include "kafka/record_batch.h"

namespace weir::tests {
namespace {

constexpr int topics = 2;
constexpr int partitions_of_topic = 2;
constexpr Duration fault_period = 3s;

std::string topic_name(int index) { return "t" + std::to_string(index); }

class Admin final : public Actor {
 public:
  using Actor::Actor;
  bool done = false;

 private:
  void on_connected() override {
    if (done) return;
    expect_progress();
    kafka::CreateTopicsRequest request;
    std::vector<std::string> names;
    for (int t = 0; t < topics; ++t) names.push_back(topic_name(t));
    for (int t = 0; t < topics; ++t) {
      auto& topic = request.topics.emplace_back();
      topic.name = names[static_cast<std::size_t>(t)];
      topic.num_partitions = partitions_of_topic;
      topic.replication_factor = 1;
      auto& config = topic.configs.emplace_back();
      config.name = "retention.ms";
      config.value = "-1";
    }
    client_->call<kafka::CreateTopicsResponse>(
        request, 5, [this](Result<kafka::CreateTopicsResponse> response) {
          progress();
          if (!response) return;
          ++world_.counters.operations;
          bool all = true;
          for (const auto& topic : response->topics)
            all = all && (topic.error_code == 0 ||
                          errc_from_wire(topic.error_code) == Errc::topic_already_exists);
          done = all;
          if (!done)
            loop().call_after(20ms, [this] {
              if (client_->open()) on_connected();
            });
        });
  }
};

/// Sends batches; an idempotent one sends unanswered batches again, in order, on every connection.
class Producer final : public Actor {
 public:
  Producer(World& world, int number, bool idempotent)
      : Actor(world), number_(number), idempotent_(idempotent) {}
  /// Every batch is answered, or its outcome given up.
  bool quiet() const {
    return std::all_of(in_flight_.begin(), in_flight_.end(),
                       [](const auto& queue) { return queue.second.empty(); });
  }
  void finish() { ending_ = true; }

 private:
  struct Batch {
    std::size_t send = 0;  // index into the history
    int topic = 0;
    std::int32_t partition = 0;
    std::string bytes;
    bool answered = false;
  };

  void on_connected() override {
    version_ = static_cast<std::int16_t>(world_.rng.between(3, 12));
    if (idempotent_ && producer_id_ < 0) return init();
    for (auto& [partition, batches] : in_flight_)
      for (auto& batch : batches) {
        ++world_.counters.repeated_batches;
        transmit(batch);
      }
    go_on();
  }

  void on_disconnected() override {
    if (idempotent_) return;
    in_flight_.clear();  // outcome unknown for ever: the history says so already
  }

  void init() {
    expect_progress();
    kafka::InitProducerIdRequest request;
    request.transactional_id.reset();
    client_->call<kafka::InitProducerIdResponse>(
        request, 4, [this](Result<kafka::InitProducerIdResponse> response) {
          progress();
          if (!response) return;
          if (response->error_code != 0) {
            loop().call_after(20ms, [this] {
              if (client_->open()) init();
            });
            return;
          }
          ++world_.counters.operations;
          producer_id_ = response->producer_id;
          go_on();
        });
  }

  void go_on() {
    if (ending_ || client_ == nullptr || !client_->open()) return;
    std::size_t waiting = 0;
    for (const auto& [partition, batches] : in_flight_) waiting += batches.size();
    if (waiting < 5) produce();
    if (planned_) return;
    planned_ = true;
    loop().call_after(Duration(world_.rng.between(100'000, 60'000'000)), [this] {
      planned_ = false;
      go_on();
    });
  }

  void produce() {
    const int topic = static_cast<int>(world_.rng.below(topics));
    const auto partition = static_cast<std::int32_t>(world_.rng.below(partitions_of_topic));
    auto& queue = in_flight_[{topic, partition}];
    if (queue.size() >= 5) return;
    sim::Send send;
    send.producer = number_;
    send.idempotent = idempotent_;
    send.partition = fmt::format("{}-{}", topic_name(topic), partition);
    send.invoked = now();
    send.invoked_life = world_.counters.crashes;
    kafka::BatchBuilder builder;
    const auto count = 1 + world_.rng.below(4);
    for (std::uint64_t i = 0; i < count; ++i) {
      send.values.push_back(
          fmt::format("p{}-{}-{}", number_, ++values_, std::string(world_.rng.below(300), '.')));
      builder.append(world_.sim.clock().wall_ms(), std::nullopt,
                     std::string_view(send.values.back()));
    }
    kafka::BatchOptions options;
    if (idempotent_) {
      auto& sequence = sequences_[{topic, partition}];
      options.producer_id = producer_id_;
      options.producer_epoch = 0;
      options.base_sequence = sequence;
      sequence += static_cast<std::int32_t>(count);
    }
    Batch batch{.send = world_.history.sends.size(),
                .topic = topic,
                .partition = partition,
                .bytes = std::string(builder.finish(options).value().view())};
    world_.history.sends.push_back(std::move(send));
    queue.push_back(std::move(batch));
    transmit(queue.back());
  }

  void transmit(const Batch& batch) {
    expect_progress();
    kafka::ProduceRequest request;
    request.transactional_id.reset();
    request.acks = world_.rng.one_in(2) ? std::int16_t{-1} : std::int16_t{1};
    request.timeout_ms = 1000;
    auto& topic = request.topic_data.emplace_back();
    const std::string name = topic_name(batch.topic);
    topic.name = name;
    auto& data = topic.partition_data.emplace_back();
    data.index = batch.partition;
    data.records = kafka::Records(batch.bytes);
    client_->call<kafka::ProduceResponse>(
        request, version_,
        [this, send = batch.send,
         key = std::pair(batch.topic, batch.partition)](Result<kafka::ProduceResponse> response) {
          progress();
          if (!response) return;  // the connection ended: sent again on the next one, or unknown
          ++world_.counters.operations;
          const auto& out = response->responses.at(0).partition_responses.at(0);
          note(send, key, errc_from_wire(out.error_code), out.base_offset);
        });
  }

  void note(std::size_t send, const std::pair<int, std::int32_t>& key, Errc code,
            std::int64_t base_offset) {
    auto& queue = in_flight_[key];
    const auto found =
        std::find_if(queue.begin(), queue.end(), [&](const Batch& b) { return b.send == send; });
    if (found == queue.end()) return;  // an answer to an earlier copy was enough
    auto& entry = world_.history.sends[send];
    if (code == Errc::none) {
      entry.outcome = sim::Outcome::ok;
      entry.base_offset = base_offset;
      entry.completed = now();
      entry.completed_life = world_.counters.crashes;
      ++world_.counters.acknowledged;
      queue.erase(found);
      return;
    }
    if (idempotent_) {
      // A later batch of five is out of order once an earlier one was refused: all go again, in
      // order.
      if (code != Errc::kafka_storage_error && code != Errc::out_of_order_sequence_number)
        world_.anomalies.push_back(fmt::format("refused: {} of an idempotent producer got {}",
                                               entry.values.front(), name_of(code)));
      if (client_->open()) {
        client_->close();
        reconnect();
      }
      return;
    }
    queue.erase(found);
  }

  int number_;
  bool idempotent_;
  std::int64_t producer_id_ = -1;
  std::int16_t version_ = 9;
  std::uint64_t values_ = 0;
  std::map<std::pair<int, std::int32_t>, std::int32_t> sequences_;
  std::map<std::pair<int, std::int32_t>, std::deque<Batch>> in_flight_;
  bool planned_ = false;
  bool ending_ = false;
};

/// Reads every partition from its start, over and over; in the end up to the high watermarks.
class Consumer final : public Actor {
 public:
  Consumer(World& world, int number, bool final) : Actor(world), number_(number), final_(final) {}
  bool at_end() const {
    if (ends_.size() < topics * partitions_of_topic) return false;
    for (const auto& [key, end] : ends_)
      if (offset_of(key) < end) return false;
    return true;
  }

 private:
  using Key = std::pair<int, std::int32_t>;
  std::int64_t offset_of(const Key& key) const {
    const auto found = offsets_.find(key);
    return found == offsets_.end() ? 0 : found->second;
  }

  void on_connected() override {
    version_ = static_cast<std::int16_t>(world_.rng.between(4, 12));
    fetch();
  }

  void fetch() {
    if (client_ == nullptr || !client_->open()) return;
    expect_progress();
    kafka::FetchRequest request;
    request.max_wait_ms = final_ ? 10 : static_cast<std::int32_t>(world_.rng.below(300));
    request.min_bytes = static_cast<std::int32_t>(world_.rng.below(2000));
    request.max_bytes = static_cast<std::int32_t>(1 + world_.rng.below(5000));
    std::vector<std::string> names;
    for (int t = 0; t < topics; ++t) names.push_back(topic_name(t));
    for (int t = 0; t < topics; ++t) {
      auto& topic = request.topics.emplace_back();
      topic.topic = names[static_cast<std::size_t>(t)];
      for (std::int32_t p = 0; p < partitions_of_topic; ++p) {
        auto& partition = topic.partitions.emplace_back();
        partition.partition = p;
        partition.fetch_offset = offset_of({t, p});
        partition.partition_max_bytes = static_cast<std::int32_t>(1 + world_.rng.below(3000));
      }
    }
    client_->call<kafka::FetchResponse>(
        request, version_, [this](Result<kafka::FetchResponse> response) {
          progress();
          if (!response) return;
          ++world_.counters.operations;
          for (const auto& topic : response->responses)
            for (const auto& partition : topic.partitions)
              note(std::string(topic.topic), partition);
          if (world_.rng.one_in(20) && !final_) offsets_.clear();
          loop().call_after(Duration(world_.rng.between(1, 20'000'000)), [this] { fetch(); });
        });
  }

  void note(const std::string& topic, const kafka::FetchResponse::PartitionData& data) {
    const std::string name = fmt::format("{}-{}", topic, data.partition_index);
    const Key key{std::stoi(topic.substr(1)), data.partition_index};
    if (data.error_code != 0) {
      const Errc code = errc_from_wire(data.error_code);
      const bool before_creation = code == Errc::unknown_topic_or_partition;
      if (!before_creation && code != Errc::kafka_storage_error)
        world_.anomalies.push_back(
            fmt::format("fetch: {} at {} got {}", name, offset_of(key), name_of(code)));
      return;
    }
    world_.history.watermarks.push_back({name, data.high_watermark});
    ends_[key] = data.high_watermark;
    kafka::BatchCursor cursor(data.records.bytes());
    kafka::BatchView batch;
    for (;;) {
      auto more = cursor.next(batch);
      if (!more || (*more && !batch.crc_is_right())) {
        world_.anomalies.push_back(
            fmt::format("fetch: {} at {}: a batch is damaged", name, offset_of(key)));
        return;
      }
      if (!*more) break;
      auto reader = kafka::RecordReader::open(batch).value();
      kafka::RecordView record;
      while (reader.next(record)) {
        if (record.offset < offset_of(key)) continue;
        if (record.offset >= data.high_watermark)
          world_.anomalies.push_back(
              fmt::format("fetch: {}/{} is at or above the high watermark {}", name, record.offset,
                          data.high_watermark));
        const std::string value(record.value.value_or(""));
        world_.history.seen.push_back({number_, name, record.offset, value});
        if (final_) {
          world_.history.final_read[name][record.offset] = value;
          world_.history.epochs[value] = batch.leader_epoch();
        }
        offsets_[key] = record.offset + 1;
      }
    }
  }

  int number_;
  bool final_;
  std::int16_t version_ = 11;
  std::map<Key, std::int64_t> offsets_;
  std::map<Key, std::int64_t> ends_;
};

/// Sends what no honest client sends: cut bodies, wrong counts, unknown APIs, repeated frames.
class Meddler final : public Actor {
 public:
  using Actor::Actor;
  void finish() { ending_ = true; }

 private:
  void on_connected() override { meddle(); }
  void meddle() {
    if (ending_ || client_ == nullptr || !client_->open()) return;
    ++world_.counters.forged_requests;
    Rng& rng = world_.rng;
    const auto ignore = [](Result<Slice>, std::int16_t) {};
    switch (rng.below(5)) {
      case 0:
        client_->send(static_cast<std::int16_t>(rng.below(100)),
                      static_cast<std::int16_t>(rng.below(20)), "", ignore);
        break;
      case 1:
        client_->send_frame(std::string(1 + rng.below(40), static_cast<char>(rng.next())));
        break;
      case 2: {
        kafka::MetadataRequest request;
        request.topics.reset();
        std::string body;
        check(kafka::encode_all(request, 9, body).has_value(), "a request");
        client_->send(3, 9, body.substr(0, rng.below(body.size())), ignore);
        break;
      }
      case 3: {  // a batch whose records say something else than its header
        kafka::BatchBuilder builder;
        builder.append(1, std::nullopt, std::string_view("forged"));
        std::string batch(builder.finish({}).value().view());
        batch[rng.below(batch.size())] = static_cast<char>(rng.next());
        if (batch.find("forged") == std::string::npos || batch[12] == 0) {
          kafka::ProduceRequest request;
          request.transactional_id.reset();
          request.acks = -1;
          auto& topic = request.topic_data.emplace_back();
          topic.name = "no-such-topic";
          topic.partition_data.emplace_back().records = kafka::Records(batch);
          client_->call<kafka::ProduceResponse>(request, 8, [](Result<kafka::ProduceResponse>) {});
        }
        break;
      }
      default: client_->send_frame(client_->last_frame().empty() ? "x" : client_->last_frame());
    }
    if (planned_) return;
    planned_ = true;
    loop().call_after(Duration(rng.between(1'000'000, 100'000'000)), [this] {
      planned_ = false;
      meddle();
    });
  }
  bool planned_ = false;
  bool ending_ = false;
};

SimResult run(World& world) {
  world.start_broker();
  Admin admin(world);
  admin.start();
  if (!world.sim.run_until([&] { return admin.done; }, 30s))
    return {.anomalies = {"topics cannot be created"}, .counters = {}};
  std::vector<std::unique_ptr<Producer>> producers;
  for (int i = 0; i < 4; ++i) producers.push_back(std::make_unique<Producer>(world, i, i != 3));
  std::vector<std::unique_ptr<Consumer>> consumers;
  for (int i = 0; i < 2; ++i) consumers.push_back(std::make_unique<Consumer>(world, i, false));
  Meddler meddler(world);
  for (auto& producer : producers) producer->start();
  for (auto& consumer : consumers) consumer->start();
  meddler.start();

  const auto plan = sim::plan_faults(world.rng, world.sim.clock().now(), fault_period,
                                     2 + static_cast<int>(world.rng.below(3)));
  for (const auto& fault : plan) world.sim.at(fault.at, [&world, fault] { world.inject(fault); });
  const MonoTime end = world.sim.clock().now() + fault_period + 500ms;
  while (world.sim.clock().now() < end && world.sim.step()) world.watch_for_crash();

  world.heal();
  for (auto& producer : producers) producer->finish();
  meddler.finish();
  const auto settled = [&] {
    world.watch_for_crash();
    return std::all_of(producers.begin(), producers.end(),
                       [](const auto& p) { return p->quiet(); });
  };
  if (!world.sim.run_until(settled, 60s))
    world.anomalies.push_back("stuck: batches are never answered after the faults are over");
  Consumer reader(world, 99, true);
  reader.start();
  if (!world.sim.run_until([&] { return reader.at_end(); }, 60s))
    world.anomalies.push_back("stuck: the log cannot be read to its end");
  // Everything once more after a power cut: what readers saw must not depend on the page cache.
  world.power_cut();
  world.start_broker();
  world.history.final_read.clear();
  Consumer last(world, 100, true);
  last.start();
  if (!world.sim.run_until([&] { return last.at_end(); }, 60s))
    world.anomalies.push_back("stuck: the log cannot be read after the last power cut");

  auto anomalies = sim::check_history(world.history);
  anomalies.insert(anomalies.begin(), world.anomalies.begin(), world.anomalies.end());
  const auto& disk = world.sim.files().counters();
  world.counters.runs = 1;
  world.counters.torn_writes = disk.torn_writes;
  world.counters.lost_renames = disk.lost_renames;
  world.counters.lost_names = disk.lost_names;
  world.counters.failed_syncs = disk.failed_syncs;
  world.counters.cut_connections = world.sim.network_counters().cut;
  world.end_process();
  world.clients->kill();
  return {.anomalies = std::move(anomalies), .counters = world.counters};
}

}  // namespace

SimResult run_broker_simulation(std::uint64_t seed) {
  // A seed that is looked at alone (WEIR_SIM_LOG=1) shows what the broker says.
  const LogLevel level = log_level();
  if (std::getenv("WEIR_SIM_LOG") == nullptr) set_log_level(LogLevel::off);
  SimResult result;
  {
    World world(seed);
    result = run(world);
  }
  set_log_level(level);
  return result;
}

}  // namespace weir::tests
