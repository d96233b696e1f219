#include "streams/key_value_state.h"

namespace weir::streams {

std::string_view KeyedStore::stored_key(std::string_view key) {
  key_buffer_ = prefix_;
  key_buffer_ += key;
  return key_buffer_;
}

detail::Row& KeyedStore::row(std::string_view key) {
  return rows_.row(key, 0, [&] { return stored_key(key); });
}

void KeyedStore::put(detail::Row& row, void* value, std::int64_t timestamp_ms) {
  rows_.put(row, value, timestamp_ms);
}

void KeyedStore::remove(detail::Row& row, std::int64_t timestamp_ms) {
  rows_.table().remove(row, timestamp_ms);
}

void KeyedStore::for_each(std::string_view from, std::optional<std::string_view> to,
                          const Visit& visit) {
  const auto inside = [&](std::string_view key) { return key >= from && (!to || key < *to); };
  std::map<std::string_view, const detail::Row*> changed;
  for (const detail::Row* row : rows_.table().dirty())
    if (inside(row->key)) changed.emplace(row->key, row);
  auto next = changed.begin();
  const auto visit_changed_up_to = [&](std::string_view key, bool all) {
    for (; next != changed.end() && (all || next->first < key); ++next)
      if (next->second->present &&
          !visit(next->first, next->second->place, next->second->timestamp_ms))
        return false;
    return true;
  };

  const std::string first = prefix_ + std::string(from);
  const state::PrefixRange all(prefix_);
  std::optional<std::string> last;
  if (to) last = prefix_ + std::string(*to);
  const auto cursor =
      database_.scan({first, last ? std::optional<std::string_view>(*last) : all.range().to});
  DecodedValue decoded(spec_.value);
  for (; cursor->valid(); cursor->next()) {
    const std::string_view key = cursor->key().substr(prefix_.size());
    if (!visit_changed_up_to(key, false)) return;
    if (next != changed.end() && next->first == key) continue;  // its turn comes, as it is now
    const auto stored = parse_stored(cursor->value());
    if (!stored) must(fail(Errc::damaged, "a row is too short"), spec_.name);
    if (!visit(key, decoded.decode(spec_.name, *stored), stored->timestamp_ms)) return;
  }
  must(cursor->status(), spec_.name);
  visit_changed_up_to({}, true);
}

void KeyedStore::write_changes(const Log& log, state::Batch& batch) {
  for (detail::Row* row : rows_.table().dirty())
    rows_.write_change(*row, row->key, stored_key(row->key), log, batch);
}

Result<void> KeyedStore::restore(const ChangelogRecord& record, const Restored& row) {
  row(stored_key(record.key), record.timestamp_ms, record.value);
  return {};
}

}  // namespace weir::streams
