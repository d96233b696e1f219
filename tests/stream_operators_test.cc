// Sessions, joins and tables of an application on a broker, through instances that come and go
// without local state: the output is the test driver's.
#include <gtest/gtest.h>
#include <weir/embed.h>
#include <weir/streams.h>
#include <weir/streams/test.h>

#include <atomic>
#include <chrono>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/rng.h"

namespace weir::streams {
namespace {

using namespace std::chrono_literals;
using Text = std::string;

constexpr std::int32_t partitions = 2;
const Topic<Text, Text> views{"views", &string_codec, &string_codec};
const Topic<Text, Text> clicks{"clicks", &string_codec, &string_codec};
const EntityTopic<Text, Text> users{"users", &string_codec, &string_codec};
const EntityTopic<Text, Text> countries{"countries", &string_codec, &string_codec};
const Topic<Text, Text> out{"out", &string_codec, &string_codec};
const EntityTopic<Text, Text> rows{"rows", &string_codec, &string_codec};

Text or_none(const Text* value) { return value != nullptr ? *value : "none"; }

Topology make_topology() {
  Topology topology{"met"};
  auto seen = topology.stream(views);
  auto clicked = topology.stream(clicks);
  auto people = topology.table(users, "users-kept");
  seen.group_by_key()
      .windowed(sessions(20ms).grace(200ms))
      .count("visits")
      .to_stream()
      .map([](const Windowed<Text>& key, const std::optional<std::int64_t>& count) {
        return std::pair(key.key, "visit " + std::to_string(key.window.start_ms) + ".." +
                                      std::to_string(key.window.end_ms) + ": " +
                                      (count ? std::to_string(*count) : "merged"));
      })
      .to(out);
  seen.outer_join(
          clicked,
          [](const Text* view, const Text* click) { return or_none(view) + "+" + or_none(click); },
          within(10ms).grace(200ms), "met")
      .to(out);
  clicked
      .left_join(
          topology.global_table(countries, "all-countries"),
          [](const Text& click) { return click.substr(0, 2); },
          [](const Text& click, const Text* country) { return click + " in " + or_none(country); },
          "placed")
      .to(out);
  people
      .foreign_key_left_join(
          topology.table(nullable(Topic<Text, Text>{"laws", &string_codec, &string_codec}), "laws"),
          [](const Text& user) { return user.substr(0, 2); },
          [](const Text& user, const Text* law) { return user + " under " + or_none(law); },
          "ruled")
      .to(rows);
  return topology;
}

struct Input {
  Text topic;
  Text key;
  std::optional<Text> value;
  std::int64_t timestamp_ms = 0;
};

/// By time, never twice the same in one key, so that every order of equal ones gives the same.
std::vector<Input> make_inputs(std::uint64_t seed) {
  Rng rng(seed);
  std::vector<Input> made;
  const auto pick = [&](std::int64_t count) { return std::to_string(rng.between(10, 9 + count)); };
  for (int i = 0; i < 12; ++i)
    made.push_back({"countries", std::to_string(10 + i), "country" + std::to_string(i), 0});
  for (std::int64_t time = 1; time < 1'500; time += 1) {
    const Text value = pick(15) + "-" + std::to_string(time);
    switch (rng.between(0, 5)) {
      case 0:
      case 1: made.push_back({"views", "k" + pick(6), value, time}); break;
      case 2:
      case 3: made.push_back({"clicks", "k" + pick(6), value, time}); break;
      case 4: made.push_back({"users", "u" + pick(30), value, time}); break;
      default: made.push_back({"laws", pick(8), value, time});
    }
  }
  return made;
}

/// What is written: all of `out`, and the last of each key of `rows`.
struct Written {
  std::multiset<Text> out;
  std::map<Text, Text> rows;
  bool operator==(const Written&) const = default;
};

Written expected(const std::vector<Input>& made) {
  const Topology topology = make_topology();
  TestDriver driver(topology, {.partitions = partitions});
  for (const Input& input : made)
    driver.pipe(RawRecord{.topic = input.topic,
                          .key = input.key,
                          .value = input.value,
                          .timestamp_ms = input.timestamp_ms});
  Written written;
  for (const RawRecord& record : driver.raw_output("out"))
    written.out.insert(*record.key + " " + *record.value);
  for (const RawRecord& record : driver.raw_output("rows"))
    written.rows[*record.key] = record.value.value_or("gone");
  return written;
}

class OperatorsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* topic : {"views", "clicks", "users", "countries", "laws", "out", "rows"})
      ASSERT_TRUE(client.admin().create_topic({.name = topic, .partitions = partitions}));
  }
  void write(const std::vector<Input>& made) {
    auto producer = client.producer().value();
    for (const Input& input : made)
      ASSERT_TRUE(producer.send(
          {.topic = input.topic,
           .key = std::string_view(input.key),
           .value = input.value ? std::optional<std::string_view>(*input.value) : std::nullopt,
           .timestamp = Timestamp(std::chrono::milliseconds(input.timestamp_ms))}));
    ASSERT_TRUE(producer.flush(30s));
  }
  /// Reads on until `done`, or a minute is over.
  template <class Done>
  void read_until(Consumer& consumer, Written& written, Done done) {
    const auto deadline = clock.now() + 60s;
    while (!done() && clock.now() < deadline) {
      const auto batches = consumer.poll(100ms);
      ASSERT_TRUE(batches) << batches.error().message();
      for (const Batch& batch : *batches)
        for (const RecordView& record : batch) {
          const Text key(*record.key());
          if (batch.topic_partition().topic == "rows")
            written.rows[key] = record.value() ? Text(*record.value()) : Text("gone");
          else
            written.out.insert(key + " " + Text(*record.value()));
        }
    }
  }
  Consumer open_consumer() {
    auto consumer = client
                        .consumer({.auto_offset_reset = OffsetReset::earliest,
                                   .isolation = Isolation::read_committed})
                        .value();
    EXPECT_TRUE(consumer.assign({{"out", 0}, {"out", 1}, {"rows", 0}, {"rows", 1}}));
    return consumer;
  }

  SystemClock clock;
  embed::Broker broker = embed::Broker::in_memory().value();
  Client client = Client::connect(broker.local()).value();
};

TEST_F(OperatorsTest, give_what_the_driver_gives_through_instances_that_come_and_go) {
  const auto made = make_inputs(7);
  const Written wanted = expected(made);
  ASSERT_GT(wanted.out.size(), 1'000U);
  ASSERT_GT(wanted.rows.size(), 20U);
  const auto half = made.begin() + static_cast<std::ptrdiff_t>(made.size() / 2);
  auto consumer = open_consumer();
  Written written;
  write({made.begin(), half});
  {
    auto first = Application::start(make_topology(), broker.local());
    ASSERT_TRUE(first) << first.error().message();
    read_until(consumer, written, [&] { return written.out.size() > wanted.out.size() / 4; });
    EXPECT_TRUE(first->stop(30s));
  }
  write({half, made.end()});
  auto second = Application::start(make_topology(), broker.local(), {.threads = 2});
  ASSERT_TRUE(second) << second.error().message();
  read_until(consumer, written, [&] { return written == wanted; });
  EXPECT_EQ(written.out, wanted.out);
  EXPECT_EQ(written.rows, wanted.rows);
}

TEST_F(OperatorsTest, a_global_table_is_whole_before_the_first_record_and_follows_its_topic) {
  write({{"countries", "10", "one", 0}, {"countries", "11", "two", 0}, {"clicks", "k", "10-a", 1}});
  auto application = Application::start(make_topology(), broker.local());
  ASSERT_TRUE(application) << application.error().message();
  auto consumer = open_consumer();
  Written written;
  read_until(consumer, written, [&] { return written.out.contains("k 10-a in one"); });
  EXPECT_TRUE(written.out.contains("k 10-a in one"));
  write({{"countries", "10", "three", 5}, {"countries", "11", std::nullopt, 5}});
  // Until the process has seen it, a record may still meet the row from before.
  std::int64_t time = 10;
  read_until(consumer, written, [&] {
    write({{"clicks", "k", "10-b", ++time}, {"clicks", "k", "11-c", time}});
    return written.out.contains("k 10-b in three") && written.out.contains("k 11-c in none");
  });
  EXPECT_TRUE(written.out.contains("k 10-b in three"));
  EXPECT_TRUE(written.out.contains("k 11-c in none"));
}

TEST_F(OperatorsTest, a_global_value_that_cannot_be_decoded_is_dealt_with_as_the_policy_says) {
  const EntityTopic<Text, std::int64_t> numbers{"countries", &int64_codec, &string_codec};
  const auto make = [&](std::optional<OnError> policy) {
    Topology topology{"numbers"};
    const auto ref = topology.global_table(numbers, "all-numbers").ref();
    topology.stream(clicks).to(out);
    if (policy) topology.on_error("all-numbers", *policy);
    return std::pair(std::move(topology), ref);
  };
  Text seven;
  ASSERT_TRUE(int64_codec.encode(7, seven));
  write({{"countries", "10", "no number", 0}, {"countries", "11", seven, 0}});
  const auto refused = Application::start(make(std::nullopt).first, broker.local());
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message().starts_with(
      "global tables: global table all-numbers, a record of countries: "))
      << refused.error().message();

  auto [topology, ref] = make(OnError::skip);
  auto application = Application::start(std::move(topology), broker.local());
  ASSERT_TRUE(application) << application.error().message();
  const auto reader = application->read(ref).value();
  EXPECT_EQ(reader.get("11")->value, 7);
  EXPECT_EQ(reader.get("10")->value, std::nullopt);
  EXPECT_NE(application->metrics().find("weir_streams_global_undecodable_records_total{"
                                        "application=\"numbers\",store=\"all-numbers\"} 1"),
            Text::npos)
      << application->metrics();
  ASSERT_TRUE(application->stop(30s));

  auto [strict, strict_ref] = make(OnError::fail);
  ASSERT_TRUE(client.admin().delete_topic("countries"));
  ASSERT_TRUE(client.admin().create_topic({.name = "countries", .partitions = partitions}));
  auto running = Application::start(std::move(strict), broker.local());
  ASSERT_TRUE(running) << running.error().message();
  write({{"countries", "10", "no number", 0}});
  EXPECT_FALSE(running->wait_for(30s)) << "it goes on";
  EXPECT_EQ(running->state(), Application::State::failed);
}

TEST_F(OperatorsTest, tables_are_read_from_other_threads_while_they_change) {
  Topology topology{"read"};
  const auto views_ref = topology.stream(views).group_by_key().count("all-views").ref();
  const auto visits_ref =
      topology.stream(clicks).group_by_key().windowed(sessions(1s)).count("visits").ref();
  auto application = Application::start(
      std::move(topology), broker.local(),
      {.threads = 2, .commit_interval = std::chrono::milliseconds(5), .cache_bytes = 1U << 20U});
  ASSERT_TRUE(application) << application.error().message();
  const auto counts = application->read(views_ref).value();
  const auto visits = application->read(visits_ref).value();
  constexpr int records = 2'000;
  std::atomic<bool> done{false};
  // Whoever reads sees counts that only grow, and as many as the position says at least.
  std::vector<std::jthread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      std::int64_t last = 0;
      std::int64_t last_visit = 0;
      while (!done) {
        const auto found = counts.get("k");
        if (!found) {
          ASSERT_EQ(found.error().code(), Errc::replica_not_available) << found.error().message();
          continue;
        }
        const std::int64_t now = found->value.value_or(0);
        ASSERT_GE(now, last);
        last = now;
        const TopicPartition input{"views", found->partition};
        const auto at = found->position->before.find(input);
        if (at != found->position->before.end()) {
          ASSERT_GE(now, at->second);
        }
        const auto seen_visits = visits.windows("k");
        if (!seen_visits) continue;
        std::int64_t clicked = 0;
        for (const auto& row : seen_visits->rows) clicked += row.value;
        ASSERT_GE(clicked, last_visit);
        last_visit = clicked;
      }
    });
  for (int i = 0; i < records; i += 100) {
    std::vector<Input> some;
    for (int n = i; n < i + 100; ++n) {
      some.push_back({"views", "k", "x", n});
      some.push_back({"clicks", "k", "x", n});
    }
    write(some);
  }
  const auto deadline = clock.now() + 60s;
  const auto all_there = [&] {
    const auto found = counts.get("k");
    const auto told = visits.windows("k");
    return found && found->value == records && told && told->rows.size() == 1 &&
           told->rows[0].value == records;
  };
  while (!all_there() && clock.now() < deadline) std::this_thread::yield();
  EXPECT_TRUE(all_there());
  std::int64_t seen = 0;
  EXPECT_TRUE(counts.for_each([&](const Text&, std::int64_t count, Timestamp) {
    seen += count;
    return true;
  }));
  EXPECT_EQ(seen, records);
  done = true;
  threads.clear();
  ASSERT_TRUE(application->stop(30s));
  EXPECT_EQ(counts.get("k").error().code(), Errc::closed);
}

}  // namespace
}  // namespace weir::streams
