#include "streams/assignment/assign.h"

#include <gtest/gtest.h>

namespace weir::streams {
namespace {

Uuid process(std::uint8_t number) {
  Uuid out;
  out.bytes[15] = number;
  return out;
}

/// "0_0 0_1 1_0"
std::set<TaskId> tasks(std::string_view text) {
  std::set<TaskId> out;
  for (std::size_t at = 0; at < text.size(); at += 4)
    out.insert({text[at] - '0', text[at + 2] - '0'});
  return out;
}
std::string text(const std::set<TaskId>& tasks) {
  std::string out;
  for (const TaskId& task : tasks) out += (out.empty() ? "" : " ") + to_string(task);
  return out;
}

constexpr std::int64_t long_changelog = 1'000'000;

std::vector<TaskSpec> stateful(std::string_view list) {
  std::vector<TaskSpec> out;
  for (const TaskId& task : tasks(list)) out.push_back({task, true, long_changelog});
  return out;
}
std::vector<TaskSpec> stateless(std::string_view list) {
  std::vector<TaskSpec> out;
  for (const TaskId& task : tasks(list)) out.push_back({task, false});
  return out;
}
std::vector<TaskSpec> operator+(std::vector<TaskSpec> a, const std::vector<TaskSpec>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// A client of one thread, "t".
ClientSpec client(std::uint8_t number, std::string_view runs = "") {
  return {.process = process(number), .threads = {{.id = "t", .runs = tasks(runs)}}};
}
ClientSpec with_state(ClientSpec spec, std::string_view list, std::int64_t lag,
                      bool standby = true) {
  for (const TaskId& task : tasks(list)) {
    spec.offset_sums[task] = long_changelog - lag;
    if (standby) spec.threads[0].standbys.insert(task);
  }
  return spec;
}
ClientSpec tagged(ClientSpec spec, std::map<std::string, std::string> tags) {
  spec.tags = std::move(tags);
  return spec;
}

/// "1: 0_0 | 0_1 | 0_1" a client: active, standby, warm-up.
std::vector<std::string> shown(const Shares& shares) {
  std::vector<std::string> out;
  for (const auto& [id, share] : shares.clients) {
    std::string line = std::to_string(id.bytes[15]) + ": " + text(share.active);
    if (!share.standby.empty()) line += " | " + text(share.standby);
    if (!share.warm_up.empty()) line += " | " + text(share.warm_up);
    out.push_back(line);
  }
  return out;
}
using Lines = std::vector<std::string>;

TEST(Assign, fresh_clients_get_equal_numbers_of_each_sub_topology) {
  const auto given = assign(stateful("0_0 0_1 0_2 0_3") + stateless("1_0 1_1 1_2 1_3"),
                            {client(2), client(1)}, {});
  EXPECT_EQ(shown(given), (Lines{"1: 0_0 0_2 1_0 1_2", "2: 0_1 0_3 1_1 1_3"}));
  EXPECT_FALSE(given.probing);
}

TEST(Assign, a_client_of_two_threads_gets_twice_as_much) {
  ClientSpec two = client(1);
  two.threads.push_back({.id = "u"});
  const auto given = assign(stateful("0_0 0_1 0_2 0_3 0_4 0_5"), {two, client(2)}, {});
  EXPECT_EQ(given.clients.at(process(1)).active.size(), 4U);
  EXPECT_EQ(given.clients.at(process(1)).threads.at("t").active.size(), 2U);
  EXPECT_EQ(given.clients.at(process(1)).threads.at("u").active.size(), 2U);
}

TEST(Assign, nothing_moves_when_nothing_has_changed) {
  const auto given = assign(stateful("0_0 0_1 0_2") + stateless("1_0"),
                            {client(1, "0_2 1_0"), client(2, "0_0 0_1")}, {});
  EXPECT_EQ(shown(given), (Lines{"1: 0_2 1_0", "2: 0_0 0_1"}));
}

TEST(Assign, a_client_that_comes_warms_up_at_most_two_tasks_while_the_others_go_on) {
  const auto given = assign(stateful("0_0 0_1 0_2 0_3 0_4 0_5"),
                            {client(1, "0_0 0_1 0_2 0_3 0_4 0_5"), client(2)}, {});
  EXPECT_EQ(shown(given), (Lines{"1: 0_0 0_1 0_2 0_3 0_4 0_5", "2:  | 0_0 0_1 | 0_0 0_1"}));
  EXPECT_TRUE(given.probing);
}

TEST(Assign, what_has_warmed_up_moves_and_the_next_begins) {
  const auto given =
      assign(stateful("0_0 0_1 0_2 0_3 0_4 0_5"),
             {client(1, "0_0 0_1 0_2 0_3 0_4 0_5"), with_state(client(2), "0_0 0_1", 10'000)}, {});
  EXPECT_EQ(shown(given), (Lines{"1: 0_2 0_3 0_4 0_5", "2: 0_0 0_1 | 0_2 | 0_2"}));
  EXPECT_TRUE(given.probing);
}

TEST(Assign, a_warm_up_goes_on_until_it_has_caught_up) {
  const auto given =
      assign(stateful("0_0 0_1 0_2 0_3 0_4 0_5"),
             {client(1, "0_0 0_1 0_2 0_3 0_4 0_5"), with_state(client(2), "0_3 0_5", 10'001)}, {});
  EXPECT_EQ(shown(given), (Lines{"1: 0_0 0_1 0_2 0_3 0_4 0_5", "2:  | 0_3 0_5 | 0_3 0_5"}));
}

TEST(Assign, without_a_bound_on_lag_or_with_short_changelogs_tasks_move_at_once) {
  const Lines halves{"1: 0_1", "2: 0_0"};
  EXPECT_EQ(shown(assign(stateful("0_0 0_1"), {client(1, "0_0 0_1"), client(2)},
                         {.acceptable_recovery_lag = long_changelog})),
            halves);
  auto all = stateful("0_0 0_1");
  for (TaskSpec& task : all) task.end_sum = 9'000;
  const auto given = assign(all, {client(1, "0_0 0_1"), client(2)}, {});
  EXPECT_EQ(shown(given), halves);
  EXPECT_FALSE(given.probing);
}

TEST(Assign, a_dead_clients_tasks_go_to_their_standbys_and_nothing_else_moves) {
  const auto given = assign(
      stateful("0_0 0_1 0_2 0_3 0_4 0_5"),
      {with_state(client(1, "0_0 0_1"), "0_4", 5), with_state(client(2, "0_2 0_3"), "0_5", 5)}, {});
  EXPECT_EQ(shown(given), (Lines{"1: 0_0 0_1 0_4", "2: 0_2 0_3 0_5"}));
  EXPECT_FALSE(given.probing);
}

TEST(Assign, of_two_that_have_not_caught_up_the_nearer_takes_a_dead_clients_task) {
  const auto given = assign(stateful("0_0"),
                            {client(1), with_state(client(2), "0_0", 400'000, false),
                             with_state(client(3), "0_0", 500'000, false)},
                            {});
  EXPECT_EQ(shown(given), (Lines{"1: ", "2: 0_0", "3: "}));
}

TEST(Assign, all_of_a_group_that_comes_back_resumes_where_its_state_is) {
  // Client 1 was alone before: half is to go to 2, which has nothing yet.
  const auto given = assign(stateful("0_0 0_1 0_2 0_3"),
                            {with_state(client(1), "0_0 0_1 0_2 0_3", 0, false), client(2)}, {});
  EXPECT_EQ(given.clients.at(process(1)).active, tasks("0_0 0_1 0_2 0_3"));
  EXPECT_EQ(given.clients.at(process(2)).warm_up.size(), 2U);
  EXPECT_TRUE(given.probing);
}

TEST(Assign, a_changelog_that_ends_before_the_state_was_made_anew) {
  EXPECT_EQ(lag_of(5, 4), 4);
  EXPECT_EQ(lag_of(5, 5), 0);
  EXPECT_EQ(lag_of(std::nullopt, 7), 7);
  ClientSpec ahead = client(1);
  ahead.offset_sums[{0, 0}] = 2 * long_changelog;
  const auto given =
      assign(stateful("0_0"), {ahead, with_state(client(2), "0_0", 20'000, false)}, {});
  EXPECT_EQ(shown(given), (Lines{"1: ", "2: 0_0"}));
}

TEST(Assign, standbys_are_with_others_than_the_active_and_balanced) {
  const auto given =
      assign(stateful("0_0 0_1 0_2"), {client(1), client(2), client(3)}, {.standby_replicas = 1});
  for (const auto& [id, share] : given.clients) {
    EXPECT_EQ(share.active.size(), 1U);
    EXPECT_EQ(share.standby.size(), 1U);
    EXPECT_NE(share.active, share.standby);
  }
}

TEST(Assign, there_are_no_more_standbys_than_other_clients_and_none_of_stateless_tasks) {
  const auto given =
      assign(stateful("0_0") + stateless("1_0"), {client(1), client(2)}, {.standby_replicas = 3});
  EXPECT_EQ(shown(given), (Lines{"1: 0_0", "2: 1_0 | 0_0"}));
}

TEST(Assign, a_standby_stays_where_it_is) {
  const auto given =
      assign(stateful("0_0 0_1 0_2"),
             {with_state(client(1, "0_0"), "0_2", 9), with_state(client(2, "0_1"), "0_0", 9),
              with_state(client(3, "0_2"), "0_1", 9)},
             {.standby_replicas = 1});
  EXPECT_EQ(shown(given), (Lines{"1: 0_0 | 0_2", "2: 0_1 | 0_0", "3: 0_2 | 0_1"}));
}

TEST(Assign, a_standby_is_preferred_to_state_that_only_lies_there) {
  const auto given = assign(
      stateful("0_0"),
      {client(1, "0_0"), with_state(client(2), "0_0", 5, false), with_state(client(3), "0_0", 9)},
      {.standby_replicas = 1});
  EXPECT_EQ(shown(given), (Lines{"1: 0_0", "2: ", "3:  | 0_0"}));
  const auto over = assign(
      stateful("0_0"),
      {client(1), with_state(client(2), "0_0", 5, false), with_state(client(3), "0_0", 9)}, {});
  EXPECT_EQ(shown(over), (Lines{"1: ", "2: ", "3: 0_0"}));
}

TEST(Assign, a_standby_moves_only_when_the_next_one_has_caught_up) {
  // 1 has two standbys, 3 none: it is to take 0_1.
  const auto given = [](ClientSpec third) {
    return shown(assign(stateful("0_0 0_1 0_2"),
                        {with_state(client(1, "0_0"), "0_1 0_2", 5),
                         with_state(client(2, "0_1"), "0_0", 5), std::move(third)},
                        {.standby_replicas = 1}));
  };
  EXPECT_EQ(given(client(3, "0_2")),
            (Lines{"1: 0_0 | 0_1 0_2", "2: 0_1 | 0_0", "3: 0_2 | 0_1 | 0_1"}));
  EXPECT_EQ(given(with_state(client(3, "0_2"), "0_1", 10'001)),
            (Lines{"1: 0_0 | 0_1 0_2", "2: 0_1 | 0_0", "3: 0_2 | 0_1 | 0_1"}));
  EXPECT_EQ(given(with_state(client(3, "0_2"), "0_1", 10'000)),
            (Lines{"1: 0_0 | 0_2", "2: 0_1 | 0_0", "3: 0_2 | 0_1"}));
}

TEST(Assign, replicas_go_to_other_zones_as_far_as_there_are) {
  const std::vector<ClientSpec> zones{
      tagged(client(1), {{"zone", "a"}}), tagged(client(2), {{"zone", "a"}}),
      tagged(client(3), {{"zone", "b"}}), tagged(client(4), {{"zone", "b"}})};
  const auto given =
      assign(stateful("0_0 0_1 0_2 0_3"), zones, {.standby_replicas = 1, .spread_tags = {"zone"}});
  std::map<TaskId, std::set<bool>> in_a;
  for (const auto& [id, share] : given.clients)
    for (const auto& list : {share.active, share.standby})
      for (const TaskId& task : list) in_a[task].insert(id.bytes[15] <= 2);
  for (const auto& [task, both] : in_a) EXPECT_EQ(both.size(), 2U) << to_string(task);
  const auto alone = assign(stateful("0_0"), {zones[0], zones[1]},
                            {.standby_replicas = 1, .spread_tags = {"zone"}});
  EXPECT_EQ(shown(alone), (Lines{"1: 0_0", "2:  | 0_0"}));
}

TEST(Assign, standbys_stay_in_other_zones_though_they_are_more_there) {
  const auto given = assign(stateful("0_0 0_1 0_2"),
                            {tagged(with_state(client(1, "0_0"), "0_2", 5), {{"zone", "a"}}),
                             tagged(client(2, "0_1"), {{"zone", "a"}}),
                             tagged(with_state(client(3, "0_2"), "0_0 0_1", 5), {{"zone", "b"}})},
                            {.standby_replicas = 1, .spread_tags = {"zone"}});
  EXPECT_EQ(shown(given), (Lines{"1: 0_0 | 0_2", "2: 0_1", "3: 0_2 | 0_0 0_1"}));
}

TEST(Assign, a_task_whose_end_is_not_known_stays_or_goes_where_the_most_of_it_is) {
  auto all = stateful("0_0 0_1 0_2");
  for (TaskSpec& task : all) task.end_sum.reset();
  const auto given = assign(all,
                            {client(1, "0_0 0_1"), with_state(client(2), "0_2", 500'000, false),
                             with_state(client(3), "0_2", 900'000, false)},
                            {});
  EXPECT_EQ(shown(given), (Lines{"1: 0_0 0_1", "2: 0_2", "3: "}));
  EXPECT_TRUE(given.unknown_ends);
}

TEST(Assign, threads_keep_their_tasks_and_standbys_become_active_where_they_were) {
  ClientSpec both{.process = process(1),
                  .threads = {{.id = "a", .runs = tasks("0_1 0_3")},
                              {.id = "b", .runs = tasks("0_0"), .standbys = tasks("0_2")}},
                  .offset_sums = {{{0, 2}, long_changelog}}};
  const auto given = assign(stateful("0_0 0_1 0_2 0_3"), {both}, {});
  EXPECT_EQ(given.clients.at(process(1)).threads.at("a").active, tasks("0_1 0_3"));
  EXPECT_EQ(given.clients.at(process(1)).threads.at("b").active, tasks("0_0 0_2"));
}

TEST(Assign, a_client_never_gets_what_it_cannot_take) {
  ClientSpec without = client(1);
  without.excluded = tasks("1_0 1_1");
  const auto given =
      assign(stateless("0_0 0_1 1_0 1_1"), {without, client(2)}, {.standby_replicas = 1});
  EXPECT_EQ(shown(given), (Lines{"1: 0_0 0_1", "2: 1_0 1_1"}));
  EXPECT_EQ(assign(stateless("1_0"), {without}, {}).waiting, tasks("1_0"));
}

TEST(Assign, the_sticky_strategy_never_looks_at_lag) {
  const auto given = assign(stateful("0_0 0_1 0_2 0_3"),
                            {client(1, "0_0 0_1 0_2"), with_state(client(2), "0_3", 999'999)},
                            {.strategy = Strategy::sticky});
  EXPECT_EQ(given.clients.at(process(1)).active.size(), 2U);
  EXPECT_TRUE(given.clients.at(process(2)).active.contains({0, 3}));
  EXPECT_FALSE(given.probing);
}

TEST(Assign, round_robin_gives_each_thread_its_turn) {
  ClientSpec two = client(1, "0_4");
  two.threads.push_back({.id = "u"});
  const auto given = assign(stateless("0_0 0_1 0_2 0_3 0_4"), {two, client(2)},
                            {.strategy = Strategy::round_robin});
  EXPECT_EQ(shown(given), (Lines{"1: 0_0 0_2 0_3", "2: 0_1 0_4"}));
}

TEST(Assign, a_fixed_task_waits_for_its_slot_and_moves_to_no_other) {
  ClientSpec zero = client(9);
  zero.slot = 0;
  ClientSpec one = client(1);
  one.slot = 1;
  const AssignOptions fixed{.strategy = Strategy::fixed, .fixed_slots = 3};
  const auto given = assign(stateful("0_0 0_1 0_2 1_1"), {zero, one, client(5)}, fixed);
  EXPECT_EQ(shown(given), (Lines{"1: 0_1 1_1", "5: ", "9: 0_0"}));
  EXPECT_EQ(given.waiting, tasks("0_2"));
}

TEST(Assign, without_clients_or_threads_everything_waits) {
  EXPECT_EQ(assign(stateful("0_0"), {}, {.standby_replicas = 1}).waiting, tasks("0_0"));
  const auto given = assign(stateful("0_0"), {ClientSpec{.process = process(1)}}, {});
  EXPECT_EQ(given.waiting, tasks("0_0"));
}

}  // namespace
}  // namespace weir::streams
