// Topology: what a stream application does, as one value.
//
//   weir::streams::Topology topology{"delays"};
//   auto departures = topology.stream(airport::departures);
//   auto planes = topology.table(airport::planes, "planes");
//   departures.join(planes, enrich, "with-plane").to(airport::enriched);
//
// Its name is the application's: of its consumer group, and the first part of the names of the
// streams that it keeps for itself ("delays-planes-changelog").
#pragma once

#include <weir/streams/foreign_key_join.h>
#include <weir/streams/grouped.h>
#include <weir/streams/stream.h>
#include <weir/streams/stream_join.h>
#include <weir/streams/table.h>

#include <chrono>
#include <memory>
#include <string>

namespace weir::streams {
inline namespace v1 {

/// Of a source.
template <class K, class V>
struct SourceOptions {
  std::string name = {};
  /// The event time of a record; absent: the record's timestamp.
  detail::TimestampExtractor<K, V> timestamp = {};
};

/// What the records of a topic are in a stream: an entity's value may be absent.
template <class Key, class Value, TopicKind kind>
using StreamOf =
    Stream<Key, std::conditional_t<kind == TopicKind::entity, std::optional<Value>, Value>>;

/// Threads: one that builds it. What is made of it keeps no reference to it but where said.
class Topology {
 public:
  /// Throws TopologyError: no valid name of a group and of topics.
  explicit Topology(std::string name);
  Topology(Topology&&) noexcept;
  Topology& operator=(Topology&&) noexcept;
  ~Topology();

  template <class Key, class Value, TopicKind kind>
  StreamOf<Key, Value, kind> stream(
      const Topic<Key, Value, kind>& topic,
      SourceOptions<Key, typename StreamOf<Key, Value, kind>::value_type> options = {}) {
    using V = typename StreamOf<Key, Value, kind>::value_type;
    return StreamOf<Key, Value, kind>(source<Key, V>(topic, std::move(options)));
  }
  template <class Key, class Value, TopicKind kind>
  Stream<std::optional<Key>, std::optional<Value>> stream(
      const Nullable<Topic<Key, Value, kind>>& topic,
      SourceOptions<std::optional<Key>, std::optional<Value>> options = {}) {
    return Stream<std::optional<Key>, std::optional<Value>>(
        source<std::optional<Key>, std::optional<Value>>(topic.topic, std::move(options)));
  }
  /// The latest value of each key, kept in `store`. The topic is the store's changelog. A source
  /// that is given no name has the store's and "-source".
  template <class Key, class Value>
  Table<Key, Value> table(const EntityTopic<Key, Value>& topic, std::string store,
                          SourceOptions<std::optional<Key>, std::optional<Value>> options = {}) {
    return table_of<Key, Value>(topic, std::move(store), std::move(options));
  }
  /// Records without a key are counted and dropped.
  template <class Key, class Value, TopicKind kind>
  Table<Key, Value> table(const Nullable<Topic<Key, Value, kind>>& topic, std::string store,
                          SourceOptions<std::optional<Key>, std::optional<Value>> options = {}) {
    return table_of<Key, Value>(topic.topic, std::move(store), std::move(options));
  }

  /// As table(), and what each row was, so far back: a join looks up what it was at the time of a
  /// record. A record that is older than that is late: counted and dropped. `store` has a changelog
  /// of its own, because a compacted topic forgets.
  template <class Key, class Value>
  Table<Key, Value> versioned_table(
      const EntityTopic<Key, Value>& topic, std::string store, std::chrono::milliseconds history,
      SourceOptions<std::optional<Key>, std::optional<Value>> options = {}) {
    return versions_of<Key, Value>(topic, std::move(store), history, std::move(options));
  }
  /// Records without a key are counted and dropped.
  template <class Key, class Value, TopicKind kind>
  Table<Key, Value> versioned_table(
      const Nullable<Topic<Key, Value, kind>>& topic, std::string store,
      std::chrono::milliseconds history,
      SourceOptions<std::optional<Key>, std::optional<Value>> options = {}) {
    return versions_of<Key, Value>(topic.topic, std::move(store), history, std::move(options));
  }

  /// The latest value of each key, whole in every process: Stream::join() looks it up by any key.
  template <class Key, class Value>
  GlobalTable<Key, Value> global_table(const EntityTopic<Key, Value>& topic, std::string store) {
    return global_of<Key, Value>(topic, std::move(store));
  }
  /// Records without a key are passed over.
  template <class Key, class Value, TopicKind kind>
  GlobalTable<Key, Value> global_table(const Nullable<Topic<Key, Value, kind>>& topic,
                                       std::string store) {
    return global_of<Key, Value>(topic.topic, std::move(store));
  }

  /// A key-value store for processors, with a changelog. What it gives is what
  /// Application::read() takes, with the default codec of its keys.
  template <class Key, class Value>
  TableRef<Key, Value> add_store(std::string name,
                                 const Codec<Value>* codec = default_codec<Value>()) {
    static_cast<void>(detail::required(codec, name, "value"));
    graph_->add_store({.name = name, .value = detail::value_type(codec)});
    return {std::move(name), default_codec<Key>(), codec};
  }

  /// A store of one's own for processors, one a task, with a changelog: see CustomStore. `make`
  /// gives a std::unique_ptr to one.
  template <class Make>
  void add_custom_store(std::string name, Make make) {
    graph_->add_store(
        {.name = std::move(name),
         .value = detail::value_type(&string_codec),
         .make_custom = [make = std::move(make)]() mutable -> std::unique_ptr<CustomStore> {
           return make();
         }});
  }

  /// What becomes of records that fail in this operator, instead of what ApplicationOptions say: of
  /// a source those that cannot be decoded, of the others those whose function fails. Operators
  /// have the names that they were given; a source without one "source-0", …, as `--describe` shows
  /// them. Global tables have that of their store.
  ///   departures.map_values(parse, "parse");
  ///   topology.on_error("parse", OnError::skip);
  /// Throws TopologyError: there is none of that name yet.
  void on_error(std::string_view name, OnError policy) { graph_->set_on_error(name, policy); }

  const std::string& name() const;
  const detail::Graph& graph() const { return *graph_; }

 private:
  template <class K, class V, class TopicType>
  detail::Handle<K, V> source(const TopicType& topic, SourceOptions<K, V> options) {
    detail::NodeSpec spec{.name = std::move(options.name),
                          .operation = "source",
                          .role = detail::Role::source,
                          .topic = std::string(topic.name)};
    spec.prototype = std::make_unique<detail::Source<K, V>>(topic.key_codec, topic.value_codec,
                                                            std::move(options.timestamp));
    return {.graph = graph_.get(),
            .node = graph_->add(std::move(spec), {}),
            .key = topic.key_codec,
            .value = topic.value_codec};
  }
  template <class Key, class Value, class TopicType>
  Table<Key, Value> table_of(const TopicType& topic, std::string store,
                             SourceOptions<std::optional<Key>, std::optional<Value>> options) {
    if (options.name.empty()) options.name = store + "-source";
    auto from = source<std::optional<Key>, std::optional<Value>>(topic, std::move(options));
    graph_->add_store({.name = store,
                       .value = detail::value_type(topic.value_codec),
                       .source_topic = std::string(topic.name)});
    const auto node =
        detail::add_node<detail::TableSource<std::optional<Key>, std::optional<Value>>>(
            *graph_, from.node, {.name = store, .operation = "table", .stores = {store}}, store,
            topic.key_codec);
    return Table<Key, Value>(
        {.graph = graph_.get(), .node = node, .key = topic.key_codec, .value = topic.value_codec},
        store);
  }

  template <class Key, class Value, class TopicType>
  GlobalTable<Key, Value> global_of(const TopicType& topic, std::string store) {
    graph_->add_store({.name = store,
                       .value = detail::value_type(topic.value_codec),
                       .source_topic = std::string(topic.name),
                       .is_global = true});
    return GlobalTable<Key, Value>(std::move(store), topic.key_codec, topic.value_codec);
  }
  template <class Key, class Value, class TopicType>
  Table<Key, Value> versions_of(const TopicType& topic, std::string store,
                                std::chrono::milliseconds history,
                                SourceOptions<std::optional<Key>, std::optional<Value>> options) {
    if (history.count() <= 0)
      throw TopologyError(store + ": a history of " + std::to_string(history.count()) +
                          "ms, want more than 0");
    if (options.name.empty()) options.name = store + "-source";
    auto from = source<std::optional<Key>, std::optional<Value>>(topic, std::move(options));
    graph_->add_store({.name = store,
                       .value = detail::value_type(topic.value_codec),
                       .kind = detail::StoreKind::versions,
                       .retention_ms = history.count()});
    const auto node =
        detail::add_node<detail::VersionedSource<std::optional<Key>, std::optional<Value>>>(
            *graph_, from.node, {.name = store, .operation = "versioned_table", .stores = {store}},
            detail::TableStore{store, history.count()}, topic.key_codec);
    Table<Key, Value> out(
        {.graph = graph_.get(), .node = node, .key = topic.key_codec, .value = topic.value_codec},
        store);
    out.history_ms_ = history.count();
    return out;
  }

  std::unique_ptr<detail::Graph> graph_;
};

}  // namespace v1
}  // namespace weir::streams
