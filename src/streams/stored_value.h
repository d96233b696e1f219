// How a row stands in the database: `i64 timestamp, value`, both stores alike.
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

 private:
  void clear();
  const detail::ValueType& type_;
  void* memory_;
  bool full_ = false;
};

/// Rows of one table as they change: read through from the database, and out to it.
class Rows {
 public:
  Rows(const detail::StoreSpec& spec, state::Database& database)
      : spec_(spec), database_(database), table_(*spec.value.ops) {}

  /// As KeyValueState::row(); `stored_key` is the key in the database.
  detail::Row& row(std::string_view key, std::string_view stored_key, std::int64_t start_ms);
  detail::Row* cached(std::string_view key) { return table_.find(key, hash_of(key)); }
  /// Tells of a dirty row and adds it to the batch. Throws StateFailure.
  void write_change(const detail::Row& row, std::string_view log_key, std::string_view stored_key,
                    const StoreState::Log& log, state::Batch& batch);
  RowTable& table() { return table_; }
  const RowTable& table() const { return table_; }

 private:
  const detail::StoreSpec& spec_;
  state::Database& database_;
  RowTable table_;
  std::string buffer_;
};

/// Throws StateFailure if it is an error.
void must(const Result<void>& result, std::string_view store);

}  // namespace weir::streams
