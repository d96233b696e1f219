// Standbys whose databases fail now and then: nothing of a changelog is passed over.
#include "streams/standby.h"

#include <gtest/gtest.h>
#include <weir/streams.h>

#include "native_clients.h"
#include "streams/names.h"

namespace weir::tests {
namespace {

using namespace weir::streams;

constexpr std::int64_t records = 300;
constexpr TaskId only_task{0, 0};

/// Refuses every tenth batch.
class FailingDatabase final : public state::Database {
 public:
  Result<bool> get(std::string_view key, std::string& value) const override {
    return under_->get(key, value);
  }
  Result<void> multi_get(std::span<const std::string_view> keys,
                         std::span<std::optional<std::string>> found) const override {
    return under_->multi_get(keys, found);
  }
  std::unique_ptr<state::Cursor> scan(const state::Range& range,
                                      state::Order order) const override {
    return under_->scan(range, order);
  }
  Result<void> write(const state::Batch& batch) override {
    if (++writes_ % 10 == 0) return fail(Errc::io_error, "the disk is full");
    return under_->write(batch);
  }
  Result<void> ingest(const state::Range& range, state::Run& run) override {
    return under_->ingest(range, run);
  }
  Result<void> flush() override { return under_->flush(); }
  Size size() const override { return under_->size(); }
  int refused() const { return writes_ / 10; }

 private:
  std::unique_ptr<state::Database> under_ = state::open_in_memory();
  int writes_ = 0;
};

class OneDatabase final : public TaskDatabases {
 public:
  Result<state::Database*> open(TaskId) override { return &database; }
  void close(TaskId) override {}
  std::map<TaskId, std::int64_t> at_rest() override { return {}; }
  FailingDatabase database;
};

/// Writes the changelog, each record in a batch of its own.
class Log {
 public:
  Log(World& world, std::string topic)
      : application_(world, "writer"), topic_(std::move(topic)), core_(make()) {}
  void start() {
    for (std::int64_t i = 0; i < records; ++i) {
      const std::string key = "key-" + std::to_string(i);
      const auto sent = core_.send({.topic = topic_, .key = key, .value = "12345678"},
                                   [this](const Result<RecordMetadata>& told) {
                                     EXPECT_TRUE(told);
                                     ++acknowledged_;
                                   });
      EXPECT_TRUE(sent);
    }
  }
  bool done() const { return acknowledged_ == records; }

 private:
  client::ProducerCore make() {
    ProducerOptions options = application_.producer();
    options.batch_bytes = 1;
    return {application_.loop(), application_.transport(), application_.rng(),
            application_.cluster(), options};
  }
  NativeApplication application_;
  const std::string topic_;
  client::ProducerCore core_;
  std::int64_t acknowledged_ = 0;
};

TEST(standbys, a_database_that_fails_costs_time_and_no_record) {
  const QuietLog quiet;
  World world(1, {});
  world.start_broker();
  const std::string log = changelog_topic("app", "counts");
  Admin admin(world, {{"in", 1, {}}, {"out", 1, {}}, {log, 1, {}}});
  admin.start();
  ASSERT_TRUE(world.run_until([&] { return admin.done(); }));
  Log writer(world, log);
  writer.start();
  ASSERT_TRUE(world.run_until([&] { return writer.done(); }));

  Topology topology("app");
  topology.stream(Topic<std::string, std::string>{"in", &string_codec, &string_codec})
      .group_by_key()
      .count("counts")
      .to(EntityTopic<std::string, std::int64_t>{"out", &int64_codec, &string_codec});
  const Plan made = plan(topology.graph(), {{"in", 1}, {"out", 1}}).value();
  OneDatabase databases;
  NativeApplication application(world, "standby");
  ConsumerOptions options;
  options.max_poll_bytes = 500;
  Standbys standbys({application.loop(), application.transport(), application.rng(),
                     application.cluster(), topology.graph(), made, databases,
                     [&](const std::string& name) { return application.make_worker(name); }},
                    options);
  standbys.set({only_task});
  EXPECT_TRUE(world.run_until([&] { return standbys.offset_sums()[only_task] == records; }));
  EXPECT_GT(databases.database.refused(), 3);
  std::int64_t rows = 0;
  const std::string first("\0\1", 2);  // of the first store (docs/formats/state.md)
  const state::PrefixRange all(first);
  for (auto cursor = databases.database.scan(all.range(), state::Order::ascending); cursor->valid();
       cursor->next())
    ++rows;
  EXPECT_EQ(rows, records);
}

}  // namespace
}  // namespace weir::tests
