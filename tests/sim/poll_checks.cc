#include "poll_checks.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <tuple>

namespace weir::tests {
namespace {

using Offsets = std::map<std::int64_t, std::string>;

/// What one reader, or one transaction, reads of one partition, poll by poll.
class Course {
 public:
  Course(const char* skip, const char* nonmonotonic) : skip_(skip), nonmonotonic_(nonmonotonic) {}

  /// `all`: what is visible in the partition in the end; none of it may be left out.
  void follow(const std::string& who, const PartitionName& partition, const Records& records,
              const Offsets* all, AnomalyLines& lines) {
    for (const auto& [offset, value] : records) {
      if (last_ && offset <= *last_)
        lines.add(fmt::format("{}: {} read {}/{} after {}", nonmonotonic_, who, partition, offset,
                              *last_));
      if (last_ && all != nullptr)
        if (const auto between = all->upper_bound(*last_);
            between != all->end() && between->first < offset)
          lines.add(fmt::format("{}: {} read {}/{} and then {}, not {} at {}", skip_, who,
                                partition, *last_, offset, between->second, between->first));
      last_ = offset;
    }
  }

 private:
  const char* skip_;
  const char* nonmonotonic_;
  std::optional<std::int64_t> last_;
};

class Checker {
 public:
  Checker(const TransactionHistory& history, AnomalyLines& lines)
      : history_(history), lines_(lines) {}

  void run() {
    check_courses();
    check_ends();
    check_transactional_polls();
    check_circles();
    check_listed();
    check_times();
    check_epoch_ends();
  }

 private:
  const Offsets* committed(const PartitionName& partition) const {
    const auto found = history_.committed.find(partition);
    return found == history_.committed.end() ? nullptr : &found->second;
  }

  void check_courses() {
    std::map<std::tuple<int, int, PartitionName>, Course> courses;
    for (const auto& poll : history_.polls) {
      auto& course = courses
                         .try_emplace({poll.reader, poll.stretch, poll.partition}, "poll-skip",
                                      "nonmonotonic-poll")
                         .first->second;
      course.follow(fmt::format("reader {}", poll.reader), poll.partition, poll.records,
                    committed(poll.partition), lines_);
    }
  }

  void check_ends() {
    struct Ends {
      std::int64_t stable = -1;
      std::int64_t high = -1;
    };
    std::map<std::pair<int, PartitionName>, Ends> ends;
    for (const auto& poll : history_.polls) {
      auto& before = ends[{poll.reader, poll.partition}];
      if (poll.stable_end > poll.high_watermark)
        lines_.add(fmt::format("LSO: that of {} is {}, above the high watermark {}", poll.partition,
                               poll.stable_end, poll.high_watermark));
      if (poll.stable_end < before.stable)
        lines_.add(fmt::format("LSO: that of {} was {} and then {}", poll.partition, before.stable,
                               poll.stable_end));
      if (!poll.records.empty() && poll.records.back().first >= poll.stable_end)
        lines_.add(fmt::format("LSO: {} of {} was read, the last stable offset is {}",
                               poll.records.back().first, poll.partition, poll.stable_end));
      if (poll.high_watermark < before.high)
        lines_.add(fmt::format("HW: that of {} was {} and then {}", poll.partition, before.high,
                               poll.high_watermark));
      if (poll.log_start > 0)
        lines_.add(fmt::format("retention: {} begins at {}", poll.partition, poll.log_start));
      before = {.stable = std::max(before.stable, poll.stable_end),
                .high = std::max(before.high, poll.high_watermark)};
    }
  }

  void check_transactional_polls() {
    for (const auto& run : history_.runs) {
      const std::string who = fmt::format("transaction {} of {}", run.number, run.id);
      std::map<PartitionName, Course> courses;
      std::map<std::string, const TransactionalSend*> own;
      for (const auto& send : run.sends)
        for (const auto& value : send.values) own[value] = &send;
      for (const auto& poll : run.polls) {
        courses.try_emplace(poll.partition, "int-poll-skip", "int-nonmonotonic-poll")
            .first->second.follow(who, poll.partition, poll.records, committed(poll.partition),
                                  lines_);
        for (const auto& [offset, value] : poll.records)
          if (own.contains(value))
            lines_.add(fmt::format("precommitted-read: {} read its own {} at {}/{}", who, value,
                                   poll.partition, offset));
      }
    }
  }

  // An edge from the transaction that wrote the newest value of an answer to the one that read it.
  void check_circles() {
    std::map<std::string, std::size_t> writer;
    for (std::size_t i = 0; i < history_.runs.size(); ++i)
      for (const auto& send : history_.runs[i].sends)
        for (const auto& value : send.values) writer[value] = i;
    std::vector<std::vector<std::size_t>> read_from(history_.runs.size());
    for (std::size_t i = 0; i < history_.runs.size(); ++i)
      for (const auto& poll : history_.runs[i].polls) {
        if (poll.records.empty()) continue;
        const auto found = writer.find(poll.records.back().second);
        if (found != writer.end() && found->second != i) read_from[i].push_back(found->second);
      }
    if (const auto circle = in_a_circle(read_from))
      lines_.add(fmt::format("G1c: transaction {} of {} has read from itself, through others",
                             history_.runs[*circle].number, history_.runs[*circle].id));
  }

  // Takes away what reads from nobody that is left, until nothing or circles are left.
  static std::optional<std::size_t> in_a_circle(
      const std::vector<std::vector<std::size_t>>& read_from) {
    std::vector<std::size_t> sources(read_from.size());
    std::vector<std::vector<std::size_t>> readers(read_from.size());
    std::vector<std::size_t> free;
    for (std::size_t i = 0; i < read_from.size(); ++i) {
      sources[i] = read_from[i].size();
      if (sources[i] == 0) free.push_back(i);
      for (const std::size_t from : read_from[i]) readers[from].push_back(i);
    }
    while (!free.empty()) {
      const std::size_t gone = free.back();
      free.pop_back();
      for (const std::size_t reader : readers[gone])
        if (--sources[reader] == 0) free.push_back(reader);
    }
    const auto left =
        std::find_if(sources.begin(), sources.end(), [](std::size_t n) { return n > 0; });
    if (left == sources.end()) return std::nullopt;
    return static_cast<std::size_t>(left - sources.begin());
  }

  void check_listed() {
    std::map<std::pair<PartitionName, bool>, std::int64_t> last;
    for (const auto& one : history_.listed) {
      auto& before = last.try_emplace({one.partition, one.latest}, -1).first->second;
      const char* const what = one.latest ? "latest" : "earliest";
      if (one.offset < before)
        lines_.add(fmt::format("list-offsets: the {} offset of {} was {} and then {}", what,
                               one.partition, before, one.offset));
      if (one.latest && one.offset < one.floor)
        lines_.add(fmt::format("list-offsets: the latest offset of {} is {}, {} was acknowledged",
                               one.partition, one.offset, one.floor));
      before = std::max(before, one.offset);
    }
  }

  // The first record that is not older stays, and what is written comes behind it.
  void check_times() {
    std::map<std::pair<PartitionName, bool>, std::vector<const TimedOffset*>> before;
    for (const auto& one : history_.by_time) {
      if (one.offset >= 0 && one.timestamp < one.asked)
        lines_.add(fmt::format("list-offsets: {}/{} is of {}, older than {}", one.partition,
                               one.offset, one.timestamp, one.asked));
      auto& earlier = before[{one.partition, one.committed}];
      for (const TimedOffset* then : earlier) {
        const bool fell = then->asked <= one.asked && one.offset >= 0 && one.offset < then->offset;
        const bool is_gone = then->asked >= one.asked && one.offset < 0 && !one.compacted;
        if (fell || is_gone)
          lines_.add(fmt::format("list-offsets: time {} of {} was at {}, and then {} at {}",
                                 then->asked, one.partition, then->offset, one.asked, one.offset));
      }
      if (one.offset >= 0) earlier.push_back(&one);
    }
  }

  void check_epoch_ends() {
    std::map<std::pair<PartitionName, std::int32_t>, const EpochEnd*> first;
    for (const auto& one : history_.epoch_ends) {
      const auto& before = *first.try_emplace({one.partition, one.asked}, &one).first->second;
      if (one.epoch != before.epoch || one.end != before.end)
        lines_.add(fmt::format("epoch: {} of {} ended at {} (as {}), and then at {} (as {})",
                               one.asked, one.partition, before.end, before.epoch, one.end,
                               one.epoch));
      if (one.epoch > one.asked)
        lines_.add(
            fmt::format("epoch: asked for {} of {}, told {}", one.asked, one.partition, one.epoch));
    }
    for (const auto& [key, one] : first) {
      const auto log = history_.epochs.find(one->partition);
      if (log == history_.epochs.end()) continue;
      for (const auto& [offset, epoch] : log->second)
        if (offset < one->end ? epoch > one->epoch : epoch <= one->asked)
          lines_.add(fmt::format("epoch: {} of {} ended at {}, but {} is of {}", one->asked,
                                 one->partition, one->end, offset, epoch));
    }
  }

  const TransactionHistory& history_;
  AnomalyLines& lines_;
};

}  // namespace

void check_polls(const TransactionHistory& history, AnomalyLines& lines) {
  Checker(history, lines).run();
}

}  // namespace weir::tests
