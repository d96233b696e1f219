// Words in which the tests of databases are written.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "state/database.h"

namespace weir::state {

using Entries = std::vector<std::pair<std::string, std::string>>;

/// What a cursor over `range` gives.
inline Entries all(const Database& database, const Range& range = {},
                   Order order = Order::ascending) {
  Entries entries;
  const auto cursor = database.scan(range, order);
  for (; cursor->valid(); cursor->next()) entries.emplace_back(cursor->key(), cursor->value());
  return entries;
}

using Changes = std::vector<std::pair<std::string, std::optional<std::string>>>;

/// A run over changes as they stand.
class EntriesRun final : public Run {
 public:
  explicit EntriesRun(Changes entries) : entries_(std::move(entries)) {}
  bool next(std::string_view& key, std::optional<std::string_view>& value) override {
    if (at_ == entries_.size()) return false;
    key = entries_[at_].first;
    value = entries_[at_].second;
    ++at_;
    return true;
  }

 private:
  Changes entries_;
  std::size_t at_ = 0;
};

}  // namespace weir::state
