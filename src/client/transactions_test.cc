#include "client/transactions.h"

#include <gtest/gtest.h>

#include "client/fake_cluster.h"
#include "client/producer_core.h"

namespace weir::client {
namespace {

using namespace std::chrono_literals;
using kafka::ApiKey;
using Kind = Fault::Kind;
using State = TransactionState;

/// A transactional producer in virtual time. The parameter is the cluster's transaction.version.
struct Writer {
  Writer(io::SimWorld& sim, FakeCluster& cluster, const std::string& id = "tx",
         ProducerOptions options = {})
      : world(sim), process(sim.start_process()), transport(process->loop(), process->network()) {
    core = std::make_unique<ProducerCore>(process->loop(), transport, process->rng(),
                                          ClusterOptions{.bootstrap = {cluster.address()}},
                                          *checked(options), id);
  }
  template <class Call>
  Result<void> run(Call call, Duration time = 100s) {
    std::optional<Result<void>> outcome;
    call(core->transactions(), process->loop().now() + time, [&](Result<void> r) { outcome = r; });
    world.run_until([&] { return outcome.has_value(); }, time + 1s);
    return outcome.value_or(fail(Errc::cancelled, "the call never ended"));
  }
  Result<void> start(Duration time = 100s) {
    return run([](auto& t, MonoTime d, auto done) { t.start(d, std::move(done)); }, time);
  }
  Result<void> begin() { return core->transactions().begin(); }
  Result<void> commit(Duration time = 100s) {
    return run([](auto& t, MonoTime d, auto done) { t.commit(d, std::move(done)); }, time);
  }
  Result<void> abort(Duration time = 100s) {
    return run([](auto& t, MonoTime d, auto done) { t.abort(d, std::move(done)); }, time);
  }
  Result<void> offsets(std::int64_t offset, GroupMetadata member = {.group = "g"}) {
    return run([&](auto& t, MonoTime d, auto done) {
      t.commit_offsets({member, {{{"in", 0}, {.offset = offset}}}}, d, std::move(done));
    });
  }
  Result<void> send(const std::string& value, std::int32_t partition = 0) {
    return core->send({.topic = "t", .value = value, .partition = partition},
                      [this](auto r) { ++(r ? delivered : failed); });
  }
  State state() const { return core->transactions().state(); }

  io::SimWorld& world;
  std::unique_ptr<io::SimProcess> process;
  StreamTransport transport;
  int delivered = 0, failed = 0;
  std::unique_ptr<ProducerCore> core;
};

class TransactionsTest : public testing::TestWithParam<std::int16_t> {
 protected:
  void SetUp() override {
    cluster.add_topic("t", 3);
    cluster.transaction_version = GetParam();
  }
  bool v2() const { return GetParam() >= 2; }
  using Values = std::vector<std::string>;

  io::SimWorld world{11};
  FakeCluster cluster{world, 2};
};
INSTANTIATE_TEST_SUITE_P(Versions, TransactionsTest, testing::Values(0, 1, 2),
                         [](const auto& test) {
                           return "transaction_version_" + std::to_string(test.param);
                         });

TEST_P(TransactionsTest, committed_records_are_visible_and_aborted_ones_are_not) {
  Writer writer(world, cluster);
  ASSERT_TRUE(writer.start());
  for (int round = 0; round < 6; ++round) {
    const bool commit = round % 2 == 0;
    ASSERT_TRUE(writer.begin());
    for (int p = 0; p < 3; ++p)
      ASSERT_TRUE(writer.send((commit ? "yes" : "no") + std::to_string(round), p));
    ASSERT_TRUE(world.run_until([&] { return writer.delivered == 3 * (round + 1); }, 10s));
    const auto ended = commit ? writer.commit() : writer.abort();
    ASSERT_TRUE(ended) << ended.error().message();
  }
  ASSERT_TRUE(world.run_until([&] { return cluster.partition("t", 2).open.empty(); }, 1s));
  for (int p = 0; p < 3; ++p)
    EXPECT_EQ(cluster.committed_values("t", p), (Values{"yes0", "yes2", "yes4"}));
  EXPECT_EQ(cluster.count(ApiKey::add_partitions_to_txn) > 0, !v2());
  EXPECT_EQ(cluster.count(ApiKey::init_producer_id), 1);
  EXPECT_EQ(writer.core->identity().epoch, v2() ? 6 : 0);
}

TEST_P(TransactionsTest, a_commit_waits_for_its_records_and_an_abort_drops_what_was_not_sent) {
  Writer writer(world, cluster, "tx", {.linger = 5s});
  ASSERT_TRUE(writer.start());
  ASSERT_TRUE(writer.begin());
  ASSERT_TRUE(writer.send("kept"));
  ASSERT_TRUE(writer.commit());
  EXPECT_EQ(writer.delivered, 1);
  ASSERT_TRUE(writer.begin());
  ASSERT_TRUE(writer.send("dropped"));
  ASSERT_TRUE(writer.abort());
  EXPECT_EQ(writer.failed, 1);
  EXPECT_EQ(writer.core->accumulator().used_bytes(), 0U);
  world.run_for(10s);
  EXPECT_EQ(cluster.values("t"), Values{"kept"});
}

// Who is told that its offsets are there may ask for the end at once.
TEST_P(TransactionsTest, an_end_asked_for_inside_an_answer_is_told_when_it_is_there) {
  Writer writer(world, cluster);
  ASSERT_TRUE(writer.start());
  ASSERT_TRUE(writer.begin());
  ASSERT_TRUE(writer.send("x"));
  const auto both = writer.run([&](Transactions& t, MonoTime deadline, auto done) {
    t.commit_offsets({{.group = "g"}, {{{"in", 0}, {.offset = 5}}}}, deadline,
                     [&t, deadline, done](Result<void> r) mutable {
                       if (!r) return done(std::move(r));
                       t.commit(deadline, done);
                     });
  });
  ASSERT_TRUE(both) << both.error().message();
  EXPECT_EQ(writer.state(), State::ready);
  EXPECT_TRUE(world.run_until([&] { return cluster.committed_values("t") == Values{"x"}; }, 1s));
}

TEST_P(TransactionsTest, records_are_refused_outside_of_a_transaction) {
  Writer writer(world, cluster);
  EXPECT_EQ(writer.send("x").error().code(), Errc::invalid_txn_state);
  ASSERT_TRUE(writer.start());
  EXPECT_EQ(writer.send("x").error().code(), Errc::invalid_txn_state);
  EXPECT_EQ(writer.commit().error().code(), Errc::invalid_txn_state);
  EXPECT_TRUE(writer.abort());
  ASSERT_TRUE(writer.begin());
  EXPECT_EQ(writer.begin().error().code(), Errc::invalid_txn_state);
}

TEST_P(TransactionsTest, offsets_are_committed_with_the_transaction_alone) {
  Writer writer(world, cluster);
  ASSERT_TRUE(writer.start());
  ASSERT_TRUE(writer.begin());
  ASSERT_TRUE(writer.offsets(5));
  ASSERT_TRUE(writer.abort());
  world.run_for(50ms);
  EXPECT_FALSE(cluster.group("g").offsets.contains({"in", 0}));
  ASSERT_TRUE(writer.begin());
  ASSERT_TRUE(writer.send("out"));
  ASSERT_TRUE(writer.offsets(6));
  EXPECT_FALSE(cluster.group("g").offsets.contains({"in", 0}));
  ASSERT_TRUE(writer.commit());
  ASSERT_TRUE(world.run_until([&] { return cluster.group("g").offsets.contains({"in", 0}); }, 1s));
  EXPECT_EQ((cluster.group("g").offsets[{"in", 0}]), 6);
  EXPECT_EQ(cluster.count(ApiKey::add_offsets_to_txn), v2() ? 0 : 2);
}

TEST_P(TransactionsTest, offsets_of_one_who_is_no_member_any_more_must_be_aborted) {
  Writer writer(world, cluster);
  ASSERT_TRUE(writer.start());
  ASSERT_TRUE(writer.begin());
  const auto refused = writer.offsets(5, {.group = "g", .generation = 2, .member_id = "gone"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::unknown_member_id);
  EXPECT_EQ(writer.state(), State::must_abort);
  EXPECT_EQ(writer.send("x").error().code(), Errc::transaction_abortable);
  EXPECT_EQ(writer.commit().error().code(), Errc::transaction_abortable);
  ASSERT_TRUE(writer.abort());
  EXPECT_EQ(writer.state(), State::ready);
}

TEST_P(TransactionsTest, offsets_that_are_not_answered_in_time_must_be_aborted) {
  Writer writer(world, cluster);
  ASSERT_TRUE(writer.start());
  ASSERT_TRUE(writer.begin());
  cluster.on_request = [](ApiKey key, int) {
    return key == ApiKey::txn_offset_commit ? Fault{.kind = Kind::silence} : Fault{};
  };
  const auto late = writer.run(
      [](auto& t, MonoTime deadline, auto done) {
        t.commit_offsets({{.group = "g"}, {{{"in", 0}, {.offset = 5}}}}, deadline, std::move(done));
      },
      3s);
  ASSERT_FALSE(late);
  EXPECT_EQ(writer.state(), State::must_abort);
  EXPECT_EQ(writer.commit().error().code(), Errc::transaction_abortable);
  cluster.on_request = nullptr;
  EXPECT_TRUE(writer.abort());
  world.run_for(50ms);
  EXPECT_FALSE(cluster.group("g").offsets.contains({"in", 0}));
}

TEST_P(TransactionsTest, a_second_producer_fences_the_first_and_aborts_what_it_has_open) {
  Writer first(world, cluster);
  ASSERT_TRUE(first.start());
  ASSERT_TRUE(first.begin());
  ASSERT_TRUE(first.send("zombie"));
  ASSERT_TRUE(world.run_until([&] { return first.delivered == 1; }, 10s));
  Writer second(world, cluster);
  ASSERT_TRUE(second.start());
  ASSERT_TRUE(second.begin());
  ASSERT_TRUE(second.send("alive"));
  ASSERT_TRUE(second.commit());
  EXPECT_EQ(first.commit().error().code(), Errc::producer_fenced);
  EXPECT_EQ(first.state(), State::failed);
  EXPECT_EQ(first.send("more").error().code(), Errc::producer_fenced);
  EXPECT_EQ(first.begin().error().code(), Errc::producer_fenced);
  world.run_for(50ms);
  EXPECT_EQ(cluster.committed_values("t"), Values{"alive"});
}

TEST_P(TransactionsTest, a_fenced_producer_that_still_sends_learns_it_when_it_aborts) {
  Writer first(world, cluster);
  ASSERT_TRUE(first.start());
  ASSERT_TRUE(first.begin());
  ASSERT_TRUE(first.send("a"));
  ASSERT_TRUE(world.run_until([&] { return first.delivered == 1; }, 10s));
  Writer second(world, cluster);
  ASSERT_TRUE(second.start());
  ASSERT_TRUE(first.send("b"));
  ASSERT_TRUE(world.run_until([&] { return first.failed == 1; }, 10s));
  EXPECT_EQ(first.state(), State::must_abort);
  const auto aborted = first.abort();
  ASSERT_FALSE(aborted);
  EXPECT_TRUE(aborted.error().fatal());
  EXPECT_EQ(first.state(), State::failed);
}

TEST_P(TransactionsTest, a_transaction_that_took_too_long_is_told_to_be_aborted) {
  Writer writer(world, cluster);
  ASSERT_TRUE(writer.start());
  ASSERT_TRUE(writer.begin());
  ASSERT_TRUE(writer.send("a"));
  ASSERT_TRUE(world.run_until([&] { return writer.delivered == 1; }, 10s));
  cluster.transactions().time_out("tx");
  world.run_for(100ms);
  ASSERT_TRUE(writer.send("b"));
  ASSERT_TRUE(world.run_until([&] { return writer.failed == 1; }, 10s));
  EXPECT_EQ(writer.state(), State::must_abort);
  const auto aborted = writer.abort();
  // The second protocol's coordinator knows the epoch before; the first's cannot tell us from a
  // zombie.
  EXPECT_EQ(aborted.has_value(), v2());
  EXPECT_EQ(writer.state(), v2() ? State::ready : State::failed);
  EXPECT_TRUE(cluster.committed_values("t").empty());
}

TEST_P(TransactionsTest, a_record_that_fails_for_good_makes_the_commit_fail_and_the_next_succeed) {
  Writer writer(world, cluster);
  ASSERT_TRUE(writer.start());
  ASSERT_TRUE(writer.begin());
  bool once = true;
  cluster.on_request = [&](ApiKey key, int) {
    if (key != ApiKey::produce || !std::exchange(once, false)) return Fault{};
    return Fault{.kind = Kind::error, .code = Errc::message_too_large};
  };
  ASSERT_TRUE(writer.send("big"));
  const auto committed = writer.commit();
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code(), Errc::message_too_large);
  EXPECT_EQ(writer.state(), State::must_abort);
  ASSERT_TRUE(writer.abort());
  ASSERT_TRUE(writer.begin());
  ASSERT_TRUE(writer.send("small"));
  const auto next = writer.commit();
  ASSERT_TRUE(next) << next.error().message();
  world.run_for(50ms);
  EXPECT_EQ(cluster.committed_values("t"), Values{"small"});
}

TEST_P(TransactionsTest, a_commit_whose_answer_is_lost_is_committed_once) {
  Writer writer(world, cluster);
  ASSERT_TRUE(writer.start());
  int lost = 0;
  cluster.on_request = [&](ApiKey key, int) {
    if (key == ApiKey::end_txn && ++lost <= 2) return Fault{.kind = Kind::lose_reply};
    return Fault{};
  };
  ASSERT_TRUE(writer.begin());
  ASSERT_TRUE(writer.send("once"));
  const auto committed = writer.commit();
  ASSERT_TRUE(committed) << committed.error().message();
  EXPECT_EQ(cluster.transactions().committed["tx"], 1);
  ASSERT_TRUE(writer.begin());
  ASSERT_TRUE(writer.send("next"));
  ASSERT_TRUE(writer.commit());
  world.run_for(50ms);
  EXPECT_EQ(cluster.committed_values("t"), (Values{"once", "next"}));
}

TEST_P(TransactionsTest, a_commit_that_ran_out_of_time_is_called_again) {
  Writer writer(world, cluster, "tx", {.request_timeout = 2s});
  ASSERT_TRUE(writer.start());
  ASSERT_TRUE(writer.begin());
  ASSERT_TRUE(writer.send("a"));
  bool silent = true;
  cluster.on_request = [&](ApiKey key, int) {
    return key == ApiKey::end_txn && silent ? Fault{.kind = Kind::lose_request} : Fault{};
  };
  const auto late = writer.commit(3s);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), Errc::timed_out);
  EXPECT_EQ(writer.state(), State::committing);
  EXPECT_EQ(writer.abort().error().code(), Errc::invalid_txn_state);
  const int asked = cluster.count(ApiKey::end_txn);
  world.run_for(10s);
  EXPECT_EQ(cluster.count(ApiKey::end_txn), asked) << "nobody waits for it";
  silent = false;
  ASSERT_TRUE(writer.commit());
  world.run_for(50ms);
  EXPECT_EQ(cluster.committed_values("t"), Values{"a"});
}

TEST_P(TransactionsTest, the_coordinator_is_found_again_when_it_moves) {
  Writer writer(world, cluster);
  ASSERT_TRUE(writer.start());
  for (int round = 0; round < 4; ++round) {
    ASSERT_TRUE(writer.begin());
    ASSERT_TRUE(writer.send(std::to_string(round)));
    ASSERT_TRUE(writer.offsets(round));
    cluster.coordinator = (round + 1) % 2;
    ASSERT_TRUE(writer.commit());
  }
  world.run_for(50ms);
  EXPECT_EQ(cluster.committed_values("t"), (Values{"0", "1", "2", "3"}));
  EXPECT_EQ((cluster.group("g").offsets[{"in", 0}]), 3);
}

TEST_P(TransactionsTest, an_id_that_may_not_be_used_is_an_error_at_once) {
  cluster.on_request = [](ApiKey key, int) {
    return key == ApiKey::init_producer_id
               ? Fault{.kind = Kind::error, .code = Errc::transactional_id_authorization_failed}
               : Fault{};
  };
  Writer writer(world, cluster);
  const auto started = writer.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code(), Errc::transactional_id_authorization_failed);
  EXPECT_EQ(writer.state(), State::failed);
}

TEST_P(TransactionsTest, a_coordinator_that_never_answers_ends_the_start_at_its_deadline) {
  cluster.on_request = [](ApiKey key, int) {
    return key == ApiKey::find_coordinator
               ? Fault{.kind = Kind::error, .code = Errc::coordinator_not_available}
               : Fault{};
  };
  Writer writer(world, cluster);
  const auto started = writer.start(5s);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code(), Errc::timed_out);
}

TEST_P(TransactionsTest, a_topic_that_does_not_exist_makes_the_transaction_one_to_abort) {
  Writer writer(world, cluster, "tx", {.max_block = 1s});
  ASSERT_TRUE(writer.start());
  ASSERT_TRUE(writer.begin());
  ASSERT_TRUE(writer.core->send({.topic = "never", .value = "x"}));
  const auto committed = writer.commit();
  ASSERT_FALSE(committed);
  EXPECT_EQ(writer.state(), State::must_abort);
  EXPECT_TRUE(writer.abort());
}

/// Everything that may go wrong with requests does; what was committed is there, once and in order,
/// and nothing else is.
TEST_P(TransactionsTest, random_faults_neither_tear_double_nor_lose_transactions) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    io::SimWorld chaos(seed);
    FakeCluster brokers(chaos, 3);
    brokers.add_topic("t", 3);
    brokers.transaction_version = GetParam();
    Rng dice(seed * 613);
    bool faulty = true;
    brokers.on_request = [&](ApiKey key, int) {
      if (key == ApiKey::api_versions || !faulty || !dice.one_in(8))
        return Fault{.delay = Duration(dice.below(2'000'000))};
      if (dice.one_in(8))
        brokers.move_leader("t", static_cast<int>(dice.below(3)), static_cast<int>(dice.below(3)));
      if (dice.one_in(10)) brokers.coordinator = static_cast<int>(dice.below(3));
      const Errc code = key == ApiKey::produce ? Errc::not_leader_or_follower
                                               : Errc::coordinator_load_in_progress;
      return Fault{.kind = static_cast<Kind>(dice.between(1, 3)),
                   .code = dice.one_in(2) ? Errc::request_timed_out : code};
    };
    Writer writer(chaos, brokers, "tx", {.linger = 1ms, .batch_bytes = 200, .request_timeout = 3s});
    ASSERT_TRUE(writer.start(300s));
    std::map<int, Values> wanted;
    for (int round = 0; round < 12; ++round) {
      ASSERT_TRUE(writer.begin());
      std::map<int, Values> mine;
      for (int i = 0; i < 9; ++i) {
        const std::string value = std::to_string(round) + "." + std::to_string(i);
        mine[i % 3].push_back(value);
        ASSERT_TRUE(writer.send(value, i % 3));
        if (dice.one_in(3)) chaos.run_for(2ms);
      }
      if (dice.one_in(2)) {
        ASSERT_TRUE(writer.offsets(round));
      }
      const bool commit = !dice.one_in(4);
      const auto ended = commit ? writer.commit(300s) : writer.abort(300s);
      ASSERT_TRUE(ended) << ended.error().message();
      if (!commit) continue;
      for (const auto& [p, values] : mine)
        wanted[p].insert(wanted[p].end(), values.begin(), values.end());
    }
    faulty = false;
    chaos.run_for(1s);
    for (const auto& [p, values] : wanted) EXPECT_EQ(brokers.committed_values("t", p), values);
  }
}

}  // namespace
}  // namespace weir::client
