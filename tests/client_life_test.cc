// The life of a client: threads, a loop of the application's own, fork, close, the log hook.
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/embed.h>
#include <weir/log.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <thread>

#include "base/clock.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

class ClientLife : public ::testing::TestWithParam<bool> {
 protected:
  ClientLife() {
    char name[] = "/tmp/weir-life-XXXXXX";
    folder_ = ::mkdtemp(name);
    broker_ = std::make_unique<embed::Broker>(
        embed::Broker::open({.data = folder_, .listen = "127.0.0.1:0"}).value());
  }
  ~ClientLife() override {
    broker_.reset();
    std::filesystem::remove_all(folder_);
  }
  /// The parameter: over TCP, or without a socket.
  Client connect(ClientOptions options = {}) {
    return (GetParam() ? Client::connect(broker_->addresses().front(), options)
                       : Client::connect(broker_->local(), options))
        .value();
  }
  static void make_topic(Client& client) {
    ASSERT_TRUE(client.admin().create_topic({.name = "t", .partitions = 2}));
  }
  static std::size_t read_all(Client& client, std::size_t wanted) {
    auto consumer = client.consumer({.auto_offset_reset = OffsetReset::earliest}).value();
    EXPECT_TRUE(consumer.assign({{"t", 0}, {"t", 1}}));
    std::size_t count = 0;
    for (int i = 0; i < 100 && count < wanted; ++i) {
      const auto batches = consumer.poll(1s);
      if (!batches) break;
      for (const Batch& batch : *batches) count += static_cast<std::size_t>(batch.size());
    }
    return count;
  }

  std::string folder_;
  std::unique_ptr<embed::Broker> broker_;
};
INSTANTIATE_TEST_SUITE_P(Transports, ClientLife, testing::Bool(),
                         [](const auto& test) { return test.param ? "tcp" : "in_process"; });

TEST_P(ClientLife, any_thread_may_send_flush_and_ask) {
  auto client = connect();
  make_topic(client);
  auto producer = client.producer({.linger = 1ms, .buffer_bytes = 64U * 1024}).value();
  constexpr int threads = 4;
  constexpr int each = 500;
  std::atomic<int> delivered{0};
  {
    std::vector<std::jthread> running;
    for (int t = 0; t < threads; ++t)
      running.emplace_back([&, t] {
        for (int i = 0; i < each; ++i) {
          const std::string value = std::to_string(t) + "." + std::to_string(i);
          if (i % 50 == 49) {
            const auto pending = producer.send_pending({.topic = "t", .value = value});
            EXPECT_TRUE(pending.wait(10s));
            ++delivered;
            continue;
          }
          EXPECT_TRUE(producer.send({.topic = "t", .value = value},
                                    [&](Result<RecordMetadata> r) { delivered += r.has_value(); }));
          if (i % 100 == 0) {
            EXPECT_TRUE(producer.flush(10s));
          }
          EXPECT_LE(producer.buffered_bytes(), 128U * 1024);
        }
      });
  }
  ASSERT_TRUE(producer.flush(10s));
  EXPECT_EQ(delivered, threads * each);
  EXPECT_EQ(read_all(client, threads * each), static_cast<std::size_t>(threads * each));
}

TEST_P(ClientLife, commits_and_questions_may_come_from_other_threads_than_the_one_that_polls) {
  auto client = connect();
  make_topic(client);
  auto producer = client.producer().value();
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(producer.send({.topic = "t", .value = "v"}));
  ASSERT_TRUE(producer.flush(10s));
  auto consumer = client
                      .consumer({.group = "g",
                                 .topics = {"t"},
                                 .auto_offset_reset = OffsetReset::earliest,
                                 .max_poll_bytes = 1})
                      .value();
  std::atomic<bool> stop{false};
  std::atomic<int> answered{0};
  std::jthread other([&] {
    while (!stop) {
      consumer.commit_async([&](const Result<void>&) { ++answered; });
      static_cast<void>(consumer.group_metadata());
      std::this_thread::yield();
    }
  });
  int count = 0;
  for (int i = 0; i < 200 && count < 200; ++i) {
    const auto batches = consumer.poll(1s);
    ASSERT_TRUE(batches) << batches.error().message();
    for (const Batch& batch : *batches) count += batch.size();
  }
  // All may have come at once, before the first commit was answered.
  for (int i = 0; i < 1000 && answered == 0; ++i) static_cast<void>(consumer.poll(10ms));
  stop = true;
  other.join();
  EXPECT_EQ(count, 200);
  EXPECT_GT(answered, 0);
  EXPECT_TRUE(consumer.close(5s));
}

TEST_P(ClientLife, a_call_that_waits_is_refused_inside_a_callback) {
  auto client = connect();
  make_topic(client);
  auto producer = client.producer().value();
  const auto [done, tell] = Pending<int>::make();
  ASSERT_TRUE(producer.send({.topic = "t", .value = "v"}, [&, tell](auto) {
    EXPECT_EQ(producer.flush(1s).error().code(), Errc::invalid_argument);
    EXPECT_TRUE(producer.send({.topic = "t", .value = "sent in a callback"}));
    EXPECT_FALSE(Pending<int>::make().first.wait(10s)) << "it would wait for itself";
    tell(1);
  }));
  ASSERT_TRUE(done.wait(10s));
  EXPECT_TRUE(producer.flush(10s));
}

TEST(Pending, a_result_that_is_never_told_is_cancelled) {
  Pending<int> pending;
  {
    auto made = Pending<int>::make();
    pending = made.first;
    EXPECT_FALSE(pending.ready());
    EXPECT_EQ(pending.wait(1ms).error().code(), Errc::timed_out);
  }
  ASSERT_TRUE(pending.ready());
  EXPECT_EQ(pending.wait(1ms).error().code(), Errc::cancelled);
}

TEST_P(ClientLife, a_producer_that_is_closed_has_delivered_what_it_took_and_takes_no_more) {
  auto client = connect();
  make_topic(client);
  auto producer = client.producer({.linger = 10s}).value();
  std::atomic<int> delivered{0};
  for (int i = 0; i < 10; ++i)
    ASSERT_TRUE(
        producer.send({.topic = "t", .value = "v"}, [&](auto r) { delivered += r.has_value(); }));
  ASSERT_TRUE(producer.close(10s));
  EXPECT_EQ(delivered, 10);
  EXPECT_EQ(producer.send({.topic = "t", .value = "late"}).error().code(), Errc::closed);
}

TEST_P(ClientLife, a_close_is_over_at_its_deadline_and_tells_what_was_not_delivered) {
  auto client = connect();
  make_topic(client);
  auto producer = client.producer({.linger = 1ms}).value();
  ASSERT_TRUE(producer.send({.topic = "t", .value = "v"}));
  ASSERT_TRUE(producer.flush(10s));
  ASSERT_TRUE(broker_->stop());
  std::atomic<int> closed{0};
  ASSERT_TRUE(producer.send({.topic = "t", .value = "v"}, [&](Result<RecordMetadata> r) {
    closed += !r && r.error().code() == Errc::closed;
  }));
  const MonoTime before = SystemClock{}.now();
  const auto outcome = producer.close(200ms);
  // A broker in this process says at once that it has stopped; one behind a socket may come back.
  EXPECT_EQ(outcome.has_value(), !GetParam());
  if (!outcome) {
    EXPECT_EQ(outcome.error().code(), Errc::timed_out);
  }
  EXPECT_LT(SystemClock{}.now() - before, 5s);
  EXPECT_EQ(closed, 1);
}

TEST_P(ClientLife, the_loop_of_an_application_drives_a_client_that_has_no_thread) {
  auto client = connect({.user_driven = true});
  make_topic(client);
  const auto here = std::this_thread::get_id();
  auto producer = client.producer({.linger = 1ms}).value();
  int delivered = 0;
  for (int i = 0; i < 100; ++i)
    ASSERT_TRUE(producer.send({.topic = "t", .value = "v"}, [&](auto r) {
      EXPECT_EQ(std::this_thread::get_id(), here);
      delivered += r.has_value();
    }));
  ASSERT_GE(client.descriptor(), 0);
  int turns = 0;
  while (delivered < 100) {
    pollfd ready{.fd = client.descriptor(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&ready, 1, 10'000), 1) << "it never became readable";
    client.drive();
    ASSERT_LT(++turns, 10'000);
  }
  // When there is nothing to do, the descriptor is silent but for timers.
  int idle = 0;
  const MonoTime until = SystemClock{}.now() + 300ms;
  while (SystemClock{}.now() < until) {
    pollfd ready{.fd = client.descriptor(), .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, 50) == 1) ++idle;
    client.drive();
  }
  EXPECT_LT(idle, 50);
  EXPECT_EQ(read_all(client, 100), 100U) << "calls that wait drive it by themselves";
}

TEST_P(ClientLife, other_threads_may_send_while_the_application_drives) {
  auto client = connect({.user_driven = true});
  make_topic(client);
  auto producer = client.producer({.linger = 0ms}).value();
  std::atomic<int> delivered{0};
  std::jthread other([&] {
    for (int i = 0; i < 100; ++i)
      EXPECT_TRUE(
          producer.send({.topic = "t", .value = "v"}, [&](auto r) { delivered += r.has_value(); }));
  });
  while (delivered < 100) {
    pollfd ready{.fd = client.descriptor(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&ready, 1, 10'000), 1);
    client.drive();
  }
}

TEST_P(ClientLife, a_forked_child_is_told_to_make_another_client_and_the_parent_goes_on) {
  auto client = std::make_unique<Client>(connect());
  make_topic(*client);
  auto producer = std::make_unique<Producer>(client->producer({.linger = 1ms}).value());
  auto consumer = std::make_unique<Consumer>(client->consumer({.group = "g"}).value());
  ASSERT_TRUE(producer->send({.topic = "t", .value = "before"}));
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto is_closed = [](const auto& r) { return !r && r.error().code() == Errc::closed; };
    const bool right = is_closed(producer->send({.topic = "t", .value = "child"})) &&
                       is_closed(producer->flush(1s)) && is_closed(consumer->poll(1s)) &&
                       is_closed(consumer->seek({"t", 0}, 1)) && is_closed(consumer->commit()) &&
                       is_closed(client->admin().list_topics()) && consumer->assignment().empty();
    consumer.reset();
    producer.reset();
    client.reset();
    ::_exit(right ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  ASSERT_TRUE(producer->send({.topic = "t", .value = "after"}));
  ASSERT_TRUE(producer->flush(10s));
  EXPECT_EQ(read_all(*client, 2), 2U);
}

struct Tracer final : ProducerInterceptor, ConsumerInterceptor {
  void on_send(const ProducerRecord& record, OutgoingHeaders& headers) override {
    headers.add("trace", std::string(*record.value) + "-" + std::to_string(record.headers.size()));
  }
  void on_delivery(const TopicPartition& partition, std::int32_t records,
                   const Result<std::int64_t>& base_offset) override {
    EXPECT_EQ(partition.topic, "t");
    EXPECT_TRUE(base_offset);
    delivered += records;
  }
  void on_batch(const Batch& batch) override {
    for (const RecordView& record : batch)
      traces.emplace_back(record.headers().last("trace").value_or("none"));
  }
  std::atomic<int> delivered{0};
  std::vector<std::string> traces;
};

TEST_P(ClientLife, interceptors_add_headers_and_see_what_becomes_of_batches) {
  auto client = connect();
  make_topic(client);
  const auto tracer = std::make_shared<Tracer>();
  auto producer = client.producer({.interceptors = {tracer}}).value();
  const std::array<Header, 1> own{Header{"own", "1"}};
  ASSERT_TRUE(producer.send({.topic = "t", .value = "a", .headers = own, .partition = 0}));
  ASSERT_TRUE(producer.send({.topic = "t", .value = "b", .partition = 0}));
  ASSERT_TRUE(producer.flush(10s));
  EXPECT_EQ(tracer->delivered, 2);
  auto consumer =
      client.consumer({.auto_offset_reset = OffsetReset::earliest, .interceptors = {tracer}})
          .value();
  ASSERT_TRUE(consumer.assign({{"t", 0}}));
  std::size_t seen = 0;
  std::size_t headers = 0;
  for (int i = 0; i < 20 && seen < 2; ++i) {
    const auto batches = consumer.poll(1s);
    ASSERT_TRUE(batches);
    for (const Batch& batch : *batches) {
      for (const RecordView& record : batch) {
        ++seen;
        headers += record.headers().size();
      }
    }
  }
  EXPECT_EQ(tracer->traces, (std::vector<std::string>{"a-1", "b-0"}));
  EXPECT_EQ(headers, 3U) << "its own header is still there";
}

TEST_P(ClientLife, its_metrics_say_what_it_has_done) {
  auto client = connect({.client_id = "counted"});
  make_topic(client);
  auto producer = client.producer().value();
  for (int i = 0; i < 7; ++i)
    ASSERT_TRUE(producer.send({.topic = "t", .value = "v", .partition = 1}));
  ASSERT_TRUE(producer.flush(10s));
  auto consumer = client.consumer({.auto_offset_reset = OffsetReset::earliest}).value();
  ASSERT_TRUE(consumer.assign({{"t", 0}, {"t", 1}}));
  int seen = 0;
  for (int i = 0; i < 20 && seen < 7; ++i)
    if (const auto batches = consumer.poll(1s))
      for (const Batch& batch : *batches) seen += batch.size();
  const std::string text = client.metrics();
  for (const std::string_view line :
       {"weir_client_sent_records_total{client_id=\"counted\",topic=\"t\"} 7\n",
        "weir_client_failed_records_total{client_id=\"counted\",topic=\"t\"} 0\n",
        "weir_client_received_records_total{client_id=\"counted\",topic=\"t\"} 7\n",
        "weir_client_buffered_bytes{client_id=\"counted\"} 0\n",
        "weir_client_lag{client_id=\"counted\",topic=\"t\",partition=\"1\"} 0\n",
        "weir_client_request_duration_seconds_count{client_id=\"counted\",api=\"CreateTopics\"} "
        "1\n",
        "weir_client_failed_requests_total{client_id=\"counted\",api=\"Produce\"} 0\n"})
    EXPECT_NE(text.find(line), text.npos) << line << text;
}

TEST(ClientLog, goes_where_the_application_says) {
  std::vector<std::string> lines;
  set_log_level(LogLevel::debug);
  set_log_sink([&](const LogLine& line) {
    lines.push_back(std::string(line.component) + ": " + std::string(line.text));
  });
  EXPECT_FALSE(Client::connect("127.0.0.1:1", {.connect_timeout = 200ms}));
  set_log_sink({});
  set_log_level(LogLevel::info);
  EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
    return line.starts_with("client: 127.0.0.1:1: ");
  }));
}

}  // namespace
}  // namespace weir
