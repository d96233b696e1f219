// Joining, syncing, heartbeats, leaving: states, order of checks, the KIPs, timers, bounds.
#include "coordinator/test_kit.h"

namespace weir::coordinator {
namespace {

using Protocols = std::vector<std::pair<std::string, std::string>>;

/// A group of one member in each state, with the member's id.
struct InState {
  std::unique_ptr<Kit> kit;
  std::string member;
};

InState in_state(GroupState state) {
  InState s{.kit = std::make_unique<Kit>(), .member = {}};
  Kit& kit = *s.kit;
  switch (state) {
    case GroupState::empty:
      s.member = kit.stable(1).front();
      kit.leave({{s.member, {}}});
      break;
    case GroupState::preparing_rebalance: {
      s.member = kit.stable(1).front();
      kit.join({});  // a second one waits for the first to come again
      break;
    }
    case GroupState::completing_rebalance: s.member = kit.join_now({}).member; break;
    case GroupState::stable: s.member = kit.stable(1).front(); break;
  }
  EXPECT_EQ(kit.group()->state, state);
  return s;
}

struct StateRow {
  GroupState state;
  Errc join_again;  // Errc::none: answered at once; timed_out: parked
  Errc sync;
  Errc heartbeat;
  Errc commit;
};

// The table of states and requests; the member is known, its generation right, its metadata as
// before. (A parked request shows as timed_out.)
TEST(states, each_request_in_each_state) {
  const StateRow rows[] = {
      {GroupState::empty, Errc::unknown_member_id, Errc::unknown_member_id, Errc::unknown_member_id,
       Errc::unknown_member_id},
      {GroupState::preparing_rebalance, Errc::timed_out, Errc::rebalance_in_progress,
       Errc::rebalance_in_progress, Errc::none},
      {GroupState::completing_rebalance, Errc::none, Errc::none, Errc::none,
       Errc::rebalance_in_progress},
      {GroupState::stable, Errc::none, Errc::none, Errc::none, Errc::none},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(std::string(name_of(row.state)));
    {
      auto [kit, member] = in_state(row.state);
      EXPECT_EQ(kit->heartbeat(member, kit->generation()), row.heartbeat);
    }
    {
      auto [kit, member] = in_state(row.state);
      const auto n = kit->commit({.member = member, .generation = kit->generation()});
      EXPECT_EQ(kit->commits.at(n), row.commit);
    }
    {
      auto [kit, member] = in_state(row.state);
      const auto n = kit->sync({.member = member, .generation = kit->generation()});
      EXPECT_EQ(kit->syncs.contains(n) ? kit->syncs[n].error : Errc::timed_out, row.sync);
    }
    {
      auto [kit, member] = in_state(row.state);
      const auto n = kit->join({.member = member});
      // The last to come completes the join of the row that parks; there a second member waits.
      const bool parked = !kit->joins.contains(n);
      if (row.join_again == Errc::timed_out) {
        EXPECT_FALSE(parked) << "everybody has come";
        EXPECT_EQ(kit->group()->state, GroupState::completing_rebalance);
      } else {
        ASSERT_FALSE(parked);
        EXPECT_EQ(kit->joins[n].error, row.join_again);
      }
    }
  }
}

TEST(states, a_group_goes_from_empty_to_stable_and_back) {
  Kit kit;
  const Joined leader = kit.join_now({});
  EXPECT_EQ(leader.error, Errc::none);
  EXPECT_EQ(leader.generation, 1);
  EXPECT_EQ(leader.leader, leader.member);
  EXPECT_EQ(leader.type, "consumer");
  EXPECT_EQ(leader.protocol, "range");
  EXPECT_EQ(leader.members, (std::map<std::string, std::string>{{leader.member, "meta"}}));
  EXPECT_EQ(kit.group()->state, GroupState::completing_rebalance);
  const Synced synced = kit.sync_now(
      {.member = leader.member, .generation = 1, .assignments = {{leader.member, "all"}}});
  EXPECT_EQ(synced.error, Errc::none);
  EXPECT_EQ(synced.assignment, "all");
  EXPECT_EQ(kit.group()->state, GroupState::stable);
  EXPECT_EQ(kit.leave({{leader.member, {}}}), std::vector{Errc::none});
  EXPECT_EQ(kit.group()->state, GroupState::empty);
  EXPECT_EQ(kit.generation(), 2);
}

TEST(states, only_the_leader_is_told_the_members) {
  Kit kit;
  const auto ids = kit.stable(2);
  const auto first = kit.join({.member = ids[0], .protocols = {{"range", "new"}}});
  const auto second = kit.join({.member = ids[1], .protocols = {{"range", "other"}}});
  EXPECT_EQ(kit.joins[first].members,
            (std::map<std::string, std::string>{{ids[0], "new"}, {ids[1], "other"}}));
  EXPECT_TRUE(kit.joins[second].members.empty());
  EXPECT_EQ(kit.joins[second].leader, ids[0]);
}

TEST(checks, their_order_is_instance_member_generation_state) {
  Kit kit;
  kit.stable(1);
  const Joined s = [&] {
    const auto n = kit.join({.instance = "i"});
    kit.sleep(10s);  // the dynamic member does not come again
    return kit.joins.at(n);
  }();
  const auto wrong = s.generation + 7;
  // One row a request: everything after the fault under test is wrong too.
  EXPECT_EQ(kit.heartbeat("nobody", wrong, "unknown"), Errc::unknown_member_id);
  EXPECT_EQ(kit.heartbeat("nobody", wrong, "i"), Errc::fenced_instance_id);
  EXPECT_EQ(kit.heartbeat("nobody", wrong), Errc::unknown_member_id);
  EXPECT_EQ(kit.heartbeat(s.member, wrong, "i"), Errc::illegal_generation);
  EXPECT_EQ(kit.sync_now({.member = "x", .generation = wrong, .instance = "unknown"}).error,
            Errc::unknown_member_id);
  EXPECT_EQ(kit.sync_now({.member = "x", .generation = wrong, .instance = "i"}).error,
            Errc::fenced_instance_id);
  EXPECT_EQ(kit.sync_now({.member = "x", .generation = wrong}).error, Errc::unknown_member_id);
  EXPECT_EQ(kit.sync_now({.member = s.member, .generation = wrong, .type = "connect"}).error,
            Errc::illegal_generation);
  EXPECT_EQ(kit.commit_now({.member = "x", .generation = wrong, .instance = "unknown"}),
            Errc::unknown_member_id);
  EXPECT_EQ(kit.commit_now({.member = "x", .generation = wrong, .instance = "i"}),
            Errc::fenced_instance_id);
  EXPECT_EQ(kit.commit_now({.member = "x", .generation = wrong}), Errc::unknown_member_id);
  EXPECT_EQ(kit.commit_now({.member = s.member, .generation = wrong}), Errc::illegal_generation);
  EXPECT_EQ(kit.join_now({.member = "x", .instance = "unknown"}).error, Errc::unknown_member_id);
  EXPECT_EQ(kit.join_now({.member = "x", .instance = "i"}).error, Errc::fenced_instance_id);
  EXPECT_EQ(
      kit.leave({{"x", "unknown"}, {"x", "i"}, {"x", {}}}),
      (std::vector{Errc::unknown_member_id, Errc::fenced_instance_id, Errc::unknown_member_id}));
}

TEST(checks, a_group_that_is_not_there) {
  Kit kit;
  EXPECT_EQ(kit.join_now({.member = "m"}).error, Errc::unknown_member_id);
  EXPECT_EQ(kit.sync_now({.member = "m"}).error, Errc::unknown_member_id);
  EXPECT_EQ(kit.heartbeat("m", 1), Errc::unknown_member_id);
  EXPECT_EQ(kit.leave({{"m", {}}}), std::vector{Errc::unknown_member_id});
  EXPECT_EQ(kit.leave_alone("m"), Errc::unknown_member_id);
  EXPECT_EQ(kit.delete_group("g"), Errc::group_id_not_found);
  EXPECT_EQ(kit.delete_offset("g", "t"), Errc::group_id_not_found);
  EXPECT_EQ(kit.coordinator().group_count(), 0U) << "nothing is made by asking";
}

TEST(checks, requests_that_make_no_sense) {
  Kit kit;
  EXPECT_EQ(kit.join_now({.group = ""}).error, Errc::invalid_group_id);
  EXPECT_EQ(kit.join_now({.group = std::string(5000, 'g')}).error, Errc::invalid_group_id);
  EXPECT_EQ(kit.join_now({.session_ms = 5'999}).error, Errc::invalid_session_timeout);
  EXPECT_EQ(kit.join_now({.session_ms = 1'800'001}).error, Errc::invalid_session_timeout);
  EXPECT_EQ(kit.join_now({.type = ""}).error, Errc::inconsistent_group_protocol);
  EXPECT_EQ(kit.join_now({.protocols = {}}).error, Errc::inconsistent_group_protocol);
  EXPECT_EQ(kit.join_now({.protocols = Protocols(65, {"p", ""})}).error, Errc::invalid_request);
  EXPECT_EQ(kit.join_now({.protocols = {{"p", std::string((1 << 20) + 1, 'x')}}}).error,
            Errc::invalid_request);
  EXPECT_EQ(kit.heartbeat("m", 1, {}, ""), Errc::invalid_group_id);
  EXPECT_EQ(kit.coordinator().group_count(), 0U);
}

TEST(protocols, the_type_is_any_and_all_must_share_it_and_one_protocol) {
  for (const std::string type : {"connect", "sr", "consumer"}) {
    Kit kit;
    const Joined first = kit.join_now({.type = type, .protocols = {{"a", ""}, {"b", ""}}});
    EXPECT_EQ(first.error, Errc::none);
    EXPECT_EQ(kit.join_now({.type = "other", .protocols = {{"a", ""}}}).error,
              Errc::inconsistent_group_protocol);
    EXPECT_EQ(kit.join_now({.type = type, .protocols = {{"c", ""}}}).error,
              Errc::inconsistent_group_protocol);
    const auto second = kit.join({.type = type, .protocols = {{"b", ""}}});
    kit.join({.member = first.member, .type = type, .protocols = {{"a", ""}, {"b", ""}}});
    EXPECT_EQ(kit.joins.at(second).protocol, "b");
    EXPECT_EQ(kit.joins.at(second).type, type);
  }
}

TEST(protocols, most_votes_win_among_those_that_all_offer) {
  Kit kit;
  const Joined first = kit.join_now({.protocols = {{"x", ""}, {"a", ""}, {"b", ""}}});
  const auto second = kit.join({.protocols = {{"b", ""}, {"a", ""}}});
  kit.join({.protocols = {{"b", ""}, {"a", ""}}});
  kit.join({.member = first.member, .protocols = {{"x", ""}, {"a", ""}, {"b", ""}}});
  EXPECT_EQ(kit.joins.at(second).protocol, "b");
}

TEST(protocols, sync_checks_type_and_name_when_they_are_given) {
  Kit kit;
  const Joined m = kit.join_now({});
  EXPECT_EQ(kit.sync_now({.member = m.member, .type = "connect"}).error,
            Errc::inconsistent_group_protocol);
  EXPECT_EQ(kit.sync_now({.member = m.member, .protocol = "sticky"}).error,
            Errc::inconsistent_group_protocol);
  EXPECT_EQ(kit.sync_now({.member = m.member, .type = "consumer", .protocol = "range"}).error,
            Errc::none);
}

TEST(rejoin, a_follower_with_the_same_metadata_gets_the_current_generation) {
  Kit kit;
  const auto ids = kit.stable(2);
  const auto generation = kit.generation();
  const Joined again = kit.join_now({.member = ids[1]});
  EXPECT_EQ(again.generation, generation);
  EXPECT_EQ(again.leader, ids[0]);
  EXPECT_TRUE(again.members.empty());
  EXPECT_EQ(kit.group()->state, GroupState::stable);
  EXPECT_EQ(kit.sync_now({.member = ids[1], .generation = generation}).assignment,
            "part of " + ids[1]);
}

TEST(rejoin, the_leader_or_new_metadata_begins_a_rebalance) {
  for (const std::size_t who : {0U, 1U}) {
    Kit kit;
    const auto ids = kit.stable(2);
    kit.join({.member = ids[who], .protocols = {{"range", who == 0 ? "meta" : "changed"}}});
    EXPECT_EQ(kit.group()->state, GroupState::preparing_rebalance);
    EXPECT_EQ(kit.heartbeat(ids[1 - who], kit.generation()), Errc::rebalance_in_progress);
  }
}

TEST(rejoin, a_lost_answer_is_given_again_while_the_leader_assigns) {
  Kit kit;
  const Joined first = kit.join_now({});
  const Joined again = kit.join_now({.member = first.member});
  EXPECT_EQ(again.generation, first.generation);
  EXPECT_EQ(again.members, first.members);
  EXPECT_FALSE(again.skip);
  EXPECT_EQ(kit.group()->state, GroupState::completing_rebalance);
  const Joined changed =
      kit.join_now({.member = first.member, .protocols = {{"range", "changed"}}});
  EXPECT_EQ(changed.generation, first.generation + 1);
}

TEST(rejoin, a_second_join_of_one_member_ends_the_first_that_waits) {
  Kit kit;
  const auto ids = kit.stable(2);
  const auto first = kit.join({.member = ids[0]});
  const auto second = kit.join({.member = ids[0]});
  EXPECT_EQ(kit.joins.at(first).error, Errc::rebalance_in_progress);
  EXPECT_FALSE(kit.joins.contains(second));
  kit.join({.member = ids[1]});
  EXPECT_EQ(kit.joins.at(second).error, Errc::none);
}

TEST(kip_394, a_new_member_is_asked_to_come_again_with_its_id) {
  Kit kit;
  const Joined asked = kit.join_now({.version = 4});
  EXPECT_EQ(asked.error, Errc::member_id_required);
  EXPECT_TRUE(asked.member.starts_with("client-"));
  EXPECT_EQ(asked.member.size(), std::string("client-").size() + 36);
  EXPECT_EQ(kit.group()->state, GroupState::empty);
  EXPECT_EQ(kit.heartbeat(asked.member, 0), Errc::unknown_member_id);
  const Joined joined = kit.join_now({.member = asked.member, .version = 4});
  EXPECT_EQ(joined.error, Errc::none);
  EXPECT_EQ(joined.member, asked.member);
}

TEST(kip_394, an_id_that_nobody_used_ends_with_the_session_timeout) {
  Kit kit;
  const Joined asked = kit.join_now({.version = 4});
  kit.sleep(9'999ms);
  EXPECT_NE(kit.group(), nullptr);
  kit.sleep(1ms);
  EXPECT_EQ(kit.group(), nullptr) << "the group goes with its last member";
  EXPECT_EQ(kit.coordinator().state_bytes(), 0U);
  EXPECT_EQ(kit.join_now({.member = asked.member, .version = 4}).error, Errc::unknown_member_id);
  EXPECT_EQ(kit.coordinator().counters().expired_pending, 1U);
}

TEST(kip_394, a_rebalance_waits_for_those_that_were_given_an_id) {
  Kit kit;
  const auto ids = kit.stable(1);
  const Joined asked = kit.join_now({.version = 4});
  const auto leader = kit.join({.member = ids[0]});
  EXPECT_FALSE(kit.joins.contains(leader));
  kit.join({.member = asked.member, .version = 4});
  EXPECT_EQ(kit.joins.at(leader).members.size(), 2U);
  // One that leaves is not waited for.
  const Joined other = kit.join_now({.version = 4});
  const auto again = kit.join({.member = ids[0], .protocols = {{"range", "new"}}});
  kit.join({.member = asked.member});
  EXPECT_FALSE(kit.joins.contains(again));
  EXPECT_EQ(kit.leave({{other.member, {}}}), std::vector{Errc::none});
  EXPECT_EQ(kit.joins.at(again).members.size(), 2U);
}

/// A stable group of two static members "a" (the leader) and "b".
struct Statics {
  Kit kit;
  std::string a;
  std::string b;
  std::int32_t generation = 0;
  explicit Statics() {
    a = kit.join_now({.instance = "a"}).member;
    const auto n = kit.join({.instance = "b"});
    kit.join({.member = a, .instance = "a"});
    b = kit.joins.at(n).member;
    generation = kit.generation();
    kit.sync({.member = b, .generation = generation});
    kit.sync({.member = a, .generation = generation, .assignments = {{a, "A"}, {b, "B"}}});
    EXPECT_EQ(kit.group()->state, GroupState::stable);
  }
};

TEST(kip_345, a_static_member_that_comes_back_keeps_generation_and_assignment) {
  Statics s;
  const Joined back = s.kit.join_now({.instance = "b", .version = 9});
  EXPECT_EQ(back.error, Errc::none);
  EXPECT_NE(back.member, s.b);
  EXPECT_TRUE(back.member.starts_with("b-"));
  EXPECT_EQ(back.generation, s.generation);
  EXPECT_FALSE(back.skip) << "it does not lead";
  EXPECT_EQ(s.kit.sync_now({.member = back.member, .generation = s.generation, .instance = "b"})
                .assignment,
            "B");
  EXPECT_EQ(s.kit.heartbeat(s.b, s.generation, "b"), Errc::fenced_instance_id);
  EXPECT_EQ(s.kit.commit_now({.member = s.b, .generation = s.generation, .instance = "b"}),
            Errc::fenced_instance_id);
  EXPECT_EQ(s.kit.heartbeat(s.b, s.generation), Errc::unknown_member_id);
  EXPECT_EQ(s.kit.heartbeat(s.a, s.generation, "a"), Errc::none);
  s.kit.restart();
  EXPECT_EQ(s.kit.heartbeat(back.member, s.generation, "b"), Errc::none) << "it was stored";
  EXPECT_EQ(s.kit.sync_now({.member = back.member, .generation = s.generation}).assignment, "B");
}

TEST(kip_814, a_static_leader_that_comes_back_is_told_to_skip_the_assignment) {
  Statics s;
  const Joined back = s.kit.join_now({.instance = "a", .version = 9});
  EXPECT_TRUE(back.skip);
  EXPECT_EQ(back.leader, back.member);
  EXPECT_EQ(back.members.size(), 2U);
  EXPECT_EQ(s.kit.sync_now({.member = back.member, .generation = s.generation}).assignment, "A");
}

TEST(kip_814, an_older_client_is_told_that_another_leads) {
  Statics s;
  const Joined back = s.kit.join_now({.instance = "a", .version = 8});
  EXPECT_FALSE(back.skip);
  EXPECT_EQ(back.leader, s.a);
  EXPECT_NE(back.member, s.a);
  EXPECT_TRUE(back.members.empty());
  EXPECT_EQ(s.kit.group()->leader, back.member);
}

TEST(kip_345, two_that_come_back_at_once_both_keep_their_assignments) {
  Statics s;
  s.kit.hold_writes();
  const auto a = s.kit.join({.instance = "a", .version = 9});
  const auto b = s.kit.join({.instance = "b", .version = 9});
  EXPECT_FALSE(s.kit.joins.contains(a)) << "not before it is durable";
  s.kit.release_writes();
  s.kit.restart();
  EXPECT_EQ(
      s.kit.sync_now({.member = s.kit.joins[a].member, .generation = s.generation}).assignment,
      "A");
  EXPECT_EQ(
      s.kit.sync_now({.member = s.kit.joins[b].member, .generation = s.generation}).assignment,
      "B");
}

TEST(kip_345, a_return_that_cannot_be_stored_leaves_the_old_process_in) {
  Statics s;
  s.kit.hold_writes();
  const auto n = s.kit.join({.instance = "b", .version = 9});
  EXPECT_EQ(s.kit.heartbeat(s.b, s.generation, "b"), Errc::fenced_instance_id);
  s.kit.end_write(false);
  EXPECT_EQ(s.kit.joins.at(n).error, Errc::coordinator_not_available);
  EXPECT_EQ(s.kit.heartbeat(s.b, s.generation, "b"), Errc::none);
  EXPECT_EQ(s.kit.group()->state, GroupState::stable);
}

TEST(kip_345, a_return_that_changes_the_protocol_or_meets_an_assignment_rebalances) {
  {
    Statics s;
    s.kit.join({.instance = "b", .protocols = {{"range", "meta"}, {"sticky", ""}}});
    EXPECT_EQ(s.kit.group()->state, GroupState::stable) << "range is still chosen";
  }
  Kit kit;
  const Joined a = kit.join_now({.instance = "a"});
  const Joined again = kit.join_now({.instance = "a"});
  EXPECT_EQ(again.generation, a.generation + 1);
  EXPECT_EQ(kit.sync_now({.member = a.member, .generation = 1, .instance = "a"}).error,
            Errc::fenced_instance_id);
}

TEST(kip_345, a_static_member_that_does_not_rejoin_stays_and_a_dynamic_one_goes) {
  Statics s;
  const Joined dynamic = [&] {
    const auto n = s.kit.join({.session_ms = 600'000});
    s.kit.join({.member = s.a, .instance = "a", .session_ms = 600'000});
    s.kit.join({.member = s.b, .instance = "b", .session_ms = 600'000});
    return s.kit.joins.at(n);
  }();
  EXPECT_EQ(s.kit.group()->members.size(), 3U);
  const auto n = s.kit.join(
      {.member = s.a, .instance = "a", .protocols = {{"range", "x"}}, .session_ms = 600'000});
  s.kit.sleep(60s);
  EXPECT_EQ(s.kit.joins.at(n).members.size(), 2U);
  EXPECT_NE(s.kit.group()->find(s.b), nullptr);
  EXPECT_EQ(s.kit.group()->find(dynamic.member), nullptr);
}

TEST(kip_345, absent_static_members_without_a_rebalance_timeout_do_not_stop_the_clock) {
  Kit kit;
  const Joined m = kit.join_now({.instance = "i", .rebalance_ms = 0});
  kit.sync({.member = m.member, .assignments = {{m.member, "all"}}});
  const Joined asked = kit.join_now({.version = 4});
  const auto n = kit.join({.member = asked.member, .version = 4, .rebalance_ms = 0});
  kit.leave({{asked.member, {}}});
  EXPECT_EQ(kit.joins.at(n).error, Errc::unknown_member_id);
  kit.sleep(9s);
  EXPECT_EQ(kit.group()->state, GroupState::preparing_rebalance);
  kit.sleep(1s);
  EXPECT_EQ(kit.group()->state, GroupState::empty) << "its session has ended";
}

TEST(kip_345, an_admin_removes_a_static_member_by_its_instance) {
  Statics s;
  EXPECT_EQ(s.kit.leave({{"", "b"}, {"", "nobody"}, {"", {}}}),
            (std::vector{Errc::none, Errc::unknown_member_id, Errc::unknown_member_id}));
  EXPECT_EQ(s.kit.group()->find(s.b), nullptr);
  EXPECT_EQ(s.kit.heartbeat(s.a, s.generation, "a"), Errc::rebalance_in_progress);
}

TEST(timers, a_member_that_misses_its_session_is_removed_and_the_group_rebalances) {
  Kit kit;
  const auto ids = kit.stable(2);
  kit.sleep(9s);
  EXPECT_EQ(kit.heartbeat(ids[0], kit.generation()), Errc::none);
  kit.sleep(1s);
  EXPECT_EQ(kit.group()->find(ids[1]), nullptr);
  EXPECT_EQ(kit.heartbeat(ids[0], kit.generation()), Errc::rebalance_in_progress);
  EXPECT_EQ(kit.heartbeat(ids[1], kit.generation()), Errc::unknown_member_id);
  EXPECT_EQ(kit.coordinator().counters().expired_members, 1U);
}

TEST(timers, heartbeats_keep_a_group_for_as_long_as_they_come) {
  Kit kit;
  const auto ids = kit.stable(1);
  for (int i = 0; i < 100; ++i) {
    kit.sleep(9s);
    ASSERT_EQ(kit.heartbeat(ids[0], 1), Errc::none);
  }
  EXPECT_EQ(kit.generation(), 1);
}

TEST(timers, a_commit_counts_as_a_sign_of_life) {
  Kit kit;
  const auto ids = kit.stable(1);
  kit.sleep(9s);
  EXPECT_EQ(kit.commit_now({.member = ids[0], .generation = 1}), Errc::none);
  kit.sleep(9s);
  EXPECT_EQ(kit.heartbeat(ids[0], 1), Errc::none);
}

TEST(timers, who_waits_for_an_answer_is_not_removed_for_its_silence) {
  Kit kit;
  const auto ids = kit.stable(2);
  kit.join({.member = ids[0], .session_ms = 10'000});
  for (int i = 0; i < 5; ++i) {
    kit.sleep(9s);
    kit.heartbeat(ids[1], kit.generation());
  }
  EXPECT_NE(kit.group()->find(ids[0]), nullptr);
}

TEST(timers, the_rebalance_timeout_removes_who_did_not_come) {
  Kit kit;
  const auto ids = kit.stable(2);
  const auto n = kit.join({.member = ids[0]});
  for (int i = 0; i < 7; ++i) {
    kit.sleep(8s);
    kit.heartbeat(ids[1], kit.generation());
  }
  EXPECT_FALSE(kit.joins.contains(n));
  kit.sleep(4s);
  EXPECT_EQ(kit.joins.at(n).members.size(), 1U);
  EXPECT_EQ(kit.heartbeat(ids[1], kit.generation()), Errc::unknown_member_id);
}

TEST(timers, version_0_waits_for_the_session_timeout_instead) {
  Kit kit;
  const Joined m = kit.join_now({.version = 0, .session_ms = 7'000});
  EXPECT_EQ(kit.group()->find(m.member)->rebalance_timeout_ms, 7'000);
}

TEST(timers, who_does_not_ask_for_its_assignment_is_removed) {
  Kit kit;
  const auto ids = kit.stable(2);
  kit.join({.member = ids[0], .session_ms = 600'000});
  kit.join({.member = ids[1], .session_ms = 600'000});
  const auto generation = kit.generation();
  const auto n = kit.sync({.member = ids[1], .generation = generation});
  kit.sleep(60s);
  EXPECT_EQ(kit.syncs.at(n).error, Errc::rebalance_in_progress) << "the leader never assigned";
  EXPECT_EQ(kit.group()->find(ids[0]), nullptr);
  EXPECT_EQ(kit.group()->state, GroupState::preparing_rebalance);
  EXPECT_EQ(kit.coordinator().counters().missing_syncs, 1U);
}

TEST(timers, the_initial_delay_is_extended_by_those_who_come) {
  Kit kit({.initial_rebalance_delay = 3s});
  const auto first = kit.join({.rebalance_ms = 10'000});
  kit.sleep(2s);
  const auto second = kit.join({.rebalance_ms = 10'000});
  kit.sleep(2s);
  EXPECT_FALSE(kit.joins.contains(first)) << "3 s more from 3 s on";
  kit.sleep(2s);
  EXPECT_EQ(kit.joins.at(first).members.size(), 2U);
  EXPECT_EQ(kit.joins.at(second).generation, 1);
}

TEST(timers, the_initial_delay_is_never_longer_than_the_rebalance_timeout) {
  Kit kit({.initial_rebalance_delay = 3s});
  const auto first = kit.join({.rebalance_ms = 10'000});
  for (int i = 0; i < 9; ++i) {
    kit.sleep(1s);
    kit.join({.rebalance_ms = 10'000});
  }
  EXPECT_FALSE(kit.joins.contains(first));
  kit.sleep(1s);
  EXPECT_EQ(kit.joins.at(first).members.size(), 10U);
}

TEST(timers, a_new_member_whose_client_is_gone_is_given_up) {
  Kit kit;
  const auto ids = kit.stable(1);
  kit.join({.session_ms = 10'000, .rebalance_ms = 1'000'000});
  for (int i = 0; i < 33; ++i) {
    kit.sleep(9s);
    kit.heartbeat(ids[0], 1);
  }
  EXPECT_EQ(kit.group()->members.size(), 2U);
  for (int i = 0; i < 2; ++i) {
    kit.sleep(9s);
    kit.heartbeat(ids[0], 1);
  }
  EXPECT_EQ(kit.group()->members.size(), 1U);
}

TEST(leave, many_leave_in_one_request_and_each_has_its_answer) {
  Kit kit;
  const auto ids = kit.stable(3);
  EXPECT_EQ(kit.leave({{ids[1], {}}, {"nobody", {}}, {ids[2], {}}}),
            (std::vector{Errc::none, Errc::unknown_member_id, Errc::none}));
  EXPECT_EQ(kit.group()->members.size(), 1U);
  EXPECT_EQ(kit.heartbeat(ids[0], kit.generation()), Errc::rebalance_in_progress);
  EXPECT_EQ(kit.leave_alone(ids[0]), Errc::none);
  EXPECT_EQ(kit.group()->state, GroupState::empty);
}

TEST(leave, the_last_that_is_waited_for_leaves_and_the_others_go_on) {
  Kit kit;
  const auto ids = kit.stable(2);
  const auto n = kit.join({.member = ids[0]});
  kit.leave({{ids[1], {}}});
  EXPECT_EQ(kit.joins.at(n).members.size(), 1U);
}

TEST(leader, another_leads_when_the_leader_is_gone) {
  Kit kit;
  const auto ids = kit.stable(3);
  kit.leave({{ids[0], {}}});
  const auto second = kit.join({.member = ids[1]});
  const auto third = kit.join({.member = ids[2]});
  const std::string leader = kit.joins.at(second).leader;
  EXPECT_TRUE(leader == ids[1] || leader == ids[2]);
  EXPECT_EQ(kit.joins.at(third).leader, leader);
  EXPECT_EQ(kit.joins.at(leader == ids[1] ? second : third).members.size(), 2U);
}

TEST(durability, nobody_has_an_assignment_before_it_is_durable) {
  Kit kit;
  const auto ids = kit.stable(2);
  const auto generation = kit.generation() + 1;
  kit.hold_writes();
  kit.join({.member = ids[0]});
  kit.join({.member = ids[1]});
  const auto follower = kit.sync({.member = ids[1], .generation = generation});
  const auto leader = kit.sync({.member = ids[0],
                                .generation = generation,
                                .assignments = {{ids[0], "new"}, {ids[1], "newer"}}});
  EXPECT_FALSE(kit.syncs.contains(follower));
  EXPECT_FALSE(kit.syncs.contains(leader));
  EXPECT_EQ(kit.group()->state, GroupState::completing_rebalance);
  kit.release_writes();
  EXPECT_EQ(kit.syncs.at(follower).assignment, "newer");
  EXPECT_EQ(kit.syncs.at(leader).assignment, "new");
}

TEST(durability, an_assignment_that_cannot_be_stored_makes_members_join_again) {
  Kit kit;
  const Joined m = kit.join_now({});
  kit.hold_writes();
  const auto n = kit.sync({.member = m.member, .assignments = {{m.member, "all"}}});
  kit.end_write(false);
  EXPECT_EQ(kit.syncs.at(n).error, Errc::coordinator_not_available);
  EXPECT_EQ(kit.group()->state, GroupState::preparing_rebalance);
  EXPECT_TRUE(kit.durable.empty());
  const auto again = kit.join({.member = m.member});
  EXPECT_EQ(kit.joins.at(again).generation, 2);
}

TEST(durability, an_assignment_that_is_too_large_is_an_error_and_the_group_goes_on) {
  Kit kit;
  const Joined m = kit.join_now({});
  const Synced synced =
      kit.sync_now({.member = m.member,
                    .assignments = {{m.member, std::string(limits::group_record_bytes + 1, 'x')}}});
  EXPECT_EQ(synced.error, Errc::unknown_server_error);
  const Joined again = kit.join_now({.member = m.member});
  EXPECT_EQ(again.generation, 2);
  EXPECT_EQ(kit.sync_now({.member = m.member, .generation = 2, .assignments = {{m.member, "a"}}})
                .assignment,
            "a");
}

TEST(durability, an_assignment_that_a_rebalance_overtakes_is_given_to_nobody) {
  Kit kit;
  const Joined m = kit.join_now({});
  kit.hold_writes();
  const auto n = kit.sync({.member = m.member, .assignments = {{m.member, "old"}}});
  const auto other = kit.join({});
  EXPECT_EQ(kit.syncs.at(n).error, Errc::rebalance_in_progress);
  kit.join({.member = m.member});
  kit.release_writes();
  EXPECT_EQ(kit.group()->state, GroupState::completing_rebalance);
  EXPECT_EQ(kit.joins.at(other).generation, 2);
  const auto late = kit.sync({.member = kit.joins[other].member, .generation = 2});
  EXPECT_FALSE(kit.syncs.contains(late)) << "the old assignment is not the new generation's";
}

TEST(restart, a_stable_group_goes_on_without_a_rebalance) {
  Kit kit;
  const auto ids = kit.stable(2);
  const auto generation = kit.generation();
  kit.sleep(8s);
  kit.restart();
  kit.sleep(9'999ms);  // the sessions begin anew with the load
  for (const auto& id : ids) EXPECT_EQ(kit.heartbeat(id, generation), Errc::none);
  EXPECT_EQ(kit.sync_now({.member = ids[1], .generation = generation}).assignment,
            "part of " + ids[1]);
  EXPECT_EQ(kit.group()->leader, ids[0]);
  EXPECT_EQ(kit.group()->state, GroupState::stable);
}

TEST(restart, members_that_do_not_come_back_expire) {
  Kit kit;
  kit.stable(2);
  kit.restart();
  kit.sleep(10s);
  EXPECT_EQ(kit.group()->state, GroupState::empty);
}

TEST(restart, an_empty_group_keeps_its_generation) {
  Kit kit;
  const auto ids = kit.stable(1);
  kit.leave({{ids[0], {}}});
  kit.restart();
  EXPECT_EQ(kit.group()->state, GroupState::empty);
  EXPECT_EQ(kit.join_now({}).generation, 3);
}

TEST(restart, a_group_at_the_last_generation_begins_again_with_the_first) {
  Kit kit;
  const auto ids = kit.stable(1);
  kit.leave({{ids[0], {}}});
  kafka::GroupMetadataValue value;
  value.protocol_type = "consumer";
  value.generation = INT32_MAX;
  kit.durable.push_back(make_group_record("g", value).value());
  kit.restart();
  EXPECT_EQ(kit.generation(), INT32_MAX);
  EXPECT_EQ(kit.join_now({}).generation, 1);
}

TEST(restart, a_group_over_the_size_rebalances) {
  Kit kit;
  kit.stable(3);
  Kit smaller({.max_group_size = 2});
  smaller.durable = kit.durable;
  smaller.restart();
  EXPECT_EQ(smaller.group()->state, GroupState::preparing_rebalance);
}

TEST(bounds, a_full_group_takes_nobody_in_and_keeps_who_is_there) {
  Kit kit({.max_group_size = 2});
  const auto ids = kit.stable(2);
  EXPECT_EQ(kit.join_now({}).error, Errc::group_max_size_reached);
  EXPECT_EQ(kit.heartbeat(ids[1], kit.generation()), Errc::none);
  kit.join({.member = ids[0]});
  const auto n = kit.join({.member = ids[1]});
  EXPECT_EQ(kit.joins.at(n).error, Errc::none);
  EXPECT_EQ(kit.coordinator().counters().refused_for_room, 1U);
}

TEST(bounds, there_are_at_most_so_many_groups) {
  Kit kit({.max_groups = 3});
  for (const std::string id : {"a", "b", "c"}) kit.stable(1, id);
  EXPECT_EQ(kit.join_now({.group = "d"}).error, Errc::group_max_size_reached);
  EXPECT_EQ(kit.commit_now({.group = "d"}), Errc::invalid_commit_offset_size);
  EXPECT_EQ(kit.commit_now({.group = "a", .member = kit.group("a")->leader, .generation = 1}),
            Errc::none);
}

TEST(bounds, the_state_has_an_end_and_who_is_there_goes_on) {
  Kit kit({.state_bytes = 64U << 10U});
  const auto ids = kit.stable(1);
  EXPECT_EQ(kit.join_now({.protocols = {{"range", std::string(100'000, 'x')}}}).error,
            Errc::group_max_size_reached);
  std::int32_t partition = 0;
  Errc last = Errc::none;
  while (last == Errc::none && partition < 10'000)
    last = kit.commit_now(
        {.member = ids[0], .generation = 1, .partition = partition++, .metadata = "some text"});
  EXPECT_EQ(last, Errc::invalid_commit_offset_size);
  EXPECT_LE(kit.coordinator().state_bytes(), 64U << 10U);
  EXPECT_EQ(kit.commit_now({.member = ids[0], .generation = 1, .partition = 0, .offset = 9}),
            Errc::none)
      << "what it has can be overwritten";
  EXPECT_EQ(kit.heartbeat(ids[0], 1), Errc::none);
}

TEST(bounds, the_memory_that_is_counted_comes_back) {
  Kit kit;
  for (int round = 0; round < 3; ++round) {
    const auto ids = kit.stable(3);
    kit.commit_now({.member = ids[0], .generation = kit.generation(), .metadata = "text"});
    kit.leave({{ids[0], {}}, {ids[1], {}}, {ids[2], {}}});
    EXPECT_EQ(kit.delete_group("g"), Errc::none);
    EXPECT_EQ(kit.coordinator().state_bytes(), 0U);
    EXPECT_EQ(kit.group(), nullptr);
  }
}

TEST(bounds, a_thousand_groups_are_counted_well_below_64_mib) {
  Kit kit;
  for (int g = 0; g < 1000; ++g) {
    const std::string id = "group-" + std::to_string(g);
    const Joined m = kit.join_now({.group = id, .protocols = {{"range", std::string(200, 'm')}}});
    kit.sync({.group = id, .member = m.member, .assignments = {{m.member, std::string(100, 'a')}}});
    for (std::int32_t p = 0; p < 10; ++p)
      kit.commit_now({.group = id, .member = m.member, .generation = 1, .partition = p});
  }
  EXPECT_EQ(kit.coordinator().group_count(), 1000U);
  EXPECT_LT(kit.coordinator().state_bytes(), 16U << 20U);
}

TEST(stop, everybody_who_waits_is_told_to_look_for_the_coordinator) {
  Kit kit;
  const auto ids = kit.stable(2);
  const auto n = kit.join({.member = ids[0]});
  Effects effects = kit.coordinator().answer_parked();
  ASSERT_EQ(effects.answers.size(), 1U);
  EXPECT_EQ(static_cast<std::uint64_t>(effects.answers[0].request), n);
  EXPECT_EQ(std::get<kafka::JoinGroupResponse>(effects.answers[0].answer).error_code,
            wire_code(Errc::coordinator_not_available));
}

}  // namespace
}  // namespace weir::coordinator
