#include "state/database.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "state/limits.h"

namespace weir::state {
namespace {

/// The first bytes that come behind everything that begins with `prefix`; absent if nothing does.
std::optional<std::string> behind(std::string_view prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.remove_suffix(1);
  if (prefix.empty()) return std::nullopt;
  std::string next(prefix);
  next.back() = static_cast<char>(static_cast<unsigned char>(next.back()) + 1);
  return next;
}

std::uint64_t order_of(std::string_view key) {
  std::array<char, sizeof(std::uint64_t)> first{};
  key.copy(first.data(), first.size());
  return load_be<std::uint64_t>(first.data());
}

}  // namespace

PrefixRange::PrefixRange(std::string_view prefix) : from_(prefix), to_(behind(prefix)) {}

Range PrefixRange::range() const { return {from_, to_}; }

void Batch::put(std::string_view key, std::string_view value) { add(Kind::put, key, value); }

void Batch::remove(std::string_view key) { add(Kind::remove, key, {}); }

void Batch::remove(const Range& range) {
  if (!range.to) return add(Kind::remove_to_end, range.from, {});
  if (range.from < *range.to) add(Kind::remove_range, range.from, *range.to);
}

void Batch::clear() {
  operations_.clear();
  bytes_.clear();
  fault_.reset();
}

void Batch::for_each(const std::function<void(const Operation&)>& visit) const {
  std::string_view rest = bytes_;
  for (const Place& place : operations_) {
    const std::string_view key = rest.substr(0, place.key_size);
    rest.remove_prefix(place.key_size);
    visit({place.kind, key, rest.substr(0, place.value_size)});
    rest.remove_prefix(place.value_size);
  }
}

void Batch::for_each_by_key(const std::function<void(const Operation&)>& visit) const {
  struct Placed {
    std::uint64_t order = 0;  // the key's first bytes
    std::size_t number = 0;
    Operation operation;
  };
  std::vector<Placed> waiting;
  waiting.reserve(operations_.size());
  const auto give = [&] {
    std::ranges::sort(waiting, [](const Placed& a, const Placed& b) {
      if (a.order != b.order) return a.order < b.order;
      const int keys = a.operation.key.compare(b.operation.key);
      return keys != 0 ? keys < 0 : a.number < b.number;
    });
    for (const Placed& one : waiting) visit(one.operation);
    waiting.clear();
  };
  for_each([&](const Operation& operation) {
    if (operation.kind == Kind::put || operation.kind == Kind::remove)
      return waiting.push_back({order_of(operation.key), waiting.size(), operation});
    give();
    visit(operation);
  });
  give();
}

void Batch::add(Kind kind, std::string_view key, std::string_view value) {
  // A bound may be one byte longer than a key: it then stands right behind the longest one.
  const bool range = kind == Kind::remove_range || kind == Kind::remove_to_end;
  const std::size_t key_most = limits::key_bytes + (range ? 1 : 0);
  const std::size_t value_most = range ? key_most : limits::value_bytes;
  if (key.size() > key_most || value.size() > value_most) {
    if (!fault_)
      fault_.emplace(Errc::message_too_large,
                     fmt::format("a key of {} bytes with a value of {}: at most {} and {}",
                                 key.size(), value.size(), key_most, value_most));
    return;
  }
  operations_.push_back(
      {kind, static_cast<std::uint32_t>(key.size()), static_cast<std::uint32_t>(value.size())});
  bytes_.append(key).append(value);
}

}  // namespace weir::state
