// Stream: operators on records, one by one. Tables are in <weir/streams/table.h>.
#pragma once

#include <weir/streams/detail/graph.h>
#include <weir/streams/detail/join_nodes.h>
#include <weir/streams/detail/nodes.h>
#include <weir/streams/handle.h>
#include <weir/streams/processor.h>
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
template <class K, class V>
class Split;
class Topology;

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

}  // namespace v1
}  // namespace weir::streams
