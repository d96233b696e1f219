#include "client/assignors.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "client/group_payload.h"
#include "client/group_protocol.h"

namespace weir::client {
namespace {

using Counts = Assignor::PartitionCounts;
using Partitions = std::vector<TopicPartition>;

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += "0123456789abcdef"[byte >> 4U];
    out += "0123456789abcdef"[byte & 15U];
  }
  return out;
}
std::string unhex(std::string_view text) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    out += static_cast<char>(digit(text[i]) * 16 + digit(text[i + 1]));
  return out;
}

GroupMember member(std::string id, std::vector<std::string> topics, Partitions owned = {},
                   std::int32_t generation = -1) {
  return {.id = std::move(id),
          .subscription = {
              .topics = std::move(topics), .owned = std::move(owned), .generation = generation}};
}

Assignor::Assignments assign(Assignor& assignor, const Counts& counts,
                             const std::vector<GroupMember>& members) {
  auto given = assignor.assign(counts, members);
  EXPECT_TRUE(given);
  const auto ok = check_assignments(assignor, counts, members, *given);
  EXPECT_TRUE(ok) << ok.error().message();
  return *given;
}

const Partitions golden_owned{{"ab", 0}, {"ab", 3}, {"c", 1}};
constexpr std::string_view golden_sticky =
    "0000000200026162000000020000000000000003000163000000010000000100000007";
constexpr std::string_view golden_subscription_v1 =
    "00010000000200026162000163000000040000000700000002000261620000000200000000000000030001630000"
    "000100000001";

TEST(GroupPayload, subscriptions_are_the_bytes_of_kafka_in_every_version) {
  const GroupSubscription subscription{.topics = {"c", "ab"},
                                       .user_data = std::string("\0\0\0\7", 4),
                                       .owned = golden_owned,
                                       .generation = 7,
                                       .rack = "r1"};
  const std::string v1 = golden_subscription_v1.data();
  EXPECT_EQ(hex(*encode_subscription(subscription, 1)), v1);
  EXPECT_EQ(hex(*encode_subscription(subscription, 2)), "0002" + v1.substr(4) + "00000007");
  const std::string v3 = hex(*encode_subscription(subscription));
  EXPECT_EQ(v3, "0003" + v1.substr(4) + "00000007" + "00027231");
  const auto read = decode_subscription(unhex(v3));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->topics, (std::vector<std::string>{"ab", "c"}));
  EXPECT_EQ(read->owned, golden_owned);
  EXPECT_EQ(read->generation, 7);
  EXPECT_EQ(read->rack, "r1");
  EXPECT_EQ(read->user_data, subscription.user_data);
  const auto newer = decode_subscription(unhex("0009" + v3.substr(4) + "ffff"));
  ASSERT_TRUE(newer);
  EXPECT_EQ(newer->rack, "r1");
  const auto oldest = decode_subscription(*encode_subscription(subscription, 0));
  ASSERT_TRUE(oldest);
  EXPECT_TRUE(oldest->owned.empty());
  EXPECT_EQ(oldest->generation, -1);
}

TEST(GroupPayload, assignments_are_the_bytes_of_kafka_and_none_is_an_empty_one) {
  const GroupAssignment assignment{.partitions = golden_owned, .user_data = "\1"};
  const std::string bytes = *encode_assignment(assignment);
  EXPECT_EQ(hex(bytes),
            "0003000000020002616200000002000000000000000300016300000001000000010000000101");
  const auto read = decode_assignment(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->partitions, golden_owned);
  EXPECT_EQ(read->user_data, "\1");
  EXPECT_TRUE(decode_assignment("")->partitions.empty());
}

// More memory for its bytes than other messages may take: each partition has its topic's name.
TEST(GroupPayload, an_assignment_of_ten_thousand_partitions_is_read) {
  GroupAssignment all;
  for (std::int32_t p = 0; p < 10'000; ++p) all.partitions.push_back({"a.topic.with.a.name", p});
  const auto read = decode_assignment(*encode_assignment(all));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->partitions, all.partitions);
}

TEST(GroupPayload, cut_and_lying_bytes_are_refused_at_every_length) {
  const std::string whole = unhex("0003" + std::string(golden_subscription_v1.substr(4)) +
                                  "00000007"
                                  "00027231");
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(decode_subscription(std::string_view(whole).substr(0, size))) << size;
  EXPECT_EQ(decode_subscription(unhex("00037fffffff")).error().code(), Errc::malformed);
  EXPECT_EQ(decode_assignment(unhex("0001000000010002616200ffffff")).error().code(),
            Errc::malformed);
  EXPECT_EQ(decode_assignment(unhex("ffff")).error().code(), Errc::malformed);
}

TEST(Assignors, user_data_is_that_of_kafkas_assignors) {
  const GroupMetadata in_seven{.group = "g", .generation = 7, .member_id = "m"};
  const auto sticky = sticky_assignor();
  EXPECT_EQ(sticky->user_data({"ab", "c"}), std::nullopt);
  sticky->on_assignment({.partitions = golden_owned}, in_seven);
  EXPECT_EQ(hex(*sticky->user_data({"ab", "c"})), golden_sticky);
  const auto cooperative = cooperative_sticky_assignor();
  EXPECT_EQ(hex(*cooperative->user_data({})), "ffffffff");
  cooperative->on_assignment({.partitions = golden_owned}, in_seven);
  EXPECT_EQ(hex(*cooperative->user_data({})), "00000007");
  EXPECT_EQ(range_assignor()->user_data({}), std::nullopt);
  EXPECT_EQ(round_robin_assignor()->user_data({}), std::nullopt);
}

TEST(Assignors, sticky_reads_the_user_data_of_kafkas_sticky_assignor) {
  const Counts counts{{"ab", 4}, {"c", 2}};
  GroupMember old = member("z-old", {"ab", "c"});
  old.subscription.user_data = unhex(golden_sticky);
  GroupMember broken = member("a-broken", {"ab", "c"});
  broken.subscription.user_data = unhex(golden_sticky.substr(0, 20));
  const auto given = assign(*sticky_assignor(), counts, {broken, old});
  EXPECT_EQ(given.at("z-old").partitions, golden_owned);
  EXPECT_EQ(given.at("a-broken").partitions, (Partitions{{"ab", 1}, {"ab", 2}, {"c", 0}}));
}

TEST(Assignors, range_gives_runs_and_the_same_numbers_of_every_topic_to_one_member) {
  const auto given = assign(*range_assignor(), {{"a", 5}, {"b", 5}, {"only-b", 1}},
                            {member("m2", {"a", "b"}), member("m1", {"a", "b", "only-b"})});
  EXPECT_EQ(
      given.at("m1").partitions,
      (Partitions{{"a", 0}, {"a", 1}, {"a", 2}, {"b", 0}, {"b", 1}, {"b", 2}, {"only-b", 0}}));
  EXPECT_EQ(given.at("m2").partitions, (Partitions{{"a", 3}, {"a", 4}, {"b", 3}, {"b", 4}}));
}

TEST(Assignors, static_members_come_first_by_their_instance_ids) {
  GroupMember first = member("zzz", {"a"});
  first.instance_id = "i1";
  GroupMember second = member("yyy", {"a"});
  second.instance_id = "i2";
  const auto given = assign(*range_assignor(), {{"a", 3}}, {member("aaa", {"a"}), second, first});
  EXPECT_EQ(given.at("zzz").partitions, (Partitions{{"a", 0}}));
  EXPECT_EQ(given.at("yyy").partitions, (Partitions{{"a", 1}}));
  EXPECT_EQ(given.at("aaa").partitions, (Partitions{{"a", 2}}));
}

TEST(Assignors, round_robin_goes_over_all_topics_and_skips_who_does_not_read_one) {
  const auto given =
      assign(*round_robin_assignor(), {{"a", 1}, {"b", 2}, {"c", 3}},
             {member("m1", {"a"}), member("m2", {"a", "b"}), member("m3", {"a", "b", "c"})});
  EXPECT_EQ(given.at("m1").partitions, (Partitions{{"a", 0}}));
  EXPECT_EQ(given.at("m2").partitions, (Partitions{{"b", 0}}));
  EXPECT_EQ(given.at("m3").partitions, (Partitions{{"b", 1}, {"c", 0}, {"c", 1}, {"c", 2}}));
}

TEST(Assignors, what_moves_is_withheld_until_its_owner_has_let_go) {
  const Counts counts{{"t", 4}};
  const auto assignor = cooperative_sticky_assignor();
  Partitions all{{"t", 0}, {"t", 1}, {"t", 2}, {"t", 3}};
  const auto first = assign(*assignor, counts, {member("a", {"t"}, all, 1), member("b", {"t"})});
  const Partitions kept = first.at("a").partitions;
  EXPECT_EQ(kept.size(), 2U);
  EXPECT_TRUE(first.at("b").partitions.empty());
  const auto second =
      assign(*assignor, counts, {member("a", {"t"}, kept, 2), member("b", {"t"}, {}, 2)});
  EXPECT_EQ(second.at("a").partitions, kept);
  EXPECT_EQ(second.at("b").partitions.size(), 2U);
}

TEST(Assignors, the_claim_of_a_later_generation_wins_and_equal_ones_void_each_other) {
  const Counts counts{{"t", 2}};
  const auto assignor = cooperative_sticky_assignor();
  const auto later =
      assign(*assignor, counts,
             {member("a", {"t"}, {{"t", 0}, {"t", 1}}, 3), member("b", {"t"}, {{"t", 1}}, 4)});
  EXPECT_EQ(later.at("a").partitions, (Partitions{{"t", 0}}));
  EXPECT_EQ(later.at("b").partitions, (Partitions{{"t", 1}}));
  const auto equal = assign(*assignor, counts,
                            {member("a", {"t"}, {{"t", 0}}, 3), member("b", {"t"}, {{"t", 0}}, 3),
                             member("c", {"t"}, {}, 3)});
  EXPECT_FALSE(std::count(equal.at("c").partitions.begin(), equal.at("c").partitions.end(),
                          TopicPartition{"t", 0}));
}

TEST(Assignors, broken_assignments_are_named) {
  class Broken final : public Assignor {
   public:
    explicit Broken(Assignments given) : given_(std::move(given)) {}
    std::string_view name() const override { return "broken"; }
    bool cooperative() const override { return true; }
    Result<Assignments> assign(const PartitionCounts&, const std::vector<GroupMember>&) override {
      return given_;
    }

   private:
    Assignments given_;
  };
  const std::vector<GroupMember> members{member("a", {"t"}, {{"t", 0}}, 1), member("b", {"t"})};
  const auto message = [&](Assignor::Assignments given) {
    Broken assignor(given);
    const auto ok = check_assignments(assignor, {{"t", 2}, {"u", 1}}, members, given);
    return ok ? std::string() : ok.error().message();
  };
  EXPECT_EQ(message({{"a", {{{"t", 0}}}}, {"b", {{{"t", 1}}}}}), "");
  EXPECT_EQ(message({{"c", {}}}), "assignor broken: c is not a member");
  EXPECT_EQ(message({{"a", {{{"t", 2}}}}}),
            "assignor broken: gives t-2, which does not exist, to a");
  EXPECT_EQ(message({{"a", {{{"u", 0}}}}}),
            "assignor broken: gives u-0 to a, which did not subscribe to it");
  EXPECT_EQ(message({{"a", {{{"t", 0}}}}, {"b", {{{"t", 0}}}}}),
            "assignor broken: gives t-0 to both a and b");
  EXPECT_EQ(message({{"b", {{{"t", 0}}}}}),
            "assignor broken: gives t-0 away while its owner still has it");
}

/// A random group that changes: topics, members, subscriptions; each round is one rebalance.
class Group {
 public:
  explicit Group(std::uint64_t seed) : rng(seed) {
    const auto topics = rng.between(1, 5);
    for (std::int64_t i = 0; i < topics; ++i)
      counts["t" + std::to_string(i)] = static_cast<std::int32_t>(rng.between(1, 12));
    same = rng.one_in(2);
  }
  void change() {
    const auto what = members.empty() ? 0 : rng.below(4);
    if (what <= 1) {
      members.push_back(member("m" + std::to_string(rng.below(100'000)), topics()));
    } else if (what == 2 && members.size() > 1) {
      members.erase(members.begin() + static_cast<std::ptrdiff_t>(rng.below(members.size())));
    } else {
      ++counts.begin()->second;
    }
  }
  std::vector<std::string> topics() {
    std::vector<std::string> out;
    for (const auto& [topic, count] : counts)
      if (same || rng.one_in(2)) out.push_back(topic);
    if (out.empty()) out.push_back(counts.begin()->first);
    return out;
  }
  void take(const Assignor::Assignments& given) {
    ++generation;
    for (GroupMember& m : members) {
      m.subscription.owned = given.at(m.id).partitions;
      m.subscription.generation = generation;
    }
  }
  std::size_t wanted() const {
    std::size_t out = 0;
    for (const auto& [topic, count] : counts)
      if (std::any_of(members.begin(), members.end(),
                      [&, &name = topic](const GroupMember& m) { return wants(m, name); }))
        out += static_cast<std::size_t>(count);
    return out;
  }

  Rng rng;
  Counts counts;
  bool same = true;
  std::vector<GroupMember> members;
  std::int32_t generation = 0;
};

std::size_t total(const Assignor::Assignments& given) {
  std::size_t out = 0;
  for (const auto& [id, assignment] : given) out += assignment.partitions.size();
  return out;
}

/// No partition of a member could go to a reader with at least two fewer.
void expect_balanced(const Group& group, const Assignor::Assignments& given) {
  for (const GroupMember& from : group.members)
    for (const TopicPartition& partition : given.at(from.id).partitions)
      for (const GroupMember& to : group.members)
        if (wants(to, partition.topic)) {
          EXPECT_LE(given.at(from.id).partitions.size(), given.at(to.id).partitions.size() + 1)
              << from.id << " " << to.id << " " << partition.topic;
        }
}

TEST(Assignors, random_groups_are_shared_out_whole_balanced_and_settle_without_moves) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(seed);
    Group group(seed);
    const auto assignor = cooperative_sticky_assignor();
    for (int round = 0; round < 12; ++round) {
      group.change();
      Assignor::Assignments given;
      // The second rebalance hands out what the first took away, which with mixed subscriptions
      // may move something else once more.
      std::size_t last = 0;
      for (int i = 0; i < (group.same ? 2 : 6) && last != group.wanted(); ++i) {
        given = assign(*assignor, group.counts, group.members);
        group.take(given);
        last = total(given);
      }
      ASSERT_EQ(total(given), group.wanted());
      expect_balanced(group, given);
      const auto again = assign(*assignor, group.counts, group.members);
      for (const auto& [id, assignment] : again)
        ASSERT_EQ(assignment.partitions, given.at(id).partitions);
      ASSERT_FALSE(testing::Test::HasFailure());
    }
  }
}

TEST(Assignors, in_groups_of_one_subscription_no_more_moves_than_balance_takes) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(seed);
    Group group(seed);
    group.same = true;
    const auto assignor = sticky_assignor();
    for (int round = 0; round < 12; ++round) {
      group.change();
      for (GroupMember& m : group.members) {
        std::string bytes;
        kafka::Encoder encoder(bytes);
        put_partitions(encoder, m.subscription.owned);
        encoder.integer(m.subscription.generation);
        m.subscription.user_data = bytes;
      }
      const auto given = assign(*assignor, group.counts, group.members);
      ASSERT_EQ(total(given), group.wanted());
      // Members may keep up to their share; the larger shares go to those who had most.
      const std::size_t small = group.wanted() / group.members.size();
      std::size_t large = group.wanted() % group.members.size();
      std::size_t could_keep = 0, kept = 0;
      std::vector<std::size_t> sizes;
      for (const GroupMember& m : group.members) {
        const auto& owned = m.subscription.owned;
        sizes.push_back(owned.size());
        for (const TopicPartition& p : given.at(m.id).partitions)
          kept += static_cast<std::size_t>(std::count(owned.begin(), owned.end(), p));
        EXPECT_GE(given.at(m.id).partitions.size(), small);
        EXPECT_LE(given.at(m.id).partitions.size(), small + 1);
      }
      for (const std::size_t size : sizes) {
        if (size > small && large > 0) {
          could_keep += small + 1;
          --large;
        } else {
          could_keep += std::min(size, small);
        }
      }
      ASSERT_EQ(kept, could_keep);
      group.take(given);
    }
  }
}

TEST(Assignors, range_and_round_robin_share_random_groups_out_whole) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(seed);
    Group group(seed);
    for (int round = 0; round < 8; ++round) {
      group.change();
      for (const auto& assignor : {range_assignor(), round_robin_assignor()})
        ASSERT_EQ(total(assign(*assignor, group.counts, group.members)), group.wanted());
    }
  }
}

TEST(Assignors, a_second_member_takes_half_of_ten_thousand_partitions) {
  Counts counts;
  Partitions all;
  for (int t = 0; t < 100; ++t) {
    const std::string topic = "t" + std::to_string(100 + t);
    counts[topic] = 100;
    for (std::int32_t p = 0; p < 100; ++p) all.push_back({topic, p});
  }
  std::vector<std::string> topics;
  for (const auto& [topic, count] : counts) topics.push_back(topic);
  const auto given = assign(*cooperative_sticky_assignor(), counts,
                            {member("a", topics, all, 1), member("b", topics)});
  EXPECT_EQ(given.at("a").partitions.size(), 5000U);
}

TEST(GroupProtocol, offers_are_checked_and_only_all_cooperative_ones_make_it_cooperative) {
  EXPECT_FALSE(GroupProtocol::open({}, {})->cooperative());
  EXPECT_TRUE(GroupProtocol::open({cooperative_sticky_assignor()}, {})->cooperative());
  EXPECT_EQ(GroupProtocol::open({range_assignor(), range_assignor()}, {}).error().message(),
            "assignors: range is there twice");
  const auto protocol = GroupProtocol::open({}, "r1");
  const auto offers = protocol->subscriptions({"t"}, {{"t", 1}}, 4);
  ASSERT_TRUE(offers);
  ASSERT_EQ(offers->size(), 2U);
  EXPECT_EQ((*offers)[0].first, "range");
  EXPECT_EQ((*offers)[1].first, "cooperative-sticky");
  EXPECT_EQ(decode_subscription((*offers)[0].second)->generation, 4);
}

TEST(GroupProtocol, a_member_that_cannot_be_read_gets_nothing_and_the_others_all) {
  const auto protocol = GroupProtocol::open({range_assignor()}, {});
  auto members = GroupProtocol::read(
      "range", {{{.id = "a"}, *encode_subscription({.topics = {"t"}})}, {{.id = "b"}, "junk"}});
  EXPECT_EQ(members.topics, std::set<std::string>{"t"});
  const auto given = protocol->share_out(members, {{"t", 2}});
  ASSERT_TRUE(given);
  EXPECT_EQ(decode_assignment(given->at("a"))->partitions.size(), 2U);
  EXPECT_TRUE(decode_assignment(given->at("b"))->partitions.empty());
  members.protocol = "sticky";
  EXPECT_EQ(protocol->share_out(members, {}).error().code(), Errc::inconsistent_group_protocol);
}

}  // namespace
}  // namespace weir::client
