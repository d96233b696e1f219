// State of a task as its nodes see it: keys are bytes, values objects of the user's type.
//
// A store is a write-back cache in front of the task's state::Database. What is written stays here,
// as objects, until the task's commit is acknowledged; then it enters the database. So a get() of
// what was used before costs a look into a hash table, and nothing uncommitted is ever kept.
//
// Pointers to values live until the end of the record that is processed, whatever else is written
// meanwhile. Threads: the task's.
#pragma once

#include <weir/streams/detail/values.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

namespace weir::streams {
inline namespace v1 {
namespace detail {

/// A row of a store, held by the cache. To be let go at the end of the record.
class Row;

/// One value for each key.
class KeyValueState {
 public:
  virtual ~KeyValueState() = default;

  /// The row of `key`, whether or not it has a value. Throws StateFailure, which ends the task, if
  /// the database cannot be read or holds no value of this type.
  virtual Row& row(std::string_view key) = 0;
  /// nullptr: the key has no value.
  virtual void* value(Row& row) = 0;
  virtual std::int64_t timestamp_ms(const Row& row) const = 0;
  /// Exchanges the row's value with `*value` (which holds the old one then), or, if the row has
  /// none, moves `*value` into it.
  virtual void put(Row& row, void* value, std::int64_t timestamp_ms) = 0;
  virtual void remove(Row& row, std::int64_t timestamp_ms) = 0;

  /// Keys of [from, to) in ascending order with what is written included; an absent `to` is the end
  /// of all keys. False from `visit` ends it. What is written while it runs may or may not be seen.
  using Visit =
      std::function<bool(std::string_view key, const void* value, std::int64_t timestamp)>;
  virtual void for_each(std::string_view from, std::optional<std::string_view> to,
                        const Visit& visit) = 0;
};

/// One value for each key and window, windows told apart by their start.
class WindowState {
 public:
  virtual ~WindowState() = default;

  virtual Row& row(std::int64_t start_ms, std::string_view key) = 0;
  virtual void* value(Row& row) = 0;
  virtual std::int64_t timestamp_ms(const Row& row) const = 0;
  virtual void put(Row& row, void* value, std::int64_t timestamp_ms) = 0;
  virtual void remove(Row& row, std::int64_t timestamp_ms) = 0;

  /// The windows that start in [from, to), by start, then by key.
  using Visit = std::function<bool(std::int64_t start_ms, std::string_view key, const void* value,
                                   std::int64_t timestamp)>;
  virtual void for_each(std::int64_t from_ms, std::int64_t to_ms, const Visit& visit) = 0;
  /// Windows that start before `start_ms` are not there any more; with the next commit they leave
  /// the database, and the changelog by tombstones. Never goes back.
  virtual void expire_before(std::int64_t start_ms) = 0;
};

}  // namespace detail
}  // namespace v1
}  // namespace weir::streams
