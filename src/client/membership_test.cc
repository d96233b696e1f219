#include "client/membership.h"

#include <gtest/gtest.h>

namespace weir::client {
namespace {

using namespace std::chrono_literals;
using Phase = Membership::Phase;

/// A membership with a clock; the actions of the last event are kept.
class MembershipTest : public testing::Test {
 protected:
  void open(MembershipOptions options = {.group = "g"}) {
    member = std::make_unique<Membership>(options, rng);
  }
  template <class Action>
  const Action* find() const {
    for (const MembershipAction& action : actions)
      if (const auto* found = std::get_if<Action>(&action)) return found;
    return nullptr;
  }
  template <class Action>
  Action take() {
    const Action* found = find<Action>();
    EXPECT_NE(found, nullptr) << "that action is not there";
    return found == nullptr ? Action{} : *found;
  }
  /// Time goes on, timers fire.
  void sleep(Duration time) {
    const MonoTime end = now + time;
    actions.clear();
    while (member->next_timer() <= end) {
      now = std::max(now, member->next_timer());
      for (auto& action : member->on_timer(now)) actions.push_back(std::move(action));
    }
    now = end;
  }
  void join() {
    actions = member->join(now, "subscribes");
    EXPECT_FALSE(take<Prepare>().lost);
    prepared();
  }
  void prepared() {
    actions = member->prepared(now);
    if (find<FindCoordinator>() != nullptr) actions = member->on_coordinator(now);
  }
  void answer_join(JoinAnswer answer) {
    const auto sent = take<SendJoin>();
    actions = member->on_join(now, sent.attempt, std::move(answer));
  }
  void answer_sync(SyncAnswer answer) {
    const auto sent = take<SendSync>();
    actions = member->on_sync(now, sent.attempt, std::move(answer));
  }
  static JoinAnswer follower(std::int32_t generation = 1, std::string id = "m1") {
    return {.generation = generation, .protocol = "range", .leader = "other", .member_id = id};
  }
  void be_stable(std::int32_t generation = 1) {
    join();
    answer_join(follower(generation));
    answer_sync({.assignment = "a"});
    EXPECT_EQ(take<Deliver>().assignment, "a");
    EXPECT_EQ(member->phase(), Phase::stable);
    member->poll_began(now);
  }
  void heartbeat(Errc code) {
    sleep(3s);
    const auto beat = take<SendHeartbeat>();
    actions = member->on_heartbeat(now, beat.member, result(code));
  }
  static Result<void> result(Errc code) {
    if (code == Errc::none) return {};
    return fail(code, "x");
  }

  Rng rng{5};
  MonoTime now{1h};
  std::unique_ptr<Membership> member;
  MembershipActions actions;
};

TEST_F(MembershipTest, a_member_joins_with_the_id_that_the_broker_gives_and_syncs) {
  open();
  join();
  EXPECT_EQ(take<SendJoin>().member_id, "");
  EXPECT_EQ(take<SendJoin>().reason, "subscribes");
  EXPECT_EQ(take<SendJoin>().timeout, 305s);
  answer_join({.code = Errc::member_id_required, .member_id = "m1"});
  EXPECT_EQ(take<SendJoin>().member_id, "m1");
  answer_join(follower(4));
  EXPECT_EQ(take<SendSync>().member.generation, 4);
  EXPECT_TRUE(take<SendSync>().assignments.empty());
  answer_sync({.protocol_type = "consumer", .protocol = "range", .assignment = "bytes"});
  const auto delivered = take<Deliver>();
  EXPECT_EQ(delivered.assignment, "bytes");
  EXPECT_EQ(delivered.member.member_id, "m1");
  EXPECT_EQ(delivered.member.generation, 4);
}

TEST_F(MembershipTest, the_leader_shares_out_before_it_syncs_and_beats_meanwhile) {
  open();
  join();
  JoinAnswer answer = follower();
  answer.leader = "m1";
  answer.members = {{GroupMember{.id = "m1"}, "s1"}, {GroupMember{.id = "m2"}, "s2"}};
  answer_join(std::move(answer));
  const auto share = take<ShareOut>();
  EXPECT_EQ(share.members.size(), 2U);
  EXPECT_TRUE(member->is_leader());
  sleep(3s);
  EXPECT_NE(find<SendHeartbeat>(), nullptr);
  actions = member->share_out(now, share.attempt, std::map<std::string, std::string>{{"m1", "x"}});
  EXPECT_EQ(take<SendSync>().assignments.at("m1"), "x");
}

TEST_F(MembershipTest, a_leader_that_comes_back_statically_keeps_the_assignment) {
  open({.group = "g", .instance_id = "i"});
  join();
  JoinAnswer answer = follower();
  answer.leader = "m1";
  answer.skip_assignment = true;
  answer.members = {{GroupMember{.id = "m1"}, "s1"}, {GroupMember{.id = "m2"}, "s2"}};
  answer_join(std::move(answer));
  EXPECT_EQ(find<ShareOut>(), nullptr);
  EXPECT_EQ(take<WatchOver>().members.size(), 2U);
  EXPECT_TRUE(take<SendSync>().assignments.empty());
}

TEST_F(MembershipTest, an_assignor_that_fails_ends_the_membership) {
  open();
  join();
  JoinAnswer answer = follower();
  answer.leader = "m1";
  answer_join(std::move(answer));
  actions = member->share_out(now, take<ShareOut>().attempt, fail(Errc::invalid_argument, "bad"));
  EXPECT_EQ(take<Fatal>().error.message(), "bad");
}

TEST_F(MembershipTest, heartbeats_go_every_interval_but_not_while_the_join_is_parked) {
  open();
  be_stable();
  for (int i = 0; i < 3; ++i) heartbeat(Errc::none);
  heartbeat(Errc::rebalance_in_progress);
  EXPECT_FALSE(take<Prepare>().lost);
  sleep(3s);
  EXPECT_NE(find<SendHeartbeat>(), nullptr);  // what is given up first may take long
  prepared();
  EXPECT_EQ(take<SendJoin>().member_id, "m1");
  sleep(30s);
  EXPECT_EQ(find<SendHeartbeat>(), nullptr);
}

// What an answer to JoinGroup means: does it join again (and at once), with which id, is the
// coordinator looked for, is it the end?
struct JoinRow {
  Errc code;
  bool fatal, at_once, keeps_id, rediscovers, lost;
};
TEST_F(MembershipTest, every_error_of_join_group_has_its_row) {
  const JoinRow rows[] = {
      {Errc::coordinator_load_in_progress, false, false, true, false, false},
      {Errc::coordinator_not_available, false, false, true, true, false},
      {Errc::not_coordinator, false, false, true, true, false},
      {Errc::unknown_member_id, false, true, false, false, true},
      {Errc::rebalance_in_progress, false, false, true, false, false},
      {Errc::fenced_instance_id, true, false, false, false, false},
      {Errc::inconsistent_group_protocol, true, false, false, false, false},
      {Errc::invalid_session_timeout, true, false, false, false, false},
      {Errc::invalid_group_id, true, false, false, false, false},
      {Errc::group_authorization_failed, true, false, false, false, false},
      {Errc::group_max_size_reached, true, false, false, false, false},
  };
  for (const JoinRow& row : rows) {
    SCOPED_TRACE(name_of(row.code));
    open();
    be_stable();
    heartbeat(Errc::rebalance_in_progress);
    prepared();
    answer_join({.code = row.code});
    EXPECT_EQ(find<Fatal>() != nullptr, row.fatal);
    EXPECT_EQ(find<FindCoordinator>() != nullptr, row.rediscovers);
    EXPECT_EQ(find<Prepare>() != nullptr && take<Prepare>().lost, row.lost);
    if (row.fatal) continue;
    if (row.lost) prepared();
    if (row.rediscovers) actions = member->on_coordinator(now);
    EXPECT_EQ(find<SendJoin>() != nullptr, row.at_once);
    if (!row.at_once) sleep(2s);
    EXPECT_EQ(take<SendJoin>().member_id, row.keeps_id ? "m1" : "");
  }
}

struct SyncRow {
  Errc code;
  bool fatal, keeps_id, lost, rediscovers;
};
TEST_F(MembershipTest, every_error_of_sync_group_has_its_row) {
  const SyncRow rows[] = {
      {Errc::coordinator_load_in_progress, false, true, false, false},
      {Errc::coordinator_not_available, false, true, false, true},
      {Errc::not_coordinator, false, true, false, true},
      {Errc::illegal_generation, false, true, true, false},
      {Errc::unknown_member_id, false, false, true, false},
      {Errc::rebalance_in_progress, false, true, false, false},
      {Errc::fenced_instance_id, true, false, false, false},
      {Errc::inconsistent_group_protocol, true, false, false, false},
      {Errc::group_authorization_failed, true, false, false, false},
  };
  for (const SyncRow& row : rows) {
    SCOPED_TRACE(name_of(row.code));
    open();
    join();
    answer_join(follower());
    answer_sync({.code = row.code});
    EXPECT_EQ(find<Fatal>() != nullptr, row.fatal);
    EXPECT_EQ(find<FindCoordinator>() != nullptr, row.rediscovers);
    if (row.fatal) continue;
    EXPECT_EQ(take<Prepare>().lost, row.lost);
    prepared();
    if (find<SendJoin>() == nullptr) sleep(2s);
    EXPECT_EQ(take<SendJoin>().member_id, row.keeps_id ? "m1" : "");
  }
}

struct BeatRow {
  Errc code;
  bool fatal, prepares, lost, keeps_id, rediscovers;
};
TEST_F(MembershipTest, every_error_of_a_heartbeat_has_its_row) {
  const BeatRow rows[] = {
      {Errc::coordinator_not_available, false, false, false, true, true},
      {Errc::not_coordinator, false, false, false, true, true},
      {Errc::connection_closed, false, false, false, true, true},
      {Errc::illegal_generation, false, true, true, true, false},
      {Errc::unknown_member_id, false, true, true, false, false},
      {Errc::rebalance_in_progress, false, true, false, true, false},
      {Errc::fenced_instance_id, true, false, false, false, false},
      {Errc::group_authorization_failed, true, false, false, false, false},
  };
  for (const BeatRow& row : rows) {
    SCOPED_TRACE(name_of(row.code));
    open();
    be_stable();
    heartbeat(row.code);
    EXPECT_EQ(find<Fatal>() != nullptr, row.fatal);
    EXPECT_EQ(find<FindCoordinator>() != nullptr, row.rediscovers);
    EXPECT_EQ(find<Prepare>() != nullptr, row.prepares);
    if (row.prepares) {
      EXPECT_EQ(take<Prepare>().lost, row.lost);
      prepared();
      EXPECT_EQ(take<SendJoin>().member_id, row.keeps_id ? "m1" : "");
    }
    if (row.rediscovers) {
      EXPECT_EQ(member->phase(), Phase::stable);
      actions = member->on_coordinator(now);
      sleep(0s);
      EXPECT_NE(find<SendHeartbeat>(), nullptr);
    }
  }
}

TEST_F(MembershipTest, every_error_of_a_commit_has_its_row) {
  const BeatRow rows[] = {
      {Errc::illegal_generation, false, true, true, true, false},
      {Errc::unknown_member_id, false, true, true, false, false},
      {Errc::rebalance_in_progress, false, true, false, true, false},
      {Errc::fenced_instance_id, true, false, false, false, false},
      {Errc::group_authorization_failed, true, false, false, false, false},
      {Errc::offset_metadata_too_large, false, false, false, true, false},
  };
  for (const BeatRow& row : rows) {
    SCOPED_TRACE(name_of(row.code));
    open();
    be_stable(3);
    GroupMetadata older = member->metadata();
    older.generation = 2;
    EXPECT_TRUE(member->on_commit_error(now, older, row.code).empty());
    actions = member->on_commit_error(now, member->metadata(), row.code);
    EXPECT_EQ(find<Fatal>() != nullptr, row.fatal);
    EXPECT_EQ(find<Prepare>() != nullptr, row.prepares);
    if (!row.prepares) continue;
    EXPECT_EQ(take<Prepare>().lost, row.lost);
    prepared();
    EXPECT_EQ(take<SendJoin>().member_id, row.keeps_id ? "m1" : "");
  }
}

TEST_F(MembershipTest, answers_of_an_older_generation_change_nothing) {
  open();
  be_stable(1);
  sleep(3s);
  const auto late_beat = take<SendHeartbeat>();
  actions = member->join(now, "topics changed");
  prepared();
  const auto first_join = take<SendJoin>();
  actions = member->on_heartbeat(now, late_beat.member, fail(Errc::unknown_member_id, "x"));
  EXPECT_TRUE(actions.empty());
  actions = member->on_join(now, first_join.attempt, follower(2));
  const auto sync = take<SendSync>();
  EXPECT_TRUE(member->on_join(now, first_join.attempt, follower(9)).empty());
  EXPECT_TRUE(
      member->on_heartbeat(now, late_beat.member, fail(Errc::illegal_generation, "x")).empty());
  actions = member->on_sync(now, sync.attempt, SyncAnswer{});
  EXPECT_EQ(take<Deliver>().member.generation, 2);
  EXPECT_TRUE(
      member->on_sync(now, sync.attempt, SyncAnswer{.code = Errc::unknown_member_id}).empty());
}

TEST_F(MembershipTest, silence_of_the_coordinator_for_a_session_makes_it_look_for_another) {
  open();
  be_stable();
  sleep(3s);
  EXPECT_NE(find<SendHeartbeat>(), nullptr);
  sleep(41s);
  EXPECT_EQ(find<FindCoordinator>(), nullptr);
  EXPECT_EQ(find<SendHeartbeat>(), nullptr) << "only one at a time";
  sleep(2s);
  EXPECT_TRUE(take<FindCoordinator>().lost);
}

TEST_F(MembershipTest, an_application_that_does_not_poll_leaves_and_joins_again_when_it_does) {
  open({.group = "g", .max_poll_interval = 10s});
  be_stable();
  sleep(20s);
  EXPECT_EQ(find<SendLeave>(), nullptr) << "it is inside poll()";
  member->poll_ended(now);
  sleep(9s);
  EXPECT_EQ(find<SendLeave>(), nullptr);
  sleep(2s);
  EXPECT_EQ(take<SendLeave>().member_id, "m1");
  EXPECT_TRUE(take<Prepare>().lost);
  prepared();
  EXPECT_EQ(find<SendJoin>(), nullptr) << "nobody polls yet";
  sleep(60s);
  EXPECT_TRUE(actions.empty());
  actions = member->poll_began(now);
  EXPECT_EQ(take<SendJoin>().member_id, "");
}

TEST_F(MembershipTest, a_silent_application_leaves_a_rebalance_that_waits_for_it_too) {
  open({.group = "g", .max_poll_interval = 10s});
  be_stable();
  heartbeat(Errc::rebalance_in_progress);
  EXPECT_FALSE(take<Prepare>().lost);
  member->poll_ended(now);
  sleep(11s);
  EXPECT_TRUE(take<Prepare>().lost);
  EXPECT_NE(find<SendLeave>(), nullptr);
}

TEST_F(MembershipTest, only_dynamic_members_say_that_they_leave) {
  open();
  be_stable();
  actions = member->leave(now, "closes");
  EXPECT_EQ(take<SendLeave>().reason, "closes");
  EXPECT_EQ(member->metadata().generation, -1);
  open({.group = "g", .instance_id = "i", .max_poll_interval = 10s});
  be_stable();
  member->poll_ended(now);
  sleep(11s);
  EXPECT_EQ(find<SendLeave>(), nullptr);
  EXPECT_TRUE(take<Prepare>().lost);
  EXPECT_TRUE(member->leave(now, "closes").empty());
}

TEST_F(MembershipTest, what_changes_during_a_rebalance_is_told_in_the_next_one) {
  open();
  join();
  EXPECT_TRUE(member->join(now, "partitions changed").empty());
  answer_join(follower());
  answer_sync({.assignment = "a"});
  EXPECT_NE(find<Deliver>(), nullptr);
  EXPECT_FALSE(take<Prepare>().lost);
  prepared();
  EXPECT_EQ(take<SendJoin>().reason, "partitions changed");
}

TEST_F(MembershipTest, a_group_of_another_type_or_another_protocol_is_refused) {
  open();
  join();
  JoinAnswer answer = follower();
  answer.protocol_type = "connect";
  answer_join(std::move(answer));
  EXPECT_EQ(take<Fatal>().error.code(), Errc::inconsistent_group_protocol);
  open();
  join();
  answer_join(follower());
  answer_sync({.protocol = "sticky"});
  EXPECT_EQ(take<Fatal>().error.code(), Errc::inconsistent_group_protocol);
  EXPECT_TRUE(member->join(now, "again").empty());
}

TEST_F(MembershipTest, reasons_are_cut_to_what_the_wire_takes) {
  open();
  actions = member->join(now, std::string(1000, 'x'));
  prepared();
  EXPECT_EQ(take<SendJoin>().reason.size(), 255U);
}

}  // namespace
}  // namespace weir::client
