// Streams grouped by key, and by windows of time: counts, reductions, aggregates.
#pragma once

#include <weir/streams/detail/window_nodes.h>
#include <weir/streams/stream.h>
#include <weir/streams/table.h>

#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace weir::streams {
inline namespace v1 {
namespace detail {

/// The user's function of an aggregate as the nodes call it.
template <class Key, class A, class Value, class Fn>
auto aggregator(Fn fn) {
  constexpr bool whole = std::is_invocable_v<Fn&, A&, const Value&>;
  constexpr bool whole_with_key = std::is_invocable_v<Fn&, const Key&, A&, const Value&>;
  constexpr bool maybe = std::is_invocable_v<Fn&, std::optional<A>&, const Value&>;
  constexpr bool maybe_with_key =
      std::is_invocable_v<Fn&, const Key&, std::optional<A>&, const Value&>;
  static_assert(whole || whole_with_key || maybe || maybe_with_key,
                "an aggregator takes (A&, value) or (key, A&, value); std::optional<A>& instead of "
                "A& lets it delete the row");
  return [fn = std::move(fn)](const Key& key, std::optional<A>& all,
                              const Value& value) mutable -> decltype(auto) {
    if constexpr (whole)
      return fn(*all, value);
    else if constexpr (whole_with_key)
      return fn(key, *all, value);
    else if constexpr (maybe)
      return fn(all, value);
    else
      return fn(key, all, value);
  };
}

/// The user's function of a reduction: one value of two; the first stands as it is.
template <class Key, class V, class Fn>
auto reducer(Fn fn) {
  return [fn = std::move(fn)](const Key&, std::optional<V>& all, const V& value) mutable {
    all = all ? fn(std::as_const(*all), value) : value;
  };
}

/// The user's function that makes one aggregate of two sessions': (A, A) or (key, A, A).
template <class Key, class A, class Fn>
auto merger(Fn fn) {
  constexpr bool with_key = std::is_invocable_v<Fn&, const Key&, const A&, const A&>;
  static_assert(with_key || std::is_invocable_v<Fn&, const A&, const A&>,
                "a merger takes the aggregates of two sessions, (A, A) or (key, A, A), and gives "
                "that of both");
  return [fn = std::move(fn)](const Key& key, std::optional<A>& all, const A& other) mutable {
    if constexpr (with_key)
      all = all ? fn(key, std::as_const(*all), other) : other;
    else
      all = all ? fn(std::as_const(*all), other) : other;
  };
}

/// The store of an aggregate by windows.
template <class Windows>
inline constexpr StoreKind store_of = StoreKind::window;
template <>
inline constexpr StoreKind store_of<SlidingWindows> = StoreKind::sliding;
template <>
inline constexpr StoreKind store_of<SessionWindows> = StoreKind::session;

template <class Windows>
std::optional<WindowClose> close_of(const Windows& windows) {
  if constexpr (std::is_same_v<Windows, SessionWindows>) {
    return WindowClose{windows.grace_ms() + windows.gap_ms(), true};
  } else if constexpr (std::is_same_v<Windows, SlidingWindows>) {
    return WindowClose{windows.grace_ms(), true};
  } else {
    if (windows.is_unlimited()) return std::nullopt;
    return WindowClose{windows.grace_ms(), false};
  }
}

/// From the start of a window to its end; sessions have no length of their own.
template <class Windows>
std::int64_t length_of(const Windows& windows) {
  if constexpr (std::is_same_v<Windows, SessionWindows>)
    return 0;
  else if constexpr (std::is_same_v<Windows, SlidingWindows>)
    return windows.difference_ms();
  else
    return windows.size_ms();
}

/// What an aggregate of values V by such windows is given: sliding windows take no absent values.
template <class Windows, class V>
using Aggregated = std::conditional_t<std::is_same_v<Windows, SlidingWindows>, Bare<V>, V>;

/// Where an aggregate keeps its values, and what it is called.
template <class Key, class A>
struct AggregateStore {
  std::string name;
  const Codec<Key>* key;
  const Codec<A>* value;
};
template <class Key, class A>
AggregateStore<Key, A> aggregate_store(const Codec<Key>* key, std::string name,
                                       const Codec<A>* value) {
  return {name, required(codec_or_default(key), name, "key"),
          required(codec_or_default(value), name, "value")};
}
template <class Key, class A, class Windows>
void add_window_store(Graph& graph, const AggregateStore<Key, A>& store, const Windows& windows) {
  graph.add_store({.name = store.name,
                   .value = value_type(store.value),
                   .kind = store_of<Windows>,
                   .retention_ms = windows.retention_ms(),
                   .window_ms = length_of(windows),
                   .by_time = windows.emit() == Emit::on_close});
}

/// The node that aggregates one stream's records by windows. `Merge` is of sessions only.
template <class K, class V, class Windows, class A, class Update, class Merge>
NodeIndex add_window_aggregate(const Handle<K, V>& from, std::string name, const char* operation,
                               const AggregateStore<Bare<K>, A>& store, const Windows& windows,
                               std::optional<A> initial, Update update, Merge merge) {
  NodeSpec spec{.name = std::move(name),
                .operation = operation,
                .stores = {store.name},
                .details = windows.describe()};
  WindowParts<K, A, Update> parts{store.name, store.key, std::move(initial), std::move(update),
                                  windows.emit()};
  if constexpr (std::is_same_v<Windows, SessionWindows>)
    return add_node<SessionAggregate<K, V, A, Update, Merge>>(
        *from.graph, from.node, std::move(spec), windows, std::move(parts), std::move(merge));
  else if constexpr (std::is_same_v<Windows, SlidingWindows>)
    return add_node<SlidingAggregate<K, V, A, Update>>(*from.graph, from.node, std::move(spec),
                                                       windows, std::move(parts));
  else
    return add_node<WindowAggregate<K, V, A, Update>>(*from.graph, from.node, std::move(spec),
                                                      windows, std::move(parts));
}

/// Of windows that do not merge.
struct NoMerge {};

/// One stream of several that are aggregated together.
template <class K, class V, class Fn>
struct CogroupedPart {
  using Value = V;
  Handle<K, V> from;
  Fn fn;
};

/// Throws TopologyError: each of the streams would tell of the same window.
void must_tell_updates(Emit emit, const std::string& name);

}  // namespace detail

/// Records grouped by key, each key in one partition.
template <class K, class V>
class GroupedStream {
  using Key = detail::Bare<K>;
  using Value = detail::Bare<V>;

 public:
  /// How many records there were; those without a value are not counted.
  Table<Key, std::int64_t> count(std::string store) const {
    return aggregate(
        std::int64_t{0}, [](std::int64_t& count, const Value&) { ++count; }, std::move(store),
        &int64_codec);
  }
  /// `fn` makes one value of two: (value so far, value). The first value stands as it is.
  template <class Fn>
  Table<Key, Value> reduce(Fn fn, std::string store, const Codec<Value>* codec = nullptr) const {
    return add<Value>("reduce", std::nullopt, detail::reducer<Key, Value>(std::move(fn)),
                      std::move(store), codec != nullptr ? codec : stream_.handle_.value);
  }
  /// `fn` changes what was aggregated so far: (A&, value) or (key, A&, value), void or
  /// Result<void>; with std::optional<A>& instead of A& it may delete the row. Of what it did
  /// before it failed nothing stays.
  template <class A, class Fn>
  Table<Key, A> aggregate(A initial, Fn fn, std::string store,
                          const Codec<A>* codec = nullptr) const {
    return add<A>("aggregate", std::optional<A>(std::move(initial)),
                  detail::aggregator<Key, A, Value>(std::move(fn)), std::move(store), codec);
  }
  /// By windows of event time besides: tumbling(), hopping(), unlimited(), sliding(), sessions().
  template <class Windows>
  WindowedStream<K, V, Windows> windowed(Windows windows) const {
    return WindowedStream<K, V, Windows>(stream_, std::move(windows));
  }
  /// With other streams of the same keys into one aggregate: `fn` as of aggregate().
  ///   clicks.group_by_key().cogroup<Visit>(add_click).with(views.group_by_key(), add_view)
  ///       .aggregate(Visit{}, "visits")
  template <class A, class Fn>
  auto cogroup(Fn fn) const;

 private:
  template <class, class>
  friend class Stream;
  template <class, class, class...>
  friend class Cogrouped;
  explicit GroupedStream(Stream<K, V> stream) : stream_(std::move(stream)) {}

  template <class A, class Update>
  Table<Key, A> add(const char* operation, std::optional<A> initial, Update update,
                    std::string name, const Codec<A>* codec) const {
    const auto& handle = stream_.handle_;
    const auto store = detail::aggregate_store(handle.key, std::move(name), codec);
    handle.graph->add_store({.name = store.name, .value = detail::value_type(store.value)});
    const auto node = stream_.template add<detail::Aggregate<K, V, A, Update>>(
        {.name = store.name, .operation = operation, .stores = {store.name}}, store.name, store.key,
        std::move(initial), std::move(update));
    return Table<Key, A>(
        {.graph = handle.graph, .node = node, .key = store.key, .value = store.value}, store.name);
  }

  Stream<K, V> stream_;
};

/// Records grouped by key and window.
template <class K, class V, class Windows>
class WindowedStream {
  using Key = detail::Bare<K>;
  using Value = detail::Aggregated<Windows, V>;
  static constexpr bool merges = std::is_same_v<Windows, SessionWindows>;

 public:
  /// Every record counts, also one without a value, but in sliding windows, which drop those.
  Table<Windowed<Key>, std::int64_t> count(std::string store) const {
    return add<std::int64_t>(
        "count", std::int64_t{0},
        [](const Key&, std::optional<std::int64_t>& count, const Value&) { ++*count; },
        [](const Key&, std::optional<std::int64_t>& count, const std::int64_t& other) {
          *count += other;
        },
        std::move(store), &int64_codec);
  }
  /// Makes one value of two, also of the values of two sessions that become one.
  template <class Fn>
  Table<Windowed<Key>, V> reduce(Fn fn, std::string store, const Codec<V>* codec = nullptr) const {
    static_assert(!detail::nullable<V>,
                  "records without a value cannot be reduced: filter them out");
    return add<V>("reduce", std::nullopt, detail::reducer<Key, V>(fn), detail::reducer<Key, V>(fn),
                  std::move(store), codec != nullptr ? codec : stream_.handle_.value);
  }
  /// As GroupedStream::aggregate(); a stream's absent values are given to `fn` too, but by sliding
  /// windows, which drop them.
  template <class A, class Fn>
    requires(!merges)
  Table<Windowed<Key>, A> aggregate(A initial, Fn fn, std::string store,
                                    const Codec<A>* codec = nullptr) const {
    return add<A>("aggregate", std::optional<A>(std::move(initial)),
                  detail::aggregator<Key, A, Value>(std::move(fn)), detail::NoMerge(),
                  std::move(store), codec);
  }
  /// Of sessions. `merge` gives the aggregate of two that have become one: (A, A) or (key, A, A).
  /// The row of each session that is merged is deleted before the new one is told.
  template <class A, class Fn, class Merge>
    requires(merges)
  Table<Windowed<Key>, A> aggregate(A initial, Fn fn, Merge merge, std::string store,
                                    const Codec<A>* codec = nullptr) const {
    return add<A>("aggregate", std::optional<A>(std::move(initial)),
                  detail::aggregator<Key, A, Value>(std::move(fn)),
                  detail::merger<Key, A>(std::move(merge)), std::move(store), codec);
  }

  /// What comes too late for the aggregate that is made next; without it, late records are counted
  /// and dropped. To be asked for before.
  Stream<K, Late<V>> late(std::string name = {}) {
    auto& handle = stream_.handle_;
    detail::NodeSpec spec{.name = std::move(name), .operation = "late"};
    spec.prototype = std::make_unique<detail::LateRecords<K, V>>();
    late_ = handle.graph->add(std::move(spec), {});
    return Stream<K, Late<V>>({.graph = handle.graph,
                               .node = *late_,
                               .key = handle.key,
                               .value = default_codec<Late<V>>()});
  }

 private:
  template <class, class>
  friend class GroupedStream;
  WindowedStream(Stream<K, V> stream, Windows windows)
      : stream_(std::move(stream)), windows_(std::move(windows)) {}

  template <class A, class Update, class Merge>
  Table<Windowed<Key>, A> add(const char* operation, std::optional<A> initial, Update update,
                              Merge merge, std::string name, const Codec<A>* codec) const {
    const auto& handle = stream_.handle_;
    detail::Graph& graph = *handle.graph;
    const auto store = detail::aggregate_store(handle.key, std::move(name), codec);
    detail::add_window_store(graph, store, windows_);
    const auto node =
        detail::add_window_aggregate(handle, store.name, operation, store, windows_,
                                     std::move(initial), std::move(update), std::move(merge));
    if (late_) graph.connect(node, *late_);
    return Table<Windowed<Key>, A>(
        {.graph = &graph, .node = node, .value = store.value, .inner = store.key}, store.name,
        detail::close_of(windows_));
  }

  Stream<K, V> stream_;
  Windows windows_;
  std::optional<detail::NodeIndex> late_;
};

/// Streams that are aggregated together, by key.
template <class K, class A, class... Parts>
class Cogrouped {
  using Key = detail::Bare<K>;

 public:
  /// One more: `fn` as of GroupedStream::aggregate().
  template <class V, class Fn>
  auto with(const GroupedStream<K, V>& other, Fn fn) const {
    using Part = detail::CogroupedPart<K, V, Fn>;
    return Cogrouped<K, A, Parts..., Part>(
        std::tuple_cat(parts_, std::tuple(Part{other.stream_.handle_, std::move(fn)})));
  }
  Table<Key, A> aggregate(A initial, std::string name, const Codec<A>* codec = nullptr) const {
    const auto store = detail::aggregate_store(key_codec(), std::move(name), codec);
    graph().add_store({.name = store.name, .value = detail::value_type(store.value)});
    const auto add = [&]<class Part>(const Part& part, std::string node) {
      using V = typename Part::Value;
      auto update = detail::aggregator<Key, A, detail::Bare<V>>(part.fn);
      return detail::add_node<detail::Aggregate<K, V, A, decltype(update)>>(
          graph(), part.from.node,
          {.name = std::move(node), .operation = "cogroup", .stores = {store.name}}, store.name,
          store.key, std::optional<A>(initial), std::move(update));
    };
    return table<Key>(store, {.graph = &graph(), .key = store.key, .value = store.value}, add);
  }

  /// By windows besides, which are told of on each update. Each stream's records are held against
  /// that stream's own time; what is older than the retention by the time of any of them is gone,
  /// so streams that run apart need a longer one.
  template <class Windows>
  class Windowed;
  template <class Windows>
  Windowed<Windows> windowed(Windows windows) const {
    return Windowed<Windows>(*this, std::move(windows));
  }

 private:
  template <class, class>
  friend class GroupedStream;
  template <class, class, class...>
  friend class Cogrouped;
  explicit Cogrouped(std::tuple<Parts...> parts) : parts_(std::move(parts)) {}

  detail::Graph& graph() const { return *std::get<0>(parts_).from.graph; }
  const Codec<Key>* key_codec() const { return std::get<0>(parts_).from.key; }
  /// `add` makes the node of a part, by name.
  template <class KOut, class Add>
  Table<KOut, A> table(const detail::AggregateStore<Key, A>& store, detail::Handle<KOut, A> handle,
                       const Add& add,
                       std::optional<detail::WindowClose> close = std::nullopt) const {
    std::vector<detail::NodeIndex> nodes;
    std::vector<detail::NodeIndex> sources;
    const auto one = [&](const auto& part) {
      sources.push_back(part.from.node);
      nodes.push_back(add(part, store.name + "-" + std::to_string(nodes.size() + 1)));
    };
    std::apply([&](const auto&... part) { (one(part), ...); }, parts_);
    graph().must_be_copartitioned(store.name, std::move(sources));
    detail::NodeSpec all{.name = store.name, .operation = "merge", .passes_old = true};
    all.prototype = std::make_unique<detail::Pass<KOut, Change<A>>>();
    handle.node = graph().add(std::move(all), nodes);
    return Table<KOut, A>(handle, store.name, close);
  }

  std::tuple<Parts...> parts_;
};

template <class K, class A, class... Parts>
template <class Windows>
class Cogrouped<K, A, Parts...>::Windowed {
  using WindowedKey = streams::Windowed<Key>;

 public:
  Table<WindowedKey, A> aggregate(A initial, std::string name,
                                  const Codec<A>* codec = nullptr) const
    requires(!std::is_same_v<Windows, SessionWindows>)
  {
    return make(std::move(initial), detail::NoMerge(), std::move(name), codec);
  }
  /// Of sessions; `merge` as of WindowedStream::aggregate().
  template <class Merge>
    requires std::is_same_v<Windows, SessionWindows>
  Table<WindowedKey, A> aggregate(A initial, Merge merge, std::string name,
                                  const Codec<A>* codec = nullptr) const {
    return make(std::move(initial), detail::merger<Key, A>(std::move(merge)), std::move(name),
                codec);
  }

 private:
  friend class Cogrouped;
  Windowed(Cogrouped all, Windows windows) : all_(std::move(all)), windows_(std::move(windows)) {}

  template <class Merge>
  Table<WindowedKey, A> make(A initial, Merge merge, std::string name,
                             const Codec<A>* codec) const {
    detail::must_tell_updates(windows_.emit(), name);
    const auto store = detail::aggregate_store(all_.key_codec(), std::move(name), codec);
    detail::add_window_store(all_.graph(), store, windows_);
    const auto add = [&]<class Part>(const Part& part, std::string node) {
      using Value = detail::Aggregated<Windows, typename Part::Value>;
      return detail::add_window_aggregate(part.from, std::move(node), "cogroup", store, windows_,
                                          std::optional<A>(initial),
                                          detail::aggregator<Key, A, Value>(part.fn), merge);
    };
    return all_.template table<WindowedKey>(
        store, {.graph = &all_.graph(), .value = store.value, .inner = store.key}, add,
        detail::close_of(windows_));
  }

  Cogrouped all_;
  Windows windows_;
};

template <class K, class V>
template <class A, class Fn>
auto GroupedStream<K, V>::cogroup(Fn fn) const {
  using Part = detail::CogroupedPart<K, V, Fn>;
  return Cogrouped<K, A, Part>(std::tuple(Part{stream_.handle_, std::move(fn)}));
}

template <class K, class V>
GroupedStream<K, V> Stream<K, V>::group_by_key(std::string name,
                                               RepartitionOptions<K, V> options) const {
  static_assert(!std::is_same_v<K, NoKey>, "an unkeyed stream has no key to group by: group_by()");
  return GroupedStream<K, V>(Stream(placed(name, options)));
}

template <class K, class V>
template <class Fn>
auto Stream<K, V>::group_by(Fn fn, std::string name,
                            RepartitionOptions<detail::Gives<Fn, K, V>, V> options) const {
  return map_key(std::move(fn), name + "-key").group_by_key(name, std::move(options));
}

template <class K, class V>
template <class A, class Add, class Subtract>
Table<K, A> GroupedTable<K, V>::aggregate(A initial, Add add, Subtract subtract, std::string store,
                                          const Codec<A>* codec) const {
  return make<A>("aggregate", std::optional<A>(std::move(initial)),
                 detail::aggregator<K, A, V>(std::move(add)),
                 detail::aggregator<K, A, V>(std::move(subtract)), std::move(store), codec);
}

}  // namespace v1
}  // namespace weir::streams
