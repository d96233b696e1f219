// What a node makes of a row, as a change of a table.
#pragma once

#include <weir/streams/detail/store.h>
#include <weir/streams/types.h>

#include <cstdint>
#include <optional>

namespace weir::streams {
inline namespace v1 {
namespace detail {

/// Leaves `next` in the row, or no value; gives what has changed. `next` lives as long as what is
/// done with that: it holds the value from before.
template <class A, class State>
Change<A> replace(State& state, Row& row, std::optional<A>& next, std::int64_t timestamp_ms) {
  A* before = static_cast<A*>(state.value(row));
  if (!next) {
    state.remove(row, timestamp_ms);
    return {.now = nullptr, .old = before};
  }
  state.put(row, &*next, timestamp_ms);
  return {.now = static_cast<A*>(state.value(row)), .old = before != nullptr ? &*next : nullptr};
}

/// Leaves `next` in the row with these numbers, or none; gives what has changed. `next` lives as
/// long as what is done with that: it holds the value from before.
template <class A>
Change<A> replace(TimedState& state, TimedKey& key, TimedRow* row, std::int64_t at_ms,
                  std::int64_t tie, std::optional<A>& next, std::int64_t timestamp_ms) {
  const A* before = row != nullptr ? static_cast<const A*>(row->value) : nullptr;
  if (!next) {
    if (row != nullptr) state.remove(key, *row);
    return {.now = nullptr, .old = before};
  }
  const TimedRow& now = state.put(key, at_ms, tie, &*next, timestamp_ms);
  return {.now = static_cast<const A*>(now.value), .old = before != nullptr ? &*next : nullptr};
}

}  // namespace detail
}  // namespace v1
}  // namespace weir::streams
