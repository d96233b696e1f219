// A store of a task whose rows wait for their time: bytes by bytes, taken in the order of their
// keys.
//
// What is used is cached; as long as everything is, the database is not asked.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "state/database.h"
#include "streams/task_state.h"

namespace weir::streams {

class OrderedStore final : public StoreState, public detail::OrderedState {
 public:
  OrderedStore(const detail::StoreSpec& spec, std::string prefix, state::Database& database)
      : spec_(spec), prefix_(std::move(prefix)), database_(database) {}

  std::optional<Found> get(std::string_view key) override;
  std::optional<Found> first(std::string_view from) override;
  void put(std::string_view key, std::string_view value, std::int64_t timestamp_ms) override;
  void remove(std::string_view key) override;

  void write_changes(const Log& log, state::Batch& batch) override;
  void committed() override;
  void settle() override {}
  void shrink_to(std::size_t bytes) override;
  std::size_t dirty_rows() const override { return changed_.size(); }
  std::size_t size_bytes() const override { return size_bytes_; }
  Result<void> restore(const ChangelogRecord& record, const Restored& row) override;

 private:
  struct Row {
    std::string value;
    std::int64_t timestamp_ms = -1;
    bool present = false;
    bool changed = false;  // not as in the database
    bool stored = false;   // the database has one
  };
  using Rows = std::map<std::string, Row, std::less<>>;

  /// Whether every row of the database is in rows_.
  bool is_complete();
  Rows::iterator row_of(std::string_view key);
  void write(Rows::iterator at, bool present, std::string_view value, std::int64_t timestamp_ms);
  void erase(Rows::iterator at);
  static std::size_t bytes_of(const Rows::value_type& row);
  /// The first row of the database at or above `from` that is not in rows_, put there; nothing if
  /// there is none up to `to`.
  void load_first(std::string_view from, std::optional<std::string_view> to);

  const detail::StoreSpec& spec_;
  const std::string prefix_;
  state::Database& database_;
  Rows rows_;
  std::optional<bool> complete_;  // absent: not looked yet
  /// The database has nothing in [first, second) that is not in rows_.
  std::optional<std::pair<std::string, std::optional<std::string>>> gap_;
  std::set<std::string_view> changed_;  // keys of rows_
  std::size_t size_bytes_ = 0;
  std::string lowest_;  // nothing is below: what was taken from there is not passed again
  std::string buffer_;
};

}  // namespace weir::streams
