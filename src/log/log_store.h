// A data folder: the write-ahead log, the partitions, and the cycles that make appends durable.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/runtime.h"
#include "log/checkpoint_file.h"
#include "log/pacing.h"
#include "log/partition_log.h"
#include "log/wal_writer.h"
#include "metrics/instruments.h"

namespace weir::log {

/// Bounds and sizes. Kafka has no names for these: it has no such log.
struct LogOptions {
  std::string folder;
  std::int32_t node_id = 1;
  /// Of the whole folder: WAL bytes not yet in synced segments. At the limit appends wait for a
  /// checkpoint; while checkpoints fail they are refused with kafka_storage_error.
  std::uint64_t wal_limit_bytes = 256U << 20U;
  std::uint64_t wal_file_bytes = 32U << 20U;
  std::uint64_t wal_first_file_bytes = 1U << 20U;
  std::uint64_t checkpoint_bytes = 64U << 20U;  // WAL bytes after which a checkpoint begins
  Duration checkpoint_interval = std::chrono::seconds(60);
  std::uint64_t cycle_bytes = 16U << 20U;  // of one WAL record, but for a single larger batch
  PacingOptions pacing = {};
  std::uint64_t gather_bytes = 128U << 20U;  // waiting for a cycle; beyond it appends are refused
  /// Of the tail, before it goes to segments. The copy takes a core for a moment: little and often.
  std::uint64_t flush_bytes = 4U << 20U;
  /// Of each partition in the mean: with many of them a flush waits for more, up to
  /// flush_most_bytes.
  std::uint64_t flush_partition_bytes = 16U << 10U;
  std::uint64_t flush_most_bytes = 16U << 20U;
  std::uint64_t tail_cache_bytes = 16U << 20U;  // of batches kept in memory for readers
  Duration retention_interval = std::chrono::minutes(5);
  Duration producer_expiration = std::chrono::hours(24);
  Duration compaction_interval = std::chrono::seconds(15);  // between looks for something to do
  /// Of the keys of one round (log.cleaner.dedupe.buffer.size); what does not fit waits for the
  /// next.
  std::size_t compaction_map_bytes = 128U << 20U;
  /// Read and written together (log.cleaner.io.max.bytes.per.second).
  double compaction_bytes_per_second = 1e18;
  std::uint64_t compaction_step_bytes = 1U << 20U;  // between two looks at what else happened
  /// The wall clock may part from the monotonic one by this much before retention by time stops.
  Duration clock_tolerance = std::chrono::hours(1);
  /// At the start, every byte of every segment, not only what may be torn: damage is found then,
  /// and mended while the write-ahead log may still help.
  bool read_all_segments = false;
};

/// What opening found out, for the log and for tests.
struct RecoveryReport {
  bool clean = false;
  std::uint64_t records = 0;  // WAL records read back
  std::uint64_t batches = 0;  // of them, written to segments again
  std::uint64_t torn_bytes = 0;
  std::uint64_t mended_batches = 0;  // damaged in one place, taken from another
  std::vector<std::string> damage;   // what is lost, and what was
};

struct LogCounters {
  std::uint64_t cycles = 0;
  std::uint64_t batches = 0;
  std::uint64_t bytes = 0;
  std::uint64_t flushes = 0;
  std::uint64_t checkpoints = 0;
  std::uint64_t failed_cycles = 0;
  std::uint64_t repairs = 0;
  std::uint64_t damaged_ranges = 0;  // found while reading
  std::uint64_t mended_batches = 0;  // of them, found in the write-ahead log
  std::uint64_t compactions = 0;
  std::uint64_t failed_compactions = 0;
  std::uint64_t compacted_bytes_read = 0;
  std::uint64_t compacted_bytes_written = 0;
  std::uint64_t compacted_records = 0;  // dropped because a newer one of the key is there
  std::uint64_t keyless_records_dropped = 0;
  std::uint64_t aborted_records_dropped = 0;
  Duration last_checkpoint{};
  metrics::Histogram cycle_duration;  // one write and one sync of the write-ahead log
  metrics::Histogram checkpoint_duration;
};

/// Owner: a broker. Threads: its loop. Order of life: open, start, use, close.
class LogStore {
 public:
  /// Locks the folder (made if missing), reads its identity and checkpoints, and recovers the
  /// partition `metadata` alone, so that its records can say which others there are.
  static Result<std::unique_ptr<LogStore>> open(io::Runtime& runtime, LogOptions options,
                                                PartitionSpec metadata);
  ~LogStore();

  /// Calls `each` with every batch of the partition, in order; known damage is passed over. Blocks;
  /// before or after start().
  Result<void> for_each_batch(PartitionLog& partition,
                              const std::function<Result<void>(std::string_view batch)>& each);
  /// Partitions that have a folder here, as the folder says, in the order of its names; for who has
  /// lost what he knew of them. Blocks.
  struct FoundPartition {
    PartitionId id;
    std::string topic;
  };
  Result<std::vector<FoundPartition>> find_partitions();
  /// The folder comes from a backup, and nobody has left room yet for what that did not know.
  bool restored() const { return restored_; }
  /// Somebody has. Removes the mark in the background.
  void forget_restored();
  /// Recovers these partitions; folders of others are left alone and named in the log.
  Result<void> start(std::vector<PartitionSpec> partitions);

  /// A new, empty partition. Its folder appears with its first flush.
  PartitionLog& add(PartitionSpec spec);
  /// The partition is gone: waiting appends fail, its files are removed in the background.
  void remove(const PartitionId& id);
  PartitionLog* find(const PartitionId& id);
  PartitionLog& metadata() { return *metadata_; }

  /// Called on the loop whenever a partition's high watermark has moved, or it was fenced.
  void on_change(std::function<void(PartitionLog&)> callback) { on_change_ = std::move(callback); }

  /// Refuses appends from now on, ends the cycle under way, flushes, checkpoints and leaves the
  /// mark of a clean stop. `done` once; the store may be destroyed in it.
  void close(std::function<void(Result<void>)> done);

  /// Flushes and syncs segments, writes the checkpoint, releases WAL files. `done` on the loop.
  void checkpoint(std::move_only_function<void(Result<void>)> done = {});
  /// Removes what retention does not keep, now.
  void apply_retention();
  /// Begins to compact the partition that is most in need of it, unless one is under way.
  void compact_most_dirty();
  bool compacting() const { return clean_job_ != nullptr; }
  /// Damage was found while reading, and the write-ahead log may have what it took.
  bool mending() const { return searches_ > 0 || !to_mend_.empty() || mend_job_ != nullptr; }
  /// Moves the log start up to `before` (at most the high watermark). `done` with the log start,
  /// once it is durable; offset_out_of_range beyond the high watermark.
  void delete_records(const PartitionId& id, Offset before,
                      std::move_only_function<void(Result<Offset>)> done);
  /// Confirms the wall clock after a jump that stopped retention by time.
  void confirm_clock();

  const Uuid& cluster_id() const { return cluster_id_; }
  const Uuid& directory_id() const { return directory_id_; }
  LeaderEpoch leader_epoch() const { return leader_epoch_; }
  const RecoveryReport& recovery() const { return report_; }
  const LogCounters& counters() const { return counters_; }
  const LogOptions& options() const { return options_; }
  std::uint64_t wal_held_bytes() const { return wal_->held_bytes(); }
  /// Of batches in memory: waiting for a cycle; in the tails, in segments already or not.
  std::uint64_t gathering_bytes() const { return gathering_bytes_; }
  std::uint64_t tail_bytes() const { return unflushed_bytes_ + cached_bytes_; }
  /// Retention by time stands still, because the wall clock jumped.
  bool clock_disbelieved() const { return time_retention_stopped_; }
  io::Runtime& runtime() { return runtime_; }

 private:
  friend class PartitionLog;
  friend class Recovery;

  using Append = PendingAppend;
  /// A file that is not needed once a checkpoint is durable, and how long readers may have it.
  struct Removal {
    std::string path;
    Duration delay;
  };
  struct FlushJob;
  struct CheckpointJob;
  struct CleanJob;
  struct MendJob;
  struct Dirty {
    Offset from{0};
    Offset end{0};
    std::size_t segments = 0;  // from the front, clean ones too
    double ratio = 0;          // of bytes
    bool overdue = false;      // max.compaction.lag.ms
  };

  LogStore(io::Runtime& runtime, LogOptions options);

  // log_store.cc: cycles
  std::optional<Error> refuse_append() const;
  void gather(Append append);
  void plan_cycle();
  void start_cycle();
  void cycle_done(std::vector<Append> appends, const Result<void>& result);
  void undo(std::vector<Append>& failed, const Error& error);
  void forget_cached();
  void finish_close();

  // flush.cc
  void note_unflushed(PartitionLog& partition);
  void maybe_flush();
  void start_flush(std::function<void(Result<void>)> done);
  std::shared_ptr<FlushJob> plan_flush();
  void plan_partition(FlushJob& job, const std::shared_ptr<PartitionLog>& partition);
  void plan_last_time(FlushJob& job, const std::shared_ptr<PartitionLog>& partition);
  Result<void> finish_flush(FlushJob& job);
  Result<void> flush_now();
  /// Says it once, remembers it, and tries again soon.
  void note_trouble(std::string_view what, const Error& error);

  // checkpoint.cc
  void start_checkpoint();
  std::shared_ptr<CheckpointJob> plan_checkpoint(std::uint64_t sequence);
  void plan_part(CheckpointJob& job, const std::shared_ptr<PartitionLog>& partition);
  void run_checkpoint(std::shared_ptr<CheckpointJob> job);
  void note_synced(CheckpointJob& job);
  void finish_checkpoint(CheckpointJob& job);
  void repair(const std::shared_ptr<PartitionLog>& partition, Offset from);
  void keep_for_next_start(const PartitionLog& partition);

  // recovery.cc
  Result<void> write_identity();
  Result<void> read_checkpoints();
  Result<void> raise_epoch_above_wal();
  Result<bool> has_data();
  Result<void> go_on_without_checkpoint();
  Result<void> make_wal_believable();
  Result<void> recover(const std::vector<std::shared_ptr<PartitionLog>>& partitions);
  Result<void> clear_foreign_folder(const PartitionSpec& spec);
  Result<void> name_unknown_folders(const std::set<std::string>& known);
  void arm_checkpoint_timer();
  void fence(PartitionLog& partition, const Error& why);

  // retention.cc
  void retention_tick();
  void retain(PartitionLog& partition, std::optional<std::int64_t> now_ms);
  void drop_front(PartitionLog& partition, std::size_t count);
  void remove_later(std::vector<Removal> files);
  void delete_later(std::vector<std::string> renamed, Duration delay);
  /// The wall clock in milliseconds; absent while it is not believed.
  std::optional<std::int64_t> believed_wall_ms();
  bool can_close_active(const PartitionLog& partition) const;
  void close_active(PartitionLog& partition);

  // compaction.cc
  void compaction_tick();
  std::optional<Dirty> dirty_part(const PartitionLog& partition,
                                  std::optional<std::int64_t> now_ms) const;
  void roll_overdue(PartitionLog& partition, std::optional<std::int64_t> now_ms);
  void start_compaction(const std::shared_ptr<PartitionLog>& partition, const Dirty& dirty);
  void compaction_step();
  void compaction_stepped();
  void exchange_group();
  void end_compaction(bool discard);
  void stop_compaction_of(const PartitionLog& partition);
  void fence_partition(PartitionLog& partition, const std::string& why);

  // mending.cc
  void save_found(PartitionLog& partition, Offset base);
  void mend_next();
  void exchange_mended(const std::shared_ptr<MendJob>& job);

  std::shared_ptr<PartitionLog> shared(const PartitionId& id);
  std::string path(std::string_view name) const {
    return options_.folder + "/" + std::string(name);
  }

  io::Runtime& runtime_;
  LogOptions options_;
  std::unique_ptr<io::FolderLock> lock_;
  Uuid cluster_id_;
  Uuid directory_id_;
  LeaderEpoch leader_epoch_{0};
  Checkpoint last_checkpoint_;
  std::vector<Removal> removals_;  // files that the next checkpoint makes unneeded
  RecoveryReport report_;
  LogCounters counters_;
  WalScan scan_;  // until start()
  std::optional<WalEnd> clean_end_;
  bool restored_ = false;
  bool checkpoint_unknown_ = false;  // it was lost or damaged; until the first new one

  std::unordered_map<PartitionId, std::shared_ptr<PartitionLog>> partitions_;
  std::shared_ptr<PartitionLog> metadata_;
  std::function<void(PartitionLog&)> on_change_;

  std::vector<Append> gathering_;
  std::uint64_t gathering_bytes_ = 0;
  bool cycle_planned_ = false;
  bool cycle_running_ = false;
  MonoTime cycle_began_{};
  Pacing pacing_;
  io::TimerId cycle_timer_ = io::TimerId::none;
  std::optional<Error> last_failure_;  // of a cycle
  MonoTime refuse_until_{};
  std::vector<std::shared_ptr<PartitionLog>> flush_list_;  // with batches not in segments
  std::uint64_t unflushed_bytes_ = 0;
  std::deque<std::pair<std::weak_ptr<PartitionLog>, std::uint64_t>>
      cached_;  // flushed, oldest first
  std::uint64_t cached_bytes_ = 0;
  bool flushing_ = false;
  bool checkpointing_ = false;
  bool checkpoint_wanted_ = false;
  std::optional<Error> trouble_;  // of the last flush or checkpoint, until one succeeds
  MonoTime retry_at_{};
  using CheckpointDone = std::move_only_function<void(Result<void>)>;
  std::vector<CheckpointDone> checkpoint_waiters_;  // for the next one
  std::vector<CheckpointDone> answered_by_this_;    // which began after they asked
  io::TimerId checkpoint_timer_ = io::TimerId::none;
  io::TimerId retention_timer_ = io::TimerId::none;
  io::TimerId retry_timer_ = io::TimerId::none;
  io::TimerId compaction_timer_ = io::TimerId::none;
  io::TimerId compaction_pause_ = io::TimerId::none;
  std::shared_ptr<CleanJob> clean_job_;
  int searches_ = 0;  // in the write-ahead log, for damage that was found
  std::deque<std::pair<PartitionId, Offset>> to_mend_;  // segments of which something was found
  std::shared_ptr<MendJob> mend_job_;  // never beside a compaction: both write `.cleaned` files
  MonoTime compaction_retry_at_{};
  bool closing_ = false;
  std::function<void(Result<void>)> close_done_;
  MonoTime clock_anchor_{};
  std::int64_t wall_anchor_ms_ = 0;
  bool time_retention_stopped_ = false;
  std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);  // for posted tasks

  // Destroyed first: completions under way touch the rest.
  std::unique_ptr<io::Worker> cleaner_;  // made when it is needed first
  std::vector<std::unique_ptr<io::Worker>> syncers_;
  std::unique_ptr<io::Worker> reader_;
  std::unique_ptr<io::Worker> background_;
  std::unique_ptr<io::Worker> writer_;
  std::unique_ptr<WalWriter> wal_;
};

}  // namespace weir::log
