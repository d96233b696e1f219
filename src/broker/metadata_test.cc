#include "broker/metadata.h"

#include <gtest/gtest.h>

#include <set>

#include "base/check.h"
#include "base/log.h"
#include "config/broker_settings.h"
#include "io/sim_runtime.h"

namespace weir::broker {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view zero_version{"\0\0", 2};

TopicId id_of(char c) {
  TopicId id;
  id.bytes[0] = static_cast<decltype(id.bytes)::value_type>(c);
  return id;
}

/// Metadata over a log on a simulated machine.
class MetadataMachine : public ::testing::Test {
 public:
  MetadataMachine() : world_(5) { set_log_level(LogLevel::off); }
  ~MetadataMachine() override {
    end();
    set_log_level(LogLevel::info);
  }

 protected:
  Result<void> try_open() {
    process_ = world_.start_process();
    log::LogOptions options;
    options.folder = "data";
    auto opened = log::LogStore::open(*process_, options, Metadata::log_spec());
    if (!opened) return fail(opened.error());
    log_ = std::move(*opened);
    metadata_ = std::make_unique<Metadata>(*log_, settings_);
    if (auto r = metadata_->load(); !r) return r;
    if (auto r = log_->start(metadata_->partition_specs()); !r) return r;
    metadata_->attach_logs();
    return {};
  }
  void open() { ASSERT_TRUE(try_open()); }
  void end() {
    if (process_ != nullptr) process_->kill();
    metadata_.reset();
    log_.reset();
    process_.reset();
  }
  void power_cut() {
    end();
    world_.files().crash();
    open();
  }

  Result<void> change(std::vector<MetadataRecord> records) {
    std::optional<Result<void>> outcome;
    metadata_->mutate([&] { return records; }, [&](Result<void> r) { outcome = std::move(r); });
    check(world_.run_until([&] { return outcome.has_value(); }, 60s), "the change ends");
    return *outcome;
  }
  ProducerId producer_id() {
    std::optional<ProducerId> id;
    metadata_->new_producer_id([&](Result<ProducerId> r) { id = r.value(); });
    check(world_.run_until([&] { return id.has_value(); }, 60s), "an id is given");
    return *id;
  }
  std::int64_t setting(std::string_view topic, std::string_view name) {
    return metadata_->effective_int(*metadata_->find(topic), name);
  }

  io::SimWorld world_;
  config::Settings settings_{config::broker_settings()};
  std::unique_ptr<io::SimProcess> process_;
  std::unique_ptr<log::LogStore> log_;
  std::unique_ptr<Metadata> metadata_;
};

TEST_F(MetadataMachine, what_was_answered_is_there_after_a_power_cut) {
  open();
  ASSERT_TRUE(change({Metadata::topic_record(id_of('a'), "a", 3),
                      Metadata::topic_setting(id_of('a'), "retention.ms", "1000")}));
  ASSERT_TRUE(change({Metadata::topic_record(id_of('b'), "b", 1)}));
  ASSERT_TRUE(change({Metadata::topic_deleted(id_of('b'))}));
  ASSERT_TRUE(change({Metadata::broker_setting("num.partitions", "7")}));
  power_cut();
  ASSERT_EQ(metadata_->topics().size(), 1U);
  const Topic* a = metadata_->find("a");
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(a, metadata_->find(id_of('a')));
  EXPECT_EQ(a->logs.size(), 3U);
  EXPECT_EQ(setting("a", "retention.ms"), 1000);
  EXPECT_EQ(metadata_->broker_settings().get_int("num.partitions"), 7);
}

TEST_F(MetadataMachine, a_change_is_made_from_the_state_that_the_one_before_left) {
  open();
  std::vector<std::size_t> seen;
  int done = 0;
  for (const char c : {'a', 'b', 'c'})
    metadata_->mutate(
        [this, c, &seen] {
          seen.push_back(metadata_->topics().size());
          return std::vector{Metadata::topic_record(id_of(c), std::string(1, c), 1)};
        },
        [&](const Result<void>& r) { done += r.has_value() ? 1 : 0; });
  EXPECT_EQ(metadata_->topics().size(), 0U) << "nothing shows before it is durable";
  ASSERT_TRUE(world_.run_until([&] { return done == 3; }, 60s));
  EXPECT_EQ(seen, (std::vector<std::size_t>{0, 1, 2}));
}

TEST_F(MetadataMachine, a_change_that_cannot_be_written_changes_nothing_and_later_ones_work) {
  open();
  world_.files().set_capacity(0);
  world_.files().add_fault({.op = io::FileOp::write, .path = "", .count = 1000});
  world_.files().add_fault({.op = io::FileOp::sync, .path = "", .count = 1000});
  EXPECT_FALSE(change({Metadata::topic_record(id_of('a'), "a", 1)}));
  EXPECT_TRUE(metadata_->topics().empty());
  world_.files().clear_faults();
  world_.files().set_capacity(UINT64_MAX);
  world_.run_for(5s);
  EXPECT_TRUE(change({Metadata::topic_record(id_of('b'), "b", 1)}));
  power_cut();
  EXPECT_EQ(metadata_->topics().size(), 1U);
  EXPECT_NE(metadata_->find("b"), nullptr);
}

TEST_F(MetadataMachine, a_topics_own_setting_beats_the_brokers_and_going_back_shows_it_again) {
  ASSERT_TRUE(settings_.set("log.retention.ms", "5000", config::Source::file));
  open();
  ASSERT_TRUE(change({Metadata::topic_record(id_of('a'), "a", 1)}));
  EXPECT_EQ(setting("a", "retention.ms"), 5000);
  ASSERT_TRUE(change({Metadata::broker_setting("log.retention.ms", "6000")}));
  EXPECT_EQ(setting("a", "retention.ms"), 6000);
  ASSERT_TRUE(change({Metadata::topic_setting(id_of('a'), "retention.ms", "7000")}));
  EXPECT_EQ(setting("a", "retention.ms"), 7000);
  EXPECT_EQ(metadata_->find("a")->logs.front()->spec().settings.retention_ms, 7000);
  ASSERT_TRUE(change({Metadata::topic_setting(id_of('a'), "retention.ms", {})}));
  EXPECT_EQ(setting("a", "retention.ms"), 6000);
  ASSERT_TRUE(change({Metadata::broker_setting("log.retention.ms", {})}));
  EXPECT_EQ(setting("a", "retention.ms"), 5000) << "what it was started with, not the default";
  EXPECT_EQ(metadata_->find("a")->logs.front()->spec().settings.retention_ms, 5000);
}

TEST_F(MetadataMachine, settings_of_a_deleted_topic_do_not_reach_one_of_the_same_name) {
  open();
  ASSERT_TRUE(change({Metadata::topic_record(id_of('1'), "a", 1),
                      Metadata::topic_setting(id_of('1'), "retention.ms", "1000")}));
  ASSERT_TRUE(change({Metadata::topic_deleted(id_of('1'))}));
  ASSERT_TRUE(change({Metadata::topic_record(id_of('2'), "a", 2)}));
  ASSERT_TRUE(change({Metadata::topic_setting(id_of('1'), "retention.ms", "2000")}));
  EXPECT_EQ(setting("a", "retention.ms"), 604'800'000);
  EXPECT_EQ(metadata_->find(id_of('1')), nullptr);
  power_cut();
  EXPECT_EQ(setting("a", "retention.ms"), 604'800'000);
  EXPECT_EQ(metadata_->find("a")->id, id_of('2'));
}

TEST_F(MetadataMachine, partitions_are_added_and_never_taken_away) {
  open();
  ASSERT_TRUE(change({Metadata::topic_record(id_of('a'), "a", 2)}));
  ASSERT_TRUE(change({Metadata::topic_record(id_of('a'), "a", 5)}));
  EXPECT_EQ(metadata_->find("a")->logs.size(), 5U);
  ASSERT_TRUE(change({Metadata::topic_record(id_of('a'), "a", 1)}));
  EXPECT_EQ(metadata_->find("a")->logs.size(), 5U);
}

TEST_F(MetadataMachine, no_producer_id_is_given_twice_whatever_happens) {
  open();
  std::set<std::int64_t> given;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 1100; ++i) EXPECT_TRUE(given.insert(producer_id().value).second);
    power_cut();
  }
}

TEST_F(MetadataMachine, a_restored_folder_gives_no_producer_id_that_the_backup_may_not_know) {
  open();
  const std::int64_t before = producer_id().value;
  end();
  ASSERT_TRUE(io::write_file_durably(world_.files(), "data/weir-restored", "taken 1\n"));
  open();
  const std::int64_t after = producer_id().value;
  EXPECT_GE(after, before + 1'000'000'000);
  ASSERT_TRUE(
      world_.run_until([&] { return !world_.files().exists("data/weir-restored").value(); }, 60s));
  world_.run_for(1s);
  power_cut();  // once is enough
  EXPECT_GT(producer_id().value, after);
  EXPECT_LT(producer_id().value, after + 1'000'000);
}

TEST_F(MetadataMachine, a_topic_made_on_the_way_has_the_brokers_partitions_and_no_namesake) {
  ASSERT_TRUE(settings_.set("num.partitions", "4", config::Source::file));
  open();
  const auto create = [this](std::string name) {
    std::optional<Result<void>> outcome;
    metadata_->create_automatically(std::move(name), [&](Result<void> r) { outcome = r; });
    check(world_.run_until([&] { return outcome.has_value(); }, 60s), "it ends");
    return *outcome;
  };
  EXPECT_TRUE(create("a.b"));
  EXPECT_EQ(metadata_->find("a.b")->logs.size(), 4U);
  EXPECT_TRUE(create("a.b")) << "it is there: nothing to do";
  const auto refused = create("a_b");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::invalid_topic_exception);
}

TEST_F(MetadataMachine, records_that_make_no_sense_are_damage_and_change_nothing) {
  open();
  ASSERT_TRUE(metadata_->apply(Metadata::topic_record(id_of('a'), "a", 1).key,
                               *Metadata::topic_record(id_of('a'), "a", 1).value));
  const auto outcome = [&](std::string_view key, std::optional<std::string_view> value) {
    const auto r = metadata_->apply(key, value);
    return r ? Errc::none : r.error().code();
  };
  const std::string key = Metadata::topic_record(id_of('b'), "b", 1).key;
  const auto body = [](std::string_view rest) {
    return std::string(zero_version) + std::string(rest);
  };
  const auto topic = [&](const MetadataRecord& record) {
    return outcome(record.key, record.value);
  };
  EXPECT_EQ(outcome("", ""), Errc::damaged);
  EXPECT_EQ(outcome("\x7f\x7f", body("")), Errc::damaged);
  EXPECT_EQ(outcome(key.substr(0, 10), body("")), Errc::damaged);
  EXPECT_EQ(outcome(key, ""), Errc::damaged) << "no version";
  EXPECT_EQ(outcome(key, body("x")), Errc::damaged);
  EXPECT_EQ(outcome(key, std::string("\0\x09", 2)), Errc::newer_format);
  EXPECT_EQ(topic(Metadata::topic_record(id_of('b'), "b", 0)), Errc::damaged);
  EXPECT_EQ(topic(Metadata::topic_record(id_of('b'), "b", INT32_MAX)), Errc::damaged);
  EXPECT_EQ(topic(Metadata::topic_record(id_of('b'), "../b", 1)), Errc::damaged);
  EXPECT_EQ(topic(Metadata::topic_record(id_of('b'), "a", 1)), Errc::damaged) << "a second id";
  EXPECT_EQ(topic(Metadata::topic_record(id_of('a'), "b", 1)), Errc::damaged) << "a second name";
  EXPECT_EQ(topic(Metadata::producer_block(-1)), Errc::damaged);
  EXPECT_EQ(topic(Metadata::producer_block(INT64_MAX)), Errc::damaged);
  EXPECT_EQ(metadata_->topics().size(), 1U);
}

TEST_F(MetadataMachine, a_setting_that_this_program_lacks_is_left_alone) {
  open();
  ASSERT_TRUE(change({Metadata::topic_record(id_of('a'), "a", 1)}));
  ASSERT_TRUE(change({Metadata::topic_setting(id_of('a'), "of.a.later.version", "x"),
                      Metadata::broker_setting("of.a.later.version", "x")}));
  power_cut();
  EXPECT_TRUE(metadata_->find("a")->settings.overrides().empty());
}

TEST(TopicNames, what_is_legal_and_what_collides) {
  for (const auto* good : {"a", "A.b_c-9", "..."}) EXPECT_EQ(topic_name_fault(good), "") << good;
  for (const auto* bad : {"", ".", "..", "a/b", "a b", "\xc3\xa9", "a\n"})
    EXPECT_NE(topic_name_fault(bad), "") << bad;
  EXPECT_EQ(topic_name_fault(std::string(249, 'x')), "");
  EXPECT_NE(topic_name_fault(std::string(250, 'x')), "");
  EXPECT_TRUE(names_collide("a.b_c", "a_b.c"));
  EXPECT_TRUE(names_collide("a", "a"));
  EXPECT_FALSE(names_collide("a.b", "a-b"));
  EXPECT_FALSE(names_collide("a.b", "a.bc"));
}

}  // namespace
}  // namespace weir::broker
