#include "streams/window_state.h"

#include <algorithm>
#include <vector>

namespace weir::streams {
namespace {

constexpr std::size_t start_bytes = sizeof(std::int64_t);
constexpr std::size_t sequence_bytes = sizeof(std::int32_t);

/// `key, i64 start, i32 0`.
void make_log_key(std::string& out, std::int64_t start_ms, std::string_view key) {
  out = key;
  append_be<std::int64_t>(out, start_ms);
  append_be<std::int32_t>(out, 0);
}

}  // namespace

std::string_view WindowStore::stored_key(std::int64_t start_ms, std::string_view key) {
  key_buffer_ = prefix_;
  append_be<std::int64_t>(key_buffer_, start_ms);
  key_buffer_ += key;
  return key_buffer_;
}

detail::Row& WindowStore::row(std::int64_t start_ms, std::string_view key) {
  std::unique_ptr<Rows>& rows = windows_[start_ms];
  if (rows == nullptr)
    rows = std::make_unique<Rows>(spec_, std::string(stored_key(start_ms, {})), database_,
                                  size_bytes_);
  return rows->row(key, start_ms, [&] { return stored_key(start_ms, key); });
}

void WindowStore::put(detail::Row& row, void* value, std::int64_t timestamp_ms) {
  windows_.at(row.start_ms)->put(row, value, timestamp_ms);
}

void WindowStore::remove(detail::Row& row, std::int64_t timestamp_ms) {
  windows_.at(row.start_ms)->table().remove(row, timestamp_ms);
  unsettled_ = true;
}

void WindowStore::for_each(std::int64_t from_ms, std::int64_t to_ms, const Visit& visit) {
  from_ms = std::max(from_ms, expired_ms_);
  if (from_ms >= to_ms) return;
  using Key = std::pair<std::int64_t, std::string_view>;
  std::map<Key, const detail::Row*> changed;
  for (auto at = windows_.lower_bound(from_ms); at != windows_.end() && at->first < to_ms; ++at)
    for (const detail::Row* row : at->second->table().dirty())
      changed.emplace(Key(at->first, row->key), row);
  auto next = changed.begin();
  const auto visit_changed_up_to = [&](const Key* key) {
    for (; next != changed.end() && (key == nullptr || next->first < *key); ++next)
      if (next->second->present && !visit(next->first.first, next->first.second,
                                          next->second->place, next->second->timestamp_ms))
        return false;
    return true;
  };

  const std::string first(stored_key(from_ms, {}));
  const std::string last(stored_key(to_ms, {}));
  const auto cursor = database_.scan({first, last});
  DecodedValue decoded(spec_.value);
  for (; cursor->valid(); cursor->next()) {
    const std::string_view bytes = cursor->key().substr(prefix_.size());
    const Key key(load_be<std::int64_t>(bytes.data()), bytes.substr(start_bytes));
    if (!visit_changed_up_to(&key)) return;
    if (next != changed.end() && next->first == key) continue;
    const auto stored = parse_stored(cursor->value());
    if (!stored) must(fail(Errc::damaged, "a row is too short"), spec_.name);
    if (!visit(key.first, key.second, decoded.decode(spec_.name, *stored), stored->timestamp_ms))
      return;
  }
  must(cursor->status(), spec_.name);
  visit_changed_up_to(nullptr);
}

void WindowStore::expire_before(std::int64_t start_ms) {
  if (start_ms <= expired_ms_) return;
  expired_ms_ = start_ms;
  unsettled_ = true;
}

void WindowStore::settle() {
  if (!unsettled_) return;
  unsettled_ = false;
  for (auto& [start, rows] : windows_) rows->table().settle();
  windows_.erase(windows_.begin(), windows_.lower_bound(expired_ms_));
}

void WindowStore::write_changes(const Log& log, state::Batch& batch) {
  std::string log_key;
  for (auto& [start, rows] : windows_)
    for (detail::Row* row : rows->table().dirty()) {
      make_log_key(log_key, start, row->key);
      rows->write_change(*row, log_key, stored_key(start, row->key), log, batch);
    }
  if (expired_ms_ > swept_ms_) write_expired(log, batch);
}

void WindowStore::write_expired(const Log& log, state::Batch& batch) {
  const std::string first(stored_key(swept_ms_, {}));
  const std::string last(stored_key(expired_ms_, {}));
  std::string log_key;
  const auto cursor = database_.scan({first, last});
  const bool any = cursor->valid();
  for (; cursor->valid(); cursor->next()) {
    const std::string_view bytes = cursor->key().substr(prefix_.size());
    const auto stored = parse_stored(cursor->value());
    make_log_key(log_key, load_be<std::int64_t>(bytes.data()), bytes.substr(start_bytes));
    log({.key = log_key, .value = std::nullopt, .timestamp_ms = stored ? stored->timestamp_ms : 0});
  }
  must(cursor->status(), spec_.name);
  if (any) batch.remove(state::Range{first, last});
}

void WindowStore::committed() {
  for (auto& [start, rows] : windows_) rows->table().all_clean();
  swept_ms_ = expired_ms_;
}

void WindowStore::shrink_to(std::size_t bytes) {
  // Old windows first: they are written to least.
  for (auto at = windows_.begin(); at != windows_.end() && size_bytes_ > bytes;) {
    RowTable& table = at->second->table();
    at->second->shrink_to(table.size_bytes() - std::min(table.size_bytes(), size_bytes_ - bytes));
    at = table.rows() == 0 ? windows_.erase(at) : std::next(at);
  }
}

std::size_t WindowStore::dirty_rows() const {
  std::size_t count = 0;
  for (const auto& [start, rows] : windows_) count += rows->table().dirty().size();
  return count;
}

Result<void> WindowStore::restore(const ChangelogRecord& record, const Restored& row) {
  if (record.key.size() < start_bytes + sequence_bytes)
    return fail(Errc::damaged, "store " + spec_.name + ": its changelog has a key of " +
                                   std::to_string(record.key.size()) +
                                   " bytes, which is none of a window; is the topic that of "
                                   "another application or of another kind of store?");
  const std::size_t key_size = record.key.size() - start_bytes - sequence_bytes;
  const auto start_ms = load_be<std::int64_t>(record.key.data() + key_size);
  row(stored_key(start_ms, record.key.substr(0, key_size)), record.timestamp_ms, record.value);
  return {};
}

}  // namespace weir::streams
