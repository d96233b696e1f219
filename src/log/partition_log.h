// One partition: offsets, the tail in memory, segments on disk, producers, leader epochs.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "io/net.h"
#include "log/aborted.h"
#include "log/leader_epochs.h"
#include "log/producer_state.h"
#include "log/segment.h"

namespace weir::log {

class LogStore;

/// The topic settings that the log itself honours, under Kafka's names.
struct PartitionSettings {
  std::uint64_t segment_bytes = 1U << 30U;
  std::int64_t segment_ms = 604'800'000;
  std::uint64_t segment_index_bytes = 10U << 20U;
  std::uint64_t index_interval_bytes = 4096;
  std::int64_t retention_ms = 604'800'000;  // -1: never
  std::int64_t retention_bytes = -1;        // -1: no limit
  std::int64_t segment_jitter_ms = 0;
  std::int64_t file_delete_delay_ms = 60'000;
  bool remove = true;    // cleanup.policy has delete: retention by time and size
  bool compact = false;  // cleanup.policy has compact
  double min_cleanable_dirty_ratio = 0.5;
  std::int64_t min_compaction_lag_ms = 0;
  std::int64_t max_compaction_lag_ms = INT64_MAX;
  std::int64_t delete_retention_ms = 86'400'000;
};

struct PartitionSpec {
  PartitionId id;
  std::string topic;
  PartitionSettings settings;
  /// It is state that somebody reads at every start: all of it is checked before that, and damage
  /// is mended or known (see lost()) when it is read.
  bool read_whole = false;
  /// "topic-3": the folder's name.
  std::string folder_name() const;
};

struct Appended {
  Offset base_offset;
  std::int64_t timestamp = -1;  // the batch's largest
  bool duplicate = false;       // it was there already; base_offset is the original one
};
using AppendDone = std::move_only_function<void(Result<Appended>)>;

/// What a reader wants to see: everything that is durable, or only what is decided. Of the latter,
/// what was aborted is handed out too, with the list of it.
enum class Isolation : std::uint8_t { uncommitted, committed };

struct ReadLimits {
  std::uint64_t max_bytes = 0;
  bool at_least_one = false;  // one batch, whatever its size
  Isolation isolation = Isolation::uncommitted;
};
/// Whole batches, in order, to be sent as they are.
struct ReadData {
  std::vector<io::OutPiece> pieces;
  std::uint64_t bytes = 0;
  std::vector<AbortedTransaction> aborted;  // Isolation::committed: those that overlap it
};
using ReadDone = std::move_only_function<void(Result<ReadData>)>;

struct TimeMatch {
  Offset offset{-1};
  std::int64_t timestamp = -1;
  LeaderEpoch epoch{-1};
};
/// Finds the first record of a batch with at least `timestamp`; the log knows batches, not records.
using RecordByTime =
    std::function<Result<std::optional<TimeMatch>>(std::string_view batch, std::int64_t timestamp)>;
using TimeDone = std::move_only_function<void(Result<std::optional<TimeMatch>>)>;

class PartitionLog;

/// A batch on its way to the disk, and what to go back to if it does not get there.
struct PendingAppend {
  std::shared_ptr<PartitionLog> partition;
  Offset base{0};
  Offset last{0};
  std::int64_t max_timestamp = -1;
  Slice bytes;
  enum class Kind : std::uint8_t { plain, idempotent, end_of_transaction };
  Kind kind = Kind::plain;
  ProducedSequence sequence;  // of a marker: the producer alone
  std::optional<ProducerEntry> producer_before;
};

/// Owner: its LogStore. Threads: the loop.
///
/// Offsets: log_start() <= high_watermark() <= next_offset(). Below the high watermark everything
/// is synced; [high_watermark, next_offset) is on its way to the disk and invisible. Below
/// last_stable_offset() <= high_watermark() every transaction is decided, by a marker that is
/// synced.
class PartitionLog {
 public:
  PartitionLog(LogStore& store, PartitionSpec spec);

  const PartitionSpec& spec() const { return spec_; }
  Offset log_start() const { return log_start_; }
  Offset high_watermark() const { return high_watermark_; }
  Offset next_offset() const { return next_offset_; }
  Offset last_stable_offset() const {
    return std::max(log_start_,
                    std::min(high_watermark_, producers_.first_undecided(high_watermark_)));
  }
  /// The end of what a reader may see.
  Offset end_for(Isolation isolation) const {
    return isolation == Isolation::committed ? last_stable_offset() : high_watermark_;
  }
  const ProducerStates& producers() const { return producers_; }
  /// Offsets [from, to) that damage took, apart and in order.
  const std::vector<std::pair<Offset, Offset>>& lost() const { return lost_; }
  const LeaderEpochs& leader_epochs() const { return epochs_; }
  /// The epoch that appends are written in: the folder's.
  LeaderEpoch leader_epoch() const;
  std::uint64_t size_bytes() const;
  /// Below it every key has had its older records compacted away; of a compacted partition.
  Offset clean_end() const { return clean_end_; }
  /// Why compaction leaves it alone until the next start: damage that it met.
  const std::optional<Error>& uncleanable() const { return uncleanable_; }
  /// Set once the partition cannot be written or read; every call answers with it.
  const std::optional<Error>& fenced() const { return fenced_; }
  void change_settings(const PartitionSettings& settings) { spec_.settings = settings; }

  /// Appends one batch that has been validated. Its base offset and leader epoch are written into
  /// it; nobody else may read the bytes before `done`. `done` is called when it is synced, or with
  /// kafka_storage_error, or at once with the verdict on its sequence (see ProducerStates). A
  /// duplicate is answered when the original is synced. `epoch_a_transaction`: see there.
  void append(Slice batch, AppendDone done, bool epoch_a_transaction = false);
  /// Appends the marker that ends a transaction. One that stands here already is answered like a
  /// duplicate. What was appended before it, to any partition of the store, is durable before it.
  void append_end(const TransactionEnd& end, AppendDone done);

  /// Batches from the one that holds `offset` on, below end_for(limits.isolation).
  /// offset_out_of_range outside [log_start, next_offset]. `done` at once when the tail serves it.
  void read(Offset offset, const ReadLimits& limits, ReadDone done);
  /// Bytes a reader at `offset` would get, counted up to `enough`.
  std::uint64_t readable_bytes(Offset offset, std::uint64_t enough, Isolation isolation) const;

  /// The first record with a timestamp of at least `timestamp`.
  void find_by_time(std::int64_t timestamp, RecordByTime in_batch, TimeDone done);
  /// The record with the largest timestamp (ListOffsets -3), by the same means.
  void find_max_timestamp(RecordByTime in_batch, TimeDone done);

 private:
  friend class LogStore;
  friend class Recovery;

  struct TailBatch {
    Offset base;
    Offset last;
    std::int64_t max_timestamp;
    Slice bytes;
  };
  struct Waiter {
    Offset last;
    Appended answer;
    AppendDone done;
  };

  void wait_for(Offset last, const Appended& answer, AppendDone done);
  /// The batch is synced: it becomes readable.
  void make_readable(Offset base, Offset last, std::int64_t max_timestamp, Slice bytes);
  void answer_waiters();
  void fail_waiters(const Error& error);
  std::size_t unflushed() const { return tail_.size() - flushed_in_tail_; }
  /// The last segment that begins at or before `offset`.
  std::optional<std::size_t> segment_for(Offset offset) const;
  void undo(const PendingAppend& append);
  std::optional<Error> read_fault(Offset offset) const;
  /// Compaction has been here, or may have.
  bool may_have_gaps() const { return spec_.settings.compact || clean_end_.value > 0; }
  bool is_cut(const SegmentView& view) const;
  void note_damage(const SegmentView& view);
  void add_lost(Offset from, Offset to);
  void remove_lost(Offset from, Offset to);
  void save_lost();
  void read_segment(std::size_t index, Offset offset, const ReadLimits& limits, ReadDone done);
  ReadData read_tail(Offset offset, const ReadLimits& limits) const;
  /// `end`: of a marker.
  void put(PendingAppend append, Slice batch, AppendDone done, const TransactionEnd* end = nullptr);
  /// Of [from, to), or of a part of it: segment `index` is the first with a marker at or behind
  /// `from`.
  AbortedSearch aborted_between(std::size_t index, Offset from, Offset to) const;
  void note_end(const TransactionEnd& end, Offset marker, MonoTime now);
  void forget_aborted(Offset below);
  std::string stem(Offset base) const;

  LogStore& store_;
  PartitionSpec spec_;
  std::string folder_;
  Offset log_start_{0};
  Offset high_watermark_{0};
  Offset next_offset_{0};
  std::deque<Segment> segments_;
  std::deque<TailBatch> tail_;
  std::size_t flushed_in_tail_ = 0;  // the front of the tail that segments hold too
  std::deque<Waiter> waiters_;       // by offset
  LeaderEpochs epochs_;
  ProducerStates producers_;
  /// Aborted transactions whose marker is at or behind aborted_from_, in memory; the `.txnindex` of
  /// the segments has those before it, too.
  std::deque<AbortedTransaction> aborted_;
  Offset aborted_from_{0};
  std::vector<std::pair<Offset, Offset>> lost_;  // [from, to) that damage took; apart, in order
  std::optional<Error> fenced_;
  /// Fenced for an exchange by compaction that the next start completes: neither read nor appended
  /// to, but what was acknowledged still goes to its segment.
  bool half_exchanged_ = false;
  bool is_shut() const { return fenced_ && !half_exchanged_; }
  bool folder_made_ = false;
  bool names_unsynced_ = false;  // files were made since the last checkpoint
  bool in_flush_list_ = false;
  bool in_flush_ = false;  // a flush writes to its segments: none of them may go
  bool deleted_ = false;
  bool repairing_ = false;
  bool swapping_ = false;  // compaction exchanges files: reads wait
  std::vector<std::move_only_function<void()>> after_swap_;
  Offset clean_end_{0};                      // below it compaction has been
  std::optional<Error> uncleanable_;         // why compaction leaves it alone, until a restart
  Offset snapshot_at_{-1};                   // of the newest producer snapshot
  std::size_t epochs_written_ = 0;           // entries in the file
  std::optional<std::uint32_t> epochs_crc_;  // of the file
  bool epochs_trusted_ = true;               // they are not guessed from the batches
};

/// "offsets 3 to 5" of [3, 6).
std::string offsets_text(Offset from, Offset to);
/// The file that remembers which offsets are gone: rows FROM TO.
std::string lost_offsets_text(const std::vector<std::pair<Offset, Offset>>& lost);

}  // namespace weir::log
