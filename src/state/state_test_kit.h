// Words in which the tests of databases are written.
#pragma once

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

/// A run over entries as they stand.
class EntriesRun final : public Run {
 public:
  explicit EntriesRun(Entries entries) : entries_(std::move(entries)) {}
  bool next(std::string_view& key, std::string_view& value) override {
    if (at_ == entries_.size()) return false;
    key = entries_[at_].first;
    value = entries_[at_].second;
    ++at_;
    return true;
  }

 private:
  Entries entries_;
  std::size_t at_ = 0;
};

}  // namespace weir::state
