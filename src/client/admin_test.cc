#include <gtest/gtest.h>

#include "client/admin_core.h"
#include "client/fake_cluster.h"

namespace weir::client {
namespace {

using namespace std::chrono_literals;
using kafka::ApiKey;
using Kind = Fault::Kind;

class AdminTest : public testing::Test {
 protected:
  /// Runs one call to its end in virtual time.
  template <class T>
  Result<T> run(std::function<void(MonoTime, Done<T>)> call, Duration timeout = 10s) {
    Result<T> result;
    bool over = false;
    call(process->loop().now() + timeout, [&](Result<T> r) {
      result = std::move(r);
      over = true;
    });
    EXPECT_TRUE(world.run_until([&] { return over; }, timeout + 31s));
    return result;
  }
  Result<void> create(const std::string& name, Duration timeout = 10s) {
    auto results = run<AdminCore::Results>(
        [&](MonoTime deadline, auto done) {
          admin.create_topics({{.name = name, .partitions = 3}}, false, deadline, std::move(done));
        },
        timeout);
    if (!results) return fail(results.error());
    return results->front();
  }

  io::SimWorld world{5};
  FakeCluster cluster{world, 2};
  std::unique_ptr<io::SimProcess> process = world.start_process();
  StreamTransport transport{process->loop(), process->network()};
  AdminCore admin{process->loop(), transport, process->rng(),
                  ClusterOptions{.bootstrap = {{"127.0.0.1", 1}, cluster.address()}}};
};

TEST_F(AdminTest, a_topic_is_made_and_described_although_the_first_address_answers_nobody) {
  ASSERT_TRUE(create("t"));
  auto topic = run<TopicDescription>(
      [&](MonoTime deadline, auto done) { admin.describe_topic("t", deadline, std::move(done)); });
  ASSERT_TRUE(topic) << topic.error().message();
  ASSERT_EQ(topic->partitions.size(), 3U);
  EXPECT_EQ(topic->partitions[1].leader, 1);
}

TEST_F(AdminTest, all_offsets_of_a_group_wait_for_transactions_only_if_that_is_asked) {
  cluster.group("g").offsets = {{{"t", 0}, 7}, {{"u", 2}, 9}};
  for (const bool stable : {false, true}) {
    auto offsets =
        run<std::map<TopicPartition, OffsetAndMetadata>>([&](MonoTime deadline, auto done) {
          admin.list_group_offsets("g", stable, deadline, std::move(done));
        });
    ASSERT_TRUE(offsets) << offsets.error().message();
    EXPECT_EQ(offsets->size(), 2U);
    EXPECT_EQ(offsets->at({"u", 2}).offset, 9);
    EXPECT_EQ(cluster.group("g").asked_for_stable, stable);
  }
}

TEST_F(AdminTest, a_topic_that_exists_is_said_and_one_that_does_not_is_not_waited_for) {
  ASSERT_TRUE(create("t"));
  EXPECT_EQ(create("t").error().code(), Errc::topic_already_exists);
  auto topic = run<TopicDescription>(
      [&](MonoTime deadline, auto done) { admin.describe_topic("u", deadline, std::move(done)); });
  EXPECT_EQ(topic.error().code(), Errc::unknown_topic_or_partition);
}

TEST_F(AdminTest, a_controller_that_moved_is_asked_again_until_the_deadline) {
  int refusals = 2;
  cluster.on_request = [&](ApiKey key, int) {
    if (key != ApiKey::create_topics || refusals-- <= 0) return Fault{};
    return Fault{.kind = Kind::error, .code = Errc::not_controller};
  };
  EXPECT_TRUE(create("t"));
  cluster.on_request = [](ApiKey key, int) {
    if (key != ApiKey::create_topics) return Fault{};
    return Fault{.kind = Kind::error, .code = Errc::not_controller};
  };
  auto refused = create("u", 2s);
  EXPECT_EQ(refused.error().code(), Errc::not_controller);
  EXPECT_NE(refused.error().message().find("tried"), std::string::npos);
}

TEST_F(AdminTest, a_topic_is_reported_only_when_the_metadata_shows_its_leaders) {
  bool led = false;
  cluster.on_request = [&](ApiKey key, int) {
    if (key == ApiKey::metadata && cluster.count(ApiKey::create_topics) > 0) {
      cluster.partition("t", 1).leader = led ? 1 : -1;
      if (cluster.count(ApiKey::metadata) > 8) led = true;
    }
    return Fault{};
  };
  ASSERT_TRUE(create("t"));
  EXPECT_TRUE(led);
}

}  // namespace
}  // namespace weir::client
