// A broker in this process, reached without a socket and over one.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <weir/embed.h>

#include <filesystem>

namespace weir {
namespace {

using namespace std::chrono_literals;

class embedded_broker : public ::testing::Test {
 protected:
  embedded_broker() {
    char name[] = "/tmp/weir-embed-XXXXXX";
    folder_ = ::mkdtemp(name);
  }
  ~embedded_broker() override { std::filesystem::remove_all(folder_); }

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

}  // namespace
}  // namespace weir
