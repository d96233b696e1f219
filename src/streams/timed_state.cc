#include "streams/timed_state.h"

#include <algorithm>
#include <limits>
#include <new>

#include "base/bytes.h"
#include "base/mutant.h"
#include "streams/stored_value.h"

namespace weir::streams {

inline namespace v1 {
namespace detail {

std::size_t TimedKey::first_at(std::int64_t at_ms) const {
  const auto found = std::ranges::lower_bound(rows_, at_ms, {}, &TimedRow::at_ms);
  return static_cast<std::size_t>(found - rows_.begin());
}

}  // namespace detail
}  // namespace v1

namespace {

using detail::StoreKind;
using detail::TimedKey;
using detail::TimedRow;

constexpr char rows_area = '\0';
constexpr char index_area = '\1';
constexpr std::size_t time_bytes = sizeof(std::int64_t);
constexpr std::size_t order_bytes = 2 * time_bytes;  // at, tie
constexpr std::size_t length_bytes = sizeof(std::uint32_t);
constexpr std::size_t sequence_bytes = sizeof(std::int32_t);
constexpr std::size_t rows_a_chunk = 64;
/// Values are measured when they are encoded, and one in so many before that.
constexpr std::uint32_t puts_a_look = 64;
/// A cached key beside its rows, about.
constexpr std::size_t cached_key_bytes = 160;
constexpr std::int64_t least_segment_ms = 60'000;
constexpr std::size_t gaps_to_keep = 1'024;

constexpr std::size_t round_up(std::size_t size, std::size_t align) {
  return (size + align - 1) / align * align;
}

std::pair<std::int64_t, std::int64_t> order_of(const TimedRow* row) {
  return {row->at_ms, row->tie};
}

}  // namespace

std::int64_t segment_length(const detail::StoreSpec& spec) {
  if (spec.kind == StoreKind::versions) return 0;
  return std::max(spec.retention_ms / 2, least_segment_ms);
}

TimedStore::TimedStore(const detail::StoreSpec& spec, std::string prefix, state::Database& database)
    : spec_(spec),
      prefix_(std::move(prefix)),
      database_(database),
      segment_ms_(segment_length(spec)),
      value_offset_(round_up(sizeof(Row), std::max(spec.value.ops->align, alignof(Row)))),
      row_bytes_(round_up(value_offset_ + spec.value.ops->size,
                          std::max(spec.value.ops->align, alignof(Row)))) {}

TimedStore::~TimedStore() {
  settle();
  for (Row* row : changes_)
    if (row != nullptr && row->removed) free_row(row);
  for (const auto& [name, key] : keys_)
    for (TimedRow* row : key->live()) free_row(static_cast<Row*>(row));
}

std::string_view TimedStore::stored_key(std::string_view key, std::int64_t at_ms,
                                        std::int64_t tie) {
  key_buffer_ = prefix_;
  key_buffer_ += rows_area;
  append_be<std::int64_t>(key_buffer_, segment_of(at_ms));
  append_be<std::uint32_t>(key_buffer_, static_cast<std::uint32_t>(key.size()));
  key_buffer_ += key;
  append_be<std::int64_t>(key_buffer_, at_ms);
  append_be<std::int64_t>(key_buffer_, tie);
  return key_buffer_;
}

std::string_view TimedStore::index_key(std::string_view key, std::int64_t at_ms, std::int64_t tie) {
  index_buffer_ = prefix_;
  index_buffer_ += index_area;
  append_be<std::int64_t>(index_buffer_, at_ms);
  append_be<std::int64_t>(index_buffer_, tie);
  index_buffer_ += key;
  return index_buffer_;
}

/// Kafka Streams' forms: `key, i64 end, i64 start` of a session, `key, i64 time, i32 number` of a
/// window and of what waits to be joined, the key alone of a version.
void TimedStore::make_log_key(std::string& out, std::string_view key, const TimedRow& row) const {
  out = key;
  if (spec_.kind == StoreKind::versions) return;
  append_be<std::int64_t>(out, row.at_ms);
  if (spec_.kind == StoreKind::session)
    append_be<std::int64_t>(out, row.tie);
  else
    append_be<std::int32_t>(out, static_cast<std::int32_t>(row.tie));
}

// --- Keys

TimedKey& TimedStore::key(std::string_view key) {
  auto found = keys_.find(key);
  if (found == keys_.end()) {
    found = keys_.emplace(std::string(key), std::make_unique<Key>()).first;
    Key& made = *found->second;
    made.key = found->first;
    made.place = clock_.size();
    clock_.push_back(&made);
    size_bytes_ += cached_key_bytes + key.size();
    if (database_may_have(key)) load(made);
  }
  Key& out = *found->second;
  out.recent = true;
  drop_expired(out);
  return out;
}

bool TimedStore::database_may_have(std::string_view key) {
  if (!looked_) {
    looked_ = true;
    find_segments();
    if (segments_.empty()) stored_.begin_empty();
  }
  return stored_.may_have(key);
}

void TimedStore::find_segments() {
  if (segments_known_) return;
  segments_known_ = true;
  const std::string area = prefix_ + rows_area;
  const state::PrefixRange all(area);
  std::string from = area;
  for (;;) {
    const auto cursor = database_.scan({from, all.range().to});
    if (!cursor->valid()) return must(cursor->status(), spec_.name);
    const auto segment = load_be<std::int64_t>(cursor->key().data() + area.size());
    segments_.insert(segment);
    from = area;
    append_be<std::int64_t>(from, segment + 1);
  }
}

void TimedStore::load(Key& key) {
  find_segments();
  for (auto segment = segments_.lower_bound(segment_of(expired_ms_)); segment != segments_.end();
       ++segment) {
    std::string from = prefix_ + rows_area;
    append_be<std::int64_t>(from, *segment);
    append_be<std::uint32_t>(from, static_cast<std::uint32_t>(key.key.size()));
    from += key.key;
    const state::PrefixRange rows(from);
    const auto cursor = database_.scan(rows.range());
    for (; cursor->valid(); cursor->next()) {
      const char* order = cursor->key().data() + from.size();
      const auto at_ms = load_be<std::int64_t>(order);
      if (at_ms < expired_ms_) continue;
      auto stored = parse_stored(cursor->value());
      const bool versions = spec_.kind == StoreKind::versions;
      if (!stored || (versions && stored->bytes.empty()))
        must(fail(Errc::damaged, "a row is too short"), spec_.name);
      Row* row = make_row(key, at_ms, load_be<std::int64_t>(order + time_bytes));
      key.live().push_back(row);
      row->stored = true;
      row->timestamp_ms = stored->timestamp_ms;
      const bool absent = versions && stored->bytes.front() == '\0';
      if (versions) stored->bytes.remove_prefix(1);
      if (!absent) {
        must(spec_.value.ops->decode(spec_.value.codec, stored->bytes, row->place), spec_.name);
        row->value = row->place;
      }
      set_value_bytes(*row, stored->bytes.size());
    }
    must(cursor->status(), spec_.name);
  }
}

void TimedStore::drop_expired(Key& key) {
  auto& rows = key.live();
  const std::size_t count = key.first_at(expired_ms_);
  if (count == 0) return;
  for (std::size_t i = 0; i < count; ++i) {
    Row& row = static_cast<Row&>(*rows[i]);
    // What the database has of it goes with its segment.
    if (row.changed) forget_change(row);
    let_go(row);
  }
  rows.erase(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(count));
}

void TimedStore::evict(Key& key) {
  // It is clean, so these are in the database.
  if (!key.live().empty()) stored_.add(key.key);
  for (TimedRow* row : key.live()) free_row(static_cast<Row*>(row));
  size_bytes_ -= cached_key_bytes + key.key.size();
  clock_[key.place] = clock_.back();
  clock_[key.place]->place = key.place;
  clock_.pop_back();
  keys_.erase(keys_.find(key.key));
}

void TimedStore::shrink_to(std::size_t bytes) {
  // Twice around: the first time may only find that all were used lately.
  for (std::size_t steps = 2 * clock_.size(); size_bytes_ > bytes && steps > 0 && !clock_.empty();
       --steps) {
    hand_ = (hand_ + 1) % clock_.size();
    Key& key = *clock_[hand_];
    if (key.changes > 0) continue;
    if (key.recent)
      key.recent = false;
    else
      evict(key);
  }
}

// --- Rows

TimedStore::Row* TimedStore::make_row(Key& owner, std::int64_t at_ms, std::int64_t tie) {
  const std::size_t align = std::max(spec_.value.ops->align, alignof(Row));
  if (free_.empty()) {
    chunks_.push_back(std::make_unique<std::byte[]>(rows_a_chunk * row_bytes_ + align));
    void* at = chunks_.back().get();
    std::size_t room = rows_a_chunk * row_bytes_ + align;
    std::align(align, rows_a_chunk * row_bytes_, at, room);
    for (std::size_t i = rows_a_chunk; i-- > 0;)
      free_.push_back(static_cast<std::byte*>(at) + i * row_bytes_);
  }
  void* memory = free_.back();
  free_.pop_back();
  Row* row = new (memory) Row();
  row->owner = &owner;
  row->at_ms = at_ms;
  row->tie = tie;
  row->place = static_cast<std::byte*>(memory) + value_offset_;
  size_bytes_ += row_bytes_;
  return row;
}

void TimedStore::free_row(Row* row) {
  if (row->value != nullptr) spec_.value.ops->destroy(row->place);
  size_bytes_ -= row_bytes_ + row->value_bytes;
  std::destroy_at(row);
  free_.push_back(row);
}

/// What it holds is there until the record is over.
void TimedStore::let_go(Row& row) {
  row.removed = true;
  row.doomed = true;
  doomed_.push_back(&row);
}

TimedRow& TimedStore::put(TimedKey& of, std::int64_t at_ms, std::int64_t tie, void* value,
                          std::int64_t timestamp_ms) {
  Key& key = static_cast<Key&>(of);
  auto& rows = key.live();
  auto place = std::ranges::lower_bound(rows, std::pair(at_ms, tie), {}, order_of);
  const bool there = place != rows.end() && order_of(*place) == std::pair(at_ms, tie);
  if (there && value != nullptr && (*place)->value != nullptr) {
    Row& row = static_cast<Row&>(**place);
    spec_.value.ops->swap(row.place, value);
    row.timestamp_ms = timestamp_ms;
    mark_changed(row);
    return row;
  }
  Row* row = make_row(key, at_ms, tie);
  if (there) {
    Row& before = static_cast<Row&>(**place);
    row->stored = before.stored;
    if (before.changed) forget_change(before);
    let_go(before);
    *place = row;
  } else {
    rows.insert(place, row);
    const auto gone = std::ranges::find(key.gone, std::pair(at_ms, tie), order_of);
    if (gone != key.gone.end()) {
      row->stored = true;
      forget_change(**gone);
      if (!(*gone)->doomed) free_row(*gone);
      key.gone.erase(gone);
    }
  }
  if (value != nullptr) {
    spec_.value.ops->move_construct(row->place, value);
    row->value = row->place;
  }
  row->timestamp_ms = timestamp_ms;
  set_value_bytes(*row, usual_value_bytes_);
  mark_changed(*row);
  if (row->value != nullptr && puts_++ % puts_a_look == 0) look_at_size(*row);
  return *row;
}

void TimedStore::remove(TimedKey& of, TimedRow& which) {
  Key& key = static_cast<Key&>(of);
  Row& row = static_cast<Row&>(which);
  auto& rows = key.live();
  rows.erase(std::ranges::lower_bound(rows, order_of(&row), {}, order_of));
  // What came and went since the last commit is nobody's business.
  if (row.changed) forget_change(row);
  let_go(row);
  if (!row.stored) return;
  mark_changed(row);
  key.gone.push_back(&row);
}

void TimedStore::mark_changed(Row& row) {
  if (row.changed) return;
  row.changed = true;
  row.change = static_cast<std::uint32_t>(changes_.size());
  changes_.push_back(&row);
  ++row.owner->changes;
  if (spec_.by_time && !row.removed) live_changes_.emplace(row.at_ms, row.tie, row.owner->key);
}

void TimedStore::forget_change(Row& row) {
  row.changed = false;
  changes_[row.change] = nullptr;
  ++gaps_;
  --row.owner->changes;
  if (spec_.by_time) live_changes_.erase({row.at_ms, row.tie, row.owner->key});
}

void TimedStore::close_gaps() {
  if (gaps_ < gaps_to_keep || 2 * gaps_ < changes_.size()) return;
  std::erase(changes_, nullptr);
  for (std::size_t i = 0; i < changes_.size(); ++i)
    changes_[i]->change = static_cast<std::uint32_t>(i);
  gaps_ = 0;
}

void TimedStore::settle() {
  for (Row* row : doomed_) {
    row->doomed = false;
    if (!row->changed) {
      free_row(row);
    } else if (row->value != nullptr) {
      spec_.value.ops->destroy(row->place);
      row->value = nullptr;
    }
  }
  doomed_.clear();
  close_gaps();
}

void TimedStore::look_at_size(Row& row) {
  value_buffer_.clear();
  // What cannot be encoded is said at the commit.
  if (!spec_.value.ops->encode(spec_.value.codec, row.place, value_buffer_)) return;
  set_value_bytes(row, value_buffer_.size());
  usual_value_bytes_ = (7 * usual_value_bytes_ + value_buffer_.size() + 7) / 8;
}

void TimedStore::set_value_bytes(Row& row, std::size_t bytes) {
  size_bytes_ -= row.value_bytes;
  row.value_bytes = static_cast<std::uint32_t>(bytes);  // a value has at most 2^31 bytes
  size_bytes_ += row.value_bytes;
}

// --- Time

void TimedStore::expire_before(std::int64_t at_ms) { expired_ms_ = std::max(expired_ms_, at_ms); }

std::set<TimedStore::ByTime> TimedStore::indexed(std::int64_t from_ms, std::int64_t to_ms,
                                                 std::vector<std::string>& keys) {
  std::set<ByTime> out;
  if (from_ms >= index_is_empty_.first && to_ms <= index_is_empty_.second) return out;
  const std::string area = prefix_ + index_area;
  const state::PrefixRange all(area);
  std::string from = area;
  append_be<std::int64_t>(from, from_ms);
  index_is_empty_ = {to_ms, std::numeric_limits<std::int64_t>::max()};
  const auto cursor = database_.scan({from, all.range().to});
  std::vector<std::pair<std::int64_t, std::int64_t>> orders;
  for (; cursor->valid(); cursor->next()) {
    const char* order = cursor->key().data() + area.size();
    const auto at_ms = load_be<std::int64_t>(order);
    if (at_ms >= to_ms) {
      index_is_empty_.second = at_ms;
      break;
    }
    orders.emplace_back(at_ms, load_be<std::int64_t>(order + time_bytes));
    keys.emplace_back(cursor->key().substr(area.size() + order_bytes));
  }
  must(cursor->status(), spec_.name);
  for (std::size_t i = 0; i < keys.size(); ++i)
    out.emplace(orders[i].first, orders[i].second, keys[i]);
  return out;
}

void TimedStore::for_each_by_time(std::int64_t from_ms, std::int64_t to_ms, const Visit& visit) {
  from_ms = std::max(from_ms, expired_ms_);
  if (from_ms >= to_ms) return;
  std::vector<std::string> keys;
  auto all = indexed(from_ms, to_ms, keys);
  const auto at = [](std::int64_t ms) {
    return ByTime(ms, std::numeric_limits<std::int64_t>::min(), std::string_view());
  };
  all.insert(live_changes_.lower_bound(at(from_ms)), live_changes_.lower_bound(at(to_ms)));
  for (const auto& [at_ms, tie, name] : all) {
    const TimedKey& found = key(name);
    const auto row = std::ranges::lower_bound(found.rows(), std::pair(at_ms, tie), {}, order_of);
    if (row == found.rows().end() || order_of(*row) != std::pair(at_ms, tie)) continue;  // removed
    if (!visit(static_cast<const Key&>(found).key, **row)) return;
  }
}

// --- Commits

void TimedStore::write_put(Row& row, const Log& log, state::Batch& batch) {
  const std::string_view key = row.owner->key;
  value_buffer_.clear();
  append_be<std::int64_t>(value_buffer_, row.timestamp_ms);
  const bool versions = spec_.kind == StoreKind::versions;
  if (versions) value_buffer_ += row.value != nullptr ? '\1' : '\0';
  const std::size_t head = value_buffer_.size();
  if (row.value != nullptr)
    must(spec_.value.ops->encode(spec_.value.codec, row.place, value_buffer_), spec_.name);
  const std::string_view value = std::string_view(value_buffer_).substr(head);
  set_value_bytes(row, value.size());
  usual_value_bytes_ = (7 * usual_value_bytes_ + value.size() + 7) / 8;
  make_log_key(index_buffer_, key, row);
  log({.key = index_buffer_,
       .value = row.value != nullptr ? std::optional(value) : std::nullopt,
       .timestamp_ms = row.timestamp_ms});
  batch.put(stored_key(key, row.at_ms, row.tie), value_buffer_);
  if (spec_.by_time && !row.stored)
    batch.put(index_key(key, row.at_ms, row.tie), value_buffer_.substr(0, time_bytes));
}

void TimedStore::write_changes(const Log& log, state::Batch& batch) {
  find_segments();
  for (Row* row : changes_) {
    if (row == nullptr) continue;
    const std::string_view key = row->owner->key;
    if (!row->removed) {
      // What has expired since is not written any more.
      if (row->at_ms < expired_ms_) continue;
      segments_.insert(segment_of(row->at_ms));
      write_put(*row, log, batch);
      continue;
    }
    if (segment_ms_ != 0 && segment_of(row->at_ms) < segment_of(expired_ms_)) continue;
    // A version that is forgotten is none to the changelog: its key may have later ones.
    if (spec_.kind != StoreKind::versions && !mutant(Mutant::merged_session_stays)) {
      make_log_key(index_buffer_, key, *row);
      log({.key = index_buffer_, .value = std::nullopt, .timestamp_ms = row->timestamp_ms});
    }
    batch.remove(stored_key(key, row->at_ms, row->tie));
    if (spec_.by_time) batch.remove(index_key(key, row->at_ms, row->tie));
  }
  write_expired(log, batch);
}

/// Tombstones for what the database has in segments that are over.
void TimedStore::write_expired(const Log& log, state::Batch& batch) {
  if (segment_ms_ == 0 || segments_.empty() || *segments_.begin() >= segment_of(expired_ms_))
    return;
  const std::string area = prefix_ + rows_area;
  std::string to = area;
  append_be<std::int64_t>(to, segment_of(expired_ms_));
  const auto cursor = database_.scan({area, to});
  TimedRow row;
  for (; cursor->valid(); cursor->next()) {
    const std::string_view bytes = cursor->key().substr(area.size() + time_bytes + length_bytes);
    const std::string_view key = bytes.substr(0, bytes.size() - order_bytes);
    row.at_ms = load_be<std::int64_t>(bytes.data() + key.size());
    row.tie = load_be<std::int64_t>(bytes.data() + key.size() + time_bytes);
    const auto stored = parse_stored(cursor->value());
    make_log_key(index_buffer_, key, row);
    log({.key = index_buffer_,
         .value = std::nullopt,
         .timestamp_ms = stored ? stored->timestamp_ms : 0});
  }
  must(cursor->status(), spec_.name);
  batch.remove(state::Range{area, to});
  if (!spec_.by_time) return;
  const std::string index = prefix_ + index_area;
  std::string index_to = index;
  append_be<std::int64_t>(index_to, segment_of(expired_ms_) * segment_ms_);
  batch.remove(state::Range{index, index_to});
}

void TimedStore::committed() {
  settle();
  if (segment_ms_ != 0)
    segments_.erase(segments_.begin(), segments_.lower_bound(segment_of(expired_ms_)));
  for (Row* row : changes_) {
    if (row == nullptr) continue;
    row->changed = false;
    row->owner->changes = 0;
    row->owner->gone.clear();
    if (row->removed)
      free_row(row);
    else
      row->stored = true;
  }
  changes_.clear();
  gaps_ = 0;
  live_changes_.clear();
  index_is_empty_ = {0, 0};
}

Result<void> TimedStore::restore(const ChangelogRecord& record, const Restored& row) {
  const auto damaged = [&] {
    return fail(Errc::damaged, "store " + spec_.name + ": its changelog has a key of " +
                                   std::to_string(record.key.size()) +
                                   " bytes, which is none of this kind of store; is the topic that "
                                   "of another application or of another kind of store?");
  };
  std::string_view key = record.key;
  std::int64_t at_ms = record.timestamp_ms;
  std::int64_t tie = 0;
  if (spec_.kind != StoreKind::versions) {
    const bool session = spec_.kind == StoreKind::session;
    const std::size_t tail = time_bytes + (session ? time_bytes : sequence_bytes);
    if (key.size() < tail) return damaged();
    key.remove_suffix(tail);
    const char* order = key.data() + key.size();
    at_ms = load_be<std::int64_t>(order);
    tie = session ? load_be<std::int64_t>(order + time_bytes)
                  : load_be<std::int32_t>(order + time_bytes);
  }
  if (at_ms < 0 || tie < 0) return damaged();
  if (spec_.kind == StoreKind::versions) {
    value_buffer_ = record.value ? '\1' : '\0';
    value_buffer_ += record.value.value_or(std::string_view());
    row(stored_key(key, at_ms, tie), record.timestamp_ms, value_buffer_);
    return {};
  }
  row(stored_key(key, at_ms, tie), record.timestamp_ms, record.value);
  if (spec_.by_time)
    row(index_key(key, at_ms, tie), record.timestamp_ms,
        record.value ? std::optional(std::string_view()) : std::nullopt);
  return {};
}

}  // namespace weir::streams
