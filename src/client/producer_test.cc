#include <gtest/gtest.h>

#include <set>

#include "client/fake_cluster.h"
#include "client/producer_core.h"

namespace weir::client {
namespace {

using namespace std::chrono_literals;
using kafka::ApiKey;
using Kind = Fault::Kind;

/// A producer against a fake cluster, in one thread and in virtual time.
class ProducerTest : public testing::Test {
 protected:
  void SetUp() override { cluster.add_topic("t", 1); }

  void open(ProducerOptions options = {}) {
    auto whole = checked(options);
    ASSERT_TRUE(whole) << whole.error().message();
    producer =
        std::make_unique<ProducerCore>(process->loop(), transport, process->rng(),
                                       ClusterOptions{.bootstrap = {cluster.address()}}, *whole);
  }
  static ProducerOptions one_record_a_batch() {
    return {.linger = 0ms, .batch_bytes = 1, .buffer_bytes = 1 << 20};
  }

  void send(const std::string& value, std::optional<std::string> key = {},
            std::optional<std::int32_t> partition = {}) {
    auto sent = producer->send({.topic = "t", .key = key, .value = value, .partition = partition},
                               [this, value](Result<RecordMetadata> r) {
                                 if (r) {
                                   acknowledged.push_back(value);
                                   offsets.push_back(r->offset);
                                 } else {
                                   failed.push_back(value);
                                   last_error = r.error();
                                 }
                               });
    ASSERT_TRUE(sent) << sent.error().message();
  }
  /// True if everything is settled within `time`.
  bool flush(Duration time = 200s) {
    bool done = false;
    producer->flush([&](Result<void>) { done = true; });
    return world.run_until([&] { return done; }, time);
  }
  std::vector<std::string> numbered(int count) {
    std::vector<std::string> values;
    for (int i = 0; i < count; ++i) values.push_back(std::to_string(i));
    return values;
  }
  /// The faults of the first Produce requests, one each.
  void produce_faults(std::vector<Fault> faults) {
    cluster.on_request = [faults, next = std::size_t{0}](ApiKey key, int) mutable {
      if (key != ApiKey::produce || next >= faults.size()) return Fault{};
      return faults[next++];
    };
  }

  io::SimWorld world{7};
  FakeCluster cluster{world, 2};
  std::unique_ptr<io::SimProcess> process = world.start_process();
  StreamTransport transport{process->loop(), process->network()};
  std::vector<std::string> acknowledged, failed;
  std::vector<std::int64_t> offsets;
  std::optional<Error> last_error;
  std::unique_ptr<ProducerCore> producer;  // last: what it fails when it goes is noted above
};

TEST_F(ProducerTest, records_are_delivered_in_order_with_their_offsets) {
  open();
  for (const auto& value : numbered(1000)) send(value);
  ASSERT_TRUE(flush());
  EXPECT_EQ(cluster.values("t"), numbered(1000));
  EXPECT_EQ(acknowledged, numbered(1000));
  for (std::size_t i = 0; i < offsets.size(); ++i)
    EXPECT_EQ(offsets[i], static_cast<std::int64_t>(i));
  EXPECT_EQ(producer->accumulator().used_bytes(), 0U);
  EXPECT_LT(cluster.count(ApiKey::produce), 20);
}

TEST_F(ProducerTest, a_record_leaves_when_its_linger_is_over) {
  open({.linger = 50ms});
  send("warm");
  ASSERT_TRUE(flush());
  send("a");
  world.run_for(40ms);
  send("b");
  EXPECT_EQ(cluster.values("t").size(), 1U);
  ASSERT_TRUE(world.run_until([&] { return acknowledged.size() == 3; }, 30ms));
  EXPECT_EQ(cluster.count(ApiKey::produce), 2);
}

TEST_F(ProducerTest, a_lost_reply_does_not_double_a_record) {
  open(one_record_a_batch());
  produce_faults({{.kind = Kind::lose_reply}, {.kind = Kind::lose_reply}});
  for (const auto& value : numbered(20)) send(value);
  ASSERT_TRUE(flush());
  EXPECT_EQ(cluster.values("t"), numbered(20));
  EXPECT_EQ(acknowledged, numbered(20));
  EXPECT_TRUE(failed.empty());
}

TEST_F(ProducerTest, order_is_kept_when_the_first_of_five_under_way_is_refused) {
  open(one_record_a_batch());
  produce_faults({{.kind = Kind::error, .code = Errc::not_enough_replicas}});
  for (const auto& value : numbered(50)) send(value);
  ASSERT_TRUE(flush());
  EXPECT_EQ(cluster.values("t"), numbered(50));
  EXPECT_EQ(acknowledged, numbered(50));
  EXPECT_EQ(producer->identity().epoch, 0);
}

TEST_F(ProducerTest, five_requests_are_under_way_and_no_more) {
  open(one_record_a_batch());
  cluster.on_request = [](ApiKey key, int) {
    return key == ApiKey::produce ? Fault{.delay = 20ms} : Fault{};
  };
  for (const auto& value : numbered(50)) send(value);
  ASSERT_TRUE(flush());
  EXPECT_EQ(cluster.most_waiting, 5U);
  EXPECT_EQ(cluster.values("t"), numbered(50));
}

TEST_F(ProducerTest, random_faults_neither_lose_double_nor_reorder_records) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    io::SimWorld chaos(seed);
    FakeCluster brokers(chaos, 3);
    brokers.add_topic("t", 3);
    auto client = chaos.start_process();
    StreamTransport tcp(client->loop(), client->network());
    Rng dice(seed * 977);
    int faults = 0;
    brokers.on_request = [&](ApiKey key, int) {
      if (key == ApiKey::api_versions || !dice.one_in(5))
        return Fault{.delay = Duration(dice.below(3'000'000))};
      ++faults;
      const auto kind = static_cast<Kind>(dice.between(1, key == ApiKey::produce ? 4 : 3));
      if (dice.one_in(6))
        brokers.move_leader("t", static_cast<int>(dice.below(3)), static_cast<int>(dice.below(3)));
      return Fault{.kind = kind,
                   .code = dice.one_in(2) ? Errc::not_leader_or_follower : Errc::request_timed_out};
    };
    auto options = *checked({.linger = 1ms, .batch_bytes = 60, .request_timeout = 3s});
    ProducerCore core(client->loop(), tcp, client->rng(),
                      ClusterOptions{.bootstrap = {brokers.address()}}, options);
    std::map<std::int32_t, std::vector<std::string>> sent;
    int done = 0;
    for (int i = 0; i < 300; ++i) {
      const std::int32_t partition = i % 3;
      const std::string value = "value " + std::to_string(i);
      sent[partition].push_back(value);
      ASSERT_TRUE(core.send({.topic = "t", .value = value, .partition = partition}, [&](auto r) {
        ASSERT_TRUE(r) << r.error().message();
        ++done;
      }));
      if (i % 10 == 0) chaos.run_for(2ms);
      if (dice.one_in(60)) chaos.cut_all_connections();
    }
    ASSERT_TRUE(chaos.run_until([&] { return done == 300; }, 110s));
    for (const auto& [partition, values] : sent) EXPECT_EQ(brokers.values("t", partition), values);
    EXPECT_GT(faults, 5);
  }
}

TEST_F(ProducerTest,
       send_says_queue_full_at_the_bound_and_takes_records_again_after_acknowledgements) {
  open({.linger = 0ms, .batch_bytes = 1000, .buffer_bytes = 5000});
  cluster.on_request = [](ApiKey key, int) {
    return key == ApiKey::produce ? Fault{.delay = 100ms} : Fault{};
  };
  send("warm");
  ASSERT_TRUE(flush());
  const std::string value(900, 'v');
  int taken = 0;
  Result<void> r;
  while ((r = producer->send({.topic = "t", .value = value}))) ++taken;
  EXPECT_EQ(r.error().code(), Errc::queue_full);
  EXPECT_EQ(taken, 5);
  EXPECT_EQ(producer->accumulator().used_bytes(), 5000U);
  ASSERT_TRUE(flush());
  EXPECT_EQ(producer->accumulator().used_bytes(), 0U);
  EXPECT_TRUE(producer->send({.topic = "t", .value = value}));
}

TEST_F(ProducerTest, an_expired_record_is_told_but_its_buffer_is_kept_until_its_request_ends) {
  open({.linger = 0ms, .delivery_timeout = 1s, .request_timeout = 1000ms});
  send("warm");
  ASSERT_TRUE(flush());
  cluster.on_request = [](ApiKey key, int) {
    return key == ApiKey::produce ? Fault{.kind = Kind::silence} : Fault{};
  };
  world.run_for(5ms);
  send("late");
  world.run_for(1ms);
  ASSERT_TRUE(world.run_until([&] { return !failed.empty(); }, 1100ms));
  EXPECT_EQ(last_error->code(), Errc::timed_out);
  ASSERT_TRUE(world.run_until([&] { return producer->accumulator().used_bytes() == 0; }, 2s));
}

TEST_F(ProducerTest, after_a_record_that_failed_for_good_the_next_ones_go_on_with_a_new_epoch) {
  open(one_record_a_batch());
  produce_faults({{}, {.kind = Kind::error, .code = Errc::message_too_large}});
  for (const auto& value : numbered(10)) send(value);
  ASSERT_TRUE(flush());
  EXPECT_EQ(failed, std::vector<std::string>{"1"});
  EXPECT_EQ(last_error->code(), Errc::message_too_large);
  EXPECT_EQ(cluster.values("t"),
            (std::vector<std::string>{"0", "2", "3", "4", "5", "6", "7", "8", "9"}));
  EXPECT_EQ(producer->identity().epoch, 1);
}

TEST_F(ProducerTest, a_batch_that_is_too_large_is_sent_in_parts_and_a_record_that_is_fails) {
  for (const auto codec : {Compression::none, Compression::zstd}) {
    SCOPED_TRACE(static_cast<int>(codec));
    cluster.partition("t") = {};
    acknowledged.clear();
    offsets.clear();
    failed.clear();
    open({.linger = 5ms, .batch_bytes = 4000, .compression = codec});
    send("warm");
    ASSERT_TRUE(flush());
    cluster.max_batch_bytes = 300;
    Rng dice(1);
    std::string noise(600, 'x');
    for (char& c : noise) c = static_cast<char>(dice.below(256));
    std::vector<std::string> wanted{"warm"};
    for (int i = 0; i < 400; ++i) {
      const std::string value = i == 150 ? noise : "value " + std::to_string(i * 7919 % 10000);
      if (i != 150) wanted.push_back(value);
      send(value);
    }
    ASSERT_TRUE(flush());
    EXPECT_EQ(cluster.values("t"), wanted);
    EXPECT_EQ(acknowledged, wanted);
    EXPECT_EQ(failed, std::vector<std::string>{noise});
    for (std::size_t i = 0; i < offsets.size(); ++i)
      EXPECT_EQ(offsets[i], static_cast<std::int64_t>(i));
    EXPECT_EQ(producer->accumulator().used_bytes(), 0U);
    cluster.max_batch_bytes = 1 << 20;
  }
}

TEST_F(ProducerTest, parts_of_large_batches_go_through_faults_once_and_in_order) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    io::SimWorld chaos(seed);
    FakeCluster brokers(chaos, 2);
    brokers.add_topic("t", 2);
    brokers.max_batch_bytes = 250;
    auto client = chaos.start_process();
    StreamTransport tcp(client->loop(), client->network());
    Rng dice(seed * 131);
    brokers.on_request = [&](ApiKey key, int) {
      if (key == ApiKey::api_versions || !dice.one_in(5))
        return Fault{.delay = Duration(dice.below(3'000'000))};
      if (dice.one_in(6)) brokers.move_leader("t", 0, static_cast<int>(dice.below(2)));
      return Fault{.kind = static_cast<Kind>(dice.between(1, 3)),
                   .code = Errc::not_leader_or_follower};
    };
    auto options = *checked({.linger = 1ms, .batch_bytes = 1000, .request_timeout = 3s});
    ProducerCore core(client->loop(), tcp, client->rng(),
                      ClusterOptions{.bootstrap = {brokers.address()}}, options);
    std::map<std::int32_t, std::vector<std::string>> sent;
    int done = 0;
    for (int i = 0; i < 400; ++i) {
      const std::string value = "value " + std::to_string(i);
      sent[i % 2].push_back(value);
      ASSERT_TRUE(core.send({.topic = "t", .value = value, .partition = i % 2}, [&](auto r) {
        ASSERT_TRUE(r) << r.error().message();
        ++done;
      }));
      if (i % 50 == 0) chaos.run_for(2ms);
    }
    ASSERT_TRUE(chaos.run_until([&] { return done == 400; }, 110s));
    for (const auto& [partition, values] : sent) EXPECT_EQ(brokers.values("t", partition), values);
    EXPECT_EQ(core.accumulator().used_bytes(), 0U);
  }
}

TEST_F(ProducerTest, a_fenced_producer_fails_everything_and_takes_no_more) {
  open(one_record_a_batch());
  produce_faults({{.kind = Kind::error, .code = Errc::invalid_producer_epoch}});
  for (const auto& value : numbered(10)) send(value);
  ASSERT_TRUE(flush());
  EXPECT_EQ(failed.size(), 10U);
  EXPECT_TRUE(last_error->fatal());
  auto r = producer->send({.topic = "t", .value = "more"});
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code(), Errc::invalid_producer_epoch);
}

TEST_F(ProducerTest, a_fenced_producer_tells_every_batch_of_the_request_that_was_refused) {
  cluster.add_topic("wide", 4);
  open({.linger = 0ms});
  produce_faults({{.kind = Kind::error, .code = Errc::invalid_producer_epoch}});
  int told = 0;
  for (const std::int32_t partition : {0, 2})  // one leader, so one request
    ASSERT_TRUE(producer->send({.topic = "wide", .value = "v", .partition = partition},
                               [&](auto r) { told += !r; }));
  ASSERT_TRUE(flush());
  EXPECT_EQ(told, 2);
  EXPECT_EQ(cluster.count(ApiKey::produce), 1);
  EXPECT_EQ(producer->accumulator().used_bytes(), 0U);
}

TEST_F(ProducerTest, a_cluster_that_gives_no_producer_id_makes_the_producer_fail_at_once) {
  cluster.on_request = [](ApiKey key, int) {
    return key == ApiKey::init_producer_id
               ? Fault{.kind = Kind::error, .code = Errc::cluster_authorization_failed}
               : Fault{};
  };
  open();
  send("a");
  ASSERT_TRUE(flush(5s));
  EXPECT_EQ(last_error->code(), Errc::cluster_authorization_failed);
}

TEST_F(ProducerTest, records_wait_for_a_topic_that_appears_and_fail_for_one_that_does_not) {
  open({.linger = 0ms, .max_block = 2s});
  bool failed_other = false;
  ASSERT_TRUE(producer->send({.topic = "never", .value = "x"}, [&](auto r) {
    failed_other = !r && r.error().code() == Errc::unknown_topic_or_partition;
  }));
  int late = 0;
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(producer->send({.topic = "late", .key = "k", .value = std::to_string(i)},
                               [&](auto r) { late += r.has_value(); }));
  world.run_for(1s);
  cluster.add_topic("late", 1);
  ASSERT_TRUE(world.run_until([&] { return late == 3 && failed_other; }, 3s));
  EXPECT_EQ(cluster.values("late"), numbered(3));
  EXPECT_EQ(producer->accumulator().used_bytes(), 0U);
}

TEST_F(ProducerTest, equal_keys_go_to_murmur2s_partition_and_records_without_key_are_spread) {
  cluster.add_topic("many", 6);
  open({.linger = 1ms, .batch_bytes = 200});
  std::map<std::string, std::set<std::int32_t>> of_key;
  std::set<std::int32_t> without;
  for (int i = 0; i < 600; ++i) {
    const std::string key = "key" + std::to_string(i % 10);
    ASSERT_TRUE(producer->send({.topic = "many", .key = key, .value = "v"},
                               [&, key](auto r) { of_key[key].insert(r->partition); }));
    ASSERT_TRUE(producer->send({.topic = "many", .value = "v"},
                               [&](auto r) { without.insert(r->partition); }));
  }
  ASSERT_TRUE(flush());
  EXPECT_EQ(of_key.size(), 10U);
  for (const auto& [key, partitions] : of_key) EXPECT_EQ(partitions.size(), 1U) << key;
  EXPECT_EQ(without.size(), 6U);
}

TEST_F(ProducerTest, old_brokers_are_spoken_to_in_their_versions) {
  cluster.newest = {{ApiKey::api_versions, std::int16_t{0}},
                    {ApiKey::produce, std::int16_t{3}},
                    {ApiKey::metadata, std::int16_t{4}},
                    {ApiKey::init_producer_id, std::int16_t{0}}};
  open();
  for (const auto& value : numbered(10)) send(value);
  ASSERT_TRUE(flush());
  EXPECT_EQ(cluster.values("t"), numbered(10));
}

TEST_F(ProducerTest, every_codec_arrives_and_acks_none_reports_no_offset) {
  for (const auto codec :
       {Compression::gzip, Compression::snappy, Compression::lz4, Compression::zstd}) {
    open({.compression = codec});
    for (const auto& value : numbered(100)) send(value);
    ASSERT_TRUE(flush());
  }
  EXPECT_EQ(cluster.values("t").size(), 400U);
  offsets.clear();
  open({.linger = 0ms, .acks = Acks::none});
  send("unseen");
  ASSERT_TRUE(world.run_until([&] { return cluster.values("t").size() == 401; }, 5s));
  ASSERT_TRUE(flush());
  EXPECT_EQ(offsets, std::vector<std::int64_t>{-1});
}

TEST_F(ProducerTest, closing_fails_what_is_not_acknowledged) {
  open({.linger = 10s});
  send("a");
  world.run_for(100ms);
  producer.reset();
  EXPECT_EQ(failed, std::vector<std::string>{"a"});
  EXPECT_EQ(last_error->code(), Errc::closed);
}

TEST_F(ProducerTest, a_setting_that_cannot_be_is_named) {
  EXPECT_EQ(checked({.acks = Acks::leader, .idempotent = true}).error().code(),
            Errc::invalid_setting);
  EXPECT_FALSE(checked({.max_in_flight = 6}));
  EXPECT_TRUE(checked({.acks = Acks::leader, .max_in_flight = 6}));
  EXPECT_FALSE(checked({.delivery_timeout = 1s}));
}

}  // namespace
}  // namespace weir::client
