// Records of a join of two streams that have found no partner yet, by their time.
#pragma once

#include <weir/streams/detail/store.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace weir::streams {
inline namespace v1 {
namespace detail {

/// In front of an OrderedState: `i64 time | u8 side, 0 right, 1 left | key` -> `u32 size | value`
/// of each record, in the order in which they came. Threads: the task's.
class Parked {
 public:
  explicit Parked(OrderedState& state) : state_(&state) {}

  void add(std::int64_t time_ms, bool is_left, std::string_view key, std::string_view value);
  /// All of that time, side and key: a partner has come.
  void remove(std::int64_t time_ms, bool is_left, std::string_view key);

  /// One record, which is not parked any more.
  using Visit = std::function<void(std::int64_t time_ms, bool is_left, std::string_view key,
                                   std::string_view value)>;
  /// Left ones from before `left_ms` and right ones from before `right_ms`, by time, right before
  /// left, key, arrival.
  void take_before(std::int64_t left_ms, std::int64_t right_ms, const Visit& visit);
  /// The same, looked for until one of each side stays, as Kafka Streams does: the time of the last
  /// one that was looked at, -1 if there is none.
  std::int64_t take_all_before(std::int64_t left_ms, std::int64_t right_ms, const Visit& visit);

 private:
  std::string_view make_key(std::int64_t time_ms, bool is_left, std::string_view key);
  template <class Ends>
  void take(std::int64_t left_ms, std::int64_t right_ms, const Visit& visit, Ends ends);

  OrderedState* state_;
  std::string key_;
  std::string value_;
};

}  // namespace detail
}  // namespace v1
}  // namespace weir::streams
