#include "sim/history.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace weir::sim {
namespace {

constexpr std::size_t most_lines = 20;  // of anomalies; more say nothing new

class Checker {
 public:
  explicit Checker(const History& history) : history_(history) {}

  std::vector<std::string> run() {
    index_final_read();
    if (history_.gapless) check_holes();
    check_sends();
    check_seen();
    check_duplicates_and_order();
    check_real_time_order();
    check_watermarks();
    check_epochs();
    return std::move(lines_);
  }

 private:
  void say(std::string line) {
    if (lines_.size() < most_lines) lines_.push_back(std::move(line));
  }

  void index_final_read() {
    for (const auto& [partition, records] : history_.final_read)
      for (const auto& [offset, value] : records) places_[value].push_back({partition, offset});
  }

  void check_holes() {
    for (const auto& [partition, records] : history_.final_read) {
      std::int64_t next = 0;
      for (const auto& [offset, value] : records) {
        if (offset != next)
          say(fmt::format("durable-prefix: {}/{} is missing and {} is there", partition, next,
                          offset));
        next = offset + 1;
      }
    }
  }

  const std::string* final_value(const PartitionName& partition, std::int64_t offset) const {
    const auto found = history_.final_read.find(partition);
    if (found == history_.final_read.end()) return nullptr;
    const auto at = found->second.find(offset);
    return at == found->second.end() ? nullptr : &at->second;
  }

  void check_sends() {
    for (const auto& send : history_.sends) {
      if (send.outcome == Outcome::failed)
        for (const auto& value : send.values)
          if (places_.contains(value))
            say(fmt::format("aborted-read: {} was refused and stands at {}", value, place(value)));
      if (send.outcome != Outcome::ok) continue;
      for (std::size_t i = 0; i < send.values.size(); ++i) {
        const std::int64_t offset = send.base_offset + static_cast<std::int64_t>(i);
        const std::string* there = final_value(send.partition, offset);
        if (there == nullptr) {
          say(fmt::format("lost-write: {} was acknowledged at {}/{} and is gone", send.values[i],
                          send.partition, offset));
        } else if (*there != send.values[i]) {
          say(fmt::format("inconsistent-offsets: {}/{} was acknowledged as {} and holds {}",
                          send.partition, offset, send.values[i], *there));
        }
      }
    }
  }

  void check_seen() {
    std::map<std::pair<PartitionName, std::int64_t>, std::string> first;
    for (const auto& seen : history_.seen) {
      const auto [at, fresh] = first.emplace(std::pair(seen.partition, seen.offset), seen.value);
      if (!fresh && at->second != seen.value)
        say(fmt::format("inconsistent-offsets: {}/{} was seen as {} and as {}", seen.partition,
                        seen.offset, at->second, seen.value));
      const std::string* there = final_value(seen.partition, seen.offset);
      if (fresh && (there == nullptr || *there != seen.value))
        say(fmt::format("HW: {} was read at {}/{}, which now holds {}", seen.value, seen.partition,
                        seen.offset, there == nullptr ? "nothing" : *there));
    }
  }

  void check_duplicates_and_order() {
    std::map<std::pair<int, PartitionName>, std::int64_t> last;
    for (const auto& send : history_.sends) {
      if (!send.idempotent) continue;
      for (const auto& value : send.values) {
        const auto found = places_.find(value);
        if (found == places_.end()) continue;
        if (found->second.size() > 1)
          say(fmt::format("duplicate: {} stands at {} places, {}", value, found->second.size(),
                          place(value)));
        auto& before = last.try_emplace(std::pair(send.producer, send.partition), -1).first->second;
        const std::int64_t offset = found->second.front().second;
        if (offset < before)
          say(fmt::format("producer-order: {} stands at {}, before what was sent earlier ({})",
                          value, place(value), before));
        before = std::max(before, offset);
      }
    }
  }

  void check_real_time_order() {
    std::map<PartitionName, std::vector<const Send*>> by_partition;
    for (const auto& send : history_.sends)
      if (send.outcome == Outcome::ok) by_partition[send.partition].push_back(&send);
    for (auto& [partition, sends] : by_partition) {
      // The largest offset among those acknowledged before a moment, in order of acknowledgement.
      auto by_completion = sends;
      std::sort(by_completion.begin(), by_completion.end(),
                [](auto* a, auto* b) { return a->completed < b->completed; });
      std::sort(sends.begin(), sends.end(),
                [](auto* a, auto* b) { return a->invoked < b->invoked; });
      std::size_t done = 0;
      std::int64_t largest = -1;
      for (const Send* send : sends) {
        while (done < by_completion.size() && by_completion[done]->completed < send->invoked)
          largest = std::max(largest, by_completion[done++]->base_offset);
        if (send->base_offset < largest)
          say(fmt::format(
              "real-time-order: {} was sent after {}/{} was acknowledged and stands at {}",
              send->values.front(), partition, largest, send->base_offset));
      }
    }
  }

  void check_watermarks() {
    for (const auto& shown : history_.watermarks) {
      const auto found = history_.final_read.find(shown.partition);
      const std::int64_t end = found == history_.final_read.end() || found->second.empty()
                                   ? 0
                                   : found->second.rbegin()->first + 1;
      if (shown.offset > end) {
        say(fmt::format("HW: {} showed {} and ends at {}", shown.partition, shown.offset, end));
        return;
      }
    }
  }

  // What was acknowledged in a life was written in it or before; what was first sent in a later one
  // cannot have been.
  void check_epochs() {
    std::map<PartitionName, std::vector<const Send*>> by_partition;
    for (const auto& send : history_.sends)
      if (send.outcome == Outcome::ok && history_.epochs.contains(send.values.front()))
        by_partition[send.partition].push_back(&send);
    for (const auto& [partition, sends] : by_partition) {
      std::map<std::uint64_t, std::int32_t> highest;  // by the life of the acknowledgement
      for (const Send* send : sends) {
        auto& epoch = highest.try_emplace(send->completed_life, -1).first->second;
        epoch = std::max(epoch, history_.epochs.at(send->values.front()));
      }
      for (const Send* send : sends) {
        const std::int32_t epoch = history_.epochs.at(send->values.front());
        for (const auto& [life, before] : highest)
          if (life < send->invoked_life && before >= epoch)
            return say(
                fmt::format("epoch: {} of {} was written after a crash in epoch {}, "
                            "not above {}",
                            send->values.front(), partition, epoch, before));
      }
    }
  }

  std::string place(const std::string& value) const {
    const auto& at = places_.find(value)->second.front();
    return fmt::format("{}/{}", at.first, at.second);
  }

  const History& history_;
  std::map<std::string, std::vector<std::pair<PartitionName, std::int64_t>>> places_;
  std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> check_history(const History& history) { return Checker(history).run(); }

}  // namespace weir::sim
