// One stream thread on a simulated machine: what takes an unlikely moment elsewhere.
#include <gtest/gtest.h>
#include <weir/streams.h>

#include "native_clients.h"
#include "streams/names.h"
#include "streams/thread.h"

namespace weir::tests {
namespace {

using namespace weir::streams;
using Text = std::string;

const Topic<Text, Text> input{"in", &string_codec, &string_codec};
const EntityTopic<Text, std::int64_t> output{"out", &int64_codec, &string_codec};

/// Counts by the wall clock.
class Ticker final : public Processor<Text, Text, Text, std::int64_t> {
 public:
  void open(Context& context) override {
    ticks_ = context.store<Text, std::int64_t>("ticks");
    context.schedule(1ms, Punctuation::wall_clock, [this, &context](Timestamp) {
      const std::int64_t next = ticks_.get("n").value_or(0) + 1;
      ticks_.put("n", next);
      context.forward("n", next);
    });
  }
  Result<void> process(const Text&, const Text&, Context&) override { return {}; }

 private:
  KeyValueStore<Text, std::int64_t> ticks_;
};

class OneDatabase final : public TaskDatabases {
 public:
  Result<state::Database*> open(TaskId) override { return database.get(); }
  void close(TaskId) override {}
  std::map<TaskId, std::int64_t> at_rest() override { return {}; }
  std::int64_t rows() const {
    const std::string first("\0\1", 2);  // of the first store (docs/formats/state.md)
    const state::PrefixRange all(first);
    std::int64_t count = 0;
    for (auto cursor = database->scan(all.range()); cursor->valid(); cursor->next()) ++count;
    return count;
  }
  std::unique_ptr<state::Database> database = state::open_in_memory();
};

/// A broker, an application of one task, and what it has stored.
class stream_thread : public ::testing::Test {
 protected:
  stream_thread() {
    world.set("group.initial.rebalance.delay.ms", "0");
    world.start_broker();
    options.transactional_id = "app-0";
    options.consumer.group = "app";
    options.producer = application.producer();
  }
  void create(const std::string& store) {
    Admin admin(
        world,
        {{"in", 1, {}}, {"other", 1, {}}, {"out", 1, {}}, {changelog_topic("app", store), 1, {}}});
    admin.start();
    ASSERT_TRUE(world.run_until([&] { return admin.done(); }));
  }
  void start(const Topology& topology) {
    made = plan(topology.graph(), {{"in", 1}, {"other", 1}, {"out", 1}}).value();
    thread = std::make_unique<StreamThread>(
        ThreadWorld{application.loop(), application.transport(), application.rng(),
                    application.cluster(), topology.graph(), made, databases, nullptr,
                    [&](const std::string& name) { return application.make_worker(name); }},
        options, [](const Error& why) { ADD_FAILURE() << why.message(); });
    ASSERT_TRUE(thread->start());
    ASSERT_TRUE(world.run_until([&] { return !thread->running_tasks().empty(); }));
  }
  /// One record of each key, from a time on.
  void write(std::int64_t keys, const std::string& topic = "in", std::int64_t first_ms = 0) {
    client::ProducerCore producer(application.loop(), application.transport(), application.rng(),
                                  application.cluster(), application.producer());
    std::int64_t acknowledged = 0;
    for (std::int64_t i = 0; i < keys; ++i)
      ASSERT_TRUE(producer.send({.topic = topic,
                                 .key = "key-" + std::to_string(i),
                                 .value = "v",
                                 .timestamp = Timestamp(std::chrono::milliseconds(first_ms + i))},
                                [&](const Result<RecordMetadata>&) { ++acknowledged; }));
    ASSERT_TRUE(world.run_until([&] { return acknowledged == keys; }));
  }
  void let_pass(Duration time) {
    const MonoTime until = application.now() + time;
    ASSERT_TRUE(world.run_until([&] { return application.now() > until; }));
  }

  const QuietLog quiet;
  World world{1, {}};
  NativeApplication application{world, "application"};
  ThreadOptions options;
  OneDatabase databases;
  Plan made;
  std::unique_ptr<StreamThread> thread;
};

TEST_F(stream_thread, keeps_nothing_of_a_punctuation_before_it_can_be_committed) {
  create("ticks");
  Topology topology("app");
  topology.add_store<Text, std::int64_t>("ticks", &int64_codec);
  topology.stream(input)
      .process([] { return std::make_unique<Ticker>(); }, "ticker", {"ticks"})
      .to(output);
  options.commit_interval = 2ms;
  start(topology);
  world.die();  // before it can say where the input begins
  let_pass(200ms);
  EXPECT_EQ(databases.rows(), 0) << "what no broker has committed";
  world.start_broker();
  EXPECT_TRUE(world.run_until([&] { return databases.rows() > 0; }));
  thread.reset();
}

TEST_F(stream_thread, an_input_that_is_waited_for_comes_though_another_holds_all_memory) {
  constexpr std::int64_t records = 2'000;
  create("counts");
  Topology topology("app");
  topology.stream(input)
      .merge(topology.stream(Topic<Text, Text>{"other", &string_codec, &string_codec}))
      .map_values([](const Text&) { return std::int64_t{1}; })
      .to(output);
  options.producer.batch_bytes = 500;
  options.buffered_records = 10 * records;
  options.consumer.prefetch_bytes = 10'000;
  options.consumer.max_partition_fetch_bytes = 2'000;
  write(records, "in", 1'000'000);
  write(records, "other");
  start(topology);
  EXPECT_TRUE(world.run_until([&] { return thread->counts().processed == 2 * records; }))
      << thread->describe();
  thread.reset();
}

TEST_F(stream_thread, restores_no_faster_than_it_is_told) {
  constexpr std::int64_t keys = 1'000;
  create("counts");
  Topology topology("app");
  topology.stream(input).group_by_key().count("counts").to(output);
  options.commit_interval = 20ms;
  options.producer.batch_bytes = 500;
  start(topology);
  write(keys);
  ASSERT_TRUE(world.run_until([&] { return databases.rows() == keys; }));
  const auto restored = [&](std::int64_t bytes_per_second, std::int64_t by_runs_from) {
    thread.reset();
    databases.database = state::open_in_memory();
    options.restore = {.bytes_per_second = bytes_per_second, .by_runs_from = by_runs_from};
    const MonoTime begin = application.now();
    start(topology);
    EXPECT_EQ(databases.rows(), keys);
    return application.now() - begin;
  };
  for (const std::int64_t by_runs_from : {1, 1'000'000}) {
    // A record takes 20 bytes and more; the new member waits for the old one's session besides.
    const Duration session = restored(0, by_runs_from);
    EXPECT_GT(restored(10'000, by_runs_from), session + 1500ms);
  }
  thread.reset();
}

TEST_F(stream_thread, commits_before_its_time_when_the_cache_is_full_of_changes) {
  constexpr std::int64_t keys = 5'000;
  create("counts");
  Topology topology("app");
  topology.stream(input).group_by_key().count("counts").to(output);
  options.guarantee = Guarantee::at_least_once;
  options.commit_interval = 1h;
  options.cache_bytes = 100'000;
  start(topology);
  write(keys);
  ASSERT_TRUE(world.run_until(
      [&] { return thread->counts().processed == static_cast<std::uint64_t>(keys); }));
  let_pass(1s);
  EXPECT_GE(thread->counts().commits, 3U);
  EXPECT_GE(databases.rows(), keys - 1'000);
  thread.reset();
}

}  // namespace
}  // namespace weir::tests
