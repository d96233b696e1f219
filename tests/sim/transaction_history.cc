#include "transaction_history.h"

#include <fmt/core.h>

#include <algorithm>

namespace weir::tests {
namespace {

constexpr std::size_t most_lines = 20;

class Checker {
 public:
  explicit Checker(const TransactionHistory& history) : history_(history) {}

  std::vector<std::string> run() {
    for (const auto& [partition, records] : history_.committed)
      for (const auto& [offset, value] : records) places_[value] = {partition, offset};
    check_duplicates();
    for (const auto& one : history_.runs) check_run(one);
    check_seen();
    check_offsets();
    check_order();
    check_stable_ends();
    return std::move(lines_);
  }

 private:
  using Place = std::pair<PartitionName, std::int64_t>;

  void say(std::string line) {
    if (lines_.size() < most_lines) lines_.push_back(std::move(line));
  }

  void check_duplicates() {
    for (const auto* read : {&history_.committed, &history_.uncommitted}) {
      std::map<std::string, Place> first;
      for (const auto& [partition, records] : *read)
        for (const auto& [offset, value] : records)
          if (const auto [at, fresh] = first.try_emplace(value, Place{partition, offset}); !fresh)
            say(fmt::format("duplicate: {} stands at {}/{} and at {}/{}", value, at->second.first,
                            at->second.second, partition, offset));
    }
  }

  void check_run(const TransactionRun& one) {
    std::string visible;
    std::string missing;
    for (const auto& send : one.sends)
      for (const auto& value : send.values) {
        if (places_.contains(value))
          visible = value;
        else if (send.acknowledged)
          missing = value;
      }
    const std::string name = fmt::format("{} of {}", one.number, one.id);
    if (!visible.empty() && (!one.commit_asked || one.aborted))
      say(fmt::format("aborted-read: {} is visible, its transaction {} was {}", visible, name,
                      one.aborted ? "aborted" : "never committed"));
    if (!missing.empty() && one.committed)
      say(fmt::format("lost-write: {} of the committed transaction {} is not visible", missing,
                      name));
    if (!missing.empty() && !visible.empty() && !one.committed)
      say(fmt::format("torn-transaction: of {} {} is visible and {} is not", name, visible,
                      missing));
  }

  void check_seen() {
    for (const auto& [value, place] : history_.seen) {
      const auto at = places_.find(value);
      if (at == places_.end())
        say(fmt::format("aborted-read: {} was read at {}/{} and is not visible in the end", value,
                        place.first, place.second));
      else if (at->second != place)
        say(fmt::format("inconsistent-offsets: {} was read at {}/{} and stands at {}/{}", value,
                        place.first, place.second, at->second.first, at->second.second));
    }
  }

  bool is_visible(const TransactionRun& one) const {
    return std::any_of(one.sends.begin(), one.sends.end(), [&](const auto& send) {
      return std::any_of(send.values.begin(), send.values.end(),
                         [&](const auto& value) { return places_.contains(value); });
    });
  }

  // Transactions of one id follow each other: the highest visible one wrote last.
  void check_offsets() {
    std::map<std::string, std::int64_t> expected;
    for (const auto& one : history_.runs)
      if (one.offset_acknowledged && (one.committed || is_visible(one)))
        expected[one.id] = std::max<std::int64_t>(expected[one.id], one.number);
    for (const auto& [id, offset] : history_.offsets) {
      const auto found = expected.find(id);
      const std::int64_t want = found == expected.end() ? -1 : found->second;
      if (offset == want) continue;
      // One without a visible value may have been committed unseen.
      const bool possible =
          std::any_of(history_.runs.begin(), history_.runs.end(), [&](const TransactionRun& one) {
            return one.id == id && one.number == offset && offset > want && one.commit_asked &&
                   !one.aborted;
          });
      if (!possible || has_acknowledged_value(id, offset))
        say(
            fmt::format("torn-offset: the offset of {} is {}, the last visible transaction with "
                        "one is {}",
                        id, offset, want));
    }
  }

  bool has_acknowledged_value(const std::string& id, std::int64_t number) const {
    return std::any_of(history_.runs.begin(), history_.runs.end(), [&](const TransactionRun& one) {
      return one.id == id && one.number == number &&
             std::any_of(one.sends.begin(), one.sends.end(),
                         [](const auto& send) { return send.acknowledged; });
    });
  }

  void check_order() {
    std::map<std::pair<std::string, PartitionName>, std::int64_t> last;
    auto runs = history_.runs;
    std::stable_sort(runs.begin(), runs.end(), [](const auto& a, const auto& b) {
      return std::pair(a.id, a.number) < std::pair(b.id, b.number);
    });
    for (const auto& one : runs)
      for (const auto& send : one.sends)
        for (const auto& value : send.values) {
          const auto at = places_.find(value);
          if (at == places_.end()) continue;
          auto& before = last.try_emplace({one.id, send.partition}, -1).first->second;
          if (at->second.second < before)
            say(fmt::format("producer-order: {} stands at {}/{}, before what {} sent earlier ({})",
                            value, at->second.first, at->second.second, one.id, before));
          before = std::max(before, at->second.second);
        }
  }

  void check_stable_ends() {
    std::map<PartitionName, std::int64_t> last;
    for (const auto& [partition, offset] : history_.stable_ends) {
      auto& before = last.try_emplace(partition, -1).first->second;
      if (offset < before)
        say(fmt::format("stable-end: that of {} was {} and then {}", partition, before, offset));
      before = std::max(before, offset);
    }
  }

  const TransactionHistory& history_;
  std::map<std::string, Place> places_;  // of committed values
  std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> check_transactions(const TransactionHistory& history) {
  return Checker(history).run();
}

}  // namespace weir::tests
