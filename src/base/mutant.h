// Planted bugs, for the proof that the simulator finds them. In every build that is not made with
// WEIR_MUTANTS, mutant(x) is the constant false and nothing of them is compiled in.
#pragma once

#include <cstdint>

namespace weir {

enum class Mutant : std::uint8_t {
  none,
  acknowledge_before_write,    // replies leave when the write is asked for
  high_watermark_before_sync,  // readers see what is not synced
  recovery_without_sync,       // recovery serves what it found without making it durable
  believe_failed_sync,         // a sync that failed counts as done
  no_directory_sync,           // names of new files are not made durable
  forget_last_batches,         // the memory of a producer's last five batches is dropped
  tombstones_not_mapped,       // compaction keeps the value that a tombstone deleted
  believe_jumped_clock,        // retention goes by a wall clock that jumped
  generation_not_raised,       // a group assigns its partitions anew under the old generation
  commit_checked_again,        // a commit that was applied is answered with an error
  offsets_before_durable,      // a commit can be fetched before it is synced
  duplicates_across_epochs,    // a batch of a new epoch is taken for one of an older
  stable_is_high_watermark,    // readers of committed data see what is not decided
  no_marker_before_fence,      // a new owner begins before its predecessor's transaction has ended
  reply_before_state,          // the coordinator answers before its state is durable
  leader_epoch_not_raised,     // an unclean start goes on in the epoch of the life before
  no_sync,                     // the write-ahead log is never synced
  pending_offset_lost,         // offsets of a committed transaction are dropped
  late_end_accepted,           // EndTxn of an earlier epoch ends the present transaction
  cut_at_damage,               // a log is cut where a batch in its middle is damaged
  member_not_checked,          // offsets in a transaction count whoever commits them
  offsets_beside_transaction,  // a stream thread commits its offsets before its transaction
  store_before_commit,         // a stream task's changes enter its store before they are committed
  no_member_in_commit,         // a stream thread does not say which member commits
  operator_time_forgotten,     // a stream task begins with the time of no record
  changelog_expires,           // changelogs are deleted by the wall clock
  merged_session_stays,        // a changelog does not say that a session became part of another
  given_row_stays,             // a changelog does not say that what waited was given on
  hash_says_nothing,           // an answer about a value that a row had before counts
};

#ifdef WEIR_MUTANTS
inline Mutant active_mutant = Mutant::none;  // set by a test before anything runs
inline bool mutant(Mutant which) { return active_mutant == which; }
#else
constexpr bool mutant(Mutant) { return false; }
#endif

}  // namespace weir
