// What simulated runs went through, by name; summed over runs and held against minimums.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::tests {

enum class Count : std::uint8_t {
  runs,
  operations,
  acknowledged,
  repeated_batches,
  forged_requests,
  replayed_requests,
  late_deliveries,
  cut_connections,
  crashes,
  crashes_in_recovery,
  crashes_in_compaction,
  torn_writes,
  lost_renames,
  lost_names,
  failed_syncs,
  failed_calls,
  repairs,
  clock_jumps,
  damaged_batches,
  fetch_session_answers,
  times_listed,
  epoch_ends,
  // Transactions.
  commits,
  aborts,
  unknown_ends,
  timed_out,
  fenced,
  transactional_offsets,
  refused_transactional_offsets,
  rebalances_in_a_commit,
  cut_empty,
  cut_ongoing,
  cut_prepare_commit,
  cut_prepare_abort,
  cut_complete,
  found_open,
  found_prepared,
  native_records,
  native_transactions,
  native_stream_transactions,
  // Groups.
  generations,
  assignments,
  offset_commits,
  refused_commits,
  failed_commits,
  lost_commits,
  offsets_fetched,
  leaves,
  stalls,
  static_returns,
  kept_generations,
  resumed,
  native_assignments,
  native_commits,
  native_refused_commits,
  native_losses,
  // Compaction.
  compactions,
  records_compacted,
  keys_gone,
};
inline constexpr std::size_t counts = 59;

std::string_view name_of(Count count);

class Counters {
 public:
  std::uint64_t& operator[](Count count) { return values_[static_cast<std::size_t>(count)]; }
  std::uint64_t operator[](Count count) const { return values_[static_cast<std::size_t>(count)]; }
  void add(const Counters& other);
  /// Those that are not 0, "12 crashes, 3 aborts".
  std::string to_string() const;

 private:
  std::array<std::uint64_t, counts> values_{};
};

/// What runs must have gone through to prove anything: so much in each, on average.
struct Minimum {
  Count count{};
  double per_run = 0;
};
/// A line for each that is missed.
std::vector<std::string> missed(const Counters& total, std::span<const Minimum> minimums);

}  // namespace weir::tests
