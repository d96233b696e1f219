#include "streams/plan.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <optional>

#include "streams/names.h"

namespace weir::streams {
namespace {

using detail::Graph;
using detail::NodeIndex;
using detail::NodeSpec;
using detail::Role;

/// Sets of nodes that grow together.
class Groups {
 public:
  explicit Groups(std::size_t count) : parent_(count) {
    std::iota(parent_.begin(), parent_.end(), std::size_t{0});
  }
  std::size_t find(std::size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  /// The smaller index stands for both.
  void join(std::size_t a, std::size_t b) {
    a = find(a);
    b = find(b);
    parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<std::size_t> parent_;
};

/// Topics of the sources above `node`, in its sub-topology.
void collect_sources(const Graph& graph, NodeIndex node, std::set<std::string>& out) {
  const NodeSpec& spec = graph.nodes()[node];
  if (spec.role == Role::source) out.insert(topic_of(graph, spec));
  for (const NodeIndex parent : spec.parents) collect_sources(graph, parent, out);
}

/// Topics that must have equal numbers of partitions, and why.
struct Copartition {
  std::string why;
  std::set<std::string> topics;
};

std::vector<Copartition> copartitions_of(const Graph& graph) {
  std::vector<Copartition> out;
  for (const auto& [why, nodes] : graph.copartitions()) {
    Copartition made{why, {}};
    for (const NodeIndex node : nodes) collect_sources(graph, node, made.topics);
    // What shares a topic with it belongs to it.
    std::erase_if(out, [&](const Copartition& other) {
      const bool shares = std::ranges::any_of(
          other.topics, [&](const std::string& topic) { return made.topics.contains(topic); });
      if (shares) {
        made.topics.insert(other.topics.begin(), other.topics.end());
        made.why = other.why + ", " + made.why;
      }
      return shares;
    });
    out.push_back(std::move(made));
  }
  return out;
}

/// Numbers of partitions, known ones first, the others as they follow from them.
class Resolver {
 public:
  Resolver(const Graph& graph, const std::vector<SubTopology>& subs,
           const PartitionCounts& external)
      : graph_(graph), subs_(subs), external_(external), copartitions_(copartitions_of(graph)) {
    for (const auto& repartition : graph.repartitions()) {
      const std::string topic = repartition_topic(graph.name(), repartition.name);
      internal_.insert(topic);
      if (repartition.partitions) fixed_[topic] = *repartition.partitions;
    }
  }

  Result<PartitionCounts> resolve() {
    if (auto missing = take_external(); !missing) return fail(missing.error());
    if (auto taken = take_fixed(); !taken) return fail(taken.error());
    // What comes around in a circle, as the two streams of a foreign-key join do, follows from
    // those of its sources that are outside of it.
    while (resolve_any(true) || resolve_any(false)) continue;
    for (const std::string& topic : internal_)
      if (!counts_.contains(topic))
        return fail(Errc::invalid_partitions,
                    topic + ": its number of partitions follows from itself; say one");
    return counts_;
  }

 private:
  Result<void> take_external() {
    std::string missing;
    std::set<std::string> named;
    for (const NodeSpec& node : graph_.nodes())
      if (!node.topic.empty()) named.insert(node.topic);
    for (const auto& store : graph_.stores())
      if (store.is_global) named.insert(store.source_topic);
    for (const std::string& topic : named) {
      const auto found = external_.find(topic);
      if (found != external_.end())
        counts_[topic] = found->second;
      else
        missing += (missing.empty() ? "" : ", ") + topic;
    }
    if (missing.empty()) return {};
    return fail(Errc::unknown_topic_or_partition,
                graph_.name() + " reads or writes topics that do not exist: " + missing +
                    "; create them before the application starts");
  }

  /// Within each copartition: external counts are equal, and all repartitions take them.
  Result<void> take_fixed() {
    for (const Copartition& group : copartitions_) {
      std::optional<std::pair<std::string, std::int32_t>> first;
      for (const std::string& topic : group.topics) {
        const bool is_internal = internal_.contains(topic);
        if (is_internal && !fixed_.contains(topic)) continue;
        const std::int32_t count = is_internal ? fixed_[topic] : counts_[topic];
        if (!first) {
          first = {topic, count};
        } else if (first->second != count) {
          return fail(Errc::invalid_partitions,
                      group.why + ": " + first->first + " has " + std::to_string(first->second) +
                          " partitions, " + topic + " has " + std::to_string(count) +
                          "; streams that meet need equal numbers: repartition() one of them");
        }
      }
      if (!first) continue;
      for (const std::string& topic : group.topics)
        if (internal_.contains(topic)) counts_[topic] = first->second;
    }
    for (const auto& [topic, count] : fixed_) counts_.try_emplace(topic, count);
    return {};
  }

  /// One more topic; `all`: one whose sources are all known, else some of them.
  bool resolve_any(bool all) {
    return std::ranges::any_of(internal_, [&](const std::string& topic) {
      return !counts_.contains(topic) && resolve_one(topic, all);
    });
  }
  /// The most partitions among the sources of the sub-topologies that write `topic`; of all topics
  /// that it must be equal to.
  bool resolve_one(const std::string& topic, bool all) {
    std::set<std::string> together{topic};
    for (const Copartition& group : copartitions_)
      if (group.topics.contains(topic)) together = group.topics;
    std::int32_t most = 0;
    for (const SubTopology& sub : subs_) {
      if (!writes(sub, together)) continue;
      for (const std::string& source : sub.source_topics) {
        const auto found = counts_.find(source);
        if (found != counts_.end()) most = std::max(most, found->second);
        if (found == counts_.end() && all) return false;
      }
    }
    if (most == 0) return false;
    for (const std::string& each : together)
      if (internal_.contains(each)) counts_[each] = most;
    return true;
  }
  bool writes(const SubTopology& sub, const std::set<std::string>& topics) const {
    return std::ranges::any_of(sub.nodes, [&](NodeIndex node) {
      const NodeSpec& spec = graph_.nodes()[node];
      return spec.role == Role::sink && topics.contains(topic_of(graph_, spec));
    });
  }

  const Graph& graph_;
  const std::vector<SubTopology>& subs_;
  const PartitionCounts& external_;
  const std::vector<Copartition> copartitions_;
  std::set<std::string> internal_;
  PartitionCounts fixed_;
  PartitionCounts counts_;
};

}  // namespace

std::string to_string(const TaskId& task) {
  return std::to_string(task.sub_topology) + "_" + std::to_string(task.partition);
}

std::optional<TaskId> parse_task_id(std::string_view text) {
  const std::size_t line = text.find('_');
  if (line == std::string_view::npos) return std::nullopt;
  const auto number = [](std::string_view digits, std::int32_t& out) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    return error == std::errc() && end == digits.data() + digits.size() && out >= 0;
  };
  TaskId id;
  if (!number(text.substr(0, line), id.sub_topology) ||
      !number(text.substr(line + 1), id.partition))
    return std::nullopt;
  return id;
}

std::string topic_of(const Graph& graph, const NodeSpec& node) {
  if (!node.repartition) return node.topic;
  return repartition_topic(graph.name(), graph.repartitions()[*node.repartition].name);
}

std::vector<SubTopology> divide(const Graph& graph) {
  Groups groups(graph.nodes().size());
  std::map<std::string, NodeIndex> first_with_store;
  for (NodeIndex i = 0; i < graph.nodes().size(); ++i) {
    for (const NodeIndex child : graph.nodes()[i].children) groups.join(i, child);
    for (const std::string& store : graph.nodes()[i].stores)
      if (const auto [at, fresh] = first_with_store.try_emplace(store, i); !fresh)
        groups.join(at->second, i);
  }
  std::vector<SubTopology> out;
  std::map<std::size_t, std::size_t> place;
  for (NodeIndex i = 0; i < graph.nodes().size(); ++i) {
    const auto [at, fresh] = place.try_emplace(groups.find(i), out.size());
    if (fresh) out.emplace_back().id = static_cast<std::int32_t>(at->second);
    SubTopology& sub = out[at->second];
    sub.nodes.push_back(i);
    const NodeSpec& spec = graph.nodes()[i];
    if (spec.role != Role::source) continue;
    sub.sources.push_back(i);
    sub.source_topics.insert(topic_of(graph, spec));
  }
  for (const auto& store : graph.stores())
    if (const auto at = first_with_store.find(store.name); at != first_with_store.end())
      out[place.at(groups.find(at->second))].stores.push_back(store.name);
  return out;
}

Result<Plan> plan(const Graph& graph, const PartitionCounts& external) {
  Plan out;
  out.sub_topologies = divide(graph);
  auto counts = Resolver(graph, out.sub_topologies, external).resolve();
  if (!counts) return fail(counts.error());
  out.partitions = *std::move(counts);
  for (const auto& repartition : graph.repartitions()) {
    const std::string topic = repartition_topic(graph.name(), repartition.name);
    out.repartitions[topic] = out.partitions.at(topic);
  }
  for (const SubTopology& sub : out.sub_topologies) {
    std::int32_t tasks = 0;
    for (const std::string& topic : sub.source_topics)
      tasks = std::max(tasks, out.partitions.at(topic));
    out.tasks.push_back(tasks);
    for (const std::string& store : sub.stores) {
      const detail::StoreSpec& spec = *graph.find_store(store);
      if (!spec.source_topic.empty()) continue;
      const std::string changelog = changelog_topic(graph.name(), store);
      out.changelogs[changelog] = tasks;
      if (spec.kind == detail::StoreKind::versions) out.histories[changelog] = spec.retention_ms;
    }
  }
  return out;
}

}  // namespace weir::streams
