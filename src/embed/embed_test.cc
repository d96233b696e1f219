// A broker in this process, reached without a socket and over one.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <weir/embed.h>

#include <atomic>
#include <filesystem>

namespace weir {
namespace {

using namespace std::chrono_literals;

class embedded_broker : public ::testing::Test {
 public:
  embedded_broker() {
    char name[] = "/tmp/weir-embed-XXXXXX";
    folder_ = ::mkdtemp(name);
  }
  ~embedded_broker() override { std::filesystem::remove_all(folder_); }

 protected:
  static std::vector<std::string> read_all(Client& client, std::size_t count) {
    auto consumer = client.consumer({.auto_offset_reset = OffsetReset::earliest}).value();
    EXPECT_TRUE(consumer.assign({{"t", 0}}));
    std::vector<std::string> values;
    for (int i = 0; i < 100 && values.size() < count; ++i) {
      const auto batches = consumer.poll(1s);
      if (!batches) break;
      for (const Batch& batch : *batches)
        for (const RecordView& record : batch) values.emplace_back(record.value().value_or(""));
    }
    return values;
  }
  std::string folder_;
};

TEST_F(embedded_broker, keeps_what_it_acknowledged_for_the_next_one) {
  {
    auto broker = embed::Broker::open({.data = folder_}).value();
    auto client = Client::connect(broker.local()).value();
    ASSERT_TRUE(client.admin().create_topic({.name = "t", .partitions = 1}));
    auto producer = client.producer().value();
    for (int i = 0; i < 1000; ++i)
      ASSERT_TRUE(producer.send({.topic = "t", .value = std::to_string(i)}));
    ASSERT_TRUE(producer.flush(10s));
  }
  auto broker = embed::Broker::open({.data = folder_, .listen = "127.0.0.1:0"}).value();
  ASSERT_FALSE(broker.addresses().empty());
  auto local = Client::connect(broker.local()).value();
  const auto values = read_all(local, 1000);
  ASSERT_EQ(values.size(), 1000U);
  EXPECT_EQ(values[999], "999");
  auto remote = Client::connect(broker.addresses().front()).value();
  EXPECT_EQ(read_all(remote, 1000), values);
}

TEST_F(embedded_broker, in_memory_serves_the_same_and_leaves_nothing) {
  {
    auto broker = embed::Broker::in_memory({.listen = "127.0.0.1:0"}).value();
    auto client = Client::connect(broker.local()).value();
    ASSERT_TRUE(client.admin().create_topic({.name = "t", .partitions = 1}));
    auto producer = client.producer().value();
    for (int i = 0; i < 1000; ++i)
      ASSERT_TRUE(producer.send({.topic = "t", .value = std::to_string(i)}));
    ASSERT_TRUE(producer.flush(10s));
    EXPECT_EQ(read_all(client, 1000).size(), 1000U);
    auto remote = Client::connect(broker.addresses().front()).value();
    EXPECT_EQ(read_all(remote, 1000).back(), "999");
    EXPECT_TRUE(broker.stop());
  }
  EXPECT_FALSE(std::filesystem::exists("memory"));
  auto other = embed::Broker::in_memory().value();
  EXPECT_TRUE(Client::connect(other.local()).value().admin().list_topics().value().empty());
}

TEST_F(embedded_broker, in_memory_is_full_at_its_bound_and_says_so) {
  auto broker = embed::Broker::in_memory({.most_bytes = 32U << 20U}).value();
  auto client = Client::connect(broker.local()).value();
  ASSERT_TRUE(client.admin().create_topic({.name = "t", .partitions = 1}));
  auto producer = client.producer({.delivery_timeout = 3s, .request_timeout = 1s}).value();
  std::atomic<int> refused{0};
  for (int i = 0; i < 128; ++i)
    ASSERT_TRUE(producer.send({.topic = "t", .value = std::string(512U << 10U, 'x')},
                              [&](const Result<RecordMetadata>& r) { refused += r ? 0 : 1; }));
  (void)producer.flush(20s);
  EXPECT_GT(refused, 0);
  EXPECT_FALSE(client.admin().list_topics().value().empty());
}

TEST_F(embedded_broker, refuses_a_folder_that_is_open_and_a_setting_that_is_not) {
  auto broker = embed::Broker::open({.data = folder_}).value();
  const auto second = embed::Broker::open({.data = folder_});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Errc::locked);
  EXPECT_EQ(
      embed::Broker::open({.data = folder_, .settings = {{"num.partitons", "3"}}}).error().code(),
      Errc::invalid_setting);
}

TEST_F(embedded_broker, a_client_that_outlives_it_is_told_and_not_hung) {
  auto broker = std::make_unique<embed::Broker>(embed::Broker::open({.data = folder_}).value());
  auto client = Client::connect(broker->local()).value();
  client.admin().set_timeout(500ms);
  ASSERT_TRUE(client.admin().create_topic({.name = "t"}));
  broker.reset();
  EXPECT_FALSE(client.admin().list_topics());
}

/// An application's own way of sharing, in a group that the broker does not look into: everything
/// to the member with the largest bid, which travels as user data; the leader's word travels back.
class HighestBid final : public Assignor {
 public:
  explicit HighestBid(std::string bid) : bid_(std::move(bid)) {}
  std::string_view name() const override { return "highest-bid"; }
  std::string_view protocol_type() const override { return "auction"; }
  std::optional<std::string> user_data(const std::vector<std::string>&) override { return bid_; }
  Result<Assignments> assign(const PartitionCounts& partitions,
                             const std::vector<GroupMember>& members) override {
    const GroupMember* winner = nullptr;
    for (const GroupMember& member : members)
      if (winner == nullptr || member.subscription.user_data > winner->subscription.user_data)
        winner = &member;
    Assignments out;
    for (const GroupMember& member : members)
      out[member.id].user_data = "the price is " + winner->subscription.user_data.value_or("?");
    for (const auto& [topic, count] : partitions)
      for (std::int32_t p = 0; p < count; ++p) out[winner->id].partitions.push_back({topic, p});
    return out;
  }
  void on_assignment(const GroupAssignment& assignment, const GroupMetadata&) override {
    told_ = assignment.user_data.value_or("");
  }
  std::string told_;

 private:
  std::string bid_;
};

TEST_F(embedded_broker, members_share_by_an_assignor_and_a_protocol_type_of_the_application) {
  auto broker = embed::Broker::open({.data = folder_}).value();
  auto client = Client::connect(broker.local()).value();
  ASSERT_TRUE(client.admin().create_topic({.name = "t", .partitions = 3}));
  const auto low = std::make_shared<HighestBid>("7");
  const auto high = std::make_shared<HighestBid>("9");
  auto one = client.consumer({.group = "sale", .topics = {"t"}, .assignors = {low}}).value();
  auto two = client.consumer({.group = "sale", .topics = {"t"}, .assignors = {high}}).value();
  const auto settled = [&] {
    return one.assignment().empty() && two.assignment().size() == 3 &&
           client.admin().describe_group("sale").value().state == "Stable";
  };
  // Each round waits for records that do not come: ten seconds in all.
  for (int i = 0; i < 250 && !settled(); ++i) {
    ASSERT_TRUE(one.poll(20ms));
    ASSERT_TRUE(two.poll(20ms));
  }
  ASSERT_TRUE(settled());
  EXPECT_EQ(low->told_, "the price is 9");
  EXPECT_EQ(high->told_, "the price is 9");
  const auto group = client.admin().describe_group("sale").value();
  EXPECT_EQ(group.protocol_type, "auction");
  EXPECT_EQ(group.assignor, "highest-bid");
  EXPECT_EQ(group.members.size(), 2U);
  // Who asks for another kind of group is told so.
  auto stranger = client.consumer({.group = "sale", .topics = {"t"}}).value();
  Result<std::vector<Batch>> answer = std::vector<Batch>();
  for (int i = 0; i < 100 && answer; ++i) {
    ASSERT_TRUE(one.poll(10ms));
    ASSERT_TRUE(two.poll(10ms));
    answer = stranger.poll(100ms);
  }
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), Errc::inconsistent_group_protocol);
}

TEST_F(embedded_broker, records_are_deleted_up_to_an_offset) {
  auto broker = embed::Broker::open({.data = folder_}).value();
  auto client = Client::connect(broker.local()).value();
  ASSERT_TRUE(client.admin().create_topic({.name = "t", .partitions = 1}));
  auto producer = client.producer().value();
  for (int i = 0; i < 10; ++i)
    ASSERT_TRUE(producer.send({.topic = "t", .value = std::to_string(i)}));
  ASSERT_TRUE(producer.flush(10s));
  const auto starts = client.admin().delete_records({{{"t", 0}, 7}});
  ASSERT_TRUE(starts);
  EXPECT_EQ(starts->at({"t", 0}), 7);
  EXPECT_EQ(read_all(client, 3), (std::vector<std::string>{"7", "8", "9"}));
}

}  // namespace
}  // namespace weir
