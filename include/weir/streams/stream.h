// Stream, Table and what is between them: how a topology is written down.
#pragma once

#include <weir/streams/detail/global_nodes.h>
#include <weir/streams/detail/graph.h>
#include <weir/streams/detail/join_nodes.h>
#include <weir/streams/detail/nodes.h>
#include <weir/streams/detail/suppress_nodes.h>
#include <weir/streams/detail/table_nodes.h>
#include <weir/streams/detail/window_nodes.h>
#include <weir/streams/processor.h>
#include <weir/streams/reader.h>
#include <weir/streams/types.h>
#include <weir/streams/windows.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

// Handles, cheap to copy, into the Topology that gave them; they live no longer. Building is done
// on one thread. Functions of the user take the value, or the key and the value; they may return
// Result<T> instead of T, and what they throw is an error of theirs. Each task has a copy of each
// function, called on the task's thread.
//
// A stateful operator and a repartition have a name, because a name is what state, changelog and
// operator time are found by after a restart and a change of the code (KIP-1111). The other names
// are for people; absent ones are made up: "filter-3".

namespace weir::streams {
inline namespace v1 {

template <class K, class V>
class Table;
template <class K, class V>
class GlobalTable;
template <class K, class V>
class GroupedStream;
template <class K, class V, class Windows>
class WindowedStream;
template <class K, class A, class... Parts>
class Cogrouped;
template <class K, class V>
class GroupedTable;
template <class K, class V>
class Split;
class Topology;

/// A topic whose keys and values may be absent, whatever its kind says: `stream(nullable(topic))`
/// gives std::optional<Key> and std::optional<Value>, and `to(nullable(topic))` takes them.
template <class TopicType>
struct Nullable {
  TopicType topic;
};
template <class Key, class Value, TopicKind kind>
Nullable<Topic<Key, Value, kind>> nullable(const Topic<Key, Value, kind>& topic) {
  return {topic};
}

/// Codecs for keys and values on their way through a repartition, and into stores. Absent: those
/// that the stream came with, else default_codec().
template <class K, class V>
struct Codecs {
  const Codec<detail::Bare<K>>* key = nullptr;
  const Codec<detail::Bare<V>>* value = nullptr;
};

/// Of a repartition.
template <class K, class V>
struct RepartitionOptions {
  /// Absent: as many as the streams it comes from have, or those that it meets in a join.
  std::optional<std::int32_t> partitions = std::nullopt;
  detail::Partitioner<K, V> partitioner = {};
  Codecs<K, V> codecs = {};
};

namespace detail {

/// What a handle knows.
template <class K, class V>
struct Handle {
  Graph* graph = nullptr;
  NodeIndex node = 0;
  const Codec<Bare<K>>* key = nullptr;
  const Codec<Bare<V>>* value = nullptr;
  /// Of windowed keys: of the key inside.
  const InnerCodec<K>* inner = nullptr;
  /// Since the last source or repartition: the records may be in the wrong partition.
  bool key_changed = false;
};

/// Throws TopologyError: a join, or a reader, looks into the store of a table.
void must_be_kept(const std::string& store, const std::string& who);
/// Throws TopologyError: who waits looks back; the table must know as far as that.
void must_know_history(const std::string& join, std::int64_t grace_ms,
                       std::optional<std::int64_t> history_ms);
/// Throws TopologyError: only windows close.
[[noreturn]] void no_windows_to_close(const std::string& name);
/// Throws TopologyError: "NAME needs a codec for its WHAT; give one, or specialise default_codec".
[[noreturn]] void no_codec(const std::string& name, const char* what);

template <class T>
const Codec<T>* codec_or_default(const Codec<T>* given) {
  return given != nullptr ? given : default_codec<T>();
}
template <class T>
const Codec<T>* required(const Codec<T>* codec, const std::string& name, const char* what) {
  if constexpr (!std::is_same_v<T, NoKey>)
    if (codec == nullptr) no_codec(name, what);
  return codec;
}

template <class NodeType, class... Args>
NodeIndex add_node(Graph& graph, NodeIndex parent, NodeSpec spec, Args&&... args) {
  spec.prototype = std::make_unique<NodeType>(std::forward<Args>(args)...);
  return graph.add(std::move(spec), {parent});
}

/// The user's function of a join as the nodes call it, with pointers to both sides: it takes `Left`
/// and `Right`, which are pointers where a side may be absent, and before them, maybe, the key.
template <class K, class V, class VOther, class Left, class Right, class Fn>
auto joiner(Fn fn) {
  constexpr bool with_key = std::is_invocable_v<Fn&, const K&, Left, Right>;
  static_assert(
      with_key || std::is_invocable_v<Fn&, Left, Right>,
      "a joiner takes (left, right) or (key, left, right); a side that may be absent is a "
      "pointer");
  return [fn = std::move(fn)](const K& key, const V* left,
                              const VOther* right) mutable -> decltype(auto) {
    const auto given = []<class Side>(const auto* side) -> Side {
      if constexpr (std::is_pointer_v<Side>)
        return side;
      else
        return *side;
    };
    if constexpr (with_key)
      return fn(key, given.template operator()<Left>(left),
                given.template operator()<Right>(right));
    else
      return fn(given.template operator()<Left>(left), given.template operator()<Right>(right));
  };
}

/// A sink into a stream of the library's own, and the source that reads it.
template <class K, class V>
Handle<K, V> repartitioned(const Handle<K, V>& from, const std::string& name,
                           const RepartitionOptions<K, V>& options) {
  const auto* key =
      required(codec_or_default(options.codecs.key ? options.codecs.key : from.key), name, "key");
  const auto* value = required(
      codec_or_default(options.codecs.value ? options.codecs.value : from.value), name, "value");
  Graph& graph = *from.graph;
  const std::size_t repartition =
      graph.add_repartition({.name = name, .partitions = options.partitions});
  add_node<Sink<K, V>>(
      graph, from.node,
      {.name = name + "-sink", .operation = "sink", .role = Role::sink, .repartition = repartition},
      Writer<K, V>(key, value, from.inner),
      typename Sink<K, V>::Ways{.partition = options.partitioner});
  NodeSpec source{.name = name + "-source",
                  .operation = "source",
                  .role = Role::source,
                  .repartition = repartition};
  source.prototype = std::make_unique<Source<K, V>>(key, value, TimestampExtractor<K, V>());
  Handle<K, V> out = from;
  out.node = graph.add(std::move(source), {});
  out.key = key;
  out.value = value;
  out.key_changed = false;
  return out;
}

}  // namespace detail

/// Records of key K and value V; either may be std::optional.
template <class K, class V>
class Stream {
  template <class Fn>
  static constexpr bool takes_record = detail::OfRecord<Fn, K, V>;

 public:
  using key_type = K;
  using value_type = V;

  /// `bool` of a record: whether it goes on.
  template <class Fn>
  Stream filter(Fn fn, std::string name = {}) const {
    return same(add<detail::Filter<K, V, Fn>>({.name = std::move(name), .operation = "filter"},
                                              std::move(fn)));
  }
  template <class Fn>
  auto map_values(Fn fn, std::string name = {}) const {
    using VOut = detail::Gives<Fn, K, V>;
    return with_value<VOut>(add<detail::MapValues<K, V, VOut, Fn>>(
        {.name = std::move(name), .operation = "map_values"}, std::move(fn)));
  }
  /// The value stays. What works by key after it goes through a repartition first.
  template <class Fn>
  auto map_key(Fn fn, std::string name = {}) const {
    using KOut = detail::Gives<Fn, K, V>;
    return with_key<KOut>(add<detail::MapKey<K, V, KOut, Fn>>(
        {.name = std::move(name), .operation = "map_key"}, std::move(fn)));
  }
  /// A std::pair of key and value.
  template <class Fn>
  auto map(Fn fn, std::string name = {}) const {
    using Out = detail::Gives<Fn, K, V>;
    using KOut = typename Out::first_type;
    using VOut = typename Out::second_type;
    return with_both<KOut, VOut>(add<detail::Map<K, V, KOut, VOut, Fn>>(
        {.name = std::move(name), .operation = "map"}, std::move(fn)));
  }
  /// A range of pairs.
  template <class Fn>
  auto flat_map(Fn fn, std::string name = {}) const {
    using Out = typename detail::Gives<Fn, K, V>::value_type;
    using KOut = typename Out::first_type;
    using VOut = typename Out::second_type;
    return with_both<KOut, VOut>(add<detail::FlatMap<K, V, KOut, VOut, Fn>>(
        {.name = std::move(name), .operation = "flat_map"}, std::move(fn)));
  }
  /// A range of values.
  template <class Fn>
  auto flat_map_values(Fn fn, std::string name = {}) const {
    using VOut = typename detail::Gives<Fn, K, V>::value_type;
    return with_value<VOut>(add<detail::FlatMapValues<K, V, VOut, Fn>>(
        {.name = std::move(name), .operation = "flat_map_values"}, std::move(fn)));
  }
  /// Shows each record to `fn`; it goes on unchanged.
  template <class Fn>
  Stream peek(Fn fn, std::string name = {}) const {
    return same(
        add<detail::Peek<K, V, Fn>>({.name = std::move(name), .operation = "peek"}, std::move(fn)));
  }
  /// The end of the stream, for effects outside. They are not undone when a transaction is aborted.
  template <class Fn>
  void for_each(Fn fn, std::string name = {}) const {
    add<detail::Peek<K, V, Fn>>({.name = std::move(name), .operation = "for_each"}, std::move(fn));
  }

  /// Each record goes into the first branch that takes it:
  ///   auto kinds = flights.split("kinds");
  ///   auto late = kinds.branch("late", [](const Flight& f) { return f.delay_min > 15; });
  ///   auto others = kinds.otherwise("others");
  Split<K, V> split(std::string name = {}) const;
  /// Records of both, each stream in its order.
  Stream merge(const Stream& other, std::string name = {}) const;

  /// Through a stream of the library's own, "APPLICATION-NAME-repartition", to the partition that
  /// the key says. Records without a key are counted and dropped, unless there is a left join
  /// somewhere behind it.
  Stream repartition(std::string name, RepartitionOptions<K, V> options = {}) const {
    return Stream(detail::repartitioned(handle_, name, options));
  }

  /// Groups by the key that it has. `name` is of the repartition that a changed key needs; without
  /// one there must be none to do, else TopologyError.
  GroupedStream<K, V> group_by_key(std::string name = {},
                                   RepartitionOptions<K, V> options = {}) const;
  /// Groups by what `fn` gives.
  template <class Fn>
  auto group_by(Fn fn, std::string name,
                RepartitionOptions<detail::Gives<Fn, K, V>, V> options = {}) const;

  /// An operator of one's own: `make` gives a std::unique_ptr to a Processor of these records. It
  /// uses the stores that are named, see Topology::add_store(). What works by key after it goes
  /// through a repartition first.
  template <class Make>
  auto process(Make make, std::string name, std::vector<std::string> stores = {}) const {
    using Made = typename std::invoke_result_t<Make&>::element_type;
    using KOut = typename Made::KeyOut;
    using VOut = typename Made::ValueOut;
    static_assert(std::is_base_of_v<Processor<K, V, KOut, VOut>, Made>,
                  "the processor must be one of the keys and values of this stream");
    return with_both<KOut, VOut>(add<detail::ProcessNode<K, V, KOut, VOut>>(
        {.name = std::move(name), .operation = "process", .stores = std::move(stores)},
        [make = std::move(make)]() mutable -> std::unique_ptr<Processor<K, V, KOut, VOut>> {
          return make();
        }));
  }

  /// Each record with those of `other` that have its key and a time near its own: pairs, as soon as
  /// both have come. `fn`: (value, other's) or (key, value, other's). Records without a value are
  /// counted and dropped. The result's time is the later one of the two.
  template <class VOther, class Fn>
  auto join(const Stream<K, VOther>& other, Fn fn, JoinWindows windows, std::string name) const {
    return join_stream<detail::StreamJoin::inner>(other, std::move(fn), windows, std::move(name));
  }
  /// As join(), and every record that no partner can come for any more alone, with its own time:
  /// `fn` is given a pointer to the other's, nullptr without one. One without a key is alone at
  /// once.
  template <class VOther, class Fn>
  auto left_join(const Stream<K, VOther>& other, Fn fn, JoinWindows windows,
                 std::string name) const {
    return join_stream<detail::StreamJoin::left>(other, std::move(fn), windows, std::move(name));
  }
  /// As left_join(), of both sides: `fn` is given two pointers, one of which may be nullptr.
  template <class VOther, class Fn>
  auto outer_join(const Stream<K, VOther>& other, Fn fn, JoinWindows windows,
                  std::string name) const {
    return join_stream<detail::StreamJoin::outer>(other, std::move(fn), windows, std::move(name));
  }

  /// Each record with the row that its key has in `table` at that moment, or, if the table is
  /// versioned, had at the record's time; those without a row go no further. `fn`: (value, row) or
  /// (key, value, row). With a `grace`, which only versioned tables allow, a record waits for rows
  /// of its time that come so much later.
  template <class VTable, class Fn>
  auto join(const Table<detail::Bare<K>, VTable>& table, Fn fn, std::string name,
            std::chrono::milliseconds grace = {}) const {
    return join_table<false>(table, std::move(fn), std::move(name), grace);
  }
  /// As join(), but with every record: `fn` is given a pointer to the row, nullptr without one.
  template <class VTable, class Fn>
  auto left_join(const Table<detail::Bare<K>, VTable>& table, Fn fn, std::string name,
                 std::chrono::milliseconds grace = {}) const {
    return join_table<true>(table, std::move(fn), std::move(name), grace);
  }

  /// Each record with the row of `table` that `key_of` says, of the value, or of key and value: the
  /// row as this process knows it at that moment. No repartition: every process has the whole
  /// table.
  template <class KTable, class VTable, class KeyOf, class Fn>
  auto join(const GlobalTable<KTable, VTable>& table, KeyOf key_of, Fn fn, std::string name) const {
    return join_global<false>(table, std::move(key_of), std::move(fn), std::move(name));
  }
  /// As join(), but with every record: `fn` is given a pointer to the row, nullptr without one, or
  /// where `key_of` gives an absent key.
  template <class KTable, class VTable, class KeyOf, class Fn>
  auto left_join(const GlobalTable<KTable, VTable>& table, KeyOf key_of, Fn fn,
                 std::string name) const {
    return join_global<true>(table, std::move(key_of), std::move(fn), std::move(name));
  }

  /// The latest value of each key, kept in `store` with a changelog of its own; a record without a
  /// value deletes the row. `options` are of the repartition that a changed key needs, which has
  /// the store's name.
  Table<detail::Bare<K>, detail::Bare<V>> to_table(std::string store,
                                                   RepartitionOptions<K, V> options = {}) const;

  /// Writes to a topic, partitioned by murmur2 of the key as Kafka's clients do, or by
  /// `partitioner`.
  template <TopicKind kind>
  void to(const Topic<K, detail::Bare<V>, kind>& topic, detail::Partitioner<K, V> partitioner = {},
          std::string name = {}) const {
    static_assert(!detail::nullable<V> || kind == TopicKind::entity,
                  "absent values are tombstones, which only entity topics have: filter them out, "
                  "or write to nullable(topic)");
    write(std::string(topic.name), topic.key_codec, topic.value_codec, {}, std::move(partitioner),
          std::move(name));
  }
  template <TopicKind kind>
  void to(const Nullable<Topic<detail::Bare<K>, detail::Bare<V>, kind>>& topic,
          detail::Partitioner<K, V> partitioner = {}, std::string name = {}) const {
    write(std::string(topic.topic.name), topic.topic.key_codec, topic.topic.value_codec, {},
          std::move(partitioner), std::move(name));
  }
  /// To the topic that `chooser` names for each record; it must exist.
  void to_chosen(detail::TopicChooser<K, V> chooser, std::string name, Codecs<K, V> codecs = {},
                 detail::Partitioner<K, V> partitioner = {}) const {
    const auto* key = detail::codec_or_default(codecs.key ? codecs.key : handle_.key);
    const auto* value = detail::codec_or_default(codecs.value ? codecs.value : handle_.value);
    write("", detail::required(key, name, "key"), detail::required(value, name, "value"),
          std::move(chooser), std::move(partitioner), std::move(name));
  }

  /// The same stream with these codecs, for what follows.
  Stream coded(Codecs<K, V> codecs) const {
    Stream out = *this;
    if (codecs.key != nullptr) out.handle_.key = codecs.key;
    if (codecs.value != nullptr) out.handle_.value = codecs.value;
    return out;
  }

 private:
  template <class, class>
  friend class Stream;
  template <class, class>
  friend class Table;
  template <class, class>
  friend class GroupedStream;
  template <class, class, class>
  friend class WindowedStream;
  template <class, class, class...>
  friend class Cogrouped;
  template <class, class>
  friend class Split;
  friend class Topology;
  explicit Stream(detail::Handle<K, V> handle) : handle_(handle) {}

  template <class NodeType, class... Args>
  detail::NodeIndex add(detail::NodeSpec spec, Args&&... args) const {
    return detail::add_node<NodeType>(*handle_.graph, handle_.node, std::move(spec),
                                      std::forward<Args>(args)...);
  }
  Stream same(detail::NodeIndex node) const {
    Stream out = *this;
    out.handle_.node = node;
    return out;
  }
  template <class VOut>
  Stream<K, VOut> with_value(detail::NodeIndex node) const {
    return Stream<K, VOut>({.graph = handle_.graph,
                            .node = node,
                            .key = handle_.key,
                            .value = value_codec<VOut>(),
                            .inner = handle_.inner,
                            .key_changed = handle_.key_changed});
  }
  template <class KOut>
  Stream<KOut, V> with_key(detail::NodeIndex node) const {
    return Stream<KOut, V>({.graph = handle_.graph,
                            .node = node,
                            .key = default_codec<detail::Bare<KOut>>(),
                            .value = handle_.value,
                            .key_changed = true});
  }
  template <class KOut, class VOut>
  Stream<KOut, VOut> with_both(detail::NodeIndex node) const {
    return Stream<KOut, VOut>({.graph = handle_.graph,
                               .node = node,
                               .key = default_codec<detail::Bare<KOut>>(),
                               .value = value_codec<VOut>(),
                               .key_changed = true});
  }
  /// Of a type that did not change the codec stays.
  template <class VOut>
  const Codec<detail::Bare<VOut>>* value_codec() const {
    if constexpr (std::is_same_v<detail::Bare<VOut>, detail::Bare<V>>)
      return handle_.value;
    else
      return default_codec<detail::Bare<VOut>>();
  }
  /// Where the key says, through a repartition if need be.
  detail::Handle<K, V> placed(const std::string& name,
                              const RepartitionOptions<K, V>& options) const {
    if (!handle_.key_changed) return handle_;
    if (name.empty())
      throw TopologyError(handle_.graph->nodes()[handle_.node].name +
                          " has changed the key, so what follows needs a repartition: name it");
    return detail::repartitioned(handle_, name, options);
  }
  template <bool left, class KTable, class VTable, class KeyOf, class Fn>
  auto join_global(const GlobalTable<KTable, VTable>& table, KeyOf key_of, Fn fn,
                   std::string name) const;
  template <detail::StreamJoin kind, class VOther, class Fn>
  auto join_stream(const Stream<K, VOther>& other, Fn fn, const JoinWindows& windows,
                   std::string name) const;
  template <bool left, class VTable, class Fn>
  auto join_table(const Table<detail::Bare<K>, VTable>& table, Fn fn, std::string name,
                  std::chrono::milliseconds grace) const;

  void write(std::string topic, const Codec<detail::Bare<K>>* key,
             const Codec<detail::Bare<V>>* value, detail::TopicChooser<K, V> chooser,
             detail::Partitioner<K, V> partitioner, std::string name) const {
    add<detail::Sink<K, V>>({.name = std::move(name),
                             .operation = "sink",
                             .role = detail::Role::sink,
                             .topic = std::move(topic)},
                            detail::Writer<K, V>(key, value, handle_.inner),
                            typename detail::Sink<K, V>::Ways{.topic = std::move(chooser),
                                                              .partition = std::move(partitioner)});
  }

  detail::Handle<K, V> handle_;
};

/// The branches of a stream, asked in the order in which they are made.
template <class K, class V>
class Split {
 public:
  template <class Fn>
  Stream<K, V> branch(std::string name, Fn fn) const {
    return stream_.same(stream_.template add<detail::Branch<K, V, Fn>>(
        {.name = std::move(name), .operation = "branch"}, std::move(fn)));
  }
  /// What no branch made before it takes.
  Stream<K, V> otherwise(std::string name) const {
    return branch(std::move(name), [](const V&) { return true; });
  }

 private:
  template <class, class>
  friend class Stream;
  explicit Split(Stream<K, V> stream) : stream_(std::move(stream)) {}
  Stream<K, V> stream_;
};

template <class K, class V>
Split<K, V> Stream<K, V>::split(std::string name) const {
  return Split<K, V>(
      same(add<detail::Split<K, V>>({.name = std::move(name), .operation = "split"})));
}

template <class K, class V>
Stream<K, V> Stream<K, V>::merge(const Stream& other, std::string name) const {
  detail::NodeSpec spec{.name = std::move(name), .operation = "merge"};
  spec.prototype = std::make_unique<detail::Pass<K, V>>();
  Stream out = same(handle_.graph->add(std::move(spec), {handle_.node, other.handle_.node}));
  out.handle_.key_changed = handle_.key_changed || other.handle_.key_changed;
  return out;
}

/// What the latest record of each key says. An update is given on at once.
template <class K, class V>
class Table {
 public:
  using key_type = K;
  using value_type = V;

  /// Every update as a record; a deleted row has no value.
  Stream<K, std::optional<V>> to_stream(std::string name = {}) const {
    detail::NodeSpec spec{.name = std::move(name), .operation = "to_stream"};
    return Stream<K, std::optional<V>>({.graph = handle_.graph,
                                        .node = detail::add_node<detail::ToStream<K, V>>(
                                            *handle_.graph, handle_.node, std::move(spec)),
                                        .key = handle_.key,
                                        .value = handle_.value,
                                        .inner = handle_.inner});
  }
  /// Writes every update; a deleted row is a tombstone.
  template <TopicKind kind>
  void to(const Topic<K, V, kind>& topic, std::string name = {}) const {
    static_assert(kind != TopicKind::unkeyed, "a table is written with its keys");
    detail::add_node<detail::TableSink<K, V>>(
        *handle_.graph, handle_.node,
        {.name = std::move(name),
         .operation = "sink",
         .role = detail::Role::sink,
         .topic = std::string(topic.name)},
        detail::Writer<K, V>(topic.key_codec, topic.value_codec, handle_.inner));
  }
  /// Those rows for which `fn` says so: `bool` of the value, or of key and value.
  template <class Fn>
  Table filter(Fn fn, std::string name = {}) const {
    return with_history(made<V>(
        add<detail::FilterTable<K, V, Fn>>(
            {.name = std::move(name), .operation = "filter", .needs_old = true, .passes_old = true},
            std::move(fn), history_ms_.has_value()),
        handle_.value));
  }
  /// Another value for each; std::optional of one may be absent, then there is no row.
  template <class Fn>
  auto map_values(Fn fn, std::string name = {}) const {
    using VOut = detail::Bare<detail::Gives<Fn, K, V>>;
    const Codec<VOut>* codec = nullptr;
    if constexpr (std::is_same_v<VOut, V>) codec = handle_.value;
    return with_history(
        made<VOut>(add<detail::MapTable<K, V, VOut, Fn>>(
                       {.name = std::move(name), .operation = "map_values", .passes_old = true},
                       std::move(fn)),
                   codec));
  }
  /// Its rows kept in a store of their own, with a changelog: what a join or a processor looks up.
  Table materialized(std::string store, const Codec<V>* codec = nullptr) const {
    const auto* key = detail::required(detail::codec_or_default(handle_.key), store, "key");
    const auto* value =
        detail::required(detail::codec_or_default(codec ? codec : handle_.value), store, "value");
    handle_.graph->add_store({.name = store, .value = detail::value_type(value)});
    detail::Handle<K, V> out = handle_;
    out.value = value;
    out.node = detail::add_node<detail::Materialize<K, V>>(
        *handle_.graph, handle_.node,
        {.name = store, .operation = "materialize", .stores = {store}}, store, key);
    return Table(out, store, close_);
  }
  /// Holds updates back: of each key the last one is given on when `how` lets it go. `store` keeps
  /// what waits, with a changelog.
  Table suppress(Suppression how, std::string store) const {
    if (how.waits_for_close() && !close_) detail::no_windows_to_close(store);
    const auto* value = detail::required(detail::codec_or_default(handle_.value), store, "value");
    const auto* key = detail::codec_or_default(handle_.key);
    if constexpr (!detail::is_windowed<K>) detail::required(key, store, "key");
    handle_.graph->add_store({.name = store, .value = {}, .kind = detail::StoreKind::waiting});
    detail::NodeSpec spec{.name = store,
                          .operation = "suppress",
                          .stores = {store},
                          .passes_old = true,
                          .details = how.describe()};
    return made<V>(
        detail::add_node<detail::Suppress<K, V>>(*handle_.graph, handle_.node, std::move(spec),
                                                 store, how, close_.value_or(detail::WindowClose()),
                                                 detail::HeldKeys<K>(key, handle_.inner), value),
        value);
  }
  /// Its rows by another key, through a repartition of that name: `fn` gives std::pair<key, value>
  /// of a value, or of key and value; where it gives an absent one, the row is in no group.
  template <class Fn>
  auto group_by(Fn fn, std::string name,
                Codecs<typename detail::Gives<Fn, K, V>::first_type,
                       typename detail::Gives<Fn, K, V>::second_type>
                    codecs = {}) const;

  /// The rows that both tables have: `fn` of (left, right), or of the key besides. Each update of
  /// one is joined with what the other has now. Both need a store: see materialized().
  template <class VOther, class Fn>
  auto join(const Table<K, VOther>& other, Fn fn, std::string name) const {
    return join_tables<detail::TableJoin::inner, VOther>(other, std::move(fn), std::move(name));
  }
  /// All rows of this one: `fn` is given a pointer to the other's row, nullptr without one.
  template <class VOther, class Fn>
  auto left_join(const Table<K, VOther>& other, Fn fn, std::string name) const {
    return join_tables<detail::TableJoin::left, VOther>(other, std::move(fn), std::move(name));
  }
  /// All rows of either: `fn` is given two pointers, one of which may be nullptr.
  template <class VOther, class Fn>
  auto outer_join(const Table<K, VOther>& other, Fn fn, std::string name) const {
    return join_tables<detail::TableJoin::outer, VOther>(other, std::move(fn), std::move(name));
  }

  /// The rows of this table with those of `other` that they name: `extract` gives a row's foreign
  /// key, a key of `other`, of the value, or of key and value; std::optional of one may be absent.
  /// `fn` of (row, other's), or of the key besides. Kept in the store `name`; a row that changes is
  /// joined with what its partner is then, and so is every row whose partner changes. Through two
  /// streams of the library's own (KIP-213). Both tables need a store.
  template <class FK, class W, class Extract, class Fn>
  auto foreign_key_join(const Table<FK, W>& other, Extract extract, Fn fn, std::string name) const {
    return join_foreign<false>(other, std::move(extract), std::move(fn), std::move(name));
  }
  /// All rows of this one: `fn` is given a pointer to the other's row, nullptr without one.
  template <class FK, class W, class Extract, class Fn>
  auto foreign_key_left_join(const Table<FK, W>& other, Extract extract, Fn fn,
                             std::string name) const {
    return join_foreign<true>(other, std::move(extract), std::move(fn), std::move(name));
  }

  /// Empty: it is not kept, but made of another table at each update.
  const std::string& store() const { return store_; }
  /// What Application::read() takes: a WindowsRef of a table by windows, else a TableRef. Throws
  /// TopologyError: it is not kept.
  auto ref() const {
    detail::must_be_kept(store_, "a reader");
    if constexpr (detail::is_windowed<K>)
      return WindowsRef<decltype(K::key), V>{store_, handle_.inner, handle_.value};
    else
      return TableRef<K, V>{store_, handle_.key, handle_.value};
  }

 private:
  template <class NodeType, class... Args>
  detail::NodeIndex add(detail::NodeSpec spec, Args... args) const {
    return detail::add_node<NodeType>(*handle_.graph, handle_.node, std::move(spec),
                                      std::move(args)...);
  }
  detail::TableStore table_store() const { return {store_, history_ms_}; }
  /// A table that is made of this one, and not kept.
  template <class VOut>
  Table<K, VOut> made(detail::NodeIndex node, const Codec<VOut>* codec) const {
    return Table<K, VOut>({.graph = handle_.graph,
                           .node = node,
                           .key = handle_.key,
                           .value = codec,
                           .inner = handle_.inner},
                          {}, close_);
  }
  /// Each row of it is a version still, though it is not kept.
  template <class VOut>
  Table<K, VOut> with_history(Table<K, VOut> table) const {
    table.history_ms_ = history_ms_;
    return table;
  }
  template <detail::TableJoin kind, class VOther, class Fn>
  auto join_tables(const Table<K, VOther>& other, Fn fn, std::string name) const;
  template <bool left, class FK, class W, class Extract, class Fn>
  auto join_foreign(const Table<FK, W>& other, Extract extract, Fn fn, std::string name) const;

  template <class, class>
  friend class Table;
  template <class, class>
  friend class Stream;
  template <class, class>
  friend class GroupedStream;
  template <class, class>
  friend class GroupedTable;
  template <class, class, class>
  friend class WindowedStream;
  template <class, class, class...>
  friend class Cogrouped;
  friend class Topology;
  Table(detail::Handle<K, V> handle, std::string store,
        std::optional<detail::WindowClose> close = std::nullopt)
      : handle_(handle), store_(std::move(store)), close_(close) {}

  detail::Handle<K, V> handle_;
  std::string store_;
  std::optional<detail::WindowClose> close_;  // of windowed keys
  std::optional<std::int64_t> history_ms_;    // of a versioned store
};

/// A table that every process has whole: for what is small and looked up by any key. It is read to
/// the end before the first record is processed, and followed from then on, whatever the time of
/// its records.
template <class K, class V>
class GlobalTable {
 public:
  const std::string& store() const { return store_; }
  /// What Application::read() takes.
  TableRef<K, V> ref() const { return {store_, key_, value_}; }

 private:
  template <class, class>
  friend class Stream;
  friend class Topology;
  GlobalTable(std::string store, const Codec<K>* key, const Codec<V>* value)
      : store_(std::move(store)), key_(key), value_(value) {}

  std::string store_;
  const Codec<K>* key_;
  const Codec<V>* value_;
};

template <class K, class V>
template <bool left, class KTable, class VTable, class KeyOf, class Fn>
auto Stream<K, V>::join_global(const GlobalTable<KTable, VTable>& table, KeyOf key_of, Fn fn,
                               std::string name) const {
  using BareV = detail::Bare<V>;
  using Row = std::conditional_t<left, const VTable*, const VTable&>;
  static_assert(std::is_same_v<detail::Bare<detail::Gives<KeyOf, K, BareV>>, KTable>,
                "what says the row must give a key of the table, or std::optional of one");
  auto joiner = detail::joiner<K, BareV, VTable, const BareV&, Row>(std::move(fn));
  using Joiner = decltype(joiner);
  using R = typename detail::ValueOf<
      std::decay_t<decltype(joiner(std::declval<const K&>(), nullptr, nullptr))>>::type;
  return with_value<R>(add<detail::GlobalJoin<K, V, KTable, VTable, R, left, KeyOf, Joiner>>(
      {.name = std::move(name),
       .operation = left ? "global_left_join" : "global_join",
       .globals = {table.store()},
       .takes_null_keys = left},
      table.store(), table.key_, std::move(key_of), std::move(joiner)));
}

template <class K, class V>
template <bool left, class VTable, class Fn>
auto Stream<K, V>::join_table(const Table<detail::Bare<K>, VTable>& table, Fn fn, std::string name,
                              std::chrono::milliseconds grace) const {
  using BareV = detail::Bare<V>;
  using Row = std::conditional_t<left, const VTable*, const VTable&>;
  auto joiner = detail::joiner<K, BareV, VTable, const BareV&, Row>(std::move(fn));
  using R = typename detail::ValueOf<
      std::decay_t<decltype(joiner(std::declval<const K&>(), nullptr, nullptr))>>::type;
  if (name.empty()) throw TopologyError("a join with the table " + table.store() + " needs a name");
  detail::must_be_kept(table.store(), name);
  const Stream from(placed(name, {.codecs = {.key = table.handle_.key}}));
  detail::Graph& graph = *handle_.graph;
  detail::JoinWait<BareV> wait{.grace_ms = grace.count()};
  std::vector<std::string> stores{table.store()};
  if (wait.grace_ms != 0) {
    detail::must_know_history(name, wait.grace_ms, table.history_ms_);
    wait.store = name + "-waiting";
    wait.value = detail::required(detail::codec_or_default(from.handle_.value), name, "value");
    graph.add_store({.name = wait.store, .value = {}, .kind = detail::StoreKind::waiting});
    stores.push_back(wait.store);
  }
  const detail::NodeIndex node =
      from.template add<detail::StreamTableJoin<K, V, VTable, R, left, decltype(joiner)>>(
          {.name = name,
           .operation = left ? "left_join" : "join",
           .stores = std::move(stores),
           .takes_null_keys = left,
           .details = wait.grace_ms == 0 ? "" : "grace " + std::to_string(wait.grace_ms) + "ms"},
          table.table_store(), table.handle_.key, std::move(wait), std::move(joiner));
  graph.must_be_copartitioned(name, {from.handle_.node, table.handle_.node});
  return from.template with_value<R>(node);
}

template <class K, class V>
Table<detail::Bare<K>, detail::Bare<V>> Stream<K, V>::to_table(
    std::string store, RepartitionOptions<K, V> options) const {
  const Stream from(placed(store, options));
  const auto& handle = from.handle_;
  const auto* key = detail::required(detail::codec_or_default(handle.key), store, "key");
  const auto* value = detail::required(detail::codec_or_default(handle.value), store, "value");
  handle.graph->add_store({.name = store, .value = detail::value_type(value)});
  const auto node = from.template add<detail::TableSource<K, V>>(
      {.name = store, .operation = "to_table", .stores = {store}}, store, key);
  return Table<detail::Bare<K>, detail::Bare<V>>(
      {.graph = handle.graph, .node = node, .key = key, .value = value}, store);
}

template <class K, class V>
template <detail::TableJoin kind, class VOther, class Fn>
auto Table<K, V>::join_tables(const Table<K, VOther>& other, Fn fn, std::string name) const {
  using detail::TableJoin;
  using Left = std::conditional_t<kind == TableJoin::outer, const V*, const V&>;
  using Right = std::conditional_t<kind == TableJoin::inner, const VOther&, const VOther*>;
  auto joiner = detail::joiner<K, V, VOther, Left, Right>(std::move(fn));
  using R = typename detail::ValueOf<
      std::decay_t<decltype(joiner(std::declval<const K&>(), nullptr, nullptr))>>::type;
  if (name.empty())
    throw TopologyError("a join of the tables " + store_ + " and " + other.store_ +
                        " needs a name");
  detail::must_be_kept(store_, name);
  detail::must_be_kept(other.store_, name);
  detail::Graph& graph = *handle_.graph;
  const auto* key = detail::required(detail::codec_or_default(handle_.key), name, "key");
  // Each side looks into the other's store, so each has both.
  const auto side = [&](const char* which, const std::string& store) {
    return detail::NodeSpec{.name = name + "-" + which,
                            .operation = "table_join",
                            .stores = {store},
                            .passes_old = true};
  };
  using Joiner = decltype(joiner);
  const auto left = detail::add_node<detail::TableJoinSide<K, V, VOther, R, kind, true, Joiner>>(
      graph, handle_.node, side("left", other.store_), other.table_store(), key, joiner);
  const auto right = detail::add_node<detail::TableJoinSide<K, VOther, V, R, kind, false, Joiner>>(
      graph, other.handle_.node, side("right", store_), table_store(), key, joiner);
  graph.must_be_copartitioned(name, {handle_.node, other.handle_.node});
  detail::NodeSpec both{.name = name, .operation = "merge", .passes_old = true};
  both.prototype = std::make_unique<detail::Pass<K, Change<R>>>();
  const auto node = graph.add(std::move(both), {left, right});
  return Table<K, R>({.graph = &graph, .node = node, .key = key}, {});
}

/// A table grouped by another key: what a row was is taken out of its group, what it is comes in.
/// The two may be seen one after the other.
template <class K, class V>
class GroupedTable {
 public:
  /// How many rows there are in each group.
  Table<K, std::int64_t> count(std::string store) const {
    return aggregate(
        std::int64_t{0}, [](std::int64_t& count, const V&) { ++count; },
        [](std::int64_t& count, const V&) { --count; }, std::move(store), &int64_codec);
  }
  /// `add` and `subtract` make one value of two: (value so far, value). The first value stands as
  /// it is.
  template <class Add, class Subtract>
  Table<K, V> reduce(Add add, Subtract subtract, std::string store,
                     const Codec<V>* codec = nullptr) const {
    auto adder = [add = std::move(add)](const K&, std::optional<V>& all, const V& value) mutable {
      all = all ? add(std::as_const(*all), value) : value;
    };
    auto subtracter = [subtract = std::move(subtract)](const K&, std::optional<V>& all,
                                                       const V& value) mutable {
      all = subtract(std::as_const(*all), value);
    };
    return make<V>("reduce", std::nullopt, std::move(adder), std::move(subtracter),
                   std::move(store), codec != nullptr ? codec : value_);
  }
  /// Both change what was aggregated so far, as GroupedStream::aggregate()'s function does.
  template <class A, class Add, class Subtract>
  Table<K, A> aggregate(A initial, Add add, Subtract subtract, std::string store,
                        const Codec<A>* codec = nullptr) const;

 private:
  template <class, class>
  friend class Table;
  using Changes = detail::RowChange<V>;
  GroupedTable(detail::Handle<K, Changes> handle, const Codec<V>* value)
      : handle_(handle), value_(value) {}

  template <class A, class Add, class Subtract>
  Table<K, A> make(const char* operation, std::optional<A> initial, Add add, Subtract subtract,
                   std::string store, const Codec<A>* codec) const {
    const auto* value = detail::required(detail::codec_or_default(codec), store, "value");
    handle_.graph->add_store({.name = store, .value = detail::value_type(value)});
    const auto node = detail::add_node<detail::TableAggregate<K, V, A, Add, Subtract>>(
        *handle_.graph, handle_.node, {.name = store, .operation = operation, .stores = {store}},
        store, handle_.key, std::move(initial), std::move(add), std::move(subtract));
    return Table<K, A>({.graph = handle_.graph, .node = node, .key = handle_.key, .value = value},
                       store);
  }

  detail::Handle<K, Changes> handle_;
  const Codec<V>* value_;
};

template <class K, class V>
template <class Fn>
auto Table<K, V>::group_by(Fn fn, std::string name,
                           Codecs<typename detail::Gives<Fn, K, V>::first_type,
                                  typename detail::Gives<Fn, K, V>::second_type>
                               codecs) const {
  using Given = detail::Gives<Fn, K, V>;
  using KOut = detail::Bare<typename Given::first_type>;
  using VOut = detail::Bare<typename Given::second_type>;
  using Regroup =
      detail::RegroupTable<K, V, typename Given::first_type, typename Given::second_type, Fn>;
  const Codec<VOut>* value = codecs.value;
  if constexpr (std::is_same_v<VOut, V>)
    if (value == nullptr) value = handle_.value;
  value = detail::required(detail::codec_or_default(value), name, "value");
  detail::Graph& graph = *handle_.graph;
  const detail::Handle<KOut, detail::RowChange<VOut>> regrouped{
      .graph = &graph,
      .node = add<Regroup>({.name = name + "-key", .operation = "group_by", .needs_old = true},
                           std::move(fn)),
      .key = codecs.key,
      .value = graph.keep(detail::RowChangeCodec<VOut>(value))};
  return GroupedTable<KOut, VOut>(
      detail::repartitioned<KOut, detail::RowChange<VOut>>(regrouped, name, {}), value);
}

}  // namespace v1
}  // namespace weir::streams

#include <weir/streams/foreign_key_join.h>
#include <weir/streams/grouped.h>
#include <weir/streams/stream_join.h>
