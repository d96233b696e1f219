#include "planted_bugs.h"

#include "simulation.h"

#ifndef WEIR_MUTANTS
#error "planted bugs are compiled in with WEIR_MUTANTS only"
#endif

namespace weir::tests {

std::span<const PlantedBug> planted_bugs() {
  using enum Mutant;
  static constexpr PlantedBug all[] = {
      {no_sync, "no_sync"},
      {acknowledge_before_write, "acknowledge_before_write"},
      {high_watermark_before_sync, "high_watermark_before_sync"},
      {duplicates_across_epochs, "duplicates_across_epochs"},
      {forget_last_batches, "forget_last_batches"},
      {stable_is_high_watermark, "stable_is_high_watermark"},
      {no_marker_before_fence, "no_marker_before_fence"},
      {late_end_accepted, "late_end_accepted"},
      {reply_before_state, "reply_before_state"},
      {cut_at_damage, "cut_at_damage"},
      {believe_failed_sync, "believe_failed_sync"},
      {no_directory_sync, "no_directory_sync"},
      {recovery_without_sync, "recovery_without_sync"},
      {pending_offset_lost, "pending_offset_lost"},
      {leader_epoch_not_raised, "leader_epoch_not_raised"},
      {member_not_checked, "member_not_checked"},
      {generation_not_raised, "generation_not_raised"},
      {commit_checked_again, "commit_checked_again"},
      {offsets_before_durable, "offsets_before_durable"},
      {tombstones_not_mapped, "tombstones_not_mapped"},
      {believe_jumped_clock, "believe_jumped_clock"},
  };
  return all;
}

FoundBug find_bug(Mutant bug, std::uint64_t first, std::uint64_t most) {
  active_mutant = bug;
  FoundBug found;
  for (std::uint64_t n = 1; n <= most && found.seeds == 0; ++n)
    if (const auto result = simulate(first + n - 1); !result.anomalies.empty())
      found = {.seeds = n, .anomaly = result.anomalies.front()};
  active_mutant = Mutant::none;
  return found;
}

}  // namespace weir::tests
