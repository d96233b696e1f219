// Fetch sessions: what is remembered, what is told again, and their bounds.
#include "broker/fetch_sessions.h"

#include <gtest/gtest.h>

namespace weir::broker {
namespace {

using namespace std::chrono_literals;

constexpr std::int16_t version = 12;  // by name

struct Kit {
  FetchSessions::Opened open(std::int32_t id, std::int32_t epoch,
                             const std::vector<std::pair<std::int32_t, std::int64_t>>& wanted,
                             const std::vector<std::int32_t>& forgotten = {},
                             std::int16_t with_version = version) {
    kafka::FetchRequest request;
    request.session_id = id;
    request.session_epoch = epoch;
    if (!wanted.empty()) {
      auto& topic = request.topics.emplace_back();
      topic.topic = "t";
      for (const auto& [partition, offset] : wanted) {
        auto& row = topic.partitions.emplace_back();
        row.partition = partition;
        row.fetch_offset = offset;
      }
    }
    if (!forgotten.empty()) {
      auto& topic = request.forgotten_topics_data.emplace_back();
      topic.topic = "t";
      topic.partitions = forgotten;
    }
    return sessions.open(request, with_version, now);
  }
  Rng rng{1};
  FetchSessions sessions{rng};
  MonoTime now{1h};
};

std::vector<std::pair<std::int32_t, std::int64_t>> asked(const FetchSession& session) {
  std::vector<std::pair<std::int32_t, std::int64_t>> out;
  for (const auto& target : session.targets())
    out.emplace_back(target.partition, target.fetch_offset);
  return out;
}

using Asked = std::vector<std::pair<std::int32_t, std::int64_t>>;

TEST(fetch_sessions, begin_with_everything_and_go_on_with_what_changes) {
  Kit kit;
  const auto first = kit.open(0, 0, {{0, 5}, {1, 6}});
  ASSERT_NE(first.session, nullptr);
  EXPECT_FALSE(first.incremental);
  const auto second = kit.open(first.session->id(), 1, {{1, 9}, {2, 0}});
  EXPECT_TRUE(second.incremental);
  EXPECT_EQ(asked(*second.session), (Asked{{0, 5}, {1, 9}, {2, 0}}));
  const auto third = kit.open(first.session->id(), 2, {}, {0, 2});
  EXPECT_EQ(asked(*third.session), (Asked{{1, 9}}));
  EXPECT_EQ(kit.sessions.partitions(), 1U);
}

TEST(fetch_sessions, are_told_when_what_they_ask_makes_no_sense) {
  Kit kit;
  const std::int32_t id = kit.open(0, 0, {{0, 0}}).session->id();
  EXPECT_EQ(kit.open(id, 5, {}).error, Errc::invalid_fetch_session_epoch);
  EXPECT_EQ(kit.open(id + 1, 1, {}).error, Errc::fetch_session_id_not_found);
  EXPECT_EQ(kit.open(0, 1, {}).error, Errc::invalid_fetch_session_epoch);
  EXPECT_EQ(kit.open(id, 1, {}, {}, 13).error, Errc::fetch_session_topic_id_error);
  EXPECT_EQ(kit.open(id, 1, {}).error, Errc::none);
}

TEST(fetch_sessions, end_when_their_reader_says_so) {
  Kit kit;
  const std::int32_t id = kit.open(0, 0, {{0, 0}}).session->id();
  const auto last = kit.open(id, -1, {{0, 0}});
  EXPECT_EQ(last.session, nullptr);
  EXPECT_EQ(last.error, Errc::none);
  EXPECT_EQ(kit.sessions.size(), 0U);
  EXPECT_EQ(kit.open(0, -1, {{0, 0}}).session, nullptr);
}

TEST(fetch_sessions, tell_what_has_changed_and_put_what_was_served_last) {
  Kit kit;
  const auto opened = kit.open(0, 0, {{0, 0}, {1, 0}, {2, 0}});
  FetchSession& session = *opened.session;
  const auto targets = session.targets();
  const FetchedState state{.high_watermark = 7, .last_stable_offset = 7, .log_start = 0};
  EXPECT_TRUE(session.must_tell(targets[0], state, false, false));
  EXPECT_FALSE(session.must_tell(targets[0], state, false, false));
  EXPECT_TRUE(session.must_tell(targets[0], state, true, false));
  EXPECT_EQ(asked(session), (Asked{{1, 0}, {2, 0}, {0, 0}}));
  EXPECT_TRUE(session.must_tell(targets[1], {}, false, true));
  EXPECT_TRUE(session.must_tell(targets[1], {}, false, true)) << "an error is told until it ends";
  EXPECT_TRUE(session.must_tell(targets[1], state, false, false));
}

TEST(fetch_sessions, are_bounded_and_the_one_unused_for_longest_makes_room) {
  Kit kit;
  const std::int32_t oldest = kit.open(0, 0, {{0, 0}}).session->id();
  kit.now += 1ms;
  for (std::size_t i = 1; i < FetchSessions::most_sessions; ++i)
    ASSERT_NE(kit.open(0, 0, {{0, 0}}).session, nullptr);
  EXPECT_EQ(kit.open(0, 0, {{0, 0}}).session, nullptr) << "all are in use";
  kit.now += FetchSessions::kept_for + 1s;
  EXPECT_NE(kit.open(0, 0, {{0, 0}}).session, nullptr);
  EXPECT_EQ(kit.sessions.size(), FetchSessions::most_sessions);
  EXPECT_EQ(kit.open(oldest, 1, {}).error, Errc::fetch_session_id_not_found);
}

TEST(fetch_sessions, that_grow_beyond_bounds_begin_anew) {
  Kit kit;
  const std::int32_t id = kit.open(0, 0, {{0, 0}}).session->id();
  std::vector<std::pair<std::int32_t, std::int64_t>> many;
  for (std::int32_t p = 1; p < 9'000; ++p) many.emplace_back(p, 0);
  EXPECT_EQ(kit.open(id, 1, many).error, Errc::none);
  for (auto& [partition, offset] : many) partition += 9'000;
  EXPECT_EQ(kit.open(id, 2, many).error, Errc::fetch_session_id_not_found);
  EXPECT_EQ(kit.sessions.size(), 0U);
  EXPECT_EQ(kit.sessions.partitions(), 0U);
}

}  // namespace
}  // namespace weir::broker
