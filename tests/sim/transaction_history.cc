#include "transaction_history.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "anomaly_lines.h"
#include "poll_checks.h"

namespace weir::tests {
namespace {

class Checker {
 public:
  Checker(const TransactionHistory& history, AnomalyLines& lines)
      : history_(history), lines_(lines) {}

  void run() {
    for (const auto& [partition, records] : history_.committed)
      for (const auto& [offset, value] : records) places_[value] = {partition, offset};
    index_keys();
    check_duplicates();
    for (const auto& one : history_.runs) check_run(one);
    check_seen();
    check_offsets();
    check_order();
    check_sequences();
    check_stream();
    check_bank();
  }

 private:
  using Lasts = std::map<std::pair<PartitionName, std::string>, std::int64_t>;

  // Where the last visible value of each key stands, and the last acknowledged committed one.
  void index_keys() {
    for (const auto& one : history_.runs)
      for (const auto& send : one.sends)
        for (std::size_t i = 0; i < send.keys.size(); ++i) {
          const std::pair key(send.partition, send.keys[i]);
          key_of_[send.values[i]] = key;
          if (const auto at = places_.find(send.values[i]); at != places_.end())
            raise(visible_, key, at->second.second);
          if (send.acknowledged && one.committed)
            raise(acknowledged_, key, send.base_offset + static_cast<std::int64_t>(i));
        }
    for (const auto& [key, offset] : acknowledged_) {
      const auto visible = visible_.find(key);
      if (visible == visible_.end())
        lines_.add(fmt::format("compaction: every value of {} in {} is gone, the last stood at {}",
                               key.second, key.first, offset));
      else if (visible->second < offset)
        lines_.add(
            fmt::format("compaction: the last value of {} in {} stands at {}, one at {} was "
                        "written after it",
                        key.second, key.first, visible->second, offset));
    }
  }

  static void raise(Lasts& lasts, const std::pair<PartitionName, std::string>& key,
                    std::int64_t offset) {
    auto& last = lasts.try_emplace(key, -1).first->second;
    last = std::max(last, offset);
  }

  /// Compaction may have deleted it: a newer value of its key is visible.
  bool is_replaced(const std::string& value, std::int64_t offset) const {
    const auto key = key_of_.find(value);
    if (key == key_of_.end()) return false;
    const auto last = visible_.find(key->second);
    return last != visible_.end() && last->second > offset;
  }

  void check_duplicates() {
    for (const auto* read : {&history_.committed, &history_.uncommitted}) {
      std::map<std::string, Place> first;
      for (const auto& [partition, records] : *read)
        for (const auto& [offset, value] : records)
          if (const auto [at, fresh] = first.try_emplace(value, Place{partition, offset}); !fresh)
            lines_.add(fmt::format("duplicate: {} stands at {}/{} and at {}/{}", value,
                                   at->second.first, at->second.second, partition, offset));
    }
  }

  void check_run(const TransactionRun& one) {
    std::string visible;
    std::string missing;
    for (const auto& send : one.sends)
      for (std::size_t i = 0; i < send.values.size(); ++i) {
        const std::string& value = send.values[i];
        const std::int64_t offset = send.base_offset + static_cast<std::int64_t>(i);
        if (const auto at = places_.find(value); at != places_.end()) {
          visible = value;
          if (send.acknowledged && at->second != Place{send.partition, offset})
            lines_.add(fmt::format(
                "inconsistent-offsets: {} was acknowledged at {}/{} and stands at {}/{}", value,
                send.partition, offset, at->second.first, at->second.second));
        } else if (send.acknowledged && !is_replaced(value, offset)) {
          missing = value;
        }
      }
    const std::string name = fmt::format("{} of {}", one.number, one.id);
    if (!visible.empty() && (!one.commit_asked || one.aborted))
      lines_.add(fmt::format("aborted-read: {} is visible, its transaction {} was {}", visible,
                             name, one.aborted ? "aborted" : "never committed"));
    if (!missing.empty() && one.committed)
      lines_.add(fmt::format("lost-write: {} of the committed transaction {} is not visible",
                             missing, name));
    if (!missing.empty() && !visible.empty() && !one.committed)
      lines_.add(fmt::format("torn-transaction: of {} {} is visible and {} is not", name, visible,
                             missing));
  }

  void check_seen() {
    for (const auto& poll : history_.polls)
      for (const auto& [offset, value] : poll.records) {
        const Place place{poll.partition, offset};
        const auto at = places_.find(value);
        if (at == places_.end()) {
          if (!is_replaced(value, offset))
            lines_.add(
                fmt::format("aborted-read: {} was read at {}/{} and is not visible in the "
                            "end",
                            value, place.first, place.second));
        } else if (at->second != place) {
          lines_.add(fmt::format("inconsistent-offsets: {} was read at {}/{} and stands at {}/{}",
                                 value, place.first, place.second, at->second.first,
                                 at->second.second));
        }
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
      if (!possible || has_missing_value(id, offset))
        lines_.add(
            fmt::format("torn-transaction: the offset of {} is {}, the last visible transaction "
                        "with one is {}",
                        id, offset, want));
    }
  }

  bool has_missing_value(const std::string& id, std::int64_t number) const {
    return std::any_of(history_.runs.begin(), history_.runs.end(), [&](const TransactionRun& one) {
      return one.id == id && one.number == number &&
             std::any_of(one.sends.begin(), one.sends.end(), [&](const auto& send) {
               return send.acknowledged && !places_.contains(send.values.front()) &&
                      !is_replaced(send.values.front(), send.base_offset);
             });
    });
  }

  void check_order() {
    std::map<std::pair<std::string, PartitionName>, std::pair<std::int64_t, int>> last;
    std::vector<const TransactionRun*> runs;
    for (const auto& one : history_.runs) runs.push_back(&one);
    std::sort(runs.begin(), runs.end(), [](const auto* a, const auto* b) {
      return std::pair(a->id, a->number) < std::pair(b->id, b->number);
    });
    for (const auto* one : runs)
      for (const auto& send : one->sends)
        for (const auto& value : send.values) {
          const auto at = places_.find(value);
          if (at == places_.end()) continue;
          auto& [before, number] =
              last.try_emplace({one->id, send.partition}, -1, one->number).first->second;
          if (at->second.second < before)
            lines_.add(
                fmt::format("{}: {} stands at {}/{}, before what {} sent earlier ({})",
                            number == one->number ? "int-nonmonotonic-send" : "producer-order",
                            value, at->second.first, at->second.second, one->id, before));
          before = std::max(before, at->second.second);
          number = one->number;
        }
  }

  // In a log a transaction of a producer ends with its marker before the next one begins.
  void check_sequences() {
    std::map<std::string, const TransactionRun*> writer;
    for (const auto& one : history_.runs)
      for (const auto& send : one.sends)
        for (const auto& value : send.values) writer[value] = &one;
    for (const auto& [partition, records] : history_.uncommitted) {
      std::map<std::int64_t, const TransactionRun*> open;  // by producer
      const auto markers = history_.markers.find(partition);
      std::size_t passed = 0;
      for (const auto& [offset, value] : records) {
        while (markers != history_.markers.end() && passed < markers->second.size() &&
               markers->second[passed].offset < offset)
          open.erase(markers->second[passed++].producer);
        const auto found = writer.find(value);
        if (found == writer.end()) continue;
        const auto* one = found->second;
        const auto [at, fresh] = open.try_emplace(one->producer, one);
        if (!fresh && at->second != one)
          lines_.add(fmt::format(
              "producer-sequence: {}/{} is of transaction {} of {}, and {} has no marker before it",
              partition, offset, one->number, one->id, at->second->number));
        at->second = one;
      }
    }
  }

  // Of every input below what the members of the stream have committed exactly one output, in the
  // order of the inputs; of the others none.
  void check_stream() {
    struct Output {
      Place input;
      Place at;
    };
    std::vector<Output> outputs;
    for (const auto& one : history_.runs)
      for (const auto& send : one.sends)
        for (std::size_t i = 0; i < send.inputs.size(); ++i)
          if (const auto at = places_.find(send.values[i]); at != places_.end())
            outputs.push_back({.input = send.inputs[i], .at = at->second});
    std::sort(outputs.begin(), outputs.end(),
              [](const auto& a, const auto& b) { return a.input < b.input; });
    std::set<Place> made;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const auto& [input, at] = outputs[i];
      const auto end = history_.stream_ends.find(input.first);
      if (!made.insert(input).second)
        lines_.add(fmt::format("EOS-pipeline: {}/{} has two outputs, one at {}/{}", input.first,
                               input.second, at.first, at.second));
      else if (end == history_.stream_ends.end() || input.second >= end->second)
        lines_.add(fmt::format("EOS-pipeline: {}/{} has an output and is not committed",
                               input.first, input.second));
      if (i > 0 && outputs[i - 1].input.first == input.first &&
          outputs[i - 1].at.first == at.first && outputs[i - 1].at.second > at.second)
        lines_.add(fmt::format("EOS-pipeline: the output of {}/{} stands before that of {}",
                               input.first, input.second, outputs[i - 1].input.second));
    }
    for (const auto& [partition, end] : history_.stream_ends) {
      const auto inputs = history_.committed.find(partition);
      if (inputs == history_.committed.end()) continue;
      for (const auto& [offset, value] : inputs->second)
        if (offset < end && !made.contains({partition, offset}))
          lines_.add(fmt::format("EOS-pipeline: {}/{} is committed, up to {}, and has no output",
                                 partition, offset, end));
    }
  }

  // Of transactions all of whose values were acknowledged: the others may be short by right.
  void check_bank() {
    std::int64_t sum = 0;
    for (const auto& one : history_.runs) {
      if (!std::all_of(one.sends.begin(), one.sends.end(),
                       [](const auto& send) { return send.acknowledged; }))
        continue;
      for (const auto& send : one.sends)
        for (std::size_t i = 0; i < send.amounts.size(); ++i)
          if (places_.contains(send.values[i])) sum += send.amounts[i];
    }
    if (sum != 0) lines_.add(fmt::format("bank: the accounts add up to {}, not to 0", sum));
  }

  const TransactionHistory& history_;
  AnomalyLines& lines_;
  std::map<std::string, Place> places_;  // of committed values
  std::map<std::string, std::pair<PartitionName, std::string>> key_of_;
  Lasts visible_;
  Lasts acknowledged_;
};

}  // namespace

std::vector<std::string> check_transactions(const TransactionHistory& history) {
  AnomalyLines lines;
  Checker(history, lines).run();
  check_polls(history, lines);
  return lines.take();
}

}  // namespace weir::tests
