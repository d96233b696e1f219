#include "log/leader_epochs.h"

#include <algorithm>

#include <fmt/core.h>

#include "base/crc32c.h"
#include "log/checkpoint_file.h"

namespace weir::log {

void LeaderEpochs::add(LeaderEpoch epoch, Offset start) {
  if (epoch <= latest()) return;
  entries_.push_back({epoch, start});
}

void LeaderEpochs::cut(Offset end) {
  while (!entries_.empty() && entries_.back().start >= end) entries_.pop_back();
}

LeaderEpoch LeaderEpochs::at(Offset offset) const {
  const auto after = std::upper_bound(entries_.begin(), entries_.end(), offset,
                                      [](Offset o, const Entry& entry) { return o < entry.start; });
  return after == entries_.begin() ? LeaderEpoch(-1) : std::prev(after)->epoch;
}

LeaderEpochs::End LeaderEpochs::end_of(LeaderEpoch epoch, Offset log_end) const {
  if (entries_.empty()) return {};
  if (epoch == latest()) return {epoch, log_end};
  if (epoch > latest()) return {};
  for (std::size_t i = entries_.size(); i-- > 0;) {
    if (entries_[i].epoch > epoch) continue;
    return {entries_[i].epoch, i + 1 < entries_.size() ? entries_[i + 1].start : log_end};
  }
  return {epoch, entries_.front().start};  // older than what we know: nothing of it is left
}

bool LeaderEpochs::go_back_to(std::uint32_t crc) {
  LeaderEpochs older = *this;
  for (std::size_t newer = 0; newer <= most_newer; ++newer) {
    if (crc32c(older.encode()) == crc) {
      *this = std::move(older);
      return true;
    }
    if (older.entries_.empty()) break;
    older.entries_.pop_back();
  }
  return false;
}

std::string LeaderEpochs::encode() const {
  std::string out = fmt::format("0\n{}\n", entries_.size());
  for (const auto& entry : entries_)
    out += fmt::format("{} {}\n", entry.epoch.value, entry.start.value);
  return out;
}

Result<LeaderEpochs> LeaderEpochs::decode(std::string_view text) {
  auto rows = CheckpointRows::open(text);
  if (!rows) return fail(rows.error());
  LeaderEpochs epochs;
  constexpr std::size_t row_bytes = 4;  // "0 0\n"
  epochs.entries_.reserve(std::min(rows->rows_left(), text.size() / row_bytes));
  while (rows->next()) {
    const CheckpointRows& row = *rows;
    std::int64_t epoch = 0;
    std::int64_t start = 0;
    if (row.size() != 2 || !parse_number(row[0], epoch) || !parse_number(row[1], start) ||
        epoch > INT32_MAX)
      return fail(Errc::malformed, "leader-epoch-checkpoint: want rows of epoch and offset");
    epochs.add(LeaderEpoch(static_cast<std::int32_t>(epoch)), Offset(start));
  }
  return epochs;
}

}  // namespace weir::log
