// Joins of two streams.
#pragma once

#include <weir/streams/stream.h>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace weir::streams {
inline namespace v1 {

template <class K, class V>
template <detail::StreamJoin kind, class VOther, class Fn>
auto Stream<K, V>::join_stream(const Stream<K, VOther>& other, Fn fn, const JoinWindows& windows,
                               std::string name) const {
  using detail::StreamJoin;
  using VLeft = detail::Bare<V>;
  using VRight = detail::Bare<VOther>;
  using Left = std::conditional_t<kind == StreamJoin::outer, const VLeft*, const VLeft&>;
  using Right = std::conditional_t<kind == StreamJoin::inner, const VRight&, const VRight*>;
  static_assert(!std::is_same_v<K, NoKey>, "streams are joined by key: map_key() gives them one");
  auto joiner = detail::joiner<K, VLeft, VRight, Left, Right>(std::move(fn));
  using Joiner = decltype(joiner);
  using R = typename detail::ValueOf<
      std::decay_t<decltype(joiner(std::declval<const K&>(), nullptr, nullptr))>>::type;
  if (name.empty()) throw TopologyError("a join of two streams needs a name");

  const Stream left(placed(name + "-left-side", {}));
  const Stream<K, VOther> right(other.placed(name + "-right-side", {}));
  detail::Graph& graph = *handle_.graph;
  detail::StreamJoinParts<K, VLeft, VRight> parts{
      .name = name,
      .left_store = name + "-left",
      .right_store = name + "-right",
      .parked_store = kind == StreamJoin::inner ? "" : name + "-unmatched",
      .windows = windows,
      .key = detail::required(detail::codec_or_default(left.handle_.key), name, "key"),
      .left = detail::required(detail::codec_or_default(left.handle_.value), name, "left value"),
      .right =
          detail::required(detail::codec_or_default(right.handle_.value), name, "right value")};
  const auto add_store = [&](const std::string& store, detail::ValueType value) {
    graph.add_store({.name = store,
                     .value = value,
                     .kind = detail::StoreKind::join,
                     .retention_ms = windows.retention_ms()});
  };
  add_store(parts.left_store, detail::value_type(parts.left));
  add_store(parts.right_store, detail::value_type(parts.right));
  std::vector<std::string> stores{parts.left_store, parts.right_store};
  if (kind != StreamJoin::inner) {
    graph.add_store({.name = parts.parked_store, .value = {}, .kind = detail::StoreKind::waiting});
    stores.push_back(parts.parked_store);
  }
  // Records without a key move the time on, on the right side of a left join too.
  const auto side = [&](const char* which) {
    return detail::NodeSpec{.name = name + "-" + which + "-join",
                            .operation = "stream_join",
                            .stores = stores,
                            .takes_null_keys = kind != StreamJoin::inner,
                            .details = windows.describe()};
  };
  const auto left_node =
      detail::add_node<detail::StreamJoinSide<K, V, VLeft, VRight, R, kind, true, Joiner>>(
          graph, left.handle_.node, side("left"), parts, joiner);
  const auto right_node =
      detail::add_node<detail::StreamJoinSide<K, VOther, VLeft, VRight, R, kind, false, Joiner>>(
          graph, right.handle_.node, side("right"), parts, joiner);
  graph.must_be_copartitioned(name, {left.handle_.node, right.handle_.node});
  detail::NodeSpec both{.name = name, .operation = "merge"};
  both.prototype = std::make_unique<detail::Pass<K, R>>();
  return left.template with_value<R>(graph.add(std::move(both), {left_node, right_node}));
}

}  // namespace v1
}  // namespace weir::streams
