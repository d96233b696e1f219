// What a topology becomes on a cluster: sub-topologies, tasks, and the streams between them.
//
// Rules: Apache Kafka Streams 4.3.1. Nodes that are joined by an edge or share a store are one
// sub-topology; a repartition cuts. A sub-topology has as many tasks as its widest source has
// partitions; task p owns partition p of each source that has one, and partition p of each
// changelog. Pure.
#pragma once

#include <weir/streams/detail/graph.h>

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace weir::streams {

/// "0_3": sub-topology 0, partition 3.
struct TaskId {
  std::int32_t sub_topology = 0;
  std::int32_t partition = 0;
  auto operator<=>(const TaskId&) const = default;
};
std::string to_string(const TaskId& task);
/// Of what to_string() writes.
std::optional<TaskId> parse_task_id(std::string_view text);

struct SubTopology {
  std::int32_t id = 0;
  std::vector<detail::NodeIndex> nodes;
  std::vector<detail::NodeIndex> sources;
  /// In the order in which the topology has them.
  std::vector<std::string> stores;
  /// Names of the topics of its sources, sorted.
  std::set<std::string> source_topics;
};

/// Ids by the first node of each, in the order of building.
std::vector<SubTopology> divide(const detail::Graph& graph);

/// The topic that a source reads or a sink writes; empty: chosen by record.
std::string topic_of(const detail::Graph& graph, const detail::NodeSpec& node);

/// Of a task: the next record of each input.
using InputOffsets = std::map<TopicPartition, std::int64_t>;
/// By topic.
using PartitionCounts = std::map<std::string, std::int32_t>;

struct Plan {
  std::vector<SubTopology> sub_topologies;
  /// Of each sub-topology.
  std::vector<std::int32_t> tasks;
  /// Of all topics that are read or written, those between sub-topologies included.
  PartitionCounts partitions;
  /// To be made if they are missing: repartitions and changelogs.
  PartitionCounts repartitions;
  PartitionCounts changelogs;
  /// Of the changelogs of versioned stores, how far back they must tell, in ms.
  std::map<std::string, std::int64_t> histories;
};

/// `external` has every topic that exists; those that the topology reads or writes must be among
/// it, else Errc::unknown_topic_or_partition with all that are missing. Errc::invalid_partitions:
/// streams that meet in a join have different numbers of partitions; the message names both.
Result<Plan> plan(const detail::Graph& graph, const PartitionCounts& external);

}  // namespace weir::streams
