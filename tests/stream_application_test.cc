// Applications on a broker in this process: threads that share the work, state on disk, failures.
#include <gtest/gtest.h>
#include <weir/embed.h>
#include <weir/streams.h>

#include <chrono>
#include <map>
#include <string>

#include "base/clock.h"

namespace weir::streams {
namespace {

using namespace std::chrono_literals;
using Text = std::string;

const Topic<Text, Text> words{"words", &string_codec, &string_codec};
const EntityTopic<Text, std::int64_t> letters{"letters", &int64_codec, &string_codec};

Topology counting() {
  Topology topology{"counting"};
  topology.stream(words)
      .group_by(
          [](const Text& word) {
            if (word.empty()) throw std::runtime_error("a word is not empty");
            return word.substr(0, 1);
          },
          "by-letter")
      .count("letters")
      .to(letters);
  return topology;
}

class ApplicationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* topic : {"words", "letters", "dead"})
      ASSERT_TRUE(client.admin().create_topic({.name = topic, .partitions = 3}));
  }
  /// Words that begin with "a", "b" and "c" in turn.
  void write(int count) {
    auto producer = client.producer();
    ASSERT_TRUE(producer);
    for (int i = 0; i < count; ++i) {
      const Text word = Text(1, static_cast<char>('a' + i % 3)) + std::to_string(i);
      ASSERT_TRUE(producer->send({.topic = "words", .key = word, .value = word}));
    }
    ASSERT_TRUE(producer->flush(30s));
  }
  /// Committed counts, once they are `total` in all; what there is after a minute.
  std::map<Text, std::int64_t> await_counts(std::int64_t total) {
    auto consumer = client
                        .consumer({.auto_offset_reset = OffsetReset::earliest,
                                   .isolation = Isolation::read_committed})
                        .value();
    EXPECT_TRUE(consumer.assign({{"letters", 0}, {"letters", 1}, {"letters", 2}}));
    std::map<Text, std::int64_t> counts;
    const auto deadline = clock.now() + 60s;
    while (clock.now() < deadline) {
      const auto batches = consumer.poll(200ms);
      if (!batches) break;
      for (const Batch& batch : *batches)
        for (const auto& [key, value, record] : batch.as(letters)) {
          EXPECT_EQ(**value, counts[*key] + 1) << *key << ": each count comes once";
          counts[*key] = **value;
        }
      std::int64_t sum = 0;
      for (const auto& [letter, count] : counts) sum += count;
      if (sum >= total) break;
    }
    return counts;
  }

  /// True in the end, or a minute is over.
  template <class Condition>
  void await(Condition condition) {
    auto idle = client.consumer().value();  // what waits between two looks
    ASSERT_TRUE(idle.assign({{"dead", 0}}));
    const auto deadline = clock.now() + 60s;
    while (!condition() && clock.now() < deadline) static_cast<void>(idle.poll(20ms));
  }

  SystemClock clock;
  embed::Broker broker = embed::Broker::in_memory().value();
  Client client = Client::connect(broker.local()).value();
};

TEST_F(ApplicationTest, threads_share_the_tasks_and_count_each_record_once) {
  write(3000);
  auto application = Application::start(counting(), broker.local(), {.threads = 3});
  ASSERT_TRUE(application) << application.error().message();
  write(3000);
  const std::map<Text, std::int64_t> wanted = {{"a", 2000}, {"b", 2000}, {"c", 2000}};
  EXPECT_EQ(await_counts(6000), wanted);
  EXPECT_FALSE(application->wait_for(0ms).value()) << "it goes on";
  EXPECT_TRUE(application->stop(30s));
  EXPECT_EQ(application->state(), Application::State::stopped);
  EXPECT_TRUE(application->wait_for(0ms).value());
  EXPECT_TRUE(application->wait());
}

TEST_F(ApplicationTest, a_second_instance_takes_over_when_the_first_stops) {
  auto first = Application::start(counting(), broker.local());
  auto second = Application::start(counting(), broker.local());
  ASSERT_TRUE(first && second);
  write(300);
  EXPECT_EQ(await_counts(300).size(), 3U);
  EXPECT_TRUE(first->stop(30s));
  write(300);
  const std::map<Text, std::int64_t> wanted = {{"a", 200}, {"b", 200}, {"c", 200}};
  EXPECT_EQ(await_counts(600), wanted);
}

TEST_F(ApplicationTest, at_least_once_counts_the_same_while_nothing_fails) {
  auto application = Application::start(
      counting(), broker.local(), {.guarantee = Guarantee::at_least_once, .commit_interval = 50ms});
  ASSERT_TRUE(application);
  write(300);
  const std::map<Text, std::int64_t> wanted = {{"a", 100}, {"b", 100}, {"c", 100}};
  EXPECT_EQ(await_counts(300), wanted);
}

TEST_F(ApplicationTest, a_function_that_throws_stops_it_with_the_place) {
  auto application = Application::start(counting(), broker.local());
  ASSERT_TRUE(application);
  auto producer = client.producer().value();
  ASSERT_TRUE(producer.send({.topic = "words", .key = "k", .value = ""}));
  ASSERT_TRUE(producer.flush(30s));
  const auto ended = application->wait();
  ASSERT_FALSE(ended);
  EXPECT_FALSE(application->wait_for(0ms)) << "it has failed for good";
  EXPECT_NE(ended.error().message().find("by-letter-key, record words-"), std::string::npos)
      << ended.error().message();
  EXPECT_NE(ended.error().message().find("at offset 0: a word is not empty"), std::string::npos);
  EXPECT_EQ(application->state(), Application::State::failed);
}

TEST_F(ApplicationTest, what_does_not_fit_is_said_at_the_start) {
  Topology missing{"missing"};
  missing.stream(Topic<Text, Text>{"nowhere", &string_codec, &string_codec}).to(words);
  const auto refused = Application::start(std::move(missing), broker.local());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::unknown_topic_or_partition);
  const auto threads = Application::start(counting(), broker.local(), {.threads = 0});
  EXPECT_EQ(threads.error().code(), Errc::invalid_setting);
  const auto letters_lost =
      Application::start(counting(), broker.local(), {.on_failure = OnError::dead_letter});
  EXPECT_EQ(letters_lost.error().code(), Errc::invalid_setting);
}

TEST_F(ApplicationTest, is_ready_when_its_tasks_run) {
  auto application = Application::start(counting(), broker.local(), {.threads = 2});
  ASSERT_TRUE(application);
  await([&] { return application->ready(); });
  EXPECT_TRUE(application->ready());
}

/// Tasks that run in it, as its metrics say: "0_1 1_0".
Text tasks_of(const Application& application) {
  const Text metrics = application.metrics();
  const Text begin = "weir_streams_buffered_records{application=\"counting\",task=\"";
  Text out;
  for (std::size_t at = 0; (at = metrics.find(begin, at)) != Text::npos; at += begin.size())
    out += (out.empty() ? "" : " ") + metrics.substr(at + begin.size(), 3);
  return out;
}

TEST_F(ApplicationTest, tasks_of_fixed_slots_run_where_their_partition_says) {
  ApplicationOptions options{.assignment = Assignment::fixed, .fixed_slots = 3};
  std::vector<Application> instances;
  for (options.fixed_slot = 0; options.fixed_slot < 3; ++options.fixed_slot)
    instances.push_back(Application::start(counting(), broker.local(), options).value());
  const auto placed = [&] {
    return tasks_of(instances[0]) == "0_0 1_0" && tasks_of(instances[1]) == "0_1 1_1" &&
           tasks_of(instances[2]) == "0_2 1_2";
  };
  await(placed);
  EXPECT_TRUE(placed());
  options.fixed_slot = 3;
  EXPECT_EQ(Application::start(counting(), broker.local(), options).error().code(),
            Errc::invalid_setting);
}

TEST_F(ApplicationTest, a_static_member_that_restarts_has_its_tasks_again_and_takes_none) {
  const auto start = [&](const Text& id) {
    return Application::start(counting(), broker.local(),
                              {.assignment = Assignment::sticky, .group_instance_id = id})
        .value();
  };
  auto first = start("first");
  auto second = start("second");
  await([&] { return tasks_of(first).size() == 11 && tasks_of(second).size() == 11; });
  const Text own = tasks_of(first);
  const Text others = tasks_of(second);
  EXPECT_EQ(own.size() + others.size(), 22U) << "six tasks in all";
  ASSERT_TRUE(first.stop(30s));
  EXPECT_EQ(tasks_of(second), others) << "nobody has left the group";
  auto again = start("first");
  await([&] { return tasks_of(again) == own; });
  EXPECT_EQ(tasks_of(again), own);
  EXPECT_EQ(tasks_of(second), others);
}

}  // namespace
}  // namespace weir::streams
