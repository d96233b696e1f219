// What a Fetch may bring (KIP-74): whole batches, at most so many bytes of a partition and of all,
// and one batch at least where there is any.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <vector>

#include "base/rng.h"
#include "broker/broker_test_kit.h"
#include "log/batch.h"

namespace weir::broker {
namespace {

constexpr std::array<std::string_view, 4> topics{"a", "b", "c", "d"};

/// One of the partitions that are asked, and what came.
struct Asked {
  std::string_view topic;
  std::size_t offset = 0;  // one record a batch
  std::uint64_t limit = 0;
  std::uint64_t bytes = 0;
};

class FetchLimits : public ::testing::Test {
 public:
  FetchLimits() {
    machine_.start();
    for (const auto topic : topics) check(machine_.create_topic(topic) == Errc::none, "topics");
  }

 protected:
  /// Batches of random sizes, some in segments alone, the last in memory too.
  void fill() {
    write(12);
    machine_.stop();
    machine_.start();
    for (const auto topic : topics) in_segments_[topic] = sizes_of(topic).size();
    write(5);
  }

  void write(std::size_t batches) {
    for (const auto topic : topics)
      for (std::size_t n = rng_.below(batches); n > 0; --n) {
        const std::string value(1 + rng_.below(2000), 'x');
        check(machine_.produce(topic, value) == Errc::none, "produced");
      }
  }

  std::vector<Asked> any_order() {
    std::vector<Asked> asked;
    for (const auto topic : topics) asked.push_back({.topic = topic});
    for (std::size_t i = asked.size() - 1; i > 0; --i)
      std::swap(asked[i], asked[rng_.below(i + 1)]);
    return asked;
  }

  void fetch(std::vector<Asked>& asked, std::uint64_t limit) {
    kafka::FetchRequest request;
    request.max_bytes = static_cast<std::int32_t>(limit);
    for (const auto& one : asked) {
      auto& topic = request.topics.emplace_back();
      topic.topic = one.topic;
      auto& partition = topic.partitions.emplace_back();
      partition.fetch_offset = static_cast<std::int64_t>(one.offset);
      partition.partition_max_bytes = static_cast<std::int32_t>(one.limit);
      partition.current_leader_epoch = -1;
    }
    machine_.ask<kafka::FetchResponse>(request, 11, [&](const auto& response) {
      ASSERT_EQ(response.responses.size(), asked.size());
      for (std::size_t i = 0; i < asked.size(); ++i) {
        const auto& part = response.responses[i].partitions.front();
        ASSERT_EQ(part.error_code, 0);
        asked[i].bytes = part.records.bytes().size();
      }
    });
  }

  /// Sizes of a topic's batches, read one by one.
  std::vector<std::uint64_t> sizes_of(std::string_view topic) {
    std::vector<std::uint64_t> sizes;
    for (;;) {
      std::vector<Asked> one{{.topic = topic, .offset = sizes.size(), .limit = 1}};
      fetch(one, 1);
      if (one.front().bytes == 0) return sizes;
      sizes.push_back(one.front().bytes);
    }
  }

  Rng rng_{7};
  BrokerMachine machine_;
  std::map<std::string_view, std::size_t> in_segments_;  // batches; a read ends there
};

TEST_F(FetchLimits, hold_for_each_partition_and_for_all_and_something_always_comes) {
  fill();
  std::map<std::string_view, std::vector<std::uint64_t>> sizes;
  for (const auto topic : topics) sizes[topic] = sizes_of(topic);
  std::size_t full = 0;
  for (int round = 0; round < 500; ++round) {
    SCOPED_TRACE(round);
    auto asked = any_order();
    for (auto& one : asked) {
      one.offset = rng_.below(sizes[one.topic].size() + 1);
      one.limit = rng_.below(6000);
    }
    const std::uint64_t limit = rng_.below(2) == 0 ? 100'000 : rng_.below(12'000);
    fetch(asked, limit);

    std::uint64_t total = 0;
    std::uint64_t beyond = 0;  // the first batch, if it is larger than what was asked for
    for (const auto& one : asked) {
      SCOPED_TRACE(one.topic);
      const auto& all = sizes[one.topic];
      std::size_t next = one.offset;
      std::uint64_t bytes = 0;
      while (bytes < one.bytes) bytes += all.at(next++);
      EXPECT_EQ(bytes, one.bytes) << "whole batches";
      EXPECT_TRUE(total > 0 || bytes > 0 || one.offset == all.size());
      if (total == 0 && bytes > std::min(one.limit, limit)) {
        EXPECT_EQ(next, one.offset + 1);
        beyond = bytes;
      } else {
        EXPECT_LE(bytes, one.limit);
        EXPECT_LE(total + bytes, limit + beyond);
      }
      total += bytes;
      if (next == all.size() || next == in_segments_[one.topic]) {
        full += bytes > 0 ? 1 : 0;
      } else {
        EXPECT_TRUE(bytes + all[next] > one.limit || total + all[next] > limit) << "no more came";
      }
    }
  }
  EXPECT_GT(full, 100U) << "limits that let all through are among them";
}

}  // namespace
}  // namespace weir::broker
