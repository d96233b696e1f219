// Standbys whose databases fail, whose changelogs are made anew: nothing is passed over or left.
#include "streams/standby.h"

#include <gtest/gtest.h>
#include <weir/streams.h>

#include "client/admin_core.h"
#include "native_clients.h"
#include "streams/names.h"

namespace weir::tests {
namespace {

using namespace weir::streams;

constexpr std::int64_t records = 300;
constexpr TaskId only_task{0, 0};

/// Refuses every tenth batch, or none.
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
    if (++writes_ % 10 == 0 && fails) return fail(Errc::io_error, "the disk is full");
    return under_->write(batch);
  }
  Result<void> ingest(const state::Range& range, state::Run& run) override {
    return under_->ingest(range, run);
  }
  Result<void> flush() override { return under_->flush(); }
  Size size() const override { return under_->size(); }
  int refused() const { return writes_ / 10; }
  /// Of the first store (docs/formats/state.md).
  std::int64_t rows() const {
    const std::string first("\0\1", 2);
    const state::PrefixRange all(first);
    std::int64_t count = 0;
    for (auto cursor = scan(all.range(), state::Order::ascending); cursor->valid(); cursor->next())
      ++count;
    return count;
  }
  bool fails = true;

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
  Log(World& world, std::string topic, std::string keys)
      : application_(world, "writer"),
        topic_(std::move(topic)),
        keys_(std::move(keys)),
        core_(make()) {}
  void start() {
    for (std::int64_t i = 0; i < records; ++i) {
      const std::string key = keys_ + std::to_string(i);
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
  const std::string keys_;
  client::ProducerCore core_;
  std::int64_t acknowledged_ = 0;
};

/// A broker with the changelog of one task, and a standby of it.
class standbys : public ::testing::Test {
 protected:
  standbys() {
    world.start_broker();
    create({{"in", 1, {}}, {"out", 1, {}}, {log, 1, {}}});
    write("key-");
    topology.stream(Topic<std::string, std::string>{"in", &string_codec, &string_codec})
        .group_by_key()
        .count("counts")
        .to(EntityTopic<std::string, std::int64_t>{"out", &int64_codec, &string_codec});
    made = plan(topology.graph(), {{"in", 1}, {"out", 1}}).value();
    options.max_poll_bytes = 500;
  }
  void create(std::vector<Admin::Topic> topics) {
    Admin admin(world, std::move(topics));
    admin.start();
    ASSERT_TRUE(world.run_until([&] { return admin.done(); }));
  }
  void write(const std::string& keys) {
    Log writer(world, log, keys);
    writer.start();
    ASSERT_TRUE(world.run_until([&] { return writer.done(); }));
  }
  std::unique_ptr<Standbys> start() {
    auto out = std::make_unique<Standbys>(
        ThreadWorld{application.loop(), application.transport(), application.rng(),
                    application.cluster(), topology.graph(), made, databases, nullptr,
                    [&](const std::string& name) { return application.make_worker(name); }},
        options);
    out->set({only_task});
    return out;
  }

  const QuietLog quiet;
  World world{1, {}};
  const std::string log = changelog_topic("app", "counts");
  Topology topology{"app"};
  Plan made;
  OneDatabase databases;
  NativeApplication application{world, "standby"};
  ConsumerOptions options;
};

TEST_F(standbys, a_database_that_fails_costs_time_and_no_record) {
  const auto replica = start();
  EXPECT_TRUE(world.run_until([&] { return replica->offset_sums()[only_task] == records; }));
  EXPECT_GT(databases.database.refused(), 3);
  EXPECT_EQ(databases.database.rows(), records);
}

TEST_F(standbys, a_changelog_that_is_made_anew_takes_the_place_of_the_old_one) {
  databases.database.fails = false;
  const auto replica = start();
  ASSERT_TRUE(world.run_until([&] { return databases.database.rows() == records; }));
  client::AdminCore admin(application.loop(), application.transport(), application.rng(),
                          application.cluster());
  bool deleted = false;
  admin.delete_topics({log}, application.now() + 10s,
                      [&](const auto& done) { deleted = done.has_value(); });
  ASSERT_TRUE(world.run_until([&] { return deleted; }));
  create({{log, 1, {}}});
  write("another-");
  EXPECT_TRUE(world.run_until([&] {
    std::string count;
    const std::string last = "another-" + std::to_string(records - 1);
    return databases.database.get(std::string("\0\1", 2) + last, count).value();
  }));
  EXPECT_EQ(databases.database.rows(), records) << "none of the old one's";
}

}  // namespace
}  // namespace weir::tests
