#include "log/damage.h"

#include <algorithm>
#include <optional>
#include <string>

#include "log/batch.h"
#include "log/leader_epochs.h"
#include "log/segment.h"

namespace weir::log {
namespace {

constexpr std::size_t window_bytes = 1U << 20U;

/// A file read forward in windows, with any place of it at hand.
class Window {
 public:
  Window(const io::File& file, std::uint64_t end) : file_(file), end_(end) {}

  /// At least `size` bytes from `at` on, or all up to the end.
  Result<std::string_view> from(std::uint64_t at, std::size_t size) {
    size = static_cast<std::size_t>(std::min<std::uint64_t>(size, end_ - at));
    if (at < begin_ || at + size > begin_ + bytes_.size()) {
      bytes_.resize(static_cast<std::size_t>(
          std::min<std::uint64_t>(std::max(size, window_bytes), end_ - at)));
      auto got = file_.read_at(at, bytes_.data(), bytes_.size());
      if (!got) return fail(got.error());
      bytes_.resize(*got);
      begin_ = at;
    }
    return std::string_view(bytes_).substr(static_cast<std::size_t>(at - begin_));
  }

 private:
  const io::File& file_;
  std::uint64_t end_;
  std::uint64_t begin_ = 0;
  std::string bytes_;
};

/// The batch at `at`, if a whole one that belongs into [expected, end) stands there.
Result<std::string_view> batch_at_place(Window& window, std::uint64_t at, std::uint64_t bytes,
                                        Offset expected, Offset end, const LeaderEpochs* epochs) {
  auto head = window.from(at, batch_header_bytes);
  if (!head) return head;
  if (head->size() < batch_header_bytes) return std::string_view();
  const BatchHeader header(*head);
  const std::int64_t total = header.total_bytes();
  if (header.magic() != kafka::batch_magic ||
      total < static_cast<std::int64_t>(batch_header_bytes) ||
      static_cast<std::uint64_t>(total) > bytes - at || !header.offsets_are_possible() ||
      header.base_offset() < expected || header.last_offset() >= end ||
      (epochs != nullptr && header.leader_epoch() != epochs->at(header.base_offset())))
    return std::string_view();
  auto whole = window.from(at, static_cast<std::size_t>(total));
  if (!whole) return whole;
  return whole_batch(*whole);
}

/// More runs than this come of no damage that could be sorted out: the first ones count.
constexpr std::size_t most_runs = 4096;

/// Those runs that are in their place. A block that came from elsewhere in the segment holds whole
/// batches too; but in its place the most batches rise from run to run.
std::vector<BatchRun> in_place(const std::vector<BatchRun>& runs) {
  constexpr std::size_t none = SIZE_MAX;
  std::vector<std::uint64_t> weight(runs.size());
  std::vector<std::size_t> before(runs.size(), none);
  std::size_t best = none;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const std::uint64_t own = 2 * runs[i].batches;
    weight[i] = own;
    for (std::size_t j = 0; j < i; ++j) {
      if (runs[j].last >= runs[i].base) continue;
      // Between equals the one that leaves no hole.
      const std::uint64_t sum = weight[j] + own + (runs[j].last + 1 == runs[i].base ? 1 : 0);
      if (sum <= weight[i]) continue;
      weight[i] = sum;
      before[i] = j;
    }
    if (best == none || weight[i] > weight[best]) best = i;
  }
  std::vector<BatchRun> out;
  for (std::size_t i = best; i != none; i = before[i]) out.push_back(runs[i]);
  std::reverse(out.begin(), out.end());
  return out;
}

Result<std::vector<BatchRun>> find_runs(const io::File& log, Offset base, Offset end,
                                        std::uint64_t bytes, bool gaps,
                                        const LeaderEpochs* epochs) {
  std::vector<BatchRun> runs;
  Window window(log, bytes);
  for (std::uint64_t at = 0; at < bytes;) {
    auto batch = batch_at_place(window, at, bytes, base, end, epochs);
    if (!batch) return fail(batch.error());
    if (batch->empty()) {
      ++at;
      continue;
    }
    const BatchHeader header(*batch);
    const Offset first = header.base_offset();
    const bool goes_on = !runs.empty() && runs.back().end == at &&
                         (gaps ? first > runs.back().last : first == runs.back().last + 1);
    if (!goes_on) {
      if (runs.size() == most_runs) break;
      runs.push_back({.at = at, .base = first});
    }
    at += batch->size();
    runs.back().end = at;
    runs.back().last = header.last_offset();
    ++runs.back().batches;
  }
  return runs;
}

}  // namespace

Result<VerifiedSegment> verify_segment(const io::File& log, Offset base, Offset end,
                                       std::uint64_t bytes, bool gaps, const LeaderEpochs* epochs) {
  auto runs = find_runs(log, base, end, bytes, gaps, epochs);
  if (!runs) return fail(runs.error());
  VerifiedSegment out;
  out.next = base;
  out.whole = in_place(*runs);
  for (const BatchRun& run : out.whole) {
    if (run.at > out.bytes || (run.base > out.next && !gaps))
      out.damage.push_back({.at = out.bytes, .end = run.at, .from = out.next, .to = run.base});
    out.next = run.last + 1;
    out.batches += run.batches;
    out.bytes = run.end;
  }
  return out;
}

bool CheckedBytes::covers(std::uint64_t at, std::uint64_t end) const {
  end = std::min(end, own_from_);
  if (at >= end) return true;
  auto after = ranges_.upper_bound(at);
  return after != ranges_.begin() && std::prev(after)->second >= end;
}

void CheckedBytes::add(std::uint64_t at, std::uint64_t end) {
  auto first = ranges_.upper_bound(at);
  if (first != ranges_.begin() && std::prev(first)->second >= at) --first;
  while (first != ranges_.end() && first->first <= end) {
    at = std::min(at, first->first);
    end = std::max(end, first->second);
    first = ranges_.erase(first);
  }
  ranges_.emplace(at, end);
}

Result<bool> is_whole(const io::File& log, const SegmentView& segment, std::uint64_t at,
                      std::uint64_t size, bool gaps, const LeaderEpochs* epochs) {
  Window window(log, at + size);
  Offset expected = segment.base;
  bool first = true;
  for (const std::uint64_t end = at + size; at < end;) {
    auto batch = batch_at_place(window, at, end, expected, segment.next, epochs);
    if (!batch) return fail(batch.error());
    if (batch->empty()) return false;
    const BatchHeader header(*batch);
    if (!first && !gaps && header.base_offset() != expected) return false;
    first = false;
    expected = header.last_offset() + 1;
    at += batch->size();
  }
  return true;
}

}  // namespace weir::log
