// The key-value store of a task: one table of rows in front of a prefix of the database.
#pragma once

#include <map>
#include <string>

#include "streams/stored_value.h"
#include "streams/task_state.h"

namespace weir::streams {

class KeyedStore final : public StoreState, public detail::KeyValueState {
 public:
  KeyedStore(const detail::StoreSpec& spec, std::string prefix, state::Database& database)
      : spec_(spec),
        prefix_(std::move(prefix)),
        database_(database),
        rows_(spec, prefix_, database, size_bytes_) {}

  detail::Row& row(std::string_view key) override;
  void* value(detail::Row& row) override { return row.present ? row.place : nullptr; }
  std::int64_t timestamp_ms(const detail::Row& row) const override { return row.timestamp_ms; }
  void put(detail::Row& row, void* value, std::int64_t timestamp_ms) override;
  void remove(detail::Row& row, std::int64_t timestamp_ms) override;
  void for_each(std::string_view from, std::optional<std::string_view> to,
                const Visit& visit) override;

  void write_changes(const Log& log, state::Batch& batch) override;
  void committed() override { rows_.table().all_clean(); }
  void settle() override { rows_.table().settle(); }
  void shrink_to(std::size_t bytes) override { rows_.shrink_to(bytes); }
  std::size_t dirty_rows() const override { return rows_.table().dirty().size(); }
  std::size_t size_bytes() const override { return size_bytes_; }
  Result<void> restore(const ChangelogRecord& record, const Restored& row) override;

 private:
  std::string_view stored_key(std::string_view key);

  const detail::StoreSpec& spec_;
  const std::string prefix_;
  state::Database& database_;
  std::size_t size_bytes_ = 0;
  Rows rows_;
  std::string key_buffer_;
};

}  // namespace weir::streams
