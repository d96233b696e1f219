#include "streams/ordered_state.h"

#include <utility>

#include "base/bytes.h"
#include "base/mutant.h"
#include "streams/stored_value.h"

namespace weir::streams {
namespace {

/// A row beside its key and value, about.
constexpr std::size_t row_bytes = 128;

}  // namespace

std::size_t OrderedStore::bytes_of(const Rows::value_type& row) {
  return row_bytes + row.first.size() + row.second.value.size();
}

bool OrderedStore::is_complete() {
  if (!complete_) {
    const state::PrefixRange all(prefix_);
    const auto cursor = database_.scan(all.range());
    complete_ = !cursor->valid();
    must(cursor->status(), spec_.name);
  }
  return *complete_;
}

void OrderedStore::write(Rows::iterator at, bool present, std::string_view value,
                         std::int64_t timestamp_ms) {
  Row& row = at->second;
  size_bytes_ -= bytes_of(*at);
  row.value = value;
  size_bytes_ += bytes_of(*at);
  row.timestamp_ms = timestamp_ms;
  row.present = present;
  row.changed = true;
  changed_.insert(at->first);
}

void OrderedStore::erase(Rows::iterator at) {
  size_bytes_ -= bytes_of(*at);
  changed_.erase(at->first);
  rows_.erase(at);
}

std::optional<OrderedStore::Found> OrderedStore::get(std::string_view key) {
  auto at = rows_.find(key);
  if (at == rows_.end()) {
    if (is_complete()) return std::nullopt;
    const auto found = database_.get(prefix_ + std::string(key), buffer_);
    if (!found) must(fail(found.error()), spec_.name);
    if (!*found) return std::nullopt;
    const auto stored = parse_stored(buffer_);
    if (!stored) must(fail(Errc::damaged, "a row is too short"), spec_.name);
    at =
        rows_.emplace(key, Row{std::string(stored->bytes), stored->timestamp_ms, true, false, true})
            .first;
    size_bytes_ += bytes_of(*at);
  }
  if (!at->second.present) return std::nullopt;
  return Found{at->first, at->second.value, at->second.timestamp_ms};
}

void OrderedStore::load_first(std::string_view from, std::optional<std::string_view> to) {
  if (gap_ && from >= gap_->first && (!gap_->second || (to && *to <= *gap_->second))) return;
  std::string at(from);
  // What lies below was looked at already.
  if (gap_ && from >= gap_->first && gap_->second && *gap_->second > at) at = *gap_->second;
  gap_ = {std::string(from), std::nullopt};
  const state::PrefixRange all(prefix_);
  const std::string first = prefix_ + at;
  const auto cursor = database_.scan({first, all.range().to});
  for (; cursor->valid(); cursor->next()) {
    const std::string_view key = cursor->key().substr(prefix_.size());
    if (to && key >= *to) {
      gap_->second = key;
      break;
    }
    if (rows_.contains(key)) continue;
    const auto stored = parse_stored(cursor->value());
    if (!stored) must(fail(Errc::damaged, "a row is too short"), spec_.name);
    const auto made =
        rows_.emplace(key, Row{std::string(stored->bytes), stored->timestamp_ms, true, false, true})
            .first;
    size_bytes_ += bytes_of(*made);
    // Whether anything lies between it and the next one is not known.
    gap_->second = made->first + '\0';
    break;
  }
  must(cursor->status(), spec_.name);
}

std::optional<OrderedStore::Found> OrderedStore::first(std::string_view from) {
  const bool from_the_lowest = from <= lowest_;
  if (from_the_lowest) from = lowest_;
  const auto present_from = [&] {
    auto at = rows_.lower_bound(from);
    while (at != rows_.end() && !at->second.present) ++at;
    return at;
  };
  auto at = present_from();
  if (!is_complete()) {
    load_first(from, at == rows_.end() ? std::nullopt : std::optional<std::string_view>(at->first));
    at = present_from();
  }
  if (at == rows_.end()) return std::nullopt;
  if (from_the_lowest) lowest_ = at->first;
  return Found{at->first, at->second.value, at->second.timestamp_ms};
}

OrderedStore::Rows::iterator OrderedStore::row_of(std::string_view key) {
  auto at = rows_.lower_bound(key);
  if (at != rows_.end() && at->first == key) return at;
  at = rows_.emplace_hint(at, key, Row());
  size_bytes_ += bytes_of(*at);
  // What is not known to be absent may be there.
  at->second.stored = !is_complete();
  return at;
}

void OrderedStore::put(std::string_view key, std::string_view value, std::int64_t timestamp_ms) {
  write(row_of(key), true, value, timestamp_ms);
  if (key < lowest_) lowest_ = key;
}

void OrderedStore::remove(std::string_view key) {
  const auto at = row_of(key);
  // What came and went since the last commit is nobody's business.
  if (at->second.stored)
    write(at, false, {}, at->second.timestamp_ms);
  else
    erase(at);
}

void OrderedStore::write_changes(const Log& log, state::Batch& batch) {
  for (const std::string_view key : changed_) {
    const Row& row = rows_.find(key)->second;
    const std::string stored_key = prefix_ + std::string(key);
    if (!row.present) {
      if (!mutant(Mutant::given_row_stays))
        log({.key = key, .value = std::nullopt, .timestamp_ms = row.timestamp_ms});
      batch.remove(stored_key);
      continue;
    }
    log({.key = key, .value = row.value, .timestamp_ms = row.timestamp_ms});
    buffer_.clear();
    append_stored(buffer_, {row.timestamp_ms, row.value});
    batch.put(stored_key, buffer_);
  }
}

void OrderedStore::committed() {
  for (const std::string_view key : std::exchange(changed_, {})) {
    const auto at = rows_.find(key);
    at->second.changed = false;
    at->second.stored = true;
    if (!at->second.present) erase(at);
  }
}

void OrderedStore::shrink_to(std::size_t bytes) {
  // What is needed last goes first.
  for (auto at = rows_.end(); at != rows_.begin() && size_bytes_ > bytes;) {
    --at;
    if (at->second.changed) continue;
    complete_ = false;
    gap_.reset();
    const auto gone = at++;
    erase(gone);
  }
}

Result<void> OrderedStore::restore(const ChangelogRecord& record, const Restored& row) {
  row(prefix_ + std::string(record.key), record.timestamp_ms, record.value);
  return {};
}

}  // namespace weir::streams
