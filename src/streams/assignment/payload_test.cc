#include "streams/assignment/payload.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace weir::streams {
namespace {

Uuid process(std::uint8_t last) {
  Uuid out;
  out.bytes[15] = last;
  return out;
}

// Both as docs/formats/streams-group.md shows them.
constexpr std::string_view golden_subscription =
    "01010000000007"
    "0000000000000000000000000000000a"
    "0003683a3100076170702d612d30"
    "000000020000000000000003fffffffffffffffe00"
    "0000000100000000000000000000002a01"
    "00000001000000030000000100000005"
    "0000000100047261636b00027231"
    "0000000100076170702d622d30";
constexpr std::string_view golden_assignment =
    "01010000000000000927c0"
    "0000000200000000000000020000000000000003000000010000000100000000"
    "00000001000000020000000100000001"
    "00000001000000030000000100000005"
    "0000000100076170702d622d30"
    "000000020000000000000000000000000000000a0003683a31"
    "0000000200076170702d612d300000000200000000000000020000000000000003000000010000000100000000"
    "00076170702d612d3100000000"
    "0000000000000000000000000000000b000000000000";

StreamSubscription a_subscription() {
  return {.unique = 7,
          .process = process(10),
          .endpoint = "h:1",
          .transactional_id = "app-a-0",
          .tasks = {{{0, 3}, runs_it, false}, {{1, 0}, 42, true}},
          .awaited = {{3, 5}},
          .tags = {{"rack", "r1"}},
          .peers = {"app-b-0"}};
}
StreamAssignment an_assignment() {
  return {
      .next_rebalance = std::chrono::minutes(10),
      .active = {{0, 0}, {0, 3}, {1, 0}},
      .standby = {{2, 1}},
      .awaited = {{3, 5}},
      .fence = {"app-b-0"},
      .processes = {{process(10), "h:1", {{"app-a-0", {{0, 0}, {0, 3}, {1, 0}}}, {"app-a-1", {}}}},
                    {process(11), "", {}}}};
}

TEST(StreamPayload, subscriptions_and_assignments_come_back_as_they_were_written) {
  const auto subscription = decode_stream_subscription(*encode(a_subscription()));
  ASSERT_TRUE(subscription) << subscription.error().message();
  EXPECT_EQ(*subscription, a_subscription());
  const auto assignment = decode_stream_assignment(*encode(an_assignment()));
  ASSERT_TRUE(assignment) << assignment.error().message();
  EXPECT_EQ(*assignment, an_assignment());
  EXPECT_EQ(*decode_stream_assignment(*encode(StreamAssignment{})), StreamAssignment{});
}

TEST(StreamPayload, they_are_the_bytes_of_the_page) {
  EXPECT_EQ(to_hex(*encode(a_subscription())), golden_subscription);
  EXPECT_EQ(to_hex(*encode(an_assignment())), golden_assignment);
}

TEST(StreamPayload, cut_and_longer_bytes_are_refused_at_every_length) {
  const std::string subscription = *encode(a_subscription());
  for (std::size_t n = 0; n < subscription.size(); ++n)
    EXPECT_EQ(decode_stream_subscription(subscription.substr(0, n)).error().code(), Errc::malformed)
        << n;
  EXPECT_FALSE(decode_stream_subscription(subscription + "x"));
  const std::string assignment = *encode(an_assignment());
  for (std::size_t n = 0; n < assignment.size(); ++n)
    EXPECT_EQ(decode_stream_assignment(assignment.substr(0, n)).error().code(), Errc::malformed)
        << n;
  EXPECT_FALSE(decode_stream_assignment(assignment + "x"));
}

TEST(StreamPayload, a_newer_version_is_refused_by_name_and_says_what_it_can) {
  std::string bytes = *encode(a_subscription());
  bytes[0] = 3;
  bytes[1] = 4;
  const auto read = decode_stream_subscription(bytes);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), Errc::unsupported_version);
  EXPECT_NE(read.error().message().find("version 3"), std::string::npos);
  const auto versions = versions_of(bytes);
  ASSERT_TRUE(versions);
  EXPECT_EQ(versions->version, 3);
  EXPECT_EQ(versions->latest, 4);
  EXPECT_FALSE(versions_of("\1"));
  EXPECT_FALSE(versions_of(std::string("\0\1", 2)));
}

TEST(StreamPayload, a_version_that_is_not_known_is_not_written) {
  StreamSubscription subscription = a_subscription();
  subscription.version = stream_payload_version + 1;
  EXPECT_EQ(encode(subscription).error().code(), Errc::invalid_argument);
  subscription.version = 1;
  subscription.endpoint = std::string(40'000, 'x');
  EXPECT_EQ(encode(subscription).error().code(), Errc::invalid_argument);
}

/// The golden bytes with the first `from` in them replaced, all as hexadecimal text.
std::string with(std::string_view golden, std::string_view from, std::string_view to) {
  std::string text(golden);
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return from_hex(text.replace(at, from.size(), to));
}

TEST(StreamPayload, what_no_member_writes_is_refused) {
  const auto subscription = [](std::string_view from, std::string_view to) {
    return decode_stream_subscription(with(golden_subscription, from, to)).has_value();
  };
  EXPECT_TRUE(subscription("01010000000007", "01010400000007")) << "shutdown";
  EXPECT_FALSE(subscription("01010000000007", "01010500000007")) << "a code of leaders";
  EXPECT_FALSE(subscription("01010000000007", "01010200000007")) << "a code of nobody";
  EXPECT_FALSE(subscription("01010000000007", "01000000000007")) << "latest below 1";
  EXPECT_FALSE(subscription("01010000000007", "00010000000007")) << "version 0";
  EXPECT_FALSE(subscription("0000000000000003ff", "0000000100000003ff")) << "tasks out of order";
  EXPECT_FALSE(subscription("0000000000000003ff", "ffffffff00000003ff")) << "a task below 0";
  EXPECT_FALSE(subscription("fffffffffffffffe00", "ffffffffffffffff00")) << "an offset of -1";
  EXPECT_FALSE(subscription("fffffffffffffffe00", "fffffffffffffffe01")) << "runs as a standby";
  EXPECT_FALSE(subscription("000000000000002a01", "000000000000002a02")) << "standby 2";
  EXPECT_FALSE(subscription("000000010007617070", "7fffffff0007617070")) << "a lying count";
  const auto assignment = [](std::string_view from, std::string_view to) {
    return decode_stream_assignment(with(golden_assignment, from, to)).has_value();
  };
  EXPECT_TRUE(assignment("00000000000927c0", "ffffffffffffffff")) << "never again";
  EXPECT_FALSE(assignment("00000000000927c0", "fffffffffffffffe")) << "a time of -2";
  EXPECT_FALSE(assignment("0000000000000003", "0000000000000000")) << "a task twice";
  EXPECT_FALSE(assignment("000000010000000100000000", "000000010000000000000000")) << "no tasks";
  EXPECT_FALSE(assignment("0000000b0000", "0000000a0000")) << "a process twice";
  EXPECT_FALSE(assignment("6170702d612d31", "6170702d602d31")) << "members out of order";
}

TEST(StreamPayload, ten_thousand_tasks_are_read) {
  StreamAssignment all;
  for (std::int32_t p = 0; p < 10'000; ++p) all.active.push_back({p / 100, p});
  all.processes = {{process(1), "host.example:9090", {{"application-1", all.active}}}};
  const auto read = decode_stream_assignment(*encode(all));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(*read, all);
}

}  // namespace
}  // namespace weir::streams
