// The monitoring listener on a simulated machine: metrics and readiness through faults.
#include "broker/monitor.h"

#include <gtest/gtest.h>

#include "broker/broker_test_kit.h"
#include "broker/telemetry.h"

namespace weir::broker {
namespace {

using namespace std::chrono_literals;

/// One HTTP request and its answer.
class Get final : public io::StreamHandler {
 public:
  Get(io::Runtime& runtime, std::string path) {
    runtime.network().connect(
        {.host = "127.0.0.1", .port = test_http_port},
        [this, path = std::move(path)](Result<std::unique_ptr<io::Stream>> stream) {
          check(stream.has_value(), "the listener listens");
          stream_ = std::move(*stream);
          stream_->set_handler(this);
          stream_->write(Slice::copy_of(
              "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        });
  }
  std::string text;
  bool done = false;

 private:
  void on_readable() override {
    char buffer[4096];
    for (;;) {
      auto n = stream_->read_some(buffer, sizeof buffer);
      if (!n) return on_closed(n.error());
      if (*n == 0) return;
      text.append(buffer, *n);
    }
  }
  void on_drained() override {}
  void on_closed(const Error&) override {
    done = true;
    stream_.reset();
  }
  std::unique_ptr<io::Stream> stream_;
};

class MonitorTest : public ::testing::Test {
 protected:
  MonitorTest() {
    set("weir.metrics.listener", "127.0.0.1:" + std::to_string(test_http_port));
    machine_.start();
  }

  void set(std::string_view name, const std::string& value) {
    check(machine_.options.settings.set(name, value, config::Source::flag).has_value(),
          "a setting");
  }
  std::string get(const std::string& path) {
    Get request(*machine_.clients, path);
    machine_.until([&] { return request.done; });
    return request.text;
  }

  BrokerMachine machine_;
};

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST_F(MonitorTest, a_broker_that_serves_is_alive_and_ready) {
  EXPECT_HAS(get("/livez"), "HTTP/1.1 200 OK");
  EXPECT_HAS(get("/readyz"), "\r\n\r\nready\n");
  EXPECT_HAS(get("/readyz?format=json"), R"({"ready":true,"reasons":[]})");
}

TEST_F(MonitorTest, metrics_count_what_was_done) {
  ASSERT_EQ(machine_.create_topic("t", 2), Errc::none);
  ASSERT_EQ(machine_.produce("t", "x"), Errc::none);
  EXPECT_EQ(machine_.produce("nowhere", "x"), Errc::unknown_topic_or_partition);
  const std::string text = get("/metrics");
  EXPECT_HAS(text, "weir_requests_total{api=\"Produce\",error=\"none\"} 1\n");
  EXPECT_HAS(text, "weir_requests_total{api=\"Produce\",error=\"unknown_topic_or_partition\"} 1\n");
  EXPECT_HAS(text,
             "kafka_topic_partition_high_water_mark{topic_name=\"t\",partition_id=\"0\"} 1\n");
  EXPECT_HAS(text, "weir_produce_ack_duration_seconds_count 1\n");
}

TEST_F(MonitorTest, a_log_that_refuses_appends_is_a_reason_until_it_takes_them_again) {
  ASSERT_EQ(machine_.create_topic("t"), Errc::none);
  machine_.world.files().set_capacity(0);
  machine_.world.files().add_fault({.op = io::FileOp::write, .path = "", .count = 1000});
  EXPECT_EQ(machine_.produce("t", "x"), Errc::kafka_storage_error);
  const std::string text = get("/readyz");
  EXPECT_HAS(text, "HTTP/1.1 503 ");
  EXPECT_HAS(text, "not ready: the log refuses appends: ");
  machine_.world.run_for(11s);
  EXPECT_HAS(get("/readyz"), "HTTP/1.1 200 ") << "without traffic it is believed to work again";
  EXPECT_EQ(machine_.produce("t", "x"), Errc::kafka_storage_error);
  EXPECT_HAS(get("/metrics"), "weir_ready 0\n");
  machine_.world.files().clear_faults();
  machine_.world.files().set_capacity(UINT64_MAX);
  machine_.world.run_for(1s);
  EXPECT_EQ(machine_.produce("t", "x"), Errc::none);
  EXPECT_HAS(get("/metrics"), "weir_ready 1\n");
}

TEST_F(MonitorTest, a_listener_that_cannot_be_is_an_error_of_the_start) {
  const auto refusal = [&](std::string_view name, const std::string& value) {
    config::Settings settings = machine_.options.settings;
    check(settings.set(name, value, config::Source::flag).has_value(), "a value of its type");
    const auto options = Monitor::options_from(settings);
    return options ? "" : options.error().message();
  };
  EXPECT_HAS(refusal("weir.metrics.listener", "localhost"), "weir.metrics.listener: ");
  EXPECT_HAS(refusal("weir.metrics.hosts", "a b"), "'a b' is no host name");
  EXPECT_EQ(refusal("weir.metrics.hosts", "broker.example,[::1]:80"), "");
  const config::Settings none{config::broker_settings()};
  EXPECT_FALSE(Monitor::options_from(none).value().has_value());
}

}  // namespace
}  // namespace weir::broker
