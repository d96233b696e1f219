// The window store of a task: a table of rows for each window that is in use, by start.
//
// In the database a window's rows stand together (`start, key`), so that a window is read in the
// order of its keys when it closes and leaves as one range when it expires. In the changelog they
// have Kafka's form: `key, i64 start, i32 0`.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "streams/stored_value.h"
#include "streams/task_state.h"

namespace weir::streams {

class WindowStore final : public StoreState, public detail::WindowState {
 public:
  WindowStore(const detail::StoreSpec& spec, std::string prefix, state::Database& database)
      : spec_(spec), prefix_(std::move(prefix)), database_(database) {}

  detail::Row& row(std::int64_t start_ms, std::string_view key) override;
  void* value(detail::Row& row) override { return row.present ? row.place : nullptr; }
  std::int64_t timestamp_ms(const detail::Row& row) const override { return row.timestamp_ms; }
  void put(detail::Row& row, void* value, std::int64_t timestamp_ms) override;
  void remove(detail::Row& row, std::int64_t timestamp_ms) override;
  void for_each(std::int64_t from_ms, std::int64_t to_ms, const Visit& visit) override;
  void expire_before(std::int64_t start_ms) override;

  void write_changes(const Log& log, state::Batch& batch) override;
  void committed() override;
  void settle() override;
  void shrink_to(std::size_t bytes) override;
  std::size_t dirty_rows() const override;
  std::size_t size_bytes() const override { return size_bytes_; }
  Result<void> restore(const ChangelogRecord& record, const Restored& row) override;

 private:
  std::string_view stored_key(std::int64_t start_ms, std::string_view key);
  /// Tombstones for what the database has of expired windows.
  void write_expired(const Log& log, state::Batch& batch);

  const detail::StoreSpec& spec_;
  const std::string prefix_;
  state::Database& database_;
  std::size_t size_bytes_ = 0;  // of the rows of all windows
  std::map<std::int64_t, std::unique_ptr<Rows>> windows_;
  std::int64_t expired_ms_ = 0;  // windows that start before it are gone
  std::int64_t swept_ms_ = 0;    // the database has none that start before it
  bool unsettled_ = false;       // something was removed, or has expired, since the last settle()
  std::string key_buffer_;
};

}  // namespace weir::streams
