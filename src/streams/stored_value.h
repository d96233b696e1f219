// How a row stands in the database: `i64 timestamp, value`, all stores alike.
#pragma once

#include <weir/streams/detail/store.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "state/database.h"
#include "streams/row_table.h"
#include "streams/task_state.h"

namespace weir::streams {

struct StoredValue {
  std::int64_t timestamp_ms = 0;
  std::string_view bytes;
};

inline std::optional<StoredValue> parse_stored(std::string_view bytes) {
  if (bytes.size() < sizeof(std::int64_t)) return std::nullopt;
  return StoredValue{load_be<std::int64_t>(bytes.data()), bytes.substr(sizeof(std::int64_t))};
}

inline void append_stored(std::string& out, const StoredValue& value) {
  append_be<std::int64_t>(out, value.timestamp_ms);
  out += value.bytes;
}

/// A value that is in the database alone, decoded for as long as this lives.
class DecodedValue {
 public:
  explicit DecodedValue(const detail::ValueType& type);
  ~DecodedValue();
  DecodedValue(const DecodedValue&) = delete;
  /// Throws StateFailure.
  const void* decode(std::string_view store, const StoredValue& stored);
  /// Whether they can be decoded.
  Result<void> check(std::string_view bytes);

 private:
  void clear();
  const detail::ValueType& type_;
  void* memory_;
  bool full_ = false;
};

/// Rows of one table as they change: read through from the database, and out to it.
class Rows {
 public:
  /// `area`: what all their keys in the database begin with. `size_bytes`: as RowTable's `total`.
  Rows(const detail::StoreSpec& spec, std::string area, state::Database& database,
       std::size_t& size_bytes)
      : spec_(spec),
        area_(std::move(area)),
        database_(database),
        table_(*spec.value.ops, size_bytes) {}

  /// As KeyValueState::row(); `stored_key` makes the key in the database.
  template <class StoredKey>
  detail::Row& row(std::string_view key, std::int64_t start_ms, const StoredKey& stored_key) {
    const std::uint32_t hash = hash_of(key);
    if (detail::Row* row = table_.find(key, hash)) return *row;
    return read_row(key, hash, start_ms, stored_key());
  }
  /// As KeyValueState::put().
  void put(detail::Row& row, void* value, std::int64_t timestamp_ms) {
    table_.put(row, value, timestamp_ms);
    if (puts_++ % puts_a_look == 0) look_at_size(row);
  }
  /// Tells of a dirty row and adds it to the batch. Throws StateFailure.
  void write_change(detail::Row& row, std::string_view log_key, std::string_view stored_key,
                    const StoreState::Log& log, state::Batch& batch);
  /// As RowTable's.
  void shrink_to(std::size_t bytes) { table_.shrink_to(bytes, stored_); }
  RowTable& table() { return table_; }
  const RowTable& table() const { return table_; }

 private:
  /// Values are measured when they are encoded, and one in so many before that.
  static constexpr std::uint32_t puts_a_look = 64;
  detail::Row& read_row(std::string_view key, std::uint32_t hash, std::int64_t start_ms,
                        std::string_view stored_key);
  void look_at_size(detail::Row& row);

  bool database_may_have(std::string_view key);

  const detail::StoreSpec& spec_;
  const std::string area_;
  state::Database& database_;
  RowTable table_;
  StoredKeys stored_;
  bool looked_ = false;  // whether the database has any
  std::string buffer_;
  std::uint32_t puts_ = 0;
};

/// Throws StateFailure if it is an error.
void must(const Result<void>& result, std::string_view store);

}  // namespace weir::streams
