// The graph that a topology is: nodes, stores, and what stands between its sub-topologies.
//
// Built by the typed layer, read by the library. Threads: one while it is built; then it does not
// change, and any.
#pragma once

#include <weir/streams/detail/node.h>
#include <weir/streams/types.h>
#include <weir/streams/windows.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::streams {
inline namespace v1 {
namespace detail {

/// Index of a node in its graph.
using NodeIndex = std::size_t;

enum class Role : std::uint8_t { source, inner, sink };

/// A stream between two sub-topologies, made by the library: "APPLICATION-NAME-repartition".
struct Repartition {
  std::string name;  // without the application's
  /// Absent: as many as the streams that are written into it, or that it meets in a join.
  std::optional<std::int32_t> partitions = std::nullopt;
};

/// What the rows of a store are found by, and the form of its changelog.
enum class StoreKind : std::uint8_t {
  key_value,
  window,    // key and start: WindowState
  sliding,   // key and start, where starts are many: TimedState
  session,   // key, end and start: TimedState
  join,      // key, time, and which of those of one time it is: TimedState
  versions,  // key and the time from which on it holds: TimedState
  waiting,   // whatever its node says: OrderedState
};
std::string_view name_of(StoreKind kind);

struct StoreSpec {
  std::string name;
  ValueType value;  // of a waiting store none
  StoreKind kind = StoreKind::key_value;
  /// Of rows that expire by time: how long they can be read; 0 of others.
  std::int64_t retention_ms = 0;
  /// From a window's start to its end, of rows that are found by the start.
  std::int64_t window_ms = 0;
  /// Whether rows are read by time, whatever their key: TimedState::for_each_by_time().
  bool by_time = false;
  /// The stream that the store is a copy of, if that is no changelog of its own.
  std::string source_topic = {};
  /// Of a custom store: makes a task's. Its rows are bytes, by key.
  std::function<std::unique_ptr<CustomStore>()> make_custom = {};
  /// Whole in every process, of no task: all of them read it.
  bool is_global = false;
  /// Of a global one: what becomes of records that cannot be decoded; absent: as the options say.
  std::optional<OnError> on_error = std::nullopt;
};

/// What the time of an aggregate by windows is called beside committed offsets. Kafka Streams has
/// the store's name for something else there: up to where windows were told of as they closed.
inline std::string time_name(const std::string& store, bool on_close) {
  return on_close ? store + ".time" : store;
}

struct NodeSpec {
  std::string name;
  /// "filter", "aggregate", ...: for people.
  std::string operation;
  Role role = Role::inner;
  /// Of a source or sink: a stream of the outside. Empty: `repartition` is, or the sink chooses it
  /// by record.
  std::string topic = {};
  std::optional<std::size_t> repartition = std::nullopt;  // index in Graph::repartitions
  std::vector<std::string> stores = {};
  std::vector<std::string> globals = {};  // global tables that it reads
  /// A left join: records without a key are worth something to it.
  bool takes_null_keys = false;
  /// What it does with the old value of a change: needs it, makes one of it, or neither.
  bool needs_old = false;
  bool passes_old = false;
  /// What becomes of records that fail here; absent: what the application's options say.
  std::optional<OnError> on_error = std::nullopt;
  /// What it says of itself: windows, grace, partitions.
  std::string details = {};
  std::vector<NodeIndex> parents = {};
  std::vector<NodeIndex> children = {};  // in the order in which records are given to them
  std::unique_ptr<Node> prototype = nullptr;
};

class Graph {
 public:
  explicit Graph(std::string name);

  /// Names it: given, or "OPERATION-3". Throws TopologyError: the name is taken, or not valid.
  NodeIndex add(NodeSpec spec, const std::vector<NodeIndex>& parents);
  /// Throws TopologyError: the name is taken, empty, or not valid as a part of a topic's.
  void add_store(StoreSpec spec);
  std::size_t add_repartition(Repartition repartition);
  /// Sources above these nodes, in their sub-topologies, must have equal numbers of partitions.
  void must_be_copartitioned(std::string why, std::vector<NodeIndex> nodes);
  /// Throws TopologyError: it has no node and no global table of that name.
  void set_on_error(std::string_view name, OnError policy);
  /// One more child of `node`, after those that it has.
  void connect(NodeIndex node, NodeIndex child);

  const std::string& name() const { return name_; }
  const std::deque<NodeSpec>& nodes() const { return nodes_; }
  const std::deque<StoreSpec>& stores() const { return stores_; }
  const StoreSpec* find_store(std::string_view name) const;
  /// Whether there is anything behind it, through further ones too, that takes records without a
  /// key; else they end before it (KIP-962).
  bool passes_null_keys(std::size_t repartition) const;
  /// Whether anything behind this node, one of the graph's, needs old values of its changes.
  bool old_is_wanted(const NodeSpec& node) const;
  /// Keeps what nodes refer to; as long as the graph.
  template <class T>
  const T* keep(T value) {
    auto kept = std::make_shared<const T>(std::move(value));
    const T* out = kept.get();
    kept_.push_back(std::move(kept));
    return out;
  }
  const std::vector<Repartition>& repartitions() const { return repartitions_; }
  struct Copartition {
    std::string why;  // the name of the join
    std::vector<NodeIndex> nodes;
  };
  const std::vector<Copartition>& copartitions() const { return copartitions_; }

 private:
  std::string name_;
  std::deque<NodeSpec> nodes_;
  std::deque<StoreSpec> stores_;
  std::vector<Repartition> repartitions_;
  std::vector<Copartition> copartitions_;
  std::vector<std::shared_ptr<const void>> kept_;
};

}  // namespace detail
}  // namespace v1
}  // namespace weir::streams
