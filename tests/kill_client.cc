// A client for kill_test.py: keeps many idempotent produce requests in flight while the broker is
// killed and started again under it, then reads everything back and checks what it was told against
// what is there.
//
//   kill_client PORT ROUNDS MIN_ACKS
//
// It prints `ready N` once MIN_ACKS batches have been acknowledged since the last kill: kill it
// now. When the broker is gone, `cut N in_flight=A acknowledged=B`. At the end `checked batches=…
// records=… resent=…`, or a line for each broken promise; it exits with 0 if there is none.
#include <fmt/core.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <deque>
#include <map>

#include "base/check.h"
#include "io/runtime.h"
#include "kafka/batch_builder.h"
#include "kafka/messages/create_topics.h"
#include "kafka/messages/fetch.h"
#include "kafka/messages/init_producer_id.h"
#include "kafka/messages/produce.h"
#include "kafka/record_batch.h"
#include "sim/history.h"
#include "sim/scripted_client.h"

namespace weir::tests {
namespace {

using namespace std::chrono_literals;
using sim::ScriptedClient;

constexpr std::string_view topic_name = "killed";
constexpr std::int32_t partitions = 4;
constexpr int connections = 4;
constexpr int producers_a_connection = 8;
constexpr std::size_t in_flight_a_producer = 5;  // what a broker can tell from a repetition
constexpr std::size_t value_bytes = 400;
constexpr std::size_t frame_limit = 64U << 20U;
constexpr auto reconnect_after = 5ms;

struct Batch {
  std::size_t send = 0;  // index into the history
  std::string bytes;
};

struct Producer {
  int number = 0;
  std::int64_t id = -1;
  std::int32_t sequence = 0;
  std::uint64_t values = 0;
  std::deque<Batch> waiting;  // sent and not acknowledged, in order
  std::int32_t partition() const { return number % partitions; }
};

class KillClient {
 public:
  KillClient(std::uint16_t port, int rounds, std::uint64_t min_acks)
      : port_(port), rounds_(rounds), min_acks_(min_acks), runtime_(io::RealRuntime::create()) {
    clients_.resize(connections);
    producers_.resize(connections);
    for (int c = 0; c < connections; ++c)
      for (int p = 0; p < producers_a_connection; ++p)
        producers_[at(c)].push_back({.number = c * producers_a_connection + p,
                                     .id = -1,
                                     .sequence = 0,
                                     .values = 0,
                                     .waiting = {}});
  }

  int run() {
    connect(0, [this] { create_topic(); });
    runtime_->run();
    for (auto& line : sim::check_history(history_)) anomalies_.push_back(std::move(line));
    for (const auto& line : anomalies_) fmt::print("{}\n", line);
    std::size_t records = 0;
    for (const auto& [name, read] : history_.final_read) records += read.size();
    fmt::print("checked batches={} records={} resent={}\n", acknowledged_, records, resent_);
    return anomalies_.empty() ? 0 : 1;
  }

 private:
  static std::size_t at(int index) { return static_cast<std::size_t>(index); }
  io::Loop& loop() { return runtime_->loop(); }

  void say(const std::string& line) {
    fmt::print("{}\n", line);
    std::fflush(stdout);
  }

  void connect(int c, std::function<void()> then) {
    runtime_->network().connect(
        {.host = "127.0.0.1", .port = port_},
        [this, c, then](Result<std::unique_ptr<io::Stream>> stream) {
          if (!stream) {
            loop().call_after(reconnect_after, [this, c, then] { connect(c, then); });
            return;
          }
          clients_[at(c)] = std::make_unique<ScriptedClient>(
              io::make_stream_channel(loop(), std::move(*stream), frame_limit));
          clients_[at(c)]->on_close([this, c] { lost(c); });
          then();
        });
  }

  void create_topic() {
    kafka::CreateTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = topic_name;
    topic.num_partitions = partitions;
    topic.replication_factor = 1;
    clients_[0]->call<kafka::CreateTopicsResponse>(
        request, 5, [this](Result<kafka::CreateTopicsResponse> response) {
          check(response && response->topics.at(0).error_code == 0, "the topic is made");
          for (int c = 0; c < connections; ++c) connect_producers(c);
        });
  }

  void connect_producers(int c) {
    if (c == 0) return resume(0);
    connect(c, [this, c] { resume(c); });
  }

  // Unanswered batches go again, in their order and before anything new.
  void resume(int c) {
    for (auto& producer : producers_[at(c)]) {
      if (producer.id < 0) {
        ask_for_id(c, producer);
        continue;
      }
      for (const auto& batch : producer.waiting) {
        ++resent_;
        transmit(c, producer, batch);
      }
      fill(c, producer);
    }
    if (reading_ && c == 0) read(0, 0);
  }

  void ask_for_id(int c, Producer& producer) {
    kafka::InitProducerIdRequest request;
    request.transactional_id.reset();
    clients_[at(c)]->call<kafka::InitProducerIdResponse>(
        request, 1, [this, c, &producer](Result<kafka::InitProducerIdResponse> response) {
          if (!response) return;
          check(response->error_code == 0, "a producer id is given");
          producer.id = response->producer_id;
          fill(c, producer);
        });
  }

  void fill(int c, Producer& producer) {
    while (!ending_ && producer.waiting.size() < in_flight_a_producer) {
      sim::Send send;
      send.producer = producer.number;
      send.idempotent = true;
      send.partition = fmt::format("{}-{}", topic_name, producer.partition());
      send.invoked = loop().now();
      kafka::BatchBuilder builder;
      const auto count = static_cast<std::int32_t>(1 + producer.values % 3);
      for (std::int32_t i = 0; i < count; ++i) {
        std::string value = fmt::format("p{}-{}-", producer.number, ++producer.values);
        value.resize(value_bytes, '.');
        builder.append(loop().clock().wall_ms(), std::nullopt, std::string_view(value));
        send.values.push_back(std::move(value));
      }
      kafka::BatchOptions options;
      options.producer_id = producer.id;
      options.producer_epoch = 0;
      options.base_sequence = producer.sequence;
      producer.sequence += count;
      producer.waiting.push_back({.send = history_.sends.size(),
                                  .bytes = std::string(builder.finish(options).value().view())});
      history_.sends.push_back(std::move(send));
      transmit(c, producer, producer.waiting.back());
    }
  }

  void transmit(int c, Producer& producer, const Batch& batch) {
    kafka::ProduceRequest request;
    request.transactional_id.reset();
    request.acks = -1;
    request.timeout_ms = 30'000;
    auto& topic = request.topic_data.emplace_back();
    topic.name = topic_name;
    auto& data = topic.partition_data.emplace_back();
    data.index = producer.partition();
    data.records = kafka::Records(batch.bytes);
    ++in_flight_[at(c)];
    clients_[at(c)]->call<kafka::ProduceResponse>(
        request, 8,
        [this, c, &producer, send = batch.send](Result<kafka::ProduceResponse> response) {
          if (!response) return;  // the broker is gone: see lost()
          --in_flight_[at(c)];
          acknowledge(c, producer, send, response->responses.at(0).partition_responses.at(0));
        });
  }

  void acknowledge(int c, Producer& producer, std::size_t send,
                   const kafka::ProduceResponse::PartitionProduceResponse& out) {
    auto& entry = history_.sends[send];
    if (out.error_code != 0) {
      anomalies_.push_back(fmt::format("refused: {} got {}", entry.values.front(),
                                       name_of(errc_from_wire(out.error_code))));
      return runtime_->stop();
    }
    check(!producer.waiting.empty() && producer.waiting.front().send == send,
          "answers come in order");
    producer.waiting.pop_front();
    entry.outcome = sim::Outcome::ok;
    entry.base_offset = out.base_offset;
    entry.completed = loop().now();
    ++acknowledged_;
    if (++acknowledged_since_ >= min_acks_ && !ready_ && !ending_) {
      ready_ = true;
      say(fmt::format("ready {}", round_));
    }
    fill(c, producer);
    if (ending_ && all_answered()) begin_reading();
  }

  // Each connection comes back by itself: one may reach the dying broker once more. The first to
  // end after `ready` tells that the kill has happened.
  void lost(int c) {
    if (ready_) {
      say(fmt::format("cut {} in_flight={} acknowledged={}", round_, in_flight(),
                      acknowledged_since_));
      ready_ = false;
      acknowledged_since_ = 0;
      ending_ = ++round_ >= rounds_;
    }
    in_flight_[at(c)] = 0;
    connect(c, [this, c] { resume(c); });
  }

  std::uint64_t in_flight() const {
    std::uint64_t sum = 0;
    for (const auto count : in_flight_) sum += count;
    return sum;
  }

  bool all_answered() const {
    for (const auto& of_connection : producers_)
      for (const auto& producer : of_connection)
        if (!producer.waiting.empty()) return false;
    return true;
  }

  void begin_reading() {
    if (reading_) return;
    reading_ = true;
    read(0, 0);
  }

  void read(std::int32_t partition, std::int64_t offset) {
    if (partition == partitions) return runtime_->stop();
    kafka::FetchRequest request;
    request.max_wait_ms = 0;
    request.min_bytes = 0;
    request.max_bytes = 4 << 20;
    auto& topic = request.topics.emplace_back();
    topic.topic = topic_name;
    auto& wanted = topic.partitions.emplace_back();
    wanted.partition = partition;
    wanted.fetch_offset = offset;
    wanted.partition_max_bytes = 4 << 20;
    clients_[0]->call<kafka::FetchResponse>(
        request, 11, [this, partition, offset](Result<kafka::FetchResponse> response) {
          check(response.has_value(), "the broker answers a fetch");
          const auto& data = response->responses.at(0).partitions.at(0);
          check(data.error_code == 0, "a fetch succeeds");
          const std::int64_t next = note(partition, offset, data);
          const bool at_end = next >= data.high_watermark;
          history_.watermarks.push_back(
              {fmt::format("{}-{}", topic_name, partition), data.high_watermark});
          check(at_end || next > offset, "a fetch below the high watermark gives records");
          read(at_end ? partition + 1 : partition, at_end ? 0 : next);
        });
  }

  std::int64_t note(std::int32_t partition, std::int64_t offset,
                    const kafka::FetchResponse::PartitionData& data) {
    auto& read = history_.final_read[fmt::format("{}-{}", topic_name, partition)];
    kafka::BatchCursor cursor(data.records.bytes());
    kafka::BatchView batch;
    for (;;) {
      auto more = cursor.next(batch);
      check(more && (!*more || batch.crc_is_right()), "every batch is whole");
      if (!*more) return offset;
      auto reader = kafka::RecordReader::open(batch).value();
      kafka::RecordView record;
      while (reader.next(record)) {
        if (record.offset < offset) continue;
        read[record.offset] = std::string(record.value.value_or(""));
        offset = record.offset + 1;
      }
    }
  }

  std::uint16_t port_;
  int rounds_;
  std::uint64_t min_acks_;
  sim::History history_;
  std::vector<std::string> anomalies_;
  std::vector<std::vector<Producer>> producers_;  // by connection
  std::uint64_t acknowledged_ = 0;
  std::uint64_t acknowledged_since_ = 0;
  std::uint64_t resent_ = 0;
  std::array<std::uint64_t, connections> in_flight_{};
  int round_ = 0;
  bool ready_ = false;
  bool ending_ = false;
  bool reading_ = false;
  std::unique_ptr<io::RealRuntime> runtime_;
  std::vector<std::unique_ptr<ScriptedClient>> clients_;
};

}  // namespace
}  // namespace weir::tests

int main(int argc, char** argv) {
  const auto number = [&](int index) {
    int value = 0;
    const std::string_view text = index < argc ? argv[index] : "";
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  };
  if (number(1) <= 0 || number(2) <= 0 || number(3) <= 0) {
    fmt::print(stderr, "usage: kill_client PORT ROUNDS MIN_ACKS\n");
    return 2;
  }
  weir::tests::KillClient client(static_cast<std::uint16_t>(number(1)), number(2),
                                 static_cast<std::uint64_t>(number(3)));
  return client.run();
}
