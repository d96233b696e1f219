#include <weir/streams/topology.h>

#include <algorithm>
#include <set>
#include <utility>

#include "streams/limits.h"
#include "streams/names.h"

namespace weir::streams {
inline namespace v1 {
namespace detail {
namespace {

void check_name(const std::string& what, std::string_view name) {
  if (const auto fault = name_fault(name))
    throw TopologyError(what + " '" + std::string(name) + "': " + *fault);
}

}  // namespace

void no_codec(const std::string& name, const char* what) {
  throw TopologyError(name + " needs a codec for its " + what +
                      ": give one, or specialise weir::streams::default_codec for the type");
}

std::runtime_error bad_key(const Error& why) {
  return std::runtime_error("a key of a store: " + why.message());
}

std::string_view name_of(StoreKind kind) {
  switch (kind) {
    case StoreKind::key_value: return "key-value";
    case StoreKind::window: return "window";
    case StoreKind::sliding: return "sliding-window";
    case StoreKind::session: return "session";
    case StoreKind::join: return "join-window";
    case StoreKind::versions: return "versioned";
    case StoreKind::waiting: return "waiting";
  }
  return "";
}

Graph::Graph(std::string name) : name_(std::move(name)) { check_name("topology", name_); }

NodeIndex Graph::add(NodeSpec spec, const std::vector<NodeIndex>& parents) {
  if (nodes_.size() >= limits::nodes)
    throw TopologyError(name_ + ": more than " + std::to_string(limits::nodes) + " nodes");
  if (spec.name.empty()) spec.name = spec.operation + "-" + std::to_string(nodes_.size());
  check_name("node", spec.name);
  for (const NodeSpec& other : nodes_)
    if (other.name == spec.name)
      throw TopologyError("two nodes are named '" + spec.name + "', a " + other.operation +
                          " and a " + spec.operation + ": names are unique");
  if (spec.role == Role::source && !spec.topic.empty())
    for (const NodeSpec& other : nodes_)
      if (other.role == Role::source && other.topic == spec.topic)
        throw TopologyError("the topic " + spec.topic + " is read by " + other.name + " and by " +
                            spec.name + ": use one stream of it twice");
  for (const std::string& store : spec.stores)
    if (find_store(store) == nullptr)
      throw TopologyError(spec.name + " uses the store '" + store + "', which there is not");
  const NodeIndex index = nodes_.size();
  spec.parents = parents;
  nodes_.push_back(std::move(spec));
  for (const NodeIndex parent : parents) nodes_[parent].children.push_back(index);
  return index;
}

void Graph::add_store(StoreSpec spec) {
  if (spec.name.empty())
    throw TopologyError(
        "a store needs a name: state and changelog are found by it after a restart");
  check_name("store", spec.name);
  if (find_store(spec.name) != nullptr)
    throw TopologyError("two stores are named '" + spec.name + "'");
  stores_.push_back(std::move(spec));
}

std::size_t Graph::add_repartition(Repartition repartition) {
  check_name("repartition", repartition.name);
  if (repartition.partitions && *repartition.partitions <= 0)
    throw TopologyError("repartition '" + repartition.name + "': " +
                        std::to_string(*repartition.partitions) + " partitions, want at least 1");
  for (const Repartition& other : repartitions_)
    if (other.name == repartition.name)
      throw TopologyError("two repartitions are named '" + repartition.name + "'");
  repartitions_.push_back(std::move(repartition));
  return repartitions_.size() - 1;
}

void Graph::must_be_copartitioned(std::string why, std::vector<NodeIndex> nodes) {
  copartitions_.push_back({std::move(why), std::move(nodes)});
}

void Graph::set_on_error(std::string_view name, OnError policy) {
  bool found = false;
  for (NodeSpec& node : nodes_)
    if (node.name == name) {
      node.on_error = policy;
      found = true;
    }
  for (StoreSpec& store : stores_)
    if (store.is_global && store.name == name) {
      store.on_error = policy;
      found = true;
    }
  if (!found)
    throw TopologyError("on_error: the topology has no operator and no global table '" +
                        std::string(name) + "' yet");
}

void Graph::connect(NodeIndex node, NodeIndex child) {
  nodes_[node].children.push_back(child);
  nodes_[child].parents.push_back(node);
}

bool Graph::passes_null_keys(std::size_t repartition) const {
  std::vector<NodeIndex> ahead;
  std::set<NodeIndex> seen;
  const auto enter = [&](std::size_t index) {
    for (NodeIndex i = 0; i < nodes_.size(); ++i)
      if (nodes_[i].role == Role::source && nodes_[i].repartition == index) ahead.push_back(i);
  };
  enter(repartition);
  while (!ahead.empty()) {
    const NodeIndex at = ahead.back();
    ahead.pop_back();
    if (!seen.insert(at).second) continue;
    const NodeSpec& node = nodes_[at];
    if (node.takes_null_keys) return true;
    ahead.insert(ahead.end(), node.children.begin(), node.children.end());
    if (node.role == Role::sink && node.repartition) enter(*node.repartition);
  }
  return false;
}

void must_be_kept(const std::string& store, const std::string& who) {
  if (store.empty())
    throw TopologyError(who + " looks into a table that is not kept: materialized() keeps it");
}

void must_know_history(const std::string& join, std::int64_t grace_ms,
                       std::optional<std::int64_t> history_ms) {
  const std::string grace = "a grace of " + std::to_string(grace_ms) + "ms";
  if (grace_ms < 0) throw TopologyError(join + ": " + grace + ", want 0 or more");
  if (!history_ms)
    throw TopologyError(join + ": " + grace +
                        " is of joins with a versioned table; make it one "
                        "with versioned_table()");
  if (grace_ms > *history_ms)
    throw TopologyError(join + ": " + grace + " is longer than the table's history, " +
                        std::to_string(*history_ms) + "ms");
}

void no_windows_to_close(const std::string& name) {
  throw TopologyError(name +
                      ": its keys have no windows that close; hold its updates back for a "
                      "time, or suppress the windowed table itself");
}

void must_tell_updates(Emit emit, const std::string& name) {
  if (emit == Emit::on_close)
    throw TopologyError(name +
                        ": an aggregate of several streams tells of each update; suppress "
                        "what comes before the window closes");
}

bool Graph::old_is_wanted(const NodeSpec& node) const {
  std::vector<NodeIndex> ahead = node.children;
  std::set<NodeIndex> seen;
  while (!ahead.empty()) {
    const NodeIndex at = ahead.back();
    ahead.pop_back();
    if (!seen.insert(at).second) continue;
    const NodeSpec& behind = nodes_[at];
    if (behind.needs_old) return true;
    if (behind.passes_old)
      ahead.insert(ahead.end(), behind.children.begin(), behind.children.end());
  }
  return false;
}

const StoreSpec* Graph::find_store(std::string_view name) const {
  const auto found = std::ranges::find(stores_, name, &StoreSpec::name);
  return found == stores_.end() ? nullptr : &*found;
}

}  // namespace detail

Topology::Topology(std::string name) : graph_(std::make_unique<detail::Graph>(std::move(name))) {}
Topology::Topology(Topology&&) noexcept = default;
Topology& Topology::operator=(Topology&&) noexcept = default;
Topology::~Topology() = default;
const std::string& Topology::name() const { return graph_->name(); }

}  // namespace v1
}  // namespace weir::streams
