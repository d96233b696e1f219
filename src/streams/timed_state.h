// A store of a task whose keys have several rows each: sessions, sliding windows, versions, records
// that wait to be joined.
//
// A key that is used comes into the cache with all its rows and leaves it with them. In the
// database rows stand by segment of time, then by key, so that one key is read by a scan a segment,
// and what has expired leaves as one range. If they are read by time too, an index says so.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "state/database.h"
#include "streams/stored_keys.h"
#include "streams/task_state.h"

namespace weir::streams {

inline namespace v1 {
namespace detail {

/// A row and what the cache knows of it; its value lies behind it in the same memory.
struct CachedTimedRow final : TimedRow {
  class CachedTimedKey* owner = nullptr;
  void* place = nullptr;          // of the value
  std::uint32_t value_bytes = 0;  // as it was encoded last, or about
  std::uint32_t change = 0;       // its place among the changes, if it is one
  bool changed = false;           // not as in the database
  bool stored = false;            // the database has it
  bool removed = false;
  bool doomed = false;  // its value is let go when the record is over
};

class CachedTimedKey final : public TimedKey {
 public:
  std::string_view key;               // of the table that it is in
  std::size_t place = 0;              // in the order of the clock
  bool recent = false;                // used since the hand of the clock came by
  std::uint32_t changes = 0;          // of its rows, those that were removed included
  std::vector<CachedTimedRow*> gone;  // removed, and the database does not know it yet
  TimedRows& live() { return rows_; }
};

}  // namespace detail
}  // namespace v1

/// What has expired leaves the database by segments of time. At most three of them hold what can be
/// read, as in Kafka Streams; 0: all in one.
std::int64_t segment_length(const detail::StoreSpec& spec);
inline std::int64_t segment_of(std::int64_t at_ms, std::int64_t segment_ms) {
  return segment_ms == 0 ? 0 : at_ms / segment_ms;
}

class TimedStore final : public StoreState, public detail::TimedState {
 public:
  TimedStore(const detail::StoreSpec& spec, std::string prefix, state::Database& database);
  ~TimedStore() override;
  TimedStore(const TimedStore&) = delete;

  detail::TimedKey& key(std::string_view key) override;
  detail::TimedRow& put(detail::TimedKey& key, std::int64_t at_ms, std::int64_t tie, void* value,
                        std::int64_t timestamp_ms) override;
  void remove(detail::TimedKey& key, detail::TimedRow& row) override;
  void for_each_by_time(std::int64_t from_ms, std::int64_t to_ms, const Visit& visit) override;
  void expire_before(std::int64_t at_ms) override;

  void write_changes(const Log& log, state::Batch& batch) override;
  void committed() override;
  void settle() override;
  void shrink_to(std::size_t bytes) override;
  std::size_t dirty_rows() const override { return changes_.size() - gaps_; }
  std::size_t size_bytes() const override { return size_bytes_; }
  Result<void> restore(const ChangelogRecord& record, const Restored& row) override;

 private:
  using Row = detail::CachedTimedRow;
  using Key = detail::CachedTimedKey;
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  /// What orders the index: time, tie, key.
  using ByTime = std::tuple<std::int64_t, std::int64_t, std::string_view>;

  std::int64_t segment_of(std::int64_t at_ms) const {
    return streams::segment_of(at_ms, segment_ms_);
  }
  std::string_view stored_key(std::string_view key, std::int64_t at_ms, std::int64_t tie);
  std::string_view index_key(std::string_view key, std::int64_t at_ms, std::int64_t tie);
  void make_log_key(std::string& out, std::string_view key, const detail::TimedRow& row) const;
  bool database_may_have(std::string_view key);
  void find_segments();
  void load(Key& key);
  void drop_expired(Key& key);
  void evict(Key& key);

  Row* make_row(Key& owner, std::int64_t at_ms, std::int64_t tie);
  void free_row(Row* row);
  void let_go(Row& row);
  void mark_changed(Row& row);
  void forget_change(Row& row);
  void close_gaps();
  void look_at_size(Row& row);
  void set_value_bytes(Row& row, std::size_t bytes);
  void write_put(Row& row, const Log& log, state::Batch& batch);
  void write_expired(const Log& log, state::Batch& batch);
  /// The database's part of for_each_by_time().
  std::set<ByTime> indexed(std::int64_t from_ms, std::int64_t to_ms,
                           std::vector<std::string>& keys);

  const detail::StoreSpec& spec_;
  const std::string prefix_;
  state::Database& database_;
  const std::int64_t segment_ms_;
  const std::size_t value_offset_;
  const std::size_t row_bytes_;
  std::unordered_map<std::string, std::unique_ptr<Key>, Hash, std::equal_to<>> keys_;
  std::vector<Key*> clock_;  // all of them
  std::size_t hand_ = 0;
  StoredKeys stored_;
  bool looked_ = false;              // whether the database has any
  std::set<std::int64_t> segments_;  // that the database may have rows of
  bool segments_known_ = false;
  std::int64_t expired_ms_ = 0;    // rows below are gone
  std::vector<Row*> changes_;      // in their order; nullptr: a change that was taken back
  std::size_t gaps_ = 0;           // among them
  std::set<ByTime> live_changes_;  // of stores that are read by time: of the rows that are there
  /// The database's index has nothing in [first, second), but for what has changed.
  std::pair<std::int64_t, std::int64_t> index_is_empty_{0, 0};
  std::vector<Row*> doomed_;  // removed by the record that is processed
  std::size_t size_bytes_ = 0;
  std::size_t usual_value_bytes_ = 0;
  std::uint32_t puts_ = 0;
  std::vector<std::unique_ptr<std::byte[]>> chunks_;
  std::vector<void*> free_;
  std::string key_buffer_;
  std::string index_buffer_;
  std::string value_buffer_;
};

}  // namespace weir::streams
