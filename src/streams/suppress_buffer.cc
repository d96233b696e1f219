#include <weir/streams/detail/suppress_buffer.h>

#include <algorithm>
#include <limits>

#include "base/bytes.h"

namespace weir::streams {
inline namespace v1 {
namespace detail {
namespace {

constexpr std::size_t time_bytes = sizeof(std::int64_t);
constexpr std::size_t size_bytes = sizeof(std::uint32_t);
constexpr std::uint32_t absent = std::numeric_limits<std::uint32_t>::max();
constexpr char places = 'k';
constexpr char updates = 't';

void append_part(std::string& out, std::optional<std::string_view> part) {
  append_be<std::uint32_t>(out, part ? static_cast<std::uint32_t>(part->size()) : absent);
  out += part.value_or(std::string_view());
}

std::optional<std::string_view> take_part(std::string_view& bytes) {
  if (bytes.size() < size_bytes) return std::nullopt;
  const auto size = load_be<std::uint32_t>(bytes.data());
  bytes.remove_prefix(size_bytes);
  if (size == absent) return std::nullopt;
  const std::string_view out = bytes.substr(0, size);
  bytes.remove_prefix(out.size());
  return out;
}

}  // namespace

void SuppressBuffer::count() {
  records_ = bytes_ = 0;
  std::string from(1, updates);
  for (auto found = state_->first(from); found && found->key.front() == updates;
       found = state_->first(from)) {
    ++records_;
    const std::size_t place_bytes = 1 + time_bytes;
    bytes_ += static_cast<std::int64_t>(found->key.size() - place_bytes + found->value.size());
    from = found->key;
    from += '\0';  // the key behind it
  }
}

std::string_view SuppressBuffer::place_key(std::string_view key) {
  place_key_ = places;
  place_key_ += key;
  return place_key_;
}

std::string_view SuppressBuffer::update_key(std::int64_t place, std::string_view key) {
  update_key_ = updates;
  append_be<std::int64_t>(update_key_, place);
  update_key_ += key;
  return update_key_;
}

std::optional<SuppressBuffer::Entry> SuppressBuffer::find(std::string_view key) {
  const auto place = state_->get(place_key(key));
  if (!place || place->value.size() != time_bytes) return std::nullopt;
  Entry out{.place = load_be<std::int64_t>(place->value.data()), .key = std::string(key)};
  const auto found = state_->get(update_key(out.place, key));
  if (!found) return std::nullopt;
  out.update = found->value;
  out.timestamp_ms = found->timestamp_ms;
  return out;
}

void SuppressBuffer::put(const Entry& entry) {
  const std::string_view key = update_key(entry.place, entry.key);
  const auto before = state_->get(key);
  bytes_ += static_cast<std::int64_t>(entry.update.size());
  if (before) {
    bytes_ -= static_cast<std::int64_t>(before->value.size());
  } else {
    ++records_;
    bytes_ += static_cast<std::int64_t>(entry.key.size());
    std::string place;
    append_be<std::int64_t>(place, entry.place);
    state_->put(place_key(entry.key), place, entry.timestamp_ms);
  }
  state_->put(key, entry.update, entry.timestamp_ms);
}

std::optional<SuppressBuffer::Entry> SuppressBuffer::first() {
  const auto found = state_->first({&updates, 1});
  if (!found) return std::nullopt;
  return Entry{.place = load_be<std::int64_t>(found->key.data() + 1),
               .key = std::string(found->key.substr(1 + time_bytes)),
               .update = std::string(found->value),
               .timestamp_ms = found->timestamp_ms};
}

void SuppressBuffer::remove(const Entry& entry) {
  state_->remove(update_key(entry.place, entry.key));
  state_->remove(place_key(entry.key));
  --records_;
  bytes_ -= static_cast<std::int64_t>(entry.key.size() + entry.update.size());
}

void append_held(std::string& out, const HeldUpdate& update) {
  append_part(out, update.now);
  append_part(out, update.old);
  out += update.headers;
}

std::string waiting_key(std::int64_t time_ms, std::string_view key, std::uint32_t number) {
  std::string out;
  append_be<std::int64_t>(out, time_ms);
  out += key;
  append_be<std::uint32_t>(out, number);
  return out;
}

std::string_view key_of_waiting(std::string_view waiting_key) {
  return waiting_key.substr(time_bytes, waiting_key.size() - time_bytes - sizeof(std::uint32_t));
}

HeldUpdate parse_held(std::string_view bytes) {
  HeldUpdate out;
  out.now = take_part(bytes);
  out.old = take_part(bytes);
  out.headers = bytes;
  return out;
}

}  // namespace detail
}  // namespace v1
}  // namespace weir::streams
