#include "streams/stored_rows.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "streams/stored_value.h"
#include "streams/timed_state.h"

namespace weir::streams {
namespace {

using detail::StoredRow;
using detail::StoreKind;
using detail::TimeRange;

constexpr std::size_t time_bytes = sizeof(std::int64_t);
constexpr std::size_t length_bytes = sizeof(std::uint32_t);
constexpr std::size_t order_bytes = 2 * time_bytes;  // at, tie
constexpr char rows_area = '\0';
constexpr std::int64_t last_ms = std::numeric_limits<std::int64_t>::max();

Result<void> damaged(const std::string& store) {
  return fail(Errc::damaged, store + ": a row is too short");
}

/// Times are not negative.
bool is_empty(const TimeRange& at) { return at.to_ms < 0 || at.to_ms < at.from_ms; }

/// Behind all keys that begin with `prefix`.
std::optional<std::string> end_of(std::string_view prefix) {
  const state::PrefixRange range(prefix);
  const auto to = range.range().to;
  return to ? std::optional<std::string>(*to) : std::nullopt;
}

}  // namespace

Result<void> StoredRows::of_key(std::string_view key, const TimeRange& at,
                                const Visit& visit) const {
  if (is_empty(at)) return {};
  switch (spec_.kind) {
    case StoreKind::window: return windows_of(key, at, visit);
    case StoreKind::sliding:
    case StoreKind::session: return timed_of(key, at, visit);
    case StoreKind::versions: return versions_of(key, at, visit);
    default: return value_of(key, visit);
  }
}

Result<bool> StoredRows::all(const detail::KeyRange& keys, const TimeRange& at,
                             const Visit& visit) const {
  if (is_empty(at)) return true;
  switch (spec_.kind) {
    case StoreKind::window: return all_windows(at, visit);
    case StoreKind::sliding:
    case StoreKind::session: return all_timed(at, visit);
    case StoreKind::versions: return all_versions(keys, visit);
    default: return all_values(keys, visit);
  }
}

// --- One row a key

Result<void> StoredRows::value_of(std::string_view key, const Visit& visit) const {
  std::string stored_key = prefix_;
  stored_key += key;
  std::string bytes;
  const auto found = database_.get(stored_key, bytes);
  if (!found) return fail(found.error());
  if (!*found) return {};
  const auto stored = parse_stored(bytes);
  if (!stored) return damaged(spec_.name);
  visit({.key = key, .timestamp_ms = stored->timestamp_ms, .value = stored->bytes});
  return {};
}

Result<bool> StoredRows::all_values(const detail::KeyRange& keys, const Visit& visit) const {
  const std::string from = prefix_ + keys.from;
  const auto to = keys.to ? std::optional(prefix_ + *keys.to) : end_of(prefix_);
  const auto cursor = database_.scan({from, to});
  for (; cursor->valid(); cursor->next()) {
    const auto stored = parse_stored(cursor->value());
    if (!stored) return fail(damaged(spec_.name).error());
    if (!visit({.key = cursor->key().substr(prefix_.size()),
                .timestamp_ms = stored->timestamp_ms,
                .value = stored->bytes}))
      return false;
  }
  if (auto walked = cursor->status(); !walked) return fail(std::move(walked.error()));
  return true;
}

// --- Windows

/// Of a window store and of sliding windows the start orders them, of sessions the end.
TimeRange StoredRows::places(const TimeRange& at) const {
  const std::int64_t from = std::max<std::int64_t>(at.from_ms, 0);
  switch (spec_.kind) {
    case StoreKind::session: return {from, last_ms};
    // Its end belongs to it.
    case StoreKind::sliding: return {std::max<std::int64_t>(from - spec_.window_ms, 0), at.to_ms};
    default: return {std::max<std::int64_t>(from - spec_.window_ms + 1, 0), at.to_ms};
  }
}

/// The rows of a window stand together, so this is one step a window.
Result<void> StoredRows::windows_of(std::string_view key, const TimeRange& at,
                                    const Visit& visit) const {
  const TimeRange starts = places(at);
  std::string place = prefix_;
  append_be<std::int64_t>(place, starts.from_ms);
  place += key;
  const auto cursor = database_.scan({place, end_of(prefix_)});
  while (cursor->valid()) {
    const std::string_view bytes = cursor->key().substr(prefix_.size());
    if (bytes.size() < time_bytes) return damaged(spec_.name);
    const auto start = load_be<std::int64_t>(bytes.data());
    if (start > starts.to_ms) break;
    const std::string_view of = bytes.substr(time_bytes);
    if (of == key) {
      const auto stored = parse_stored(cursor->value());
      if (!stored) return damaged(spec_.name);
      if (!visit({.key = key,
                  .window = {start, start + spec_.window_ms},
                  .timestamp_ms = stored->timestamp_ms,
                  .value = stored->bytes}))
        return {};
    }
    // To the key in this window, or in the next one that there is.
    if (of >= key && start == last_ms) break;
    place = prefix_;
    append_be<std::int64_t>(place, of < key ? start : start + 1);
    place += key;
    cursor->skip_to(place);
  }
  return cursor->status();
}

Result<bool> StoredRows::all_windows(const TimeRange& at, const Visit& visit) const {
  const TimeRange starts = places(at);
  std::string from = prefix_;
  append_be<std::int64_t>(from, starts.from_ms);
  const auto cursor = database_.scan({from, end_of(prefix_)});
  for (; cursor->valid(); cursor->next()) {
    const std::string_view bytes = cursor->key().substr(prefix_.size());
    const auto stored = parse_stored(cursor->value());
    if (bytes.size() < time_bytes || !stored) return fail(damaged(spec_.name).error());
    const auto start = load_be<std::int64_t>(bytes.data());
    if (start > starts.to_ms) break;
    if (!visit({.key = bytes.substr(time_bytes),
                .window = {start, start + spec_.window_ms},
                .timestamp_ms = stored->timestamp_ms,
                .value = stored->bytes}))
      return false;
  }
  if (auto walked = cursor->status(); !walked) return fail(std::move(walked.error()));
  return true;
}

// --- Several rows a key

namespace {

/// A row of a timed store: `i64 segment, u32 size, key, i64 at, i64 tie` behind the area.
struct TimedPlace {
  std::int64_t segment = 0;
  std::string_view key;
  std::int64_t at_ms = 0;
  std::int64_t tie = 0;
};
std::optional<TimedPlace> parse_place(std::string_view bytes) {
  constexpr std::size_t fixed = time_bytes + length_bytes + order_bytes;
  if (bytes.size() < fixed) return std::nullopt;
  TimedPlace out;
  out.segment = load_be<std::int64_t>(bytes.data());
  const auto size = load_be<std::uint32_t>(bytes.data() + time_bytes);
  if (bytes.size() != fixed + size) return std::nullopt;
  out.key = bytes.substr(time_bytes + length_bytes, size);
  const char* order = bytes.data() + time_bytes + length_bytes + size;
  out.at_ms = load_be<std::int64_t>(order);
  out.tie = load_be<std::int64_t>(order + time_bytes);
  return out;
}

/// The first place of a key in a segment that a row from `at_ms` on can have.
std::string timed_place(const std::string& area, std::int64_t segment, std::string_view key,
                        std::int64_t at_ms) {
  std::string out = area;
  append_be<std::int64_t>(out, segment);
  append_be<std::uint32_t>(out, static_cast<std::uint32_t>(key.size()));
  out += key;
  append_be<std::int64_t>(out, at_ms);
  return out;
}

}  // namespace

std::string StoredRows::timed_area() const { return prefix_ + rows_area; }

/// Sessions that reach into `at` from behind it are among what places() says.
Result<void> StoredRows::timed_of(std::string_view key, const TimeRange& at,
                                  const Visit& visit) const {
  const std::string area = timed_area();
  const bool session = spec_.kind == StoreKind::session;
  const TimeRange places = this->places(at);
  const std::int64_t segment_ms = segment_length(spec_);
  std::string from = area;
  append_be<std::int64_t>(from, segment_of(places.from_ms, segment_ms));
  const auto cursor = database_.scan({from, end_of(area)});
  while (cursor->valid()) {
    const auto place = parse_place(cursor->key().substr(area.size()));
    if (!place) return damaged(spec_.name);
    if (place->segment > segment_of(places.to_ms, segment_ms)) break;
    const std::string wanted = timed_place(area, place->segment, key, places.from_ms);
    if (cursor->key() < wanted) {
      cursor->skip_to(wanted);
      continue;
    }
    const bool begins_later = (session ? place->tie : place->at_ms) > at.to_ms;
    if (place->key == key && !begins_later) {
      const auto stored = parse_stored(cursor->value());
      if (!stored) return damaged(spec_.name);
      const Window window = session ? Window{place->tie, place->at_ms}
                                    : Window{place->at_ms, place->at_ms + spec_.window_ms};
      if (!visit({.key = key,
                  .window = window,
                  .timestamp_ms = stored->timestamp_ms,
                  .value = stored->bytes}))
        return {};
      cursor->next();
      continue;
    }
    if (place->segment == last_ms) break;
    std::string next = area;
    append_be<std::int64_t>(next, place->segment + 1);
    cursor->skip_to(next);
  }
  return cursor->status();
}

Result<bool> StoredRows::all_timed(const TimeRange& at, const Visit& visit) const {
  const std::string area = timed_area();
  const bool session = spec_.kind == StoreKind::session;
  const TimeRange places = this->places(at);
  const std::int64_t segment_ms = segment_length(spec_);
  std::string from = area;
  append_be<std::int64_t>(from, segment_of(places.from_ms, segment_ms));
  const auto cursor = database_.scan({from, end_of(area)});
  for (; cursor->valid(); cursor->next()) {
    const auto place = parse_place(cursor->key().substr(area.size()));
    const auto stored = parse_stored(cursor->value());
    if (!place || !stored) return fail(damaged(spec_.name).error());
    if (place->segment > segment_of(places.to_ms, segment_ms)) break;
    if (place->at_ms < places.from_ms || place->at_ms > places.to_ms) continue;
    if (session && place->tie > at.to_ms) continue;
    const Window window = session ? Window{place->tie, place->at_ms}
                                  : Window{place->at_ms, place->at_ms + spec_.window_ms};
    if (!visit({.key = place->key,
                .window = window,
                .timestamp_ms = stored->timestamp_ms,
                .value = stored->bytes}))
      return false;
  }
  if (auto walked = cursor->status(); !walked) return fail(std::move(walked.error()));
  return true;
}

// --- Versions

namespace {

/// `byte present, value`.
Result<StoredRow> version_of(const TimedPlace& place, std::string_view value,
                             const std::string& store) {
  auto stored = parse_stored(value);
  if (!stored || stored->bytes.empty()) return fail(damaged(store).error());
  StoredRow out{
      .key = place.key, .window = {place.at_ms, last_ms}, .timestamp_ms = stored->timestamp_ms};
  if (stored->bytes.front() != '\0') out.value = stored->bytes.substr(1);
  return out;
}

}  // namespace

Result<void> StoredRows::versions_of(std::string_view key, const TimeRange& at,
                                     const Visit& visit) const {
  const std::string area = timed_area();
  std::string rows = area;
  append_be<std::int64_t>(rows, 0);
  append_be<std::uint32_t>(rows, static_cast<std::uint32_t>(key.size()));
  rows += key;
  // The latest first, until one holds from before `at` on.
  std::vector<std::pair<std::string, std::string>> found;
  const state::PrefixRange range(rows);
  const auto cursor = database_.scan(range.range(), state::Order::descending);
  for (; cursor->valid(); cursor->next()) {
    const auto place = parse_place(cursor->key().substr(area.size()));
    if (!place) return damaged(spec_.name);
    if (place->at_ms > at.to_ms) continue;
    found.emplace_back(cursor->key().substr(area.size()), cursor->value());
    if (place->at_ms <= at.from_ms) break;
  }
  if (auto walked = cursor->status(); !walked) return walked;
  for (auto row = found.rbegin(); row != found.rend(); ++row) {
    const auto version = version_of(*parse_place(row->first), row->second, spec_.name);
    if (!version) return fail(version.error());
    if (!visit(*version)) break;
  }
  return {};
}

Result<bool> StoredRows::all_versions(const detail::KeyRange& keys, const Visit& visit) const {
  const std::string area = timed_area();
  const auto cursor = database_.scan({area, end_of(area)});
  std::string last_key;
  std::string last_value;
  const auto tell_last = [&]() -> Result<bool> {
    if (last_key.empty()) return true;
    const TimedPlace place = *parse_place(last_key);
    if (place.key < keys.from || (keys.to && place.key >= *keys.to)) return true;
    const auto version = version_of(place, last_value, spec_.name);
    if (!version) return fail(version.error());
    return visit(*version);
  };
  for (; cursor->valid(); cursor->next()) {
    const std::string_view bytes = cursor->key().substr(area.size());
    const auto place = parse_place(bytes);
    if (!place) return fail(damaged(spec_.name).error());
    if (!last_key.empty() && parse_place(last_key)->key != place->key)
      if (const auto more = tell_last(); !more || !*more) return more;
    last_key = bytes;
    last_value = cursor->value();
  }
  if (auto walked = cursor->status(); !walked) return fail(std::move(walked.error()));
  return tell_last();
}

}  // namespace weir::streams
