// What tests of the broker say in one line: a simulated machine with a broker and one client.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/log.h"
#include "broker/broker.h"
#include "io/sim_runtime.h"
#include "kafka/batch_builder.h"
#include "kafka/messages/create_topics.h"
#include "kafka/messages/fetch.h"
#include "kafka/messages/produce.h"
#include "sim/scripted_client.h"

namespace weir::broker {

inline constexpr std::uint16_t test_port = 9092;
inline constexpr std::uint16_t test_http_port = 8080;

/// Owner: a test. The broker starts with start(); a crash() or stop() ends it, start() again goes
/// on with what the disk holds.
class BrokerMachine {
 public:
  explicit BrokerMachine(std::uint64_t seed = 1) : world(seed) { set_log_level(LogLevel::off); }
  ~BrokerMachine() {
    end();
    set_log_level(LogLevel::info);
  }

  void start() {
    process = world.start_process();
    clients = world.start_process();
    BrokerOptions with = options;
    with.log.folder = "data";
    with.listeners.push_back(
        {.name = "PLAINTEXT", .at = {.host = "127.0.0.1", .port = test_port}, .advertised = {}});
    auto started = Broker::start(*process, std::move(with));
    check(started.has_value(), started ? "" : started.error().message());
    broker = std::move(*started);
    client = connect();
  }
  void stop() {
    bool stopped = false;
    broker->stop([&](const Result<void>& result) { stopped = result.has_value(); });
    until([&] { return stopped; });
    end();
    world.files().kill();
  }
  /// Power is cut: what was not synced is lost, torn or not as it happens.
  void crash() {
    end();
    world.files().crash();
  }

  void until(const std::function<bool()>& done, Duration deadline = std::chrono::seconds(60)) {
    check(world.run_until(done, deadline), "it happens in time");
  }

  std::unique_ptr<sim::ScriptedClient> connect() {
    std::unique_ptr<sim::ScriptedClient> out;
    clients->network().connect(
        {.host = "127.0.0.1", .port = test_port}, [&](Result<std::unique_ptr<io::Stream>> stream) {
          check(stream.has_value(), "the broker listens");
          out = std::make_unique<sim::ScriptedClient>(
              io::make_stream_channel(clients->loop(), std::move(*stream), 100U << 20U));
        });
    until([&] { return out != nullptr; });
    return out;
  }

  /// Sends a request and gives its answer to `look`, whose views live for the call.
  template <class Response, class Request, class Look>
  void ask(const Request& request, std::int16_t version, Look look) {
    bool answered = false;
    client->call<Response>(request, version, [&](Result<Response> response) {
      check(response.has_value(), response ? "" : response.error().message());
      look(*response);
      answered = true;
    });
    until([&] { return answered; });
  }

  Errc create_topic(std::string_view name, std::int32_t partitions = 1) {
    kafka::CreateTopicsRequest request;
    request.timeout_ms = 1000;
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = partitions;
    topic.replication_factor = 1;
    Errc error = Errc::none;
    ask<kafka::CreateTopicsResponse>(request, 5, [&](const auto& response) {
      error = errc_from_wire(response.topics.front().error_code);
    });
    return error;
  }

  /// One record. The error, and its offset in `offset` if that is given.
  Errc produce(std::string_view topic, std::string_view value, std::int64_t* offset = nullptr) {
    kafka::BatchBuilder builder;
    builder.append(world.clock().wall_ms(), std::nullopt, value);
    const Slice batch = builder.finish({}).value();
    kafka::ProduceRequest request;
    request.acks = -1;
    request.timeout_ms = 1000;
    auto& one = request.topic_data.emplace_back();
    one.name = topic;
    one.partition_data.emplace_back().records = kafka::Records(batch.view());
    Errc error = Errc::none;
    ask<kafka::ProduceResponse>(request, 7, [&](const auto& response) {
      const auto& part = response.responses.front().partition_responses.front();
      error = errc_from_wire(part.error_code);
      if (offset != nullptr) *offset = part.base_offset;
    });
    return error;
  }

  io::SimWorld world;
  std::unique_ptr<io::SimProcess> process;
  std::unique_ptr<io::SimProcess> clients;
  std::unique_ptr<Broker> broker;
  std::unique_ptr<sim::ScriptedClient> client;
  BrokerOptions options;

 private:
  void end() {
    if (clients != nullptr) clients->kill();
    client.reset();
    if (process != nullptr) process->kill();
    broker.reset();
    process.reset();
    clients.reset();
  }
};

}  // namespace weir::broker
