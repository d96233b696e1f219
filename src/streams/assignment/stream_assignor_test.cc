#include "streams/assignment/stream_assignor.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"
#include "client/assignors.h"
#include "streams/assignment/test_group.h"

namespace weir::streams {
namespace {

using namespace std::chrono_literals;
using test::Group;
using test::Machine;
using test::plan_of;
using test::process;

std::vector<TaskId> tasks(std::string_view text) {
  std::vector<TaskId> out;
  for (std::size_t at = 0; at < text.size(); at += 4)
    out.push_back({text[at] - '0', text[at + 2] - '0'});
  return out;
}
const std::vector<TopicPartition> all_of_in{{"in", 0}, {"in", 1}, {"in", 2}, {"in", 3}};

/// "in" with so many partitions, one sub-topology.
Plan stateless_plan(std::int32_t partitions = 4) {
  return plan_of({{{{"in", partitions}}, false}});
}
Plan stateful_plan(std::int32_t partitions = 4) { return plan_of({{{{"in", partitions}}, true}}); }

TEST(StreamAssignor, a_member_says_what_it_has_and_something_new_each_time) {
  Group group(stateful_plan());
  Machine& a = group.join("a", 1);
  a.says.tasks = {{{0, 3}, 7, true}, {{0, 1}, runs_it, false}};
  a.says.tags = {{"rack", "r1"}};
  a.says.endpoint = "h:1";
  const auto first = decode_stream_subscription(*a.assignor->user_data({"in"}));
  const auto second = decode_stream_subscription(*a.assignor->user_data({"in"}));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->process, process(1));
  EXPECT_EQ(first->transactional_id, "app-a");
  EXPECT_EQ(first->endpoint, "h:1");
  EXPECT_EQ(first->tasks, (std::vector<TaskReport>{{{0, 1}, runs_it, false}, {{0, 3}, 7, true}}));
  EXPECT_EQ(first->tags, a.says.tags);
  EXPECT_LT(first->unique, second->unique);
}

TEST(StreamAssignor, partitions_are_exactly_the_inputs_of_the_active_tasks_in_order) {
  Group group(plan_of({{{{"a", 2}, {"b", 3}}, true}, {{{"c", 1}}, false}}));
  Machine& a = group.join("a", 1);
  group.rebalance();
  EXPECT_EQ(a.share.active, tasks("0_0 0_1 0_2 1_0"));
  EXPECT_EQ(a.share.partitions, (std::vector<TopicPartition>{
                                    {"a", 0}, {"a", 1}, {"b", 0}, {"b", 1}, {"b", 2}, {"c", 0}}));
  ASSERT_EQ(a.share.processes.size(), 1U);
  EXPECT_EQ(a.share.processes[0].members,
            (std::vector<PeerTasks>{{"app-a", tasks("0_0 0_1 0_2 1_0")}}));
}

TEST(StreamAssignor, what_moves_is_with_nobody_until_its_owner_has_given_it_up) {
  Group group(stateless_plan());
  Machine& a = group.join("a", 1);
  group.rebalance();
  Machine& b = group.join("b", 2);
  group.rebalance();
  EXPECT_EQ(a.share.active, tasks("0_2 0_3"));
  EXPECT_EQ(a.share.next_rebalance, 0ms);
  EXPECT_TRUE(b.share.active.empty());
  EXPECT_EQ(b.share.next_rebalance, std::nullopt);
  group.rebalance();
  EXPECT_EQ(a.share.active, tasks("0_2 0_3"));
  EXPECT_EQ(b.share.active, tasks("0_0 0_1"));
  EXPECT_EQ(a.share.next_rebalance, std::nullopt);
  EXPECT_TRUE(b.share.fence.empty()) << "was given up in peace";
}

TEST(StreamAssignor, a_standby_that_takes_over_stays_one_until_it_may) {
  Group group(stateful_plan(2));
  Machine& a = group.join("a", 1);
  group.rebalance();
  EXPECT_EQ(a.share.active, tasks("0_0 0_1"));
  Machine& b = group.join("b", 2);
  b.says.tasks = {{{0, 0}, Group::end_sum, true}};
  group.rebalance();
  EXPECT_EQ(b.share.standby, tasks("0_0"));
  EXPECT_TRUE(b.share.active.empty());
  group.rebalance();
  EXPECT_EQ(b.share.active, tasks("0_0"));
}

TEST(StreamAssignor, who_takes_over_from_a_dead_member_fences_it_and_nobody_else_does) {
  Group group(stateless_plan(3));
  group.join("a", 1);
  group.join("b", 2);
  group.join("c", 3);
  group.settle();
  const auto lost = group.machine("c").share.active;
  group.die("c");
  group.rebalance();
  for (const char* name : {"a", "b"}) {
    const Machine& machine = group.machine(name);
    const bool took =
        std::ranges::find(machine.share.active, lost.at(0)) != machine.share.active.end();
    EXPECT_EQ(machine.share.fence.contains("app-c"), took) << name;
    EXPECT_GE(machine.share.active.size(), 1U);
  }
  group.rebalance();
  EXPECT_TRUE(group.machine("a").share.fence.empty());
  EXPECT_TRUE(group.machine("b").share.fence.empty());
}

TEST(StreamAssignor, of_two_dead_members_each_is_fenced_by_who_takes_over_from_it) {
  Group group(stateless_plan(4));
  for (const char* name : {"a", "b", "c", "d"})
    group.join(name, static_cast<std::uint8_t>(name[0] - 'a'));
  group.settle();
  const auto of_c = group.machine("c").share.active;
  group.die("c");
  group.die("d");
  group.rebalance();
  for (const char* name : {"a", "b"}) {
    const StreamShare& share = group.machine(name).share;
    ASSERT_EQ(share.active.size(), 2U);
    const bool from_c = std::ranges::find(share.active, of_c.at(0)) != share.active.end();
    EXPECT_EQ(share.fence, std::set<std::string>{from_c ? "app-c" : "app-d"});
  }
}

TEST(StreamAssignor, a_new_leader_hears_from_the_others_who_is_gone) {
  Group group(stateless_plan(2));
  group.join("b", 2);
  group.join("c", 3);
  group.settle();
  group.die("c");
  group.join("a", 1);
  group.lead("a");
  group.rebalance();
  const bool a = group.machine("a").share.fence.contains("app-c");
  const bool b = group.machine("b").share.fence.contains("app-c");
  EXPECT_NE(a, b) << "who took nothing over has nothing to fence";
}

TEST(StreamAssignor, a_leader_that_was_away_does_not_trust_what_it_knew) {
  Group group(stateless_plan(2));
  Machine& a = group.join("a", 1);
  group.join("b", 2);
  group.settle();
  a.away = true;
  group.lead("b");
  group.settle();
  EXPECT_EQ(group.machine("b").share.active, tasks("0_0 0_1"));
  // It knew b with 0_1 alone.
  group.die("b");
  group.join("c", 3);
  a.away = false;
  a.owned.clear();
  a.says.tasks.clear();
  group.lead("a");
  group.machine("c").generation = a.generation + 1;
  group.rebalance();
  EXPECT_EQ(a.share.active, tasks("0_0"));
  EXPECT_TRUE(a.share.fence.contains("app-b"));
}

TEST(StreamAssignor, what_an_older_generation_promised_is_void) {
  for (const bool old : {false, true}) {
    Group group(stateless_plan(3));
    Machine& a = group.join("a", 1);
    Machine& b = group.join("b", 2);
    group.join("c", 3);
    group.settle();
    const auto free = group.machine("c").share.active;
    group.die("c");
    auto said = decode_stream_subscription(*b.assignor->user_data({"in"}));
    said->awaited = free;
    b.bytes = *encode(*said);
    if (old) b.generation -= 1;
    group.rebalance();
    EXPECT_EQ(a.share.active.size(), old ? 2U : 1U);
  }
}

TEST(StreamAssignor, a_member_that_comes_back_with_its_id_is_not_fenced) {
  Group group(stateless_plan(2));
  group.join("a", 1);
  group.join("b", 2);
  group.settle();
  group.die("b");
  group.join("b", 2);
  group.rebalance();
  EXPECT_TRUE(group.machine("a").share.fence.empty());
  EXPECT_TRUE(group.machine("b").share.fence.empty());
}

TEST(StreamAssignor, members_of_one_process_share_what_it_gets) {
  Group group(stateless_plan(6));
  group.join("a", 1);
  group.join("b", 1);
  group.join("c", 2);
  group.settle();
  EXPECT_EQ(group.machine("a").share.active.size(), 2U);
  EXPECT_EQ(group.machine("b").share.active.size(), 2U);
  EXPECT_EQ(group.machine("c").share.active.size(), 2U);
  ASSERT_EQ(group.machine("a").share.processes.size(), 2U);
  EXPECT_EQ(group.machine("a").share.processes[0].members.size(), 2U);
}

TEST(StreamAssignor, static_members_get_the_same_after_a_restart) {
  Group group(stateless_plan(4));
  for (const char* name : {"a", "b"}) group.join(name, 1).instance = std::string("i-") + name;
  group.settle();
  const auto before = group.machine("a").share.active;
  for (const char* name : {"a", "b"}) group.die(name);
  // New member ids, in another order.
  group.join("z", 1).instance = "i-a";
  group.join("y", 1).instance = "i-b";
  group.settle();
  EXPECT_EQ(group.machine("z").share.active, before);
}

TEST(StreamAssignor, a_missing_source_stops_all_and_a_missing_repartition_is_waited_for) {
  Plan plan = plan_of({{{{"in", 2}}, false}, {{{"app-x-repartition", 2}}, true}});
  plan.repartitions["app-x-repartition"] = 2;
  Group group(plan);
  Machine& a = group.join("a", 1);
  group.counts.erase("app-x-repartition");
  group.rebalance();
  EXPECT_EQ(a.share.active, tasks("0_0 0_1"));
  EXPECT_EQ(a.share.next_rebalance, 5s);
  group.counts["in"] = 1;
  group.rebalance();
  EXPECT_EQ(a.share.code, GroupCode::missing_source);
  EXPECT_TRUE(a.share.partitions.empty());
}

TEST(StreamAssignor, without_a_plan_all_stop_and_are_told_why) {
  for (const auto& [error, code] :
       {std::pair(Errc::unknown_topic_or_partition, GroupCode::missing_source),
        std::pair(Errc::invalid_partitions, GroupCode::assignment)}) {
    Group group(stateless_plan());
    group.plan = fail(error, "planned to fail");
    Machine& a = group.join("a", 1);
    group.rebalance();
    EXPECT_EQ(a.share.code, code);
  }
}

TEST(StreamAssignor, when_one_asks_for_the_end_all_stop) {
  Group group(stateless_plan());
  Machine& a = group.join("a", 1);
  group.join("b", 2).says.shutdown = true;
  group.rebalance();
  EXPECT_EQ(a.share.code, GroupCode::shutdown);
  EXPECT_EQ(group.machine("b").share.code, GroupCode::shutdown);
}

TEST(StreamAssignor, a_member_that_cannot_be_read_is_told_to_stop_and_the_others_go_on) {
  Group group(stateless_plan());
  group.join("a", 1);
  group.join("b", 2);
  group.settle();
  group.machine("b").bytes = "\1\1nonsense";
  group.rebalance();
  EXPECT_EQ(group.machine("b").share.code, GroupCode::assignment);
  EXPECT_EQ(group.machine("a").share.active.size(), 2U) << "the others are not given up yet";
  group.die("b");
  group.rebalance();
  EXPECT_EQ(group.machine("a").share.active.size(), 4U);
}

TEST(StreamAssignor, a_newer_member_keeps_what_it_has_and_comes_back_in_our_version) {
  Group group(stateless_plan());
  Machine& a = group.join("a", 1);
  Machine& b = group.join("b", 2);
  group.settle();
  const auto before = b.share.active;
  b.bytes = *b.assignor->user_data({"in"});
  (*b.bytes)[0] = 2;
  (*b.bytes)[1] = 2;
  b.bytes->append("what only version 2 knows");
  const auto owned = b.owned;
  group.rebalance();
  EXPECT_TRUE(b.share.keep);
  EXPECT_EQ(b.share.code, GroupCode::none);
  EXPECT_EQ(b.share.next_rebalance, 0ms);
  EXPECT_EQ(b.share.partitions, owned);
  EXPECT_TRUE(a.share.awaited.empty());
  EXPECT_EQ(a.share.active.size(), 2U);
  EXPECT_TRUE(a.share.fence.empty());
  const auto again = decode_stream_subscription(*b.assignor->user_data({"in"}));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->version, 1);
  b.bytes.reset();
  group.settle();
  EXPECT_EQ(b.share.active, before);
}

TEST(StreamAssignor, a_newer_member_that_has_missed_a_rebalance_keeps_only_what_is_still_its_own) {
  Group group(stateless_plan(3));
  Machine& a = group.join("a", 1);
  Machine& b = group.join("b", 2);
  group.join("c", 3);
  group.settle();
  const auto mine = a.owned;
  b.owned = {{"in", 0}, {"in", 1}, {"in", 2}, {"in", 9}, {"other", 0}};
  b.generation -= 1;
  b.bytes = "\2\2";
  group.die("c");
  group.rebalance();
  EXPECT_EQ(a.share.partitions, mine);
  EXPECT_EQ(b.share.partitions.size(), 2U);
  EXPECT_FALSE(a.share.fence.contains("app-b")) << "it lives, though its id cannot be read";
}

TEST(StreamAssignor, beside_a_newer_member_nobody_is_fenced_because_its_id_is_not_known) {
  Group group(stateless_plan(3));
  Machine& a = group.join("a", 1);
  group.join("b", 2).topics = {"in"};
  group.join("c", 3);
  group.settle();
  group.machine("b").bytes = "\2\2";
  group.die("c");
  group.rebalance();
  EXPECT_EQ(a.share.active.size(), 2U);
  EXPECT_TRUE(a.share.fence.empty());
}

TEST(StreamAssignor, a_member_never_writes_a_newer_version_than_it_knows) {
  Group group(stateless_plan());
  Machine& a = group.join("a", 1);
  const std::string told = *encode(StreamAssignment{.common = 9});
  a.assignor->on_assignment({.partitions = {}, .user_data = told}, {.group = "g", .generation = 1});
  const auto said = a.assignor->user_data({"in"});
  ASSERT_TRUE(said);
  EXPECT_EQ(decode_stream_subscription(*said)->version, 1);
}

TEST(StreamAssignor, who_has_missed_a_rebalance_owns_nothing_that_others_own_now) {
  Group group(stateless_plan(2));
  Machine& a = group.join("a", 1);
  Machine& b = group.join("b", 2);
  group.settle();
  ASSERT_EQ(a.share.active, tasks("0_0"));
  a.owned = {{"in", 0}, {"in", 1}};
  a.says.tasks = {{{0, 0}, runs_it, false}, {{0, 1}, runs_it, false}};
  a.generation -= 1;
  group.rebalance();
  EXPECT_EQ(b.share.active, tasks("0_1"));
  EXPECT_EQ(a.share.active, tasks("0_0"));
}

TEST(StreamAssignor, of_two_that_claim_a_partition_equally_neither_keeps_it_at_first) {
  Group group(stateless_plan(1));
  Machine& a = group.join("a", 1);
  Machine& b = group.join("b", 2);
  group.settle();
  a.owned = b.owned = {{"in", 0}};
  group.rebalance();
  EXPECT_TRUE(a.share.active.empty() && b.share.active.empty());
  EXPECT_EQ(a.share.next_rebalance, 0ms);
  group.rebalance();
  EXPECT_EQ(a.share.active.size() + b.share.active.size(), 1U);
}

TEST(StreamAssignor, while_ends_are_not_known_nothing_moves_and_it_is_tried_again) {
  Group group(stateful_plan());
  Machine& a = group.join("a", 1);
  group.rebalance();
  group.join("b", 2);
  group.ends_known = false;
  group.rebalance();
  EXPECT_EQ(a.share.partitions, all_of_in);
  EXPECT_EQ(a.share.next_rebalance, 5s);
}

TEST(StreamAssignor, warm_ups_are_probed_by_a_member_of_the_leaders_process) {
  Group group(stateful_plan());
  group.join("a", 1);
  group.rebalance();
  group.join("b", 2);
  group.lead("b");
  group.rebalance();
  EXPECT_EQ(group.machine("a").share.partitions, all_of_in);
  EXPECT_EQ(group.machine("b").share.standby.size(), 2U);
  EXPECT_EQ(group.machine("b").share.next_rebalance, 10min);
  EXPECT_EQ(group.machine("a").share.next_rebalance, std::nullopt);
}

TEST(StreamAssignor, a_member_gets_no_task_of_a_stream_that_it_does_not_read) {
  Group group(plan_of({{{{"in", 2}}, false}, {{{"new", 2}}, false}}));
  group.join("a", 1).topics = {"in"};
  group.join("b", 2);
  group.settle();
  EXPECT_EQ(group.machine("a").share.active, tasks("0_0 0_1"));
  EXPECT_EQ(group.machine("b").share.active, tasks("1_0 1_1"));
}

TEST(StreamAssignor, a_slot_is_what_the_tag_says) {
  Group group(stateless_plan(2), {.assign = {.strategy = Strategy::fixed, .fixed_slots = 2}});
  group.join("a", 1).says.tags = {{"slot", "1"}};
  group.join("b", 2).says.tags = {{"slot", "x"}};
  group.settle();
  EXPECT_EQ(group.machine("a").share.active, tasks("0_1"));
  EXPECT_TRUE(group.machine("b").share.active.empty());
}

TEST(StreamAssignor, an_assignment_without_a_word_is_one_of_nothing_and_nonsense_stops) {
  Group group(stateless_plan());
  Machine& a = group.join("a", 1);
  a.assignor->on_assignment({}, {.group = "g", .generation = 3});
  EXPECT_EQ(a.share.code, GroupCode::none);
  EXPECT_EQ(a.share.generation, 3);
  a.assignor->on_assignment({.partitions = all_of_in}, {.group = "g", .generation = 4});
  EXPECT_EQ(a.share.code, GroupCode::assignment);
  a.assignor->on_assignment({.partitions = {}, .user_data = "\x7f"},
                            {.group = "g", .generation = 5});
  EXPECT_EQ(a.share.code, GroupCode::assignment);
}

TEST(StreamAssignor, two_rebalances_are_enough_when_nothing_has_to_warm_up) {
  for (std::uint64_t seed = 1; seed <= 150 && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const auto partitions = static_cast<std::int32_t>(rng.between(1, 20));
    Group group(plan_of({{{{"a", partitions}}, rng.one_in(2)}, {{{"b", partitions}}, false}}),
                {.assign = {.standby_replicas = static_cast<std::int32_t>(rng.below(2)),
                            .acceptable_recovery_lag = Group::end_sum}});
    int named = 0;
    for (int change = 0; change < 8; ++change) {
      for (std::int64_t joining = rng.between(1, 3); joining > 0; --joining)
        group.join("m" + std::to_string(named++), static_cast<std::uint8_t>(rng.between(1, 4)));
      if (rng.one_in(2)) group.die(group.machines().begin()->first);
      if (group.machines().empty()) continue;
      group.rebalance();
      group.rebalance();
      for (const auto& [name, machine] : group.machines())
        EXPECT_EQ(machine->share.next_rebalance, std::nullopt) << name;
    }
  }
}

// Whatever comes and goes: check_assignments holds (test_group.h), each task runs once or is on its
// way, and what a dead member ran is fenced by who runs it next.
TEST(StreamAssignor, random_groups_keep_their_rules_and_settle) {
  for (std::uint64_t seed = 1; seed <= 150 && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    Group group(plan_of({{{{"a", static_cast<std::int32_t>(rng.between(1, 6))},
                           {"b", static_cast<std::int32_t>(rng.between(1, 6))}},
                          rng.one_in(2)},
                         {{{"c", static_cast<std::int32_t>(rng.between(1, 6))}}, rng.one_in(2)}}),
                {.assign = {.standby_replicas = static_cast<std::int32_t>(rng.below(2))}});
    int named = 0;
    const auto come = [&] {
      const auto number = static_cast<std::uint8_t>(rng.between(1, 4));
      group.join("m" + std::to_string(named++), number);
    };
    come();
    group.settle();
    for (int change = 0; change < 8; ++change) {
      if (rng.one_in(2) || group.machines().size() < 2) {
        come();
      } else {
        const auto victim = rng.below(group.machines().size());
        const std::string name =
            std::next(group.machines().begin(), static_cast<long>(victim))->first;
        const auto ran = group.machines().at(name)->share.active;
        group.die(name);
        // Of what was before all of those that are left came, nobody can tell.
        const bool known = std::ranges::any_of(
            group.machines(), [](const auto& each) { return each.second->generation > 0; });
        if (rng.one_in(3)) come();
        group.rebalance();
        for (const auto& [survivor, machine] : group.machines())
          for (const TaskId& task : machine->share.active)
            if (std::ranges::find(ran, task) != ran.end()) {
              EXPECT_EQ(machine->share.fence.contains("app-" + name), known) << to_string(task);
            }
      }
      if (rng.one_in(2)) group.rebalance();
      if (rng.one_in(2)) group.settle();
    }
    group.settle();
  }
}

}  // namespace
}  // namespace weir::streams
