// Foreign-key joins of tables.
#pragma once

#include <weir/streams/detail/foreign_key_nodes.h>
#include <weir/streams/table.h>

#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace weir::streams {
inline namespace v1 {

template <class K, class V>
template <bool left, class FK, class W, class Extract, class Fn>
auto Table<K, V>::join_foreign(const Table<FK, W>& other, Extract extract, Fn fn,
                               std::string name) const {
  using Right = std::conditional_t<left, const W*, const W&>;
  using Given = detail::Bare<detail::Gives<Extract, K, V>>;
  static_assert(std::is_same_v<Given, FK>,
                "the foreign key of a row must be of the type of the other table's keys, or "
                "std::optional of it");
  auto joiner = detail::joiner<K, V, W, const V&, Right>(std::move(fn));
  using Joiner = decltype(joiner);
  using R = typename detail::ValueOf<
      std::decay_t<decltype(joiner(std::declval<const K&>(), nullptr, nullptr))>>::type;
  if (name.empty()) throw TopologyError("a foreign-key join needs a name");
  detail::must_be_kept(store_, name);
  detail::must_be_kept(other.store_, name);
  detail::Graph& graph = *handle_.graph;
  const auto* key = detail::required(detail::codec_or_default(handle_.key), name, "key");
  const auto* value = detail::required(detail::codec_or_default(handle_.value), name, "value");
  const auto* foreign_key =
      detail::required(detail::codec_or_default(other.handle_.key), name, "foreign key");
  const auto* partner =
      detail::required(detail::codec_or_default(other.handle_.value), name, "partner");
  const Codec<R>* given = nullptr;
  if constexpr (std::is_same_v<R, V>) given = value;
  const auto* result = detail::required(detail::codec_or_default(given), name, "result");
  const std::string subscriptions = name + "-subscriptions";
  graph.add_store({.name = subscriptions, .value = {}, .kind = detail::StoreKind::waiting});
  graph.add_store({.name = name, .value = detail::value_type(result)});

  using detail::BytesOrNone;
  using View = std::string_view;
  const auto topic = [&](const char* what) { return graph.add_repartition({.name = name + what}); };
  const auto source = [&]<class From>(std::size_t repartition, std::string source_name,
                                      std::type_identity<From>) {
    detail::NodeSpec spec{.name = std::move(source_name),
                          .operation = "source",
                          .role = detail::Role::source,
                          .repartition = repartition};
    spec.prototype = std::make_unique<detail::Source<From, View>>(
        &view_codec, &view_codec, detail::TimestampExtractor<From, View>());
    return graph.add(std::move(spec), {});
  };
  // A row asks.
  using Subscribe = detail::ForeignKeySubscribe<K, V, FK, left, Extract>;
  const std::size_t registration = topic("-registration");
  const auto subscribe = add<Subscribe>(
      {.name = name + "-subscribe", .operation = "foreign_key_subscribe", .needs_old = true}, key,
      value, foreign_key, std::move(extract));
  detail::add_node<detail::Sink<BytesOrNone, View>>(
      graph, subscribe,
      {.name = name + "-registration-sink",
       .operation = "sink",
       .role = detail::Role::sink,
       .repartition = registration},
      detail::Writer<BytesOrNone, View>(&view_codec, &view_codec, nullptr),
      typename detail::Sink<BytesOrNone, View>::Ways{.keeps_null_keys = left});
  // It is answered, now and whenever its partner changes.
  const auto registered =
      source(registration, name + "-registration-source", std::type_identity<BytesOrNone>());
  const auto answer =
      detail::add_node<detail::ForeignKeyAnswer<W>>(graph, registered,
                                                    {.name = name + "-answer",
                                                     .operation = "foreign_key_answer",
                                                     .stores = {subscriptions, other.store_}},
                                                    subscriptions, other.table_store(), partner);
  const auto notify = detail::add_node<detail::ForeignKeyNotify<FK, W>>(
      graph, other.handle_.node,
      {.name = name + "-notify", .operation = "foreign_key_notify", .stores = {subscriptions}},
      subscriptions, foreign_key, partner);
  const std::size_t response = topic("-response");
  detail::NodeSpec reply{.name = name + "-response-sink",
                         .operation = "sink",
                         .role = detail::Role::sink,
                         .repartition = response};
  reply.prototype = std::make_unique<detail::ReplySink>();
  graph.add(std::move(reply), {answer, notify});
  // The answer makes a row of the join.
  const auto answered = source(response, name + "-response-source", std::type_identity<View>());
  const auto resolve = detail::add_node<detail::ForeignKeyResolve<K, V, W, R, left, Joiner>>(
      graph, answered,
      {.name = name,
       .operation = left ? "foreign_key_left_join" : "foreign_key_join",
       .stores = {name, store_}},
      name, table_store(), key, value, partner, std::move(joiner));
  graph.must_be_copartitioned(name + " by foreign key", {registered, other.handle_.node});
  graph.must_be_copartitioned(name, {answered, handle_.node});
  return Table<K, R>({.graph = &graph, .node = resolve, .key = key, .value = result}, name);
}

}  // namespace v1
}  // namespace weir::streams
