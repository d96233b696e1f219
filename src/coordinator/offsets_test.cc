// Offsets: who may commit, what is durable, what is deleted and when it expires.
#include "coordinator/test_kit.h"

#include "kafka/records/consumer_protocol_subscription.h"

namespace weir::coordinator {
namespace {

/// What a member of a consumer group joins with: the topics that it subscribes to.
std::string subscription(std::vector<std::string> topics) {
  kafka::ConsumerProtocolSubscription message;
  for (const auto& topic : topics) message.topics.push_back(topic);
  std::string out;
  append_be<std::int16_t>(out, 1);
  EXPECT_TRUE(kafka::encode_all(message, 1, out));
  return out;
}

std::string subscribed_member(Kit& kit, const std::vector<std::string>& topics,
                              const std::string& type = "consumer") {
  const Joined m = kit.join_now(
      {.type = type, .protocols = {{"range", subscription(topics)}}, .session_ms = 1'800'000});
  kit.sync({.member = m.member, .assignments = {{m.member, ""}}});
  return m.member;
}

void keep_alive(Kit& kit, const std::string& member, Duration time) {
  for (Duration passed{}; passed < time; passed += 1000s) {
    kit.sleep(1000s);
    ASSERT_EQ(kit.heartbeat(member, kit.generation()), Errc::none);
  }
}

TEST(commit, who_may_commit) {
  Kit kit;
  EXPECT_EQ(kit.commit_now({.generation = 0}), Errc::illegal_generation) << "no such group";
  EXPECT_EQ(kit.commit_now({}), Errc::none) << "a consumer without membership";
  EXPECT_EQ(kit.fetch("g"), 1);
  const auto ids = kit.stable(1);
  EXPECT_EQ(kit.commit_now({}), Errc::unknown_member_id) << "while there are members";
  EXPECT_EQ(kit.commit_now({.member = ids[0], .generation = -1}), Errc::illegal_generation);
  EXPECT_EQ(kit.commit_now({.member = ids[0], .generation = 1}), Errc::none);
  kit.leave({{ids[0], {}}});
  EXPECT_EQ(kit.commit_now({.member = ids[0], .generation = 1}), Errc::unknown_member_id);
  EXPECT_EQ(kit.commit_now({}), Errc::none) << "an admin, while the group is empty";
}

TEST(commit, an_old_generation_may_commit_while_members_join) {
  Kit kit;
  const auto ids = kit.stable(2);
  const auto generation = kit.generation();
  kit.join({.member = ids[0]});
  EXPECT_EQ(kit.commit_now({.member = ids[1], .generation = generation, .offset = 5}), Errc::none);
  kit.join({.member = ids[1]});
  EXPECT_EQ(kit.commit_now({.member = ids[1], .generation = generation}), Errc::illegal_generation);
  EXPECT_EQ(kit.commit_now({.member = ids[1], .generation = generation + 1}),
            Errc::rebalance_in_progress);
  EXPECT_EQ(kit.fetch("g"), 5);
}

TEST(commit, text_that_is_too_long_fails_its_partition_alone) {
  Kit kit;
  const std::string fits(4096, 'x');
  const std::string longer(4097, 'x');
  EXPECT_EQ(kit.commit_now({.partition = 1, .metadata = longer}), Errc::offset_metadata_too_large);
  EXPECT_EQ(kit.commit_now({.partition = 2, .metadata = fits}), Errc::none);
  CommitRequest both{.group = "g",
                     .member = "",
                     .instance = {},
                     .items = {{.topic = "t", .topic_id = Kit::topic_id(1), .metadata = longer},
                               {.topic = "t", .topic_id = Kit::topic_id(1), .partition = 7}}};
  const Effects effects = kit.coordinator().commit({.request = RequestId{9999}, .version = 8}, both,
                                                   {.mono = kit.now(), .wall_ms = 0});
  EXPECT_EQ(kit.coordinator().records_of(effects.writes.at(0)).size(), 1U);
}

TEST(commit, what_is_fetched_is_durable) {
  Kit kit;
  kit.hold_writes();
  const auto first = kit.commit({.offset = 10});
  const auto second = kit.commit({.offset = 20});
  EXPECT_EQ(kit.writes_held(), 2U) << "the second does not wait for the first";
  EXPECT_EQ(kit.fetch("g"), -1);
  EXPECT_FALSE(kit.commits.contains(first));
  kit.end_write(true);
  EXPECT_EQ(kit.fetch("g"), 10);
  EXPECT_EQ(kit.commits.at(first), Errc::none);
  EXPECT_FALSE(kit.commits.contains(second));
  kit.end_write(true);
  EXPECT_EQ(kit.fetch("g"), 20);
}

TEST(commit, what_failed_is_answered_with_an_error_and_was_not_applied) {
  Kit kit;
  EXPECT_EQ(kit.commit_now({.offset = 10}), Errc::none);
  kit.hold_writes();
  const auto n = kit.commit({.offset = 20});
  kit.end_write(false);
  EXPECT_EQ(kit.commits.at(n), Errc::coordinator_not_available);
  EXPECT_EQ(kit.fetch("g"), 10);
  kit.restart();
  EXPECT_EQ(kit.fetch("g"), 10);
  EXPECT_EQ(kit.coordinator().counters().failed_writes, 0U) << "counters begin anew";
}

TEST(commit, a_group_that_a_failed_commit_made_is_gone) {
  Kit kit;
  kit.hold_writes();
  kit.commit({});
  kit.end_write(false);
  EXPECT_EQ(kit.group(), nullptr);
  EXPECT_EQ(kit.coordinator().state_bytes(), 0U);
}

TEST(commit, a_rebalance_during_the_write_does_not_change_the_answer) {
  Kit kit;
  const auto ids = kit.stable(2);
  const auto generation = kit.generation();
  kit.hold_writes();
  const auto n = kit.commit({.member = ids[1], .generation = generation, .offset = 5});
  kit.join({.member = ids[0]});
  kit.join({.member = ids[1]});
  ASSERT_EQ(kit.generation(), generation + 1);
  kit.release_writes();
  EXPECT_EQ(kit.commits.at(n), Errc::none) << "it was applied";
  EXPECT_EQ(kit.fetch("g"), 5);
}

TEST(fetch, offsets_of_a_topic_that_was_made_again_are_not_those_of_the_old_one) {
  Kit kit;
  kit.commit_now({.offset = 5});
  kit.add_topic("t", 77);
  EXPECT_EQ(kit.fetch("g"), -1);
  kit.restart();
  EXPECT_EQ(kit.fetch("g"), -1);
  EXPECT_EQ(kit.group(), nullptr) << "the load deletes them";
}

TEST(deletion, only_an_empty_group_can_be_deleted_and_all_of_it_goes) {
  Kit kit;
  const auto ids = kit.stable(1);
  kit.commit_now({.member = ids[0], .generation = 1, .partition = 3});
  EXPECT_EQ(kit.delete_group("g"), Errc::non_empty_group);
  kit.leave({{ids[0], {}}});
  EXPECT_EQ(kit.delete_group("g"), Errc::none);
  EXPECT_EQ(kit.group(), nullptr);
  EXPECT_EQ(kit.delete_group("g"), Errc::group_id_not_found);
  kit.restart();
  EXPECT_EQ(kit.group(), nullptr) << "tombstones were written";
  EXPECT_EQ(kit.coordinator().group_count(), 0U);
}

TEST(deletion, reaches_commits_that_are_on_their_way) {
  Kit kit;
  kit.commit_now({.partition = 0});
  kit.hold_writes();
  kit.commit({.partition = 1});
  kit.delete_group("g");
  kit.release_writes();
  EXPECT_EQ(kit.group(), nullptr);
  kit.restart();
  EXPECT_EQ(kit.group(), nullptr);
}

TEST(deletion, who_joins_meanwhile_is_in_a_group_of_its_own) {
  Kit kit;
  kit.commit_now({});
  kit.hold_writes();
  kit.delete_group("g");
  const Joined m = kit.join_now({});
  EXPECT_EQ(m.error, Errc::none);
  const auto n = kit.sync({.member = m.member, .assignments = {{m.member, "all"}}});
  kit.release_writes();
  EXPECT_EQ(kit.syncs.at(n).assignment, "all");
  EXPECT_EQ(kit.fetch("g"), -1);
  kit.restart();
  EXPECT_EQ(kit.heartbeat(m.member, 1), Errc::none);
}

TEST(deletion, of_offsets_spares_what_is_subscribed) {
  Kit kit;
  const std::string member = subscribed_member(kit, {"t"});
  for (const std::string topic : {"t", "u"})
    EXPECT_EQ(kit.commit_now({.member = member, .generation = 1, .topic = topic}), Errc::none);
  EXPECT_EQ(kit.delete_offset("g", "t"), Errc::group_subscribed_to_topic);
  EXPECT_EQ(kit.delete_offset("g", "u"), Errc::none);
  EXPECT_EQ(kit.fetch("g", "t"), 1);
  EXPECT_EQ(kit.fetch("g", "u"), -1);
}

TEST(deletion, of_offsets_of_a_group_of_another_type_waits_until_it_is_empty) {
  Kit kit;
  const std::string member = subscribed_member(kit, {"t"}, "connect");
  kit.commit_now({.member = member, .generation = 1});
  EXPECT_EQ(kit.delete_offset("g", "t"), Errc::non_empty_group);
  kit.leave({{member, {}}});
  EXPECT_EQ(kit.delete_offset("g", "t"), Errc::none);
  EXPECT_EQ(kit.fetch("g"), -1);
}

TEST(deletion, of_offsets_is_refused_while_a_subscription_cannot_be_read) {
  Kit kit;
  const auto ids = kit.stable(1);  // its metadata is no subscription
  kit.commit_now({.member = ids[0], .generation = 1});
  EXPECT_EQ(kit.delete_offset("g", "t"), Errc::group_subscribed_to_topic);
}

TEST(deletion, of_a_topic_takes_its_offsets_from_every_group) {
  Kit kit;
  for (const std::string group : {"a", "b"}) {
    kit.commit_now({.group = group, .topic = "t"});
    kit.commit_now({.group = group, .topic = "u"});
  }
  kit.delete_topic("t");
  kit.add_topic("t", 1);  // even if a topic of that id came back
  for (const std::string group : {"a", "b"}) {
    EXPECT_EQ(kit.fetch(group, "t"), -1);
    EXPECT_EQ(kit.fetch(group, "u"), 1);
  }
  kit.restart();
  EXPECT_EQ(kit.fetch("a", "t"), -1);
}

constexpr auto retention = std::chrono::hours(24 * 7);

TEST(expiry, offsets_go_a_retention_after_their_group_became_empty) {
  Kit kit;
  const std::string member = subscribed_member(kit, {"t"});
  kit.commit_now({.member = member, .generation = 1});
  keep_alive(kit, member, retention);
  EXPECT_EQ(kit.fetch("g"), 1) << "not while somebody is there";
  kit.leave({{member, {}}});
  kit.sleep(retention - 1h);
  EXPECT_EQ(kit.fetch("g"), 1);
  kit.sleep(2h);
  EXPECT_EQ(kit.fetch("g"), -1);
  EXPECT_EQ(kit.group(), nullptr) << "the group goes with its last offset";
  kit.restart();
  EXPECT_EQ(kit.group(), nullptr);
}

TEST(expiry, of_a_consumer_without_membership_counts_from_each_commit) {
  Kit kit;
  kit.commit_now({.partition = 0});
  kit.sleep(retention / 2);
  kit.commit_now({.partition = 1});
  kit.sleep(retention / 2 + 1h);
  EXPECT_EQ(kit.fetch("g", "t", 0), -1);
  EXPECT_EQ(kit.fetch("g", "t", 1), 1);
}

TEST(expiry, a_running_consumer_group_loses_only_what_it_no_longer_subscribes_to) {
  for (const std::string type : {"consumer", "connect"}) {
    Kit kit;
    const std::string member = subscribed_member(kit, {"t"}, type);
    kit.commit_now({.member = member, .generation = 1, .topic = "t"});
    kit.commit_now({.member = member, .generation = 1, .topic = "u"});
    keep_alive(kit, member, retention + 1h);
    EXPECT_EQ(kit.fetch("g", "t"), 1);
    EXPECT_EQ(kit.fetch("g", "u"), type == "consumer" ? -1 : 1);
  }
}

TEST(expiry, is_moved_neither_by_the_wall_clock_nor_by_a_restart) {
  Kit kit;
  kit.commit_now({});
  kit.shift_wall_clock(std::int64_t{400} * 24 * 3600 * 1000);
  kit.sleep(1h);
  EXPECT_EQ(kit.fetch("g"), 1);
  kit.restart();
  kit.sleep(retention - 1h);
  EXPECT_EQ(kit.fetch("g"), 1) << "a restart begins the retention anew";
  kit.sleep(2h);
  EXPECT_EQ(kit.fetch("g"), -1);
}

TEST(expiry, takes_offsets_of_topics_that_are_gone) {
  Kit kit;
  kit.commit_now({.topic = "t"});
  kit.commit_now({.topic = "u"});
  kit.drop_topic("t");
  kit.sleep(11min);
  EXPECT_EQ(kit.group()->offset_count, 1U);
}

TEST(expiry, an_empty_group_without_offsets_is_forgotten) {
  Kit kit;
  const auto ids = kit.stable(1);
  kit.leave({{ids[0], {}}});
  kit.sleep(11min);
  EXPECT_EQ(kit.group(), nullptr);
}

TEST(load, the_newest_record_of_a_key_counts_and_a_tombstone_ends_it) {
  Kit kit;
  kit.commit_now({.partition = 0, .offset = 1});
  kit.commit_now({.partition = 0, .offset = 2});
  kit.commit_now({.partition = 1, .offset = 3});
  kit.durable.push_back(make_offset_tombstone({.group = "g", .topic = "t", .partition = 1}));
  kit.restart();
  EXPECT_EQ(kit.fetch("g", "t", 0), 2);
  EXPECT_EQ(kit.fetch("g", "t", 1), -1);
  EXPECT_EQ(kit.group()->offset_count, 1U);
}

TEST(load, unknown_records_are_left_alone_and_named) {
  Kit kit;
  kit.commit_now({.offset = 4});
  Record unknown;
  append_be<std::int16_t>(unknown.key, 3);
  unknown.key += std::string("\0\1g", 3);
  unknown.value = std::string("\0\0\0\0\0\1", 6);
  kit.durable.push_back(unknown);
  std::string said;
  set_log_level(LogLevel::warn);
  set_log_sink([&](const LogLine& line) { said += line.text; });
  kit.restart();
  set_log_sink({});
  set_log_level(LogLevel::off);
  EXPECT_NE(said.find("1 records of key type 3"), std::string::npos) << said;
  EXPECT_EQ(kit.fetch("g"), 4);
}

TEST(load, a_record_that_is_broken_is_an_error) {
  Kit kit;
  EXPECT_FALSE(kit.coordinator().load("x", std::nullopt, {}));
}

TEST(load, live_and_loaded_state_are_the_same) {
  Kit kit;
  const auto ids = kit.stable(2);
  kit.commit_now({.member = ids[0], .generation = kit.generation(), .offset = 7, .metadata = "m"});
  kit.commit_now({.group = "other", .topic = "u", .partition = 1, .offset = 9});
  const auto text_of = [&] {
    std::string out;
    for (const Group* group : kit.coordinator().groups()) {
      out += group->id + " " + std::string(name_of(group->state)) + " " +
             std::to_string(group->generation) + " " + group->protocol.value_or("-") + " " +
             group->leader + " " + group->protocol_type;
      for (const auto& [id, member] : group->members) out += " " + id + "=" + member->assignment;
      for (const auto& [topic, partitions] : group->offsets)
        for (const auto& [p, offset] : partitions)
          out += " " + topic + std::to_string(p) + "=" + std::to_string(offset.offset) +
                 offset.metadata;
      out += "\n";
    }
    return out;
  };
  const std::string live = text_of();
  kit.restart();
  EXPECT_EQ(text_of(), live);
}

}  // namespace
}  // namespace weir::coordinator
