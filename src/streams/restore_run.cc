#include "streams/restore_run.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/bytes.h"

namespace weir::streams {
namespace {

constexpr std::size_t block_bytes = std::size_t{1} << 20U;
constexpr std::size_t number_bytes = sizeof(std::uint16_t);
constexpr std::size_t time_bytes = sizeof(std::int64_t);

std::uint64_t order_of(std::string_view key) {
  std::array<char, sizeof(std::uint64_t)> first{};
  key.substr(number_bytes).copy(first.data(), first.size());
  return load_be<std::uint64_t>(first.data());
}

}  // namespace

char* RestoreRun::room(std::size_t bytes) {
  while (block_ < blocks_.size() && blocks_[block_].size - used_ < bytes) {
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) {
    const std::size_t size = std::max(bytes, block_bytes);
    blocks_.push_back({std::make_unique_for_overwrite<char[]>(size), size});
  }
  char* out = blocks_[block_].memory.get() + used_;
  used_ += bytes;
  bytes_ += bytes;
  return out;
}

void RestoreRun::add(std::string_view key, std::int64_t timestamp_ms,
                     std::optional<std::string_view> value) {
  const std::size_t value_size = value ? time_bytes + value->size() : 0;
  char* at = room(key.size() + value_size);
  std::memcpy(at, key.data(), key.size());
  if (value) {
    store_be<std::int64_t>(at + key.size(), timestamp_ms);
    value->copy(at + key.size() + time_bytes, value->size());
  }
  entries_.push_back({.order = order_of(key),
                      .key = at,
                      .key_size = static_cast<std::uint32_t>(key.size()),
                      .value_size = static_cast<std::uint32_t>(value_size),
                      .number = static_cast<std::uint32_t>(entries_.size())});
}

void RestoreRun::sort() {
  std::ranges::sort(entries_, [](const Entry& a, const Entry& b) {
    if (a.order != b.order) return a.order < b.order;
    const int keys = a.text().compare(b.text());
    return keys != 0 ? keys < 0 : a.number < b.number;
  });
  at_ = 0;
}

bool RestoreRun::next(std::string_view& key, std::optional<std::string_view>& value) {
  if (at_ == entries_.size()) return false;
  while (at_ + 1 < entries_.size() && entries_[at_].text() == entries_[at_ + 1].text()) ++at_;
  const Entry& entry = entries_[at_++];
  key = entry.text();
  if (entry.value_size == 0)
    value.reset();
  else
    value.emplace(entry.key + entry.key_size, entry.value_size);
  return true;
}

void RestoreRun::clear() {
  entries_.clear();
  block_ = used_ = bytes_ = at_ = 0;
}

}  // namespace weir::streams
