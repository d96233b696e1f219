// sticky and cooperative-sticky: balance with as few partitions moved as it takes.
#include <fmt/core.h>

#include <algorithm>
#include <deque>
#include <limits>

#include "client/assignors.h"
#include "client/group_payload.h"

namespace weir {
namespace client {
namespace {

/// What a member says that it owns, and in which generation it came to own it.
struct Claims {
  std::vector<TopicPartition> owned;
  std::int32_t generation = -1;
};

constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

/// Members and topics by number. The load of a member is the number of its partitions.
///
/// 1. A partition stays with who claims it in the highest generation; two equal claims void each
///    other.
/// 2. The others go, those of the topics with the fewest readers first, to the least loaded reader.
/// 3. While a member A can hand a partition on, directly or through others that hand one of theirs
///    on, to a member B with at least two fewer, it does: each such move lowers the sum of the
///    squares of the loads, so it ends, and then no move makes it more even.
class Balancer {
 public:
  Balancer(const Assignor::PartitionCounts& counts, const std::vector<GroupMember>& members,
           const std::vector<Claims>& claims)
      : members_(in_order(members)), held_(members.size()), load_(members.size(), 0) {
    for (const auto& [topic, count] : counts) {
      topic_numbers_[topic] = topics_.size();
      topics_.push_back({topic, count, {}});
    }
    for (std::size_t m = 0; m < members_.size(); ++m) {
      for (const std::string& topic : members_[m]->subscription.topics) {
        const auto found = topic_numbers_.find(topic);
        if (found == topic_numbers_.end()) continue;
        auto& readers = topics_[found->second].readers;
        if (readers.empty() || readers.back() != m) readers.push_back(m);
      }
    }
    const std::map<const GroupMember*, const Claims*> by_member = [&] {
      std::map<const GroupMember*, const Claims*> out;
      for (std::size_t i = 0; i < members.size(); ++i) out[&members[i]] = &claims[i];
      return out;
    }();
    keep_claimed(by_member);
    share_out();
    while (move_one()) {
    }
  }

  Assignor::Assignments assignments() const {
    Assignor::Assignments out;
    for (std::size_t m = 0; m < members_.size(); ++m) {
      auto& mine = out[members_[m]->id].partitions;
      for (const auto& [topic, partitions] : held_[m])
        for (const std::int32_t p : partitions) mine.push_back({topics_[topic].name, p});
      std::sort(mine.begin(), mine.end());
    }
    return out;
  }

 private:
  struct Topic {
    std::string name;
    std::int32_t count;
    std::vector<std::size_t> readers;  // ascending
  };
  struct Claim {
    std::int32_t generation;
    std::size_t member;  // none: two of this generation
  };

  void keep_claimed(const std::map<const GroupMember*, const Claims*>& claims) {
    std::map<std::pair<std::size_t, std::int32_t>, Claim> best;
    for (std::size_t m = 0; m < members_.size(); ++m) {
      const Claims& mine = *claims.at(members_[m]);
      for (const TopicPartition& partition : mine.owned) {
        const auto topic = topic_numbers_.find(partition.topic);
        if (topic == topic_numbers_.end() || partition.partition < 0 ||
            partition.partition >= topics_[topic->second].count)
          continue;
        const auto& readers = topics_[topic->second].readers;
        if (!std::binary_search(readers.begin(), readers.end(), m)) continue;
        const auto [at, first] =
            best.try_emplace({topic->second, partition.partition}, Claim{mine.generation, m});
        if (first || at->second.member == m) continue;
        if (mine.generation > at->second.generation) {
          at->second = {mine.generation, m};
        } else if (mine.generation == at->second.generation) {
          at->second.member = none;
        }
      }
    }
    for (const auto& [partition, claim] : best)
      if (claim.member != none) give(claim.member, partition.first, partition.second);
  }

  void give(std::size_t member, std::size_t topic, std::int32_t partition) {
    held_[member][topic].push_back(partition);
    ++load_[member];
  }

  void share_out() {
    std::vector<std::set<std::int32_t>> taken(topics_.size());
    for (const auto& held : held_)
      for (const auto& [topic, partitions] : held)
        taken[topic].insert(partitions.begin(), partitions.end());
    std::vector<std::size_t> order(topics_.size());
    for (std::size_t t = 0; t < order.size(); ++t) order[t] = t;
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return std::pair(topics_[a].readers.size(), a) < std::pair(topics_[b].readers.size(), b);
    });
    for (const std::size_t t : order) {
      const auto& readers = topics_[t].readers;
      if (readers.empty()) continue;
      for (std::int32_t p = 0; p < topics_[t].count; ++p) {
        if (taken[t].contains(p)) continue;
        give(*std::min_element(readers.begin(), readers.end(),
                               [&](std::size_t a, std::size_t b) { return load_[a] < load_[b]; }),
             t, p);
      }
    }
  }

  /// Moves along the shortest way from a member to one that has at least two fewer. False if there
  /// is none.
  bool move_one() {
    std::vector<std::size_t> order(members_.size());
    for (std::size_t m = 0; m < order.size(); ++m) order[m] = m;
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return std::pair(load_[b], a) < std::pair(load_[a], b);
    });
    if (order.empty() || load_[order.front()] < load_[order.back()] + 2) return false;
    for (const std::size_t from : order) {
      if (load_[from] < load_[order.back()] + 2) return false;
      if (move_from(from)) return true;
    }
    return false;
  }

  bool move_from(std::size_t from) {
    struct Step {
      std::size_t before = none;  // the member that hands on
      std::size_t topic = 0;      // a partition of this topic
    };
    std::vector<Step> reached(members_.size());
    std::vector<bool> seen(members_.size(), false);
    std::vector<bool> asked(topics_.size(), false);
    seen[from] = true;
    std::vector<std::size_t> level{from};
    while (!level.empty()) {
      std::vector<std::size_t> next;
      for (const std::size_t m : level) {
        for (const auto& [topic, partitions] : held_[m]) {
          if (partitions.empty() || asked[topic]) continue;
          asked[topic] = true;
          for (const std::size_t reader : topics_[topic].readers) {
            if (seen[reader]) continue;
            seen[reader] = true;
            reached[reader] = {m, topic};
            next.push_back(reader);
          }
        }
      }
      const auto least =
          std::min_element(next.begin(), next.end(),
                           [&](std::size_t a, std::size_t b) { return load_[a] < load_[b]; });
      if (least != next.end() && load_[*least] + 2 <= load_[from]) {
        for (std::size_t to = *least; to != from; to = reached[to].before)
          hand_on(reached[to].before, to, reached[to].topic);
        return true;
      }
      level = std::move(next);
    }
    return false;
  }

  void hand_on(std::size_t from, std::size_t to, std::size_t topic) {
    // The last one is what it got last: what it had before stays, if it can.
    auto& partitions = held_[from][topic];
    const std::int32_t partition = partitions.back();
    partitions.pop_back();
    --load_[from];
    give(to, topic, partition);
  }

  std::vector<const GroupMember*> members_;
  std::vector<Topic> topics_;
  std::map<std::string, std::size_t, std::less<>> topic_numbers_;
  std::vector<std::map<std::size_t, std::vector<std::int32_t>>> held_;  // member: topic: partitions
  std::vector<std::size_t> load_;
};

/// Eager. What it had, and in which generation, it tells in its user data:
///
///   [{topic string, partitions [int32]}], generation int32
class StickyAssignor final : public Assignor {
 public:
  std::string_view name() const override { return "sticky"; }

  std::optional<std::string> user_data(const std::vector<std::string>&) override {
    if (!had_) return std::nullopt;
    std::string bytes;
    kafka::Encoder encoder(bytes);
    put_partitions(encoder, had_->owned);
    encoder.integer(had_->generation);
    return bytes;
  }

  Result<Assignments> assign(const PartitionCounts& partitions,
                             const std::vector<GroupMember>& members) override {
    std::vector<Claims> claims;
    for (const GroupMember& member : members) claims.push_back(claims_of(member.subscription));
    return Balancer(partitions, members, claims).assignments();
  }

  void on_assignment(const GroupAssignment& assignment, const GroupMetadata& member) override {
    had_ = {assignment.partitions, member.generation};
  }

 private:
  /// User data that cannot be read is none: stickiness is a wish, not a promise.
  static Claims claims_of(const GroupSubscription& subscription) {
    if (!subscription.user_data) return {};
    kafka::Decoder decoder(*subscription.user_data, group_payload_memory);
    Claims out;
    out.owned = take_partitions(decoder);
    if (decoder.remaining() >= sizeof(std::int32_t))
      out.generation = decoder.integer<std::int32_t>("generation");
    return decoder.ok() ? out : Claims{};
  }

  std::optional<Claims> had_;
};

/// What is owned is in the subscription. Its user data is the generation alone, for readers of
/// subscriptions before version 2, which lack it.
class CooperativeStickyAssignor final : public Assignor {
 public:
  std::string_view name() const override { return "cooperative-sticky"; }
  bool cooperative() const override { return true; }

  std::optional<std::string> user_data(const std::vector<std::string>&) override {
    std::string bytes;
    kafka::Encoder(bytes).integer(generation_);
    return bytes;
  }

  Result<Assignments> assign(const PartitionCounts& partitions,
                             const std::vector<GroupMember>& members) override {
    std::vector<Claims> claims;
    for (const GroupMember& member : members)
      claims.push_back({member.subscription.owned, generation_of(member.subscription)});
    Assignments out = Balancer(partitions, members, claims).assignments();
    // What moves is taken from its owner now and given to the next one in the rebalance that the
    // owner asks for when it has let go.
    const auto moving = transferred(members, out);
    for (const GroupMember& member : members) {
      const std::set<TopicPartition> owned(member.subscription.owned.begin(),
                                           member.subscription.owned.end());
      std::erase_if(out[member.id].partitions, [&](const TopicPartition& partition) {
        return moving.contains(partition) && !owned.contains(partition);
      });
    }
    return out;
  }

  void on_assignment(const GroupAssignment&, const GroupMetadata& member) override {
    generation_ = member.generation;
  }

 private:
  static std::int32_t generation_of(const GroupSubscription& subscription) {
    if (subscription.generation >= 0 || !subscription.user_data) return subscription.generation;
    kafka::Decoder decoder(*subscription.user_data);
    const auto generation = decoder.integer<std::int32_t>("generation");
    return decoder.ok() ? generation : -1;
  }

  std::int32_t generation_ = -1;
};

std::string text(const TopicPartition& partition) {
  return fmt::format("{}-{}", partition.topic, partition.partition);
}

}  // namespace

std::set<TopicPartition> transferred(const std::vector<GroupMember>& members,
                                     const Assignor::Assignments& assignments) {
  std::set<TopicPartition> added, revoked, both;
  for (const GroupMember& member : members) {
    const auto& listed = member.subscription.owned;
    const std::set<TopicPartition> owned(listed.begin(), listed.end());
    std::set<TopicPartition> given;
    if (const auto found = assignments.find(member.id); found != assignments.end())
      given.insert(found->second.partitions.begin(), found->second.partitions.end());
    std::set_difference(given.begin(), given.end(), owned.begin(), owned.end(),
                        std::inserter(added, added.end()));
    std::set_difference(owned.begin(), owned.end(), given.begin(), given.end(),
                        std::inserter(revoked, revoked.end()));
  }
  std::set_intersection(added.begin(), added.end(), revoked.begin(), revoked.end(),
                        std::inserter(both, both.end()));
  return both;
}

Result<void> check_assignments(const Assignor& assignor, const Assignor::PartitionCounts& counts,
                               const std::vector<GroupMember>& members,
                               const Assignor::Assignments& assignments) {
  const auto wrong = [&](std::string what) {
    return fail(Errc::invalid_argument, fmt::format("assignor {}: {}", assignor.name(), what));
  };
  std::map<std::string_view, const GroupMember*> known;
  for (const GroupMember& member : members) known[member.id] = &member;
  std::map<TopicPartition, std::string_view> owners;
  for (const auto& [id, assignment] : assignments) {
    const auto member = known.find(id);
    if (member == known.end()) return wrong(fmt::format("{} is not a member", id));
    for (const TopicPartition& partition : assignment.partitions) {
      const auto count = counts.find(partition.topic);
      if (count == counts.end() || partition.partition < 0 || partition.partition >= count->second)
        return wrong(fmt::format("gives {}, which does not exist, to {}", text(partition), id));
      if (!wants(*member->second, partition.topic))
        return wrong(
            fmt::format("gives {} to {}, which did not subscribe to it", text(partition), id));
      const auto [owner, alone] = owners.try_emplace(partition, id);
      if (!alone)
        return wrong(fmt::format("gives {} to both {} and {}", text(partition), owner->second, id));
    }
  }
  if (!assignor.cooperative()) return {};
  const auto moving = transferred(members, assignments);
  if (!moving.empty())
    return wrong(fmt::format("gives {} away while its owner still has it", text(*moving.begin())));
  return {};
}

}  // namespace client

inline namespace v1 {

std::shared_ptr<Assignor> sticky_assignor() { return std::make_shared<client::StickyAssignor>(); }
std::shared_ptr<Assignor> cooperative_sticky_assignor() {
  return std::make_shared<client::CooperativeStickyAssignor>();
}

}  // namespace v1
}  // namespace weir
