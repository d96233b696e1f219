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
#include <vector>

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

/// One of the rows of a key: a session, a sliding window, a version, a record that may be joined.
struct TimedRow {
  /// What orders the rows of a key; no two are alike. Neither is negative.
  std::int64_t at_ms = 0;
  std::int64_t tie = 0;
  std::int64_t timestamp_ms = -1;
  void* value = nullptr;  // nullptr: a version that says that there is no value
};

/// The rows of one key as they are now, in their order. Writing to them moves them about: walk a
/// copy.
using TimedRows = std::vector<TimedRow*>;

/// A key of a TimedState, held by the cache. To be let go at the end of the record.
class TimedKey {
 public:
  const TimedRows& rows() const { return rows_; }
  /// The first row at or behind `at_ms`; rows().size() if there is none.
  std::size_t first_at(std::int64_t at_ms) const;

 protected:
  TimedRows rows_;
};

/// Several rows for each key. Rows and values that are removed live until the end of the record.
class TimedState {
 public:
  virtual ~TimedState() = default;

  /// Throws StateFailure as KeyValueState::row().
  virtual TimedKey& key(std::string_view key) = 0;
  /// As KeyValueState::put(), of the row with these numbers, made if there is none; an absent
  /// `value` (nullptr) is a version that has none.
  virtual TimedRow& put(TimedKey& key, std::int64_t at_ms, std::int64_t tie, void* value,
                        std::int64_t timestamp_ms) = 0;
  virtual void remove(TimedKey& key, TimedRow& row) = 0;

  /// Rows with `at_ms` of [from, to), by that, then `tie`, then key. Only of stores that are made
  /// for it (StoreSpec::by_time). False from `visit` ends it; it must not write to this store.
  using Visit = std::function<bool(std::string_view key, const TimedRow& row)>;
  virtual void for_each_by_time(std::int64_t from_ms, std::int64_t to_ms, const Visit& visit) = 0;
  /// Rows below are not there any more; sooner or later they leave the database, and the changelog
  /// by tombstones. Never goes back.
  virtual void expire_before(std::int64_t at_ms) = 0;
};

/// The rows of a global table, as they stood when the record began.
class GlobalState {
 public:
  virtual ~GlobalState() = default;
  /// nullptr: no row. The value lives until the end of the record.
  virtual const void* find(std::string_view key) = 0;
};

/// Bytes by bytes, in the order of their keys: what waits for its time. Views live until the next
/// call.
class OrderedState {
 public:
  virtual ~OrderedState() = default;

  struct Found {
    std::string_view key;
    std::string_view value;
    std::int64_t timestamp_ms = -1;
  };
  /// Throws StateFailure as KeyValueState::row().
  virtual std::optional<Found> get(std::string_view key) = 0;
  /// The first that is not below `from`.
  virtual std::optional<Found> first(std::string_view from) = 0;
  virtual void put(std::string_view key, std::string_view value, std::int64_t timestamp_ms) = 0;
  virtual void remove(std::string_view key) = 0;
};

}  // namespace detail
}  // namespace v1
}  // namespace weir::streams
