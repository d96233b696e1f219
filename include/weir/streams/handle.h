// What Stream and Table are handles of, and the codecs and repartitions on their ways.
#pragma once

#include <weir/streams/detail/graph.h>
#include <weir/streams/detail/nodes.h>
#include <weir/streams/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace weir::streams {
inline namespace v1 {

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

}  // namespace v1
}  // namespace weir::streams
