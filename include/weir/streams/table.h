// Table, GlobalTable and GroupedTable, and what a stream has to do with tables. What
// <weir/streams/stream.h> says of handles, functions and names holds here too.
#pragma once

#include <weir/streams/detail/global_nodes.h>
#include <weir/streams/detail/graph.h>
#include <weir/streams/detail/suppress_nodes.h>
#include <weir/streams/detail/table_nodes.h>
#include <weir/streams/handle.h>
#include <weir/streams/reader.h>
#include <weir/streams/stream.h>
#include <weir/streams/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace weir::streams {
inline namespace v1 {

template <class K, class A, class... Parts>
class Cogrouped;
template <class K, class V>
class GroupedTable;

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
