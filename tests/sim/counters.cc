#include "counters.h"

#include <fmt/core.h>

#include <iterator>

namespace weir::tests {
namespace {

constexpr std::string_view names[] = {
    "runs",
    "requests answered",
    "batches acknowledged",
    "batches repeated",
    "requests forged",
    "requests sent again by another",
    "deliveries late",
    "connections cut",
    "crashes",
    "crashes in recovery",
    "crashes in a compaction",
    "writes torn",
    "renames lost",
    "names lost",
    "syncs failed",
    "calls failed",
    "segments repaired",
    "clock jumps",
    "batches damaged",
    "answers in fetch sessions",
    "offsets listed by time",
    "ends of epochs told",
    "transactions committed",
    "transactions aborted",
    "transactions of unknown end",
    "transactions timed out",
    "producers fenced",
    "offsets committed in transactions",
    "offsets refused in transactions",
    "rebalances in a commit",
    "ids cut while empty",
    "transactions cut while ongoing",
    "transactions cut while preparing to commit",
    "transactions cut while preparing to abort",
    "transactions cut while complete",
    "transactions found open by a start",
    "transactions found prepared by a start",
    "records of weir's client",
    "transactions of weir's client",
    "transactions of weir's client in a stream",
    "generations",
    "assignments",
    "offset commits",
    "offset commits refused",
    "offset commits failed",
    "offset commits lost",
    "offsets fetched",
    "members left",
    "members stalled",
    "static members back",
    "static members back without a rebalance",
    "members that went on after a restart",
    "assignments to weir's client",
    "offset commits of weir's client",
    "offset commits of weir's client refused",
    "losses of partitions told to weir's client",
    "compactions",
    "records compacted away",
    "keys gone with their tombstone",
};
static_assert(std::size(names) == counts);
static_assert(static_cast<std::size_t>(Count::keys_gone) + 1 == counts);

}  // namespace

std::string_view name_of(Count count) { return names[static_cast<std::size_t>(count)]; }

void Counters::add(const Counters& other) {
  for (std::size_t i = 0; i < counts; ++i) values_[i] += other.values_[i];
}

std::string Counters::to_string() const {
  std::string text;
  for (std::size_t i = 0; i < counts; ++i)
    if (values_[i] > 0)
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", values_[i], names[i]);
  return text;
}

std::vector<std::string> missed(const Counters& total, std::span<const Minimum> minimums) {
  std::vector<std::string> lines;
  const auto runs = static_cast<double>(total[Count::runs]);
  for (const auto& [count, per_run] : minimums)
    // So few runs that not one in all is asked for say nothing of what is rare.
    if (per_run * runs >= 1 && static_cast<double>(total[count]) < per_run * runs)
      lines.push_back(fmt::format("{} {} in {} runs, at least {} in each are asked for",
                                  total[count], name_of(count), runs, per_run));
  return lines;
}

}  // namespace weir::tests
