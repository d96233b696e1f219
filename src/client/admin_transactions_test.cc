#include <gtest/gtest.h>

#include "client/admin_core.h"
#include "client/fake_cluster.h"

namespace weir::client {
namespace {

using namespace std::chrono_literals;
using kafka::ApiKey;
using Kind = Fault::Kind;
using State = FakeTransactions::State;

class AdminTransactionsTest : public testing::Test {
 protected:
  void SetUp() override {
    cluster.add_topic("t", 3);
    cluster.partition("t", 1).leader = 1;
    cluster.coordinator = 1;
    cluster.transactions().of("billing") = {.producer_id = 4,
                                            .epoch = 2,
                                            .state = State::ongoing,
                                            .committed = false,
                                            .partitions = {{"t", 0}, {"t", 1}},
                                            .offsets = {}};
    for (const int partition : {0, 1}) open(partition, 4, 2, 10 + partition);
  }
  void open(int partition, std::int64_t producer, std::int16_t epoch, std::int64_t at) {
    cluster.partition("t", partition).producers[producer].epoch = epoch;
    cluster.partition("t", partition).open[producer] = at;
  }

  /// Runs one call to its end in virtual time.
  template <class T>
  Result<T> run(std::function<void(MonoTime, Done<T>)> call, Duration timeout = 10s) {
    Result<T> result = fail(Errc::cancelled, "the call never ended");
    bool over = false;
    call(process->loop().now() + timeout, [&](Result<T> r) {
      result = std::move(r);
      over = true;
    });
    EXPECT_TRUE(world.run_until([&] { return over; }, timeout + 31s));
    return result;
  }
  Result<std::vector<TransactionListing>> list(const TransactionFilter& filter = {}) {
    return run<std::vector<TransactionListing>>([&](MonoTime deadline, auto done) {
      admin.list_transactions(filter, deadline, std::move(done));
    });
  }
  Result<TransactionDescription> describe(const std::string& id) {
    return run<TransactionDescription>([&](MonoTime deadline, auto done) {
      admin.describe_transaction(id, deadline, std::move(done));
    });
  }
  Result<ProducersByPartition> producers(const std::vector<TopicPartition>& partitions,
                                         std::optional<std::int32_t> broker = {}) {
    return run<ProducersByPartition>([&](MonoTime deadline, auto done) {
      admin.describe_producers(partitions, broker, deadline, std::move(done));
    });
  }
  Result<void> abort(const AbortTransaction& transaction) {
    return run<void>([&](MonoTime deadline, auto done) {
      admin.abort_transaction(transaction, deadline, std::move(done));
    });
  }

  io::SimWorld world{5};
  FakeCluster cluster{world, 2};
  std::unique_ptr<io::SimProcess> process = world.start_process();
  StreamTransport transport{process->loop(), process->network()};
  AdminCore admin{process->loop(), transport, process->rng(),
                  ClusterOptions{.bootstrap = {cluster.address()}}};
};

TEST_F(AdminTransactionsTest, every_broker_is_asked_for_the_transactions_that_it_coordinates) {
  const auto all = list();
  ASSERT_TRUE(all) << all.error().message();
  ASSERT_EQ(all->size(), 1U);
  EXPECT_EQ(all->front().id, "billing");
  EXPECT_EQ(all->front().state, "Ongoing");
  EXPECT_EQ(all->front().producer_id, 4);
  EXPECT_EQ(all->front().coordinator, 1);
  EXPECT_EQ(cluster.count(ApiKey::list_transactions), 2);
  const auto others = list({.producer_ids = {5}});
  ASSERT_TRUE(others);
  EXPECT_TRUE(others->empty());
}

TEST_F(AdminTransactionsTest, a_filter_that_the_broker_is_too_old_for_is_an_error) {
  cluster.newest[ApiKey::list_transactions] = 1;
  EXPECT_TRUE(list({.open_longer_than = 5s}));
  EXPECT_EQ(list({.id_pattern = "b.*"}).error().code(), Errc::unsupported_version);
  // A connection keeps the versions that it was told at its start.
  AdminCore second{process->loop(), transport, process->rng(),
                   ClusterOptions{.bootstrap = {cluster.address()}}};
  cluster.newest[ApiKey::list_transactions] = 0;
  const auto filtered = run<std::vector<TransactionListing>>([&](MonoTime deadline, auto done) {
    second.list_transactions({.open_longer_than = 5s}, deadline, std::move(done));
  });
  EXPECT_EQ(filtered.error().code(), Errc::unsupported_version);
}

TEST_F(AdminTransactionsTest, a_transaction_is_described_by_its_coordinator_after_it_has_moved) {
  cluster.on_request = [this](ApiKey key, int) {
    if (key == ApiKey::describe_transactions) cluster.coordinator = 0;
    return Fault{};
  };
  const auto told = describe("billing");
  ASSERT_TRUE(told) << told.error().message();
  EXPECT_EQ(told->state, "Ongoing");
  EXPECT_EQ(told->producer_epoch, 2);
  EXPECT_EQ(told->timeout, 60s);
  EXPECT_EQ(told->started, Timestamp(1s));
  EXPECT_EQ(told->partitions, (std::vector<TopicPartition>{{"t", 0}, {"t", 1}}));
  EXPECT_GT(cluster.count(ApiKey::describe_transactions), 1);
  EXPECT_EQ(describe("biling").error().code(), Errc::transactional_id_not_found);
}

TEST_F(AdminTransactionsTest, producers_are_asked_of_each_leader_after_one_has_moved) {
  const std::vector<TopicPartition> both = {{"t", 0}, {"t", 1}};
  ASSERT_TRUE(producers(both));  // now the leaders are known
  cluster.move_leader("t", 0, 1);
  const auto told = producers(both);
  ASSERT_TRUE(told) << told.error().message();
  ASSERT_EQ(told->size(), 2U);
  const ProducerState& first = told->at({"t", 0}).front();
  EXPECT_EQ(first.producer_id, 4);
  EXPECT_EQ(first.producer_epoch, 2);
  EXPECT_EQ(first.transaction_start, 10);
  EXPECT_EQ(told->at({"t", 1}).front().transaction_start, 11);
}

TEST_F(AdminTransactionsTest, producers_of_a_broker_that_is_not_there_are_not_told_by_another) {
  EXPECT_EQ(producers({{"t", 0}}, 7).error().code(), Errc::broker_id_not_registered);
  const auto told = producers({{"t", 1}}, 1);
  ASSERT_TRUE(told) << told.error().message();
  EXPECT_EQ(told->at({"t", 1}).size(), 1U);
}

TEST_F(AdminTransactionsTest, an_abort_ends_what_one_partition_has_open) {
  open(2, 9, 3, 20);
  ASSERT_TRUE(abort({.partition = {"t", 2}, .producer_id = 9, .producer_epoch = 3}));
  EXPECT_TRUE(cluster.partition("t", 2).open.empty());
  EXPECT_FALSE(cluster.partition("t", 0).open.empty());
  EXPECT_EQ(abort({.partition = {"t", 2}, .producer_id = 9, .producer_epoch = 2}).error().code(),
            Errc::invalid_producer_epoch);
}

TEST_F(AdminTransactionsTest, fencing_returns_when_the_open_transaction_is_aborted) {
  const auto fenced = run<FencedProducer>([&](MonoTime deadline, auto done) {
    admin.fence_producer("billing", deadline, std::move(done));
  });
  ASSERT_TRUE(fenced) << fenced.error().message();
  EXPECT_EQ(fenced->producer_id, 4);
  EXPECT_GT(fenced->producer_epoch, 2);
  EXPECT_TRUE(cluster.partition("t", 0).open.empty());
  EXPECT_TRUE(cluster.partition("t", 1).open.empty());
  EXPECT_EQ(cluster.transactions().aborted["billing"], 1);
}

}  // namespace
}  // namespace weir::client
