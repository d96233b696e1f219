#include "broker/group_telemetry.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <vector>

#include "broker/broker.h"
#include "broker/group_service.h"
#include "kafka/records/consumer_protocol_assignment.h"

namespace weir::broker {
namespace {

using coordinator::Group;
using coordinator::GroupState;
using metrics::Exposition;
using metrics::Metric;

constexpr std::array states = {GroupState::empty, GroupState::preparing_rebalance,
                               GroupState::completing_rebalance, GroupState::stable};

struct PartitionSums {
  std::int32_t partition = 0;
  std::int64_t lag = 0;
};

struct TopicSums {
  std::int64_t lag = 0;
  std::int64_t offsets = 0;
  std::uint64_t members = 0;
  std::uint64_t assigned = 0;
  std::vector<PartitionSums> partitions;  // with an offset
};

struct GroupSums {
  const Group* group = nullptr;
  std::int64_t lag = 0;
  std::uint64_t empty_members = 0;
  bool in_full = false;
  std::map<std::string_view, TopicSums> topics;  // if in full
};

std::string text(std::int64_t number) { return std::to_string(number); }

/// The topics that a member was given, as far as they exist and its bytes can be read.
std::map<std::string_view, std::size_t> assigned_to(Broker& broker,
                                                    const coordinator::Member& member) {
  std::map<std::string_view, std::size_t> out;
  const std::string_view bytes = member.assignment;
  if (bytes.size() < 2) return out;
  const auto version = load_be<std::int16_t>(bytes.data());
  if (version < 0) return out;
  kafka::Decoder decoder(bytes.substr(2));
  kafka::ConsumerProtocolAssignment assignment;
  assignment.decode(decoder, std::min(version, kafka::ConsumerProtocolAssignment::max_version));
  if (!decoder.ok()) return out;
  for (const auto& part : assignment.assigned_partitions)
    if (broker.metadata().find(part.topic) != nullptr && !part.partitions.empty())
      out[part.topic] += part.partitions.size();
  return out;
}

void add_offsets(Broker& broker, const Group& group, GroupSums& sums) {
  for (const auto& [name, partitions] : group.offsets) {
    const Topic* topic = broker.metadata().find(std::string_view(name));
    if (topic == nullptr) continue;
    TopicSums topic_sums;
    for (const auto& [partition, ignored] : partitions) {
      const auto* committed =
          broker.groups().state().offset_of(group.id, name, topic->id, partition);
      if (committed == nullptr || partition < 0 || partition >= topic->partitions) continue;
      const auto* log = topic->logs[static_cast<std::size_t>(partition)];
      const std::int64_t lag =
          std::max<std::int64_t>(0, log->high_watermark().value - committed->offset);
      topic_sums.lag += lag;
      topic_sums.offsets += committed->offset;
      topic_sums.partitions.push_back({.partition = partition, .lag = lag});
    }
    if (topic_sums.partitions.empty()) continue;
    sums.lag += topic_sums.lag;
    if (sums.in_full) sums.topics.emplace(topic->name, std::move(topic_sums));
  }
}

void add_members(Broker& broker, const Group& group, GroupSums& sums) {
  if (!group.in(GroupState::stable) || !group.uses_consumer_protocol()) return;
  for (const auto& [id, member] : group.members) {
    const auto assigned = assigned_to(broker, *member);
    if (assigned.empty()) ++sums.empty_members;
    if (!sums.in_full) continue;
    for (const auto& [name, partitions] : assigned) {
      TopicSums& topic = sums.topics[broker.metadata().find(name)->name];
      ++topic.members;
      topic.assigned += partitions;
    }
  }
}

struct Sums {
  std::vector<GroupSums> groups;
  std::array<std::uint64_t, states.size()> by_state{};
  std::uint64_t left_out = 0;
  std::int64_t left_out_lag = 0;
};

Sums add_up(Broker& broker) {
  Sums out;
  const auto most =
      static_cast<std::size_t>(broker.options().settings.get_int("weir.metrics.groups"));
  std::size_t room = most;
  for (const Group* group : broker.groups().state().groups()) {
    ++out.by_state[static_cast<std::size_t>(group->state)];
    // Ids that are not UTF-8 could become the same text, and two series of one name break a scrape.
    const bool listed = out.groups.size() < most && metrics::is_utf8(group->id);
    GroupSums sums;
    sums.group = group;
    sums.in_full = listed && group->offset_count <= room;
    if (sums.in_full) room -= group->offset_count;
    add_offsets(broker, *group, sums);
    if (listed) {
      add_members(broker, *group, sums);
      out.groups.push_back(std::move(sums));
    } else {
      ++out.left_out;
      out.left_out_lag += sums.lag;
    }
  }
  return out;
}

void expose_topics_of_groups(Exposition& out, const Sums& sums) {
  const auto each = [&](Metric metric, auto&& sample) {
    out.begin(metric);
    for (const GroupSums& one : sums.groups)
      for (const auto& [name, topic] : one.topics) sample(one.group->id, name, topic);
  };
  each(Metric::group_topic_members, [&](const auto& id, std::string_view name, const auto& topic) {
    if (topic.assigned > 0) out.sample({id, name}, topic.members);
  });
  each(Metric::group_topic_assigned, [&](const auto& id, std::string_view name, const auto& topic) {
    if (topic.assigned > 0) out.sample({id, name}, topic.assigned);
  });
  each(Metric::group_topic_offsets, [&](const auto& id, std::string_view name, const auto& topic) {
    if (!topic.partitions.empty()) out.sample({id, name}, topic.offsets);
  });
  each(Metric::group_topic_lag, [&](const auto& id, std::string_view name, const auto& topic) {
    if (!topic.partitions.empty()) out.sample({id, name}, topic.lag);
  });
  each(Metric::group_partition_lag, [&](const auto& id, std::string_view name, const auto& topic) {
    for (const PartitionSums& part : topic.partitions)
      out.sample({id, name, text(part.partition)}, part.lag);
  });
}

}  // namespace

void expose_groups(Exposition& out, Broker& broker) {
  const Sums sums = add_up(broker);
  out.begin(Metric::groups);
  for (std::size_t i = 0; i < states.size(); ++i)
    out.sample({name_of(states[i])}, sums.by_state[static_cast<std::size_t>(states[i])]);
  out.value(Metric::groups_left_out, sums.left_out);
  out.value(Metric::groups_left_out_lag, sums.left_out_lag);
  const auto each = [&](Metric metric, auto&& sample) {
    out.begin(metric);
    for (const GroupSums& one : sums.groups) sample(one, *one.group);
  };
  const std::string node = text(broker.node_id());
  each(Metric::group_info, [&](const GroupSums&, const Group& group) {
    // What a client says of itself may be no text.
    const auto plain = [](std::string_view said) { return metrics::is_utf8(said) ? said : "?"; };
    out.sample({group.id, plain(group.protocol_type), plain(group.protocol.value_or("")),
                name_of(group.state), node},
               std::uint64_t{1});
  });
  each(Metric::group_members, [&](const GroupSums&, const Group& group) {
    out.sample({group.id}, std::uint64_t{group.members.size()});
  });
  each(Metric::group_empty_members, [&](const GroupSums& one, const Group& group) {
    out.sample({group.id}, one.empty_members);
  });
  each(Metric::group_lag,
       [&](const GroupSums& one, const Group& group) { out.sample({group.id}, one.lag); });
  expose_topics_of_groups(out, sums);
  const auto& counters = broker.groups().state().counters();
  out.value(Metric::group_rebalances, counters.rebalances);
  out.value(Metric::group_expired_members, counters.expired_members);
  out.value(Metric::group_missing_syncs, counters.missing_syncs);
  out.value(Metric::group_commits, counters.offset_commits);
  out.value(Metric::group_failed_writes, counters.failed_writes);
  out.value(Metric::group_refused, counters.refused_for_room);
}

}  // namespace weir::broker
