// What the wall clock makes a task do before it knows where its inputs begin.
#include <gtest/gtest.h>
#include <weir/streams.h>

#include "native_clients.h"
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
  bool has_rows() const {
    const std::string first("\0\1", 2);  // of the first store (docs/formats/state.md)
    const state::PrefixRange all(first);
    return database->scan(all.range())->valid();
  }
  std::unique_ptr<state::Database> database = state::open_in_memory();
};

TEST(punctuation, nothing_of_it_is_kept_before_it_can_be_committed) {
  const QuietLog quiet;
  World world(1, {});
  world.set("group.initial.rebalance.delay.ms", "0");
  world.start_broker();
  Admin admin(world, {{"in", 1, {}}, {"out", 1, {}}, {"app-ticks-changelog", 1, {}}});
  admin.start();
  ASSERT_TRUE(world.run_until([&] { return admin.done(); }));

  Topology topology("app");
  topology.add_store<Text, std::int64_t>("ticks", &int64_codec);
  topology.stream(input)
      .process([] { return std::make_unique<Ticker>(); }, "ticker", {"ticks"})
      .to(output);
  const Plan made = plan(topology.graph(), {{"in", 1}, {"out", 1}}).value();
  OneDatabase databases;
  NativeApplication application(world, "application");
  ThreadOptions options;
  options.transactional_id = "app-0";
  options.commit_interval = 2ms;
  options.consumer.group = "app";
  options.producer = application.producer();
  StreamThread thread({application.loop(), application.transport(), application.rng(),
                       application.cluster(), topology.graph(), made, databases},
                      options, [](const Error& why) { ADD_FAILURE() << why.message(); });
  ASSERT_TRUE(thread.start());
  ASSERT_TRUE(world.run_until([&] { return !thread.running_tasks().empty(); }));
  world.die();
  const MonoTime until = application.now() + 200ms;
  ASSERT_TRUE(world.run_until([&] { return application.now() > until; }));
  EXPECT_FALSE(databases.has_rows()) << "what no broker has committed";
  world.start_broker();
  EXPECT_TRUE(world.run_until([&] { return databases.has_rows(); }));
}

}  // namespace
}  // namespace weir::tests
