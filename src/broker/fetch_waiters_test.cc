// Fetches that wait: for bytes, for their time to be over, for the end.
#include <gtest/gtest.h>

#include "broker/broker_test_kit.h"
#include "kafka/messages/delete_topics.h"

namespace weir::broker {
namespace {

using namespace std::chrono_literals;

/// A Fetch under way and what came of it.
struct Waiting {
  bool answered = false;
  Errc error = Errc::none;
  std::vector<std::size_t> bytes;  // by partition, in the order of the request
};

class FetchWaiting : public ::testing::Test {
 protected:
  FetchWaiting() {
    machine_.start();
    check(machine_.create_topic("t") == Errc::none && machine_.create_topic("u") == Errc::none,
          "topics");
    reader_ = machine_.connect();
  }
  ~FetchWaiting() override { reader_.reset(); }

  struct Ask {
    std::vector<std::string_view> topics{"t"};
    std::int64_t offset = 0;
    std::int32_t min_bytes = 1;
    std::int32_t max_wait_ms = 10'000;
    std::int32_t epoch = -1;
  };
  std::shared_ptr<Waiting> fetch(const Ask& ask) {
    kafka::FetchRequest request;
    request.max_wait_ms = ask.max_wait_ms;
    request.min_bytes = ask.min_bytes;
    for (const auto name : ask.topics) {
      auto& topic = request.topics.emplace_back();
      topic.topic = name;
      auto& partition = topic.partitions.emplace_back();
      partition.fetch_offset = ask.offset;
      partition.partition_max_bytes = 1 << 20;
      partition.current_leader_epoch = ask.epoch;
    }
    auto out = std::make_shared<Waiting>();
    reader_->call<kafka::FetchResponse>(request, 11, [out](Result<kafka::FetchResponse> response) {
      out->answered = true;
      if (!response) {
        out->error = response.error().code();
        return;
      }
      for (const auto& topic : response->responses)
        for (const auto& part : topic.partitions) {
          out->bytes.push_back(part.records.bytes().size());
          if (part.error_code != 0) out->error = errc_from_wire(part.error_code);
        }
    });
    machine_.world.run_for(50ms);
    return out;
  }

  BrokerMachine machine_;
  std::unique_ptr<sim::ScriptedClient> reader_;
};

TEST_F(FetchWaiting, it_is_answered_as_soon_as_there_are_bytes) {
  const auto waiting = fetch({});
  EXPECT_FALSE(waiting->answered);
  ASSERT_EQ(machine_.produce("t", "x"), Errc::none);
  machine_.until([&] { return waiting->answered; }, 100ms);
  EXPECT_GT(waiting->bytes.front(), 0U);
}

TEST_F(FetchWaiting, it_is_answered_empty_when_its_time_is_over_and_not_before) {
  const auto waiting = fetch({.max_wait_ms = 500});
  machine_.world.run_for(400ms);
  EXPECT_FALSE(waiting->answered);
  machine_.world.run_for(100ms);
  EXPECT_TRUE(waiting->answered);
  EXPECT_EQ(waiting->error, Errc::none);
  EXPECT_EQ(waiting->bytes.front(), 0U);
}

TEST_F(FetchWaiting, it_waits_for_as_many_bytes_as_it_asks_for) {
  const auto waiting = fetch({.min_bytes = 2000});
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(machine_.produce("t", std::string(800, 'x')), Errc::none);
    machine_.world.run_for(20ms);
    EXPECT_FALSE(waiting->answered);
  }
  ASSERT_EQ(machine_.produce("t", std::string(800, 'x')), Errc::none);
  machine_.until([&] { return waiting->answered; }, 100ms);
  EXPECT_GE(waiting->bytes.front(), 2000U);
}

TEST_F(FetchWaiting, any_of_its_partitions_can_answer_it_and_then_the_others_do_not_again) {
  const auto waiting = fetch({.topics = {"t", "u"}});
  ASSERT_EQ(machine_.produce("u", "x"), Errc::none);
  machine_.until([&] { return waiting->answered; }, 100ms);
  EXPECT_EQ(waiting->bytes.front(), 0U);
  EXPECT_GT(waiting->bytes.back(), 0U);
  ASSERT_EQ(machine_.produce("t", "x"), Errc::none);
  machine_.world.run_for(100ms);
  EXPECT_EQ(waiting->bytes.size(), 2U);
}

TEST_F(FetchWaiting, what_can_never_be_served_is_answered_at_once) {
  EXPECT_EQ(fetch({.topics = {"nowhere"}})->error, Errc::unknown_topic_or_partition);
  EXPECT_EQ(fetch({.offset = 5})->error, Errc::offset_out_of_range);
  EXPECT_EQ(fetch({.epoch = 99})->error, Errc::unknown_leader_epoch);
  EXPECT_TRUE(fetch({.topics = {}})->answered);
  EXPECT_TRUE(fetch({.max_wait_ms = 0})->answered);
  EXPECT_TRUE(fetch({.min_bytes = 0})->answered);
}

TEST_F(FetchWaiting, the_deletion_of_its_topic_ends_it) {
  const auto waiting = fetch({});
  kafka::DeleteTopicsRequest request;
  request.topic_names.push_back("t");
  request.timeout_ms = 1000;
  machine_.ask<kafka::DeleteTopicsResponse>(request, 1, [](const auto&) {});
  machine_.until([&] { return waiting->answered; }, 1s);
  EXPECT_EQ(waiting->error, Errc::unknown_topic_or_partition);
}

TEST_F(FetchWaiting, a_client_that_goes_away_leaves_nothing_behind) {
  for (int i = 0; i < 100; ++i) {
    (void)fetch({.max_wait_ms = 1000});
    reader_->close();
    reader_ = machine_.connect();
  }
  machine_.world.run_for(5s);
  ASSERT_EQ(machine_.produce("t", "x"), Errc::none);
  const auto last = fetch({});
  EXPECT_TRUE(last->answered);
}

TEST_F(FetchWaiting, a_stop_answers_it) {
  const auto waiting = fetch({});
  bool stopped = false;
  machine_.broker->stop([&](const Result<void>&) { stopped = true; });
  machine_.until([&] { return stopped; });
  EXPECT_TRUE(waiting->answered);
  EXPECT_EQ(waiting->error, Errc::none);
}

}  // namespace
}  // namespace weir::broker
