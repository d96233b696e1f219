#include <gtest/gtest.h>

#include <numeric>

#include "client/consumer_core.h"
#include "client/fake_cluster.h"
#include "kafka/batch_builder.h"

namespace weir::client {
namespace {

using namespace std::chrono_literals;
using kafka::ApiKey;
using Kind = Fault::Kind;
using Values = std::vector<std::string>;

/// A consumer against a fake cluster, in one thread and in virtual time.
class ConsumerTest : public testing::Test {
 protected:
  void SetUp() override { cluster.add_topic("t", 2); }

  void open(ConsumerOptions options = {.auto_offset_reset = OffsetReset::earliest}) {
    auto whole = checked(options);
    ASSERT_TRUE(whole) << whole.error().message();
    check_crcs = options.check_crcs;
    consumer =
        std::make_unique<ConsumerCore>(process->loop(), transport, process->rng(),
                                       ClusterOptions{.bootstrap = {cluster.address()}}, *whole);
  }
  static Slice batch_of(const Values& values, kafka::BatchOptions options = {},
                        std::int64_t time = 0) {
    kafka::BatchBuilder builder;
    for (const auto& value : values) builder.append(time, std::string_view("key"), value);
    return *builder.finish(options);
  }
  void write(const Values& values, int partition = 0, std::int64_t time = 0) {
    cluster.append("t", partition, batch_of(values, {}, time));
  }
  Result<std::vector<Batch>> poll(Duration timeout = 2s) {
    Result<std::vector<RawBatch>> raws;
    bool done = false;
    consumer->poll(process->loop().now() + timeout, [&](auto r) {
      raws = std::move(r);
      done = true;
    });
    EXPECT_TRUE(world.run_until([&] { return done; }, timeout + 1s));
    if (!raws) return fail(raws.error());
    auto opened = open_batches(std::move(*raws), check_crcs);
    if (opened.error) consumer->give_back(opened.undone);
    if (opened.error && opened.batches.empty()) return fail(*opened.error);
    return std::move(opened.batches);
  }
  Values read(std::size_t count) {
    Values out;
    for (int tries = 0; out.size() < count && tries < 200; ++tries) {
      auto batches = poll();
      if (!batches) {
        ADD_FAILURE() << batches.error().message();
        return out;
      }
      for (const Batch& batch : *batches)
        for (const RecordView& record : batch) out.emplace_back(*record.value());
    }
    return out;
  }
  std::optional<std::int64_t> position(int partition = 0) {
    return *consumer->position({"t", partition});
  }
  static Values numbered(int from, int to) {
    Values values;
    for (int i = from; i < to; ++i) values.push_back(std::to_string(i));
    return values;
  }
  void faults(ApiKey of, std::vector<Fault> list) {
    cluster.on_request = [of, list, next = std::size_t{0}](ApiKey key, int) mutable {
      if (key != of || next >= list.size()) return Fault{};
      return list[next++];
    };
  }

  io::SimWorld world{11};
  FakeCluster cluster{world, 2};
  std::unique_ptr<io::SimProcess> process = world.start_process();
  StreamTransport transport{process->loop(), process->network()};
  std::unique_ptr<ConsumerCore> consumer;
  bool check_crcs = true;
};

TEST_F(ConsumerTest, records_of_all_partitions_come_in_the_order_of_their_offsets) {
  write(numbered(0, 5), 0);
  write(numbered(100, 103), 1);
  write(numbered(5, 9), 0);
  open();
  ASSERT_TRUE(consumer->assign({{"t", 0}, {"t", 1}}));
  Values first, second;
  for (int i = 0; i < 5; ++i) {
    auto batches = poll(1s);
    ASSERT_TRUE(batches);
    for (const Batch& batch : *batches) {
      std::int64_t last = -1;
      for (const RecordView& record : batch) {
        EXPECT_GT(record.offset(), last);
        last = record.offset();
        (batch.partition() == 0 ? first : second).emplace_back(*record.value());
      }
    }
  }
  EXPECT_EQ(first, numbered(0, 9));
  EXPECT_EQ(second, numbered(100, 103));
  EXPECT_EQ(position(0), 9);
  EXPECT_EQ(consumer->lag({"t", 1}), 0);
}

TEST_F(ConsumerTest, a_seek_into_a_batch_begins_at_the_record_itself) {
  write(numbered(0, 10));
  open();
  ASSERT_TRUE(consumer->assign({{"t", 0}}));
  ASSERT_TRUE(consumer->seek({"t", 0}, 7));
  EXPECT_EQ(read(3), numbered(7, 10));
  ASSERT_TRUE(consumer->seek({"t", 0}, 2));
  EXPECT_EQ(read(8), numbered(2, 10));
  EXPECT_EQ(consumer->seek({"other", 0}, 0).error().code(), Errc::invalid_argument);
  EXPECT_EQ(consumer->seek({"t", 0}, -1).error().code(), Errc::invalid_argument);
}

TEST_F(ConsumerTest, what_was_fetched_before_a_seek_is_not_handed_out_after_it) {
  write(numbered(0, 10));
  open();
  ASSERT_TRUE(consumer->assign({{"t", 0}}));
  world.run_for(1s);  // fetched ahead
  EXPECT_GT(consumer->budget().used(), 0U);
  write(numbered(10, 12));
  ASSERT_TRUE(consumer->seek({"t", 0}, 10));
  EXPECT_EQ(read(2), numbered(10, 12));
}

TEST_F(ConsumerTest, a_paused_partition_keeps_its_position_and_gives_nothing) {
  write(numbered(0, 3), 0);
  write(numbered(10, 13), 1);
  open();
  ASSERT_TRUE(consumer->assign({{"t", 0}, {"t", 1}}));
  ASSERT_TRUE(consumer->set_paused({{"t", 0}}, true));
  EXPECT_EQ(read(3), numbered(10, 13));
  auto nothing = poll(1s);
  ASSERT_TRUE(nothing);
  EXPECT_TRUE(nothing->empty());
  EXPECT_EQ(position(0), 0);
  ASSERT_TRUE(consumer->set_paused({{"t", 0}}, false));
  EXPECT_EQ(read(3), numbered(0, 3));
}

TEST_F(ConsumerTest, latest_begins_behind_what_is_there_and_none_wants_a_seek) {
  write(numbered(0, 3));
  open({.auto_offset_reset = OffsetReset::latest});
  ASSERT_TRUE(consumer->assign({{"t", 0}}));
  ASSERT_TRUE(world.run_until([&] { return position(0) == 3; }, 5s));
  write(numbered(3, 5));
  EXPECT_EQ(read(2), numbered(3, 5));

  open({.auto_offset_reset = OffsetReset::none});
  ASSERT_TRUE(consumer->assign({{"t", 0}}));
  EXPECT_EQ(poll().error().code(), Errc::offset_out_of_range);
  EXPECT_EQ(poll().error().code(), Errc::offset_out_of_range);
  ASSERT_TRUE(consumer->seek({"t", 0}, 4));
  EXPECT_EQ(read(1), numbered(4, 5));
  ASSERT_TRUE(consumer->seek({"t", 0}, 99));
  EXPECT_EQ(poll().error().code(), Errc::offset_out_of_range);
}

TEST_F(ConsumerTest, an_offset_that_is_gone_is_replaced_by_the_earliest) {
  write(numbered(0, 3));
  write(numbered(3, 6));
  cluster.partition("t").log_start = 3;
  open();
  ASSERT_TRUE(consumer->assign({{"t", 0}}));
  ASSERT_TRUE(consumer->seek({"t", 0}, 0));
  EXPECT_EQ(read(3), numbered(3, 6));
}

TEST_F(ConsumerTest, a_leader_that_moves_is_followed) {
  write(numbered(0, 3));
  open();
  ASSERT_TRUE(consumer->assign({{"t", 0}}));
  EXPECT_EQ(read(3), numbered(0, 3));
  cluster.move_leader("t", 0, 1);
  write(numbered(3, 6));
  EXPECT_EQ(read(3), numbered(3, 6));
}

TEST_F(ConsumerTest, lost_connections_and_refused_fetches_lose_and_repeat_nothing) {
  open({.auto_offset_reset = OffsetReset::earliest, .max_partition_fetch_bytes = 200});
  Rng dice(3);
  cluster.on_request = [&](ApiKey key, int) {
    if (key == ApiKey::api_versions || !dice.one_in(4)) return Fault{};
    return Fault{.kind = static_cast<Kind>(dice.between(1, 3)),
                 .code = Errc::not_leader_or_follower};
  };
  ASSERT_TRUE(consumer->assign({{"t", 0}}));
  Values got;
  for (int i = 0; i < 60; ++i) {
    write(numbered(10 * i, 10 * i + 10));
    if (i % 7 == 0) world.cut_all_connections();
    auto batches = poll(10s);
    ASSERT_TRUE(batches) << batches.error().message();
    for (const Batch& batch : *batches)
      for (const RecordView& record : batch) got.emplace_back(*record.value());
  }
  while (got.size() < 600) {
    auto more = read(1);
    ASSERT_FALSE(more.empty());
    got.insert(got.end(), more.begin(), more.end());
  }
  EXPECT_EQ(got, numbered(0, 600));
}

TEST_F(ConsumerTest, a_damaged_batch_is_an_error_once_and_the_position_stays_before_it) {
  write(numbered(0, 3));
  faults(ApiKey::fetch, {{.kind = Kind::damage}});
  open();
  ASSERT_TRUE(consumer->assign({{"t", 0}}));
  auto damaged = poll();
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code(), Errc::corrupt_message);
  EXPECT_NE(damaged.error().message().find("t-0: batch at offset 0"), std::string::npos);
  EXPECT_EQ(position(0), 0);
  EXPECT_EQ(read(3), numbered(0, 3));
}

TEST_F(ConsumerTest, batches_outlive_their_consumer_and_give_their_bytes_back_when_they_go) {
  write(numbered(0, 3));
  open();
  ASSERT_TRUE(consumer->assign({{"t", 0}}));
  auto batches = poll();
  ASSERT_TRUE(batches);
  ASSERT_EQ(batches->size(), 1U);
  ASSERT_TRUE(consumer->set_paused({{"t", 0}}, true));
  world.run_for(1s);
  EXPECT_GT(consumer->budget().used(), 0U);
  Batch copy = batches->front();
  batches->clear();
  EXPECT_GT(consumer->budget().used(), 0U);
  const RecordView record = *copy.begin();
  const Record owned = Record::copy_of(copy, record);
  consumer.reset();
  EXPECT_EQ(*record.value(), "0");
  copy = Batch();
  EXPECT_EQ(owned.value, "0");
  EXPECT_EQ(owned.topic, "t");
}

TEST_F(ConsumerTest, no_more_than_the_prefetch_bound_is_fetched_and_held_batches_are_named) {
  const std::string large(1000, 'v');
  for (int i = 0; i < 100; ++i) write({large});
  open({.auto_offset_reset = OffsetReset::earliest,
        .max_partition_fetch_bytes = 2000,
        .prefetch_bytes = 6000,
        .max_poll_bytes = 1});
  ASSERT_TRUE(consumer->assign({{"t", 0}}));
  std::vector<Batch> held;
  Result<std::vector<Batch>> r;
  while ((r = poll())) {
    ASSERT_FALSE(r->empty());
    held.insert(held.end(), r->begin(), r->end());
    ASSERT_LT(held.size(), 20U);
  }
  EXPECT_EQ(r.error().code(), Errc::queue_full);
  EXPECT_LE(consumer->budget().used(), 6000U + 2200U);
  const std::size_t before = held.size();
  held.clear();
  r = poll();
  ASSERT_TRUE(r);
  EXPECT_EQ(r->front().begin()->offset(), static_cast<std::int64_t>(before));
}

TEST_F(ConsumerTest, what_is_wanted_beyond_the_bound_is_fetched_alone_and_once) {
  const std::string large(1000, 'v');
  for (int i = 0; i < 20; ++i) write({large});
  for (int i = 0; i < 20; ++i) write({large}, 1);
  open({.auto_offset_reset = OffsetReset::earliest,
        .max_partition_fetch_bytes = 2000,
        .prefetch_bytes = 3000});
  ASSERT_TRUE(consumer->assign({{"t", 0}}));
  std::vector<Batch> held;
  Result<std::vector<Batch>> r;
  while ((r = poll())) held.insert(held.end(), r->begin(), r->end());
  ASSERT_EQ(r.error().code(), Errc::queue_full);
  ASSERT_TRUE(consumer->assign({{"t", 0}, {"t", 1}}));
  world.run_for(100ms);
  EXPECT_FALSE(poll());
  consumer->want_beyond({{"t", 1}, {"other", 0}});
  world.run_for(100ms);
  r = poll();
  ASSERT_TRUE(r) << r.error().message();
  for (const Batch& batch : *r) EXPECT_EQ(batch.topic_partition().partition, 1);
  EXPECT_LE(r->size(), 3U);
  r = poll();
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code(), Errc::queue_full) << "until it is wanted again";
}

TEST_F(ConsumerTest, a_broker_that_has_nothing_holds_no_other_up) {
  open({.auto_offset_reset = OffsetReset::earliest,
        .fetch_max_bytes = 1 << 20,
        .prefetch_bytes = 1 << 20});
  ASSERT_TRUE(consumer->assign({{"t", 0}}));
  world.run_for(100ms);  // a fetch waits, with all that may be fetched
  write(numbered(0, 3), 1);
  ASSERT_TRUE(consumer->assign({{"t", 0}, {"t", 1}}));
  EXPECT_EQ(read(3), numbered(0, 3));
}

TEST_F(ConsumerTest, every_codec_and_control_batches_are_read) {
  for (int codec = 0; codec < 5; ++codec)
    cluster.append("t", 0,
                   batch_of(numbered(codec * 100, codec * 100 + 100),
                            {.codec = static_cast<compress::Codec>(codec)}));
  cluster.append("t", 0, kafka::make_end_marker({.marker = {.commit = true}, .producer_id = 1}));
  write({"after"});
  open();
  ASSERT_TRUE(consumer->assign({{"t", 0}}));
  Values want = numbered(0, 500);
  want.emplace_back("after");
  EXPECT_EQ(read(501), want);
  EXPECT_EQ(position(0), 502);
}

TEST_F(ConsumerTest, record_views_show_keys_headers_nulls_and_times) {
  kafka::BatchBuilder builder;
  const std::vector<kafka::Header> headers{{"a", "1"}, {"b", std::nullopt}, {"a", "2"}};
  builder.append(1000, std::nullopt, std::string_view("v"), headers);
  builder.append(990, std::string_view("k"), std::nullopt);
  cluster.append("t", 0, *builder.finish({}));
  open();
  ASSERT_TRUE(consumer->assign({{"t", 0}}));
  auto batches = poll();
  ASSERT_TRUE(batches);
  const Batch& batch = batches->front();
  ASSERT_EQ(batch.size(), 2);
  auto at = batch.begin();
  EXPECT_FALSE(at->key());
  EXPECT_EQ(at->value(), "v");
  EXPECT_EQ(at->timestamp_ms(), 1000);
  EXPECT_EQ(at->headers().size(), 3U);
  EXPECT_EQ(at->headers().last("a"), "2");
  EXPECT_FALSE(at->headers().last("b"));
  EXPECT_FALSE((*++at->headers().begin()).value);
  ++at;
  EXPECT_EQ(at->key(), "k");
  EXPECT_FALSE(at->value());
  EXPECT_EQ(at->timestamp_ms(), 990);
  EXPECT_EQ(++at, batch.end());
}

TEST_F(ConsumerTest, old_brokers_are_asked_in_their_versions) {
  cluster.newest = {{ApiKey::fetch, std::int16_t{4}},
                    {ApiKey::metadata, std::int16_t{1}},
                    {ApiKey::list_offsets, std::int16_t{1}},
                    {ApiKey::api_versions, std::int16_t{0}}};
  write(numbered(0, 3));
  open();
  ASSERT_TRUE(consumer->assign({{"t", 0}}));
  EXPECT_EQ(read(3), numbered(0, 3));
}

TEST_F(ConsumerTest, offsets_are_found_by_time_in_one_request_a_leader) {
  write(numbered(0, 3), 0, 1000);
  write(numbered(3, 6), 0, 2000);
  write(numbered(0, 1), 1, 500);
  open();
  Result<ListedOffsets> found;
  bool done = false;
  query_offsets(consumer->cluster(), {{{"t", 0}, 1500}, {{"t", 1}, 1500}},
                process->loop().now() + 5s, [&](auto r) {
                  found = std::move(r);
                  done = true;
                });
  ASSERT_TRUE(world.run_until([&] { return done; }, 6s));
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(found->at({"t", 0}).offset, 3);
  EXPECT_EQ(found->at({"t", 0}).timestamp_ms, 2000);
  EXPECT_EQ(found->at({"t", 1}).offset, -1);
  EXPECT_LE(cluster.count(ApiKey::list_offsets), 2);
}

TEST_F(ConsumerTest, records_of_aborted_transactions_are_left_out_of_what_is_committed) {
  const auto transactional = [&](std::int64_t producer, const Values& values) {
    cluster.append("t", 0, batch_of(values, {.producer_id = producer, .transactional = true}));
  };
  const auto end = [&](std::int64_t producer, bool commit) {
    cluster.append("t", 0,
                   kafka::make_end_marker({.marker = {.commit = commit}, .producer_id = producer}));
  };
  transactional(1, {"a"});  // offset 0, aborted
  transactional(2, {"b"});
  write({"c"});
  transactional(1, {"d"});
  end(1, false);
  end(2, true);
  transactional(1, {"e"});  // offset 6
  end(1, true);
  transactional(1, {"f"});  // offset 8, aborted
  end(1, false);
  write({"g"});
  cluster.partition("t").aborted = {{1, 8, 9}, {1, 0, 4}};
  for (const bool in_pieces : {false, true}) {
    open({.auto_offset_reset = OffsetReset::earliest,
          .isolation = Isolation::read_committed,
          .max_partition_fetch_bytes = in_pieces ? 1 : 1024 * 1024});
    ASSERT_TRUE(consumer->assign({{"t", 0}}));
    EXPECT_EQ(read(4), (Values{"b", "c", "e", "g"})) << in_pieces;
    EXPECT_EQ(position(0), 11);
    if (in_pieces) break;
    open();
    ASSERT_TRUE(consumer->assign({{"t", 0}}));
    EXPECT_EQ(read(7), (Values{"a", "b", "c", "d", "e", "f", "g"}));
  }
}

TEST_F(ConsumerTest, a_reset_by_duration_begins_at_the_first_record_that_is_young_enough) {
  const std::int64_t now = process->loop().clock().wall_ms();
  write(numbered(0, 3), 0, now - 60'000);
  write(numbered(3, 6), 0, now - 5'000);
  write(numbered(0, 3), 1, now - 60'000);
  open({.auto_offset_reset = OffsetReset::by_duration, .reset_duration = 30s});
  ASSERT_TRUE(consumer->assign({{"t", 0}, {"t", 1}}));
  EXPECT_EQ(read(3), numbered(3, 6));
  ASSERT_TRUE(world.run_until([&] { return position(1) == 3; }, 5s)) << "nothing is so young";
}

TEST_F(ConsumerTest, idle_fetches_name_no_partition_again_and_a_lost_session_is_opened_again) {
  write(numbered(0, 3), 0);
  cluster.move_leader("t", 1, 0);
  open();
  ASSERT_TRUE(consumer->assign({{"t", 0}, {"t", 1}}));
  EXPECT_EQ(read(3), numbered(0, 3));
  world.run_for(2s);
  const int named = cluster.fetch_partitions_asked;
  const int fetches = cluster.count(ApiKey::fetch);
  world.run_for(10s);
  EXPECT_GT(cluster.count(ApiKey::fetch), fetches + 10);
  EXPECT_EQ(cluster.fetch_partitions_asked, named);
  write(numbered(0, 2), 1);
  EXPECT_EQ(read(2), numbered(0, 2));
  EXPECT_EQ(cluster.fetch_partitions_asked, named) << "what is new is sent with the next fetch";
  cluster.forget_fetch_sessions();
  write(numbered(3, 5), 0);
  EXPECT_EQ(read(2), numbered(3, 5));
  EXPECT_EQ(consumer->lag({"t", 1}), 0);
}

TEST_F(ConsumerTest, without_sessions_everything_is_asked_for_each_time) {
  cluster.fetch_sessions = false;
  write(numbered(0, 3), 0);
  write(numbered(3, 6), 1);
  open();
  ASSERT_TRUE(consumer->assign({{"t", 0}, {"t", 1}}));
  EXPECT_EQ(read(6).size(), 6U);
  const int named = cluster.fetch_partitions_asked;
  world.run_for(5s);
  EXPECT_GT(cluster.fetch_partitions_asked, named + 10);
}

TEST_F(ConsumerTest, a_paused_partition_is_forgotten_by_the_session_and_comes_back) {
  cluster.move_leader("t", 1, 0);
  write(numbered(0, 3), 0);
  write(numbered(10, 13), 1);
  open();
  ASSERT_TRUE(consumer->assign({{"t", 0}, {"t", 1}}));
  EXPECT_EQ(read(6).size(), 6U);
  ASSERT_TRUE(consumer->set_paused({{"t", 0}}, true));
  world.run_for(1s);
  write(numbered(3, 5), 0);
  write(numbered(13, 15), 1);
  EXPECT_EQ(read(2), numbered(13, 15));
  ASSERT_TRUE(consumer->set_paused({{"t", 0}}, false));
  EXPECT_EQ(read(2), numbered(3, 5));
}

TEST_F(ConsumerTest, lost_sessions_and_connections_lose_and_repeat_nothing) {
  cluster.move_leader("t", 1, 0);
  open({.auto_offset_reset = OffsetReset::earliest, .max_partition_fetch_bytes = 200});
  Rng dice(5);
  cluster.on_request = [&](ApiKey key, int) {
    if (key == ApiKey::api_versions) return Fault{};
    if (dice.one_in(6)) cluster.forget_fetch_sessions();
    if (!dice.one_in(6)) return Fault{};
    const Errc code = dice.one_in(2) ? Errc::not_leader_or_follower : Errc::unknown_leader_epoch;
    return Fault{.kind = static_cast<Kind>(dice.between(1, 3)), .code = code};
  };
  ASSERT_TRUE(consumer->assign({{"t", 0}, {"t", 1}}));
  Values got[2];
  for (int i = 0; got[0].size() + got[1].size() < 600 && i < 2000; ++i) {
    if (i < 30) write(numbered(10 * i, 10 * i + 10), 0);
    if (i < 30) write(numbered(10 * i, 10 * i + 10), 1);
    if (i % 7 == 0) world.cut_all_connections();
    auto batches = poll(10s);
    ASSERT_TRUE(batches) << batches.error().message();
    for (const Batch& batch : *batches)
      for (const RecordView& record : batch) got[batch.partition()].emplace_back(*record.value());
  }
  EXPECT_EQ(got[0], numbered(0, 300));
  EXPECT_EQ(got[1], numbered(0, 300));
}

/// The brokers' newest Fetch: with 12 it tells of a diverging epoch, below it must be asked.
class TruncationTest : public ConsumerTest, public testing::WithParamInterface<std::int16_t> {
 protected:
  void SetUp() override {
    ConsumerTest::SetUp();
    cluster.newest[ApiKey::fetch] = GetParam();
  }
};
INSTANTIATE_TEST_SUITE_P(FetchVersions, TruncationTest, testing::Values(9, 11, 12, 16));

TEST_P(TruncationTest, a_log_that_was_cut_below_the_position_is_told_until_a_seek) {
  write(numbered(0, 3));
  write(numbered(3, 6));
  open();
  ASSERT_TRUE(consumer->assign({{"t", 0}}));
  EXPECT_EQ(read(6), numbered(0, 6));
  cluster.truncate("t", 0, 3);
  write({"other 3", "other 4", "other 5", "other 6"});
  for (int i = 0; i < 2; ++i) {
    const auto told = poll();
    ASSERT_FALSE(told);
    EXPECT_EQ(told.error().code(), Errc::offset_out_of_range);
    const auto truncation = consumer->truncation({"t", 0});
    ASSERT_TRUE(truncation);
    EXPECT_EQ(truncation->position, 6);
    EXPECT_EQ(truncation->diverging_offset, 3);
    EXPECT_EQ(truncation->diverging_epoch, 0);
  }
  ASSERT_TRUE(consumer->seek({"t", 0}, 3));
  EXPECT_FALSE(consumer->truncation({"t", 0}));
  EXPECT_EQ(read(4), (Values{"other 3", "other 4", "other 5", "other 6"}));
}

TEST_P(TruncationTest, what_was_only_fetched_ahead_of_a_cut_is_fetched_anew) {
  write(numbered(0, 3));
  write(numbered(3, 6));
  open({.auto_offset_reset = OffsetReset::earliest, .max_poll_bytes = 1});
  ASSERT_TRUE(consumer->assign({{"t", 0}}));
  EXPECT_EQ(read(3), numbered(0, 3));
  world.run_for(1s);
  cluster.truncate("t", 0, 3);
  write({"other 3", "other 4", "other 5", "other 6"});
  world.run_for(5s);
  EXPECT_EQ(read(4), (Values{"other 3", "other 4", "other 5", "other 6"}));
}

TEST_P(TruncationTest, a_leader_that_moves_with_the_whole_log_disturbs_nobody) {
  write(numbered(0, 3));
  open();
  ASSERT_TRUE(consumer->assign({{"t", 0}}));
  EXPECT_EQ(read(3), numbered(0, 3));
  cluster.move_leader("t", 0, 1);
  world.run_for(5s);
  write(numbered(3, 6));
  EXPECT_EQ(read(3), numbered(3, 6));
}

TEST_P(TruncationTest, a_committed_offset_behind_a_cut_is_told) {
  write(numbered(0, 6));
  cluster.truncate("t", 0, 0);
  write({"a", "b"});
  ++cluster.partition("t").leader_epoch;
  write(Values(10, "c"));
  open();
  static_cast<void>(consumer->own({{"t", 0}}));
  consumer->begin({"t", 0}, OffsetAndMetadata{.offset = 6, .leader_epoch = 1});
  const auto told = poll();
  ASSERT_FALSE(told);
  EXPECT_EQ(consumer->truncation({"t", 0})->diverging_offset, 2);
}

TEST_P(TruncationTest, a_late_answer_about_an_epoch_says_nothing_of_what_was_read_since) {
  write(numbered(0, 3));
  ++cluster.partition("t").leader_epoch;
  write(numbered(3, 6));
  cluster.move_leader("t", 1, 0);
  write({"other"}, 1);
  faults(ApiKey::offset_for_leader_epoch, {{.delay = 500ms}});
  open();
  // The second makes the connection, whose version of Fetch checks by itself.
  static_cast<void>(consumer->own({{"t", 0}, {"t", 1}}));
  consumer->begin({"t", 0}, OffsetAndMetadata{.offset = 1, .leader_epoch = 0});
  consumer->begin({"t", 1}, OffsetAndMetadata{.offset = 0});
  auto got = read(6);
  std::erase(got, "other");
  EXPECT_EQ(got, numbered(1, 6));
  world.run_for(2s);
  EXPECT_FALSE(consumer->truncation({"t", 0}));
  write(numbered(6, 8));
  EXPECT_EQ(read(2), numbered(6, 8));
}

TEST_F(ConsumerTest, a_broker_without_epochs_is_read_without_them) {
  cluster.newest = {{ApiKey::fetch, std::int16_t{8}},
                    {ApiKey::offset_for_leader_epoch, std::int16_t{1}}};
  write(numbered(0, 3));
  open();
  ASSERT_TRUE(consumer->assign({{"t", 0}}));
  EXPECT_EQ(read(3), numbered(0, 3));
  cluster.move_leader("t", 0, 1);
  write(numbered(3, 6));
  EXPECT_EQ(read(3), numbered(3, 6));
}

TEST_F(ConsumerTest, a_reset_position_is_told_with_what_it_skips) {
  write(numbered(0, 3));
  write(numbered(3, 6));
  bool called = false;
  open({.auto_offset_reset = OffsetReset::earliest,
        .on_reset = [&](const PositionReset&) { called = true; }});
  ASSERT_TRUE(consumer->assign({{"t", 0}}));
  EXPECT_EQ(read(6).size(), 6U);
  EXPECT_TRUE(consumer->take_resets().empty()) << "a first position is no reset";
  ASSERT_TRUE(consumer->seek({"t", 0}, 1));
  cluster.partition("t").log_start = 3;
  EXPECT_EQ(read(3), numbered(3, 6));
  const auto resets = consumer->take_resets();
  ASSERT_EQ(resets.size(), 1U);
  EXPECT_EQ(resets[0].from, 1);
  EXPECT_EQ(resets[0].to, 3);
  EXPECT_FALSE(called) << "the public consumer calls it, on the thread that polls";
}

TEST_F(ConsumerTest, a_topic_that_appears_later_is_read_and_a_missing_one_does_not_disturb) {
  write(numbered(0, 3));
  open();
  ASSERT_TRUE(consumer->assign({{"t", 0}, {"late", 0}}));
  cluster.add_topic("late", 1);
  EXPECT_EQ(read(3), numbered(0, 3));
  cluster.append("late", 0, batch_of({"x"}));
  EXPECT_EQ(read(1), Values{"x"});
}

}  // namespace
}  // namespace weir::client
