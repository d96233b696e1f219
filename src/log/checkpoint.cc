// Checkpoints: segments are synced, positions written down, WAL files released.
#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "base/mutant.h"
#include "log/batch.h"
#include "log/log_store.h"

namespace weir::log {
namespace {

/// Partitions that are synced at once, so that a checkpoint of many does not take as long as one
/// sync for each of them after the other.
constexpr std::size_t sync_threads = 4;
/// With fewer than this one thread is as good.
constexpr std::size_t worth_threads = 8;

}  // namespace

/// Everything a checkpoint does on workers; touches only itself.
struct LogStore::CheckpointJob {
  struct SegmentSync {
    Offset base;
    std::uint64_t bytes = 0;
    Offset next;
    std::shared_ptr<io::File> log, index, time_index;
    std::shared_ptr<io::File> txn_index;  // if it has grown
    std::uint64_t txn_entries = 0;
    std::uint32_t txn_crc = 0;
    bool rolled = false;
    Result<void> result;
  };
  struct NewFile {
    std::string path;
    std::string content;
    bool durable = false;  // else a cache that can be made again
  };
  /// What one partition needs; parts do not depend on each other.
  struct Part {
    std::shared_ptr<PartitionLog> partition;  // compared on the loop, not looked into
    std::vector<SegmentSync> syncs;
    std::vector<NewFile> files;
    std::vector<std::string> old_files;
    std::string folder;
    bool names = false;  // of the folder must become durable, and its partition.metadata
    Result<void> result;
    bool ran = false;

    bool empty() const { return syncs.empty() && files.empty() && !names; }

    void run(io::FileSystem& file_system) {
      ran = true;
      for (auto& sync : syncs) {
        sync.result = sync.log->sync();
        if (sync.result && sync.rolled) {
          for (const auto& index : {sync.index, sync.time_index})
            if (auto r = index->sync(); !r && result) result = r;
        }
        if (sync.result && sync.txn_index != nullptr) sync.result = sync.txn_index->sync();
        if (!sync.result && mutant(Mutant::believe_failed_sync)) sync.result = {};
        if (!sync.result && result) result = sync.result;
      }
      if (result) result = write_files(file_system);
    }

    Result<void> write_files(io::FileSystem& file_system) {
      bool renamed = false;
      for (const auto& file : files) {
        if (auto r = write(file_system, file); !r) return r;
        renamed = renamed || file.durable;
      }
      if (names) {
        auto metadata = file_system.open(folder + "/partition.metadata", io::OpenMode::read_write);
        if (!metadata) return fail(metadata.error());
        if (auto r = (*metadata)->sync(); !r) return r;
      }
      if ((names || renamed) && !mutant(Mutant::no_directory_sync))
        if (auto r = file_system.sync_directory(folder); !r) return r;
      for (const auto& path : old_files) (void)file_system.remove(path);
      return {};
    }

    // A durable one is replaced at once; the folder is synced after the last of them.
    static Result<void> write(io::FileSystem& file_system, const NewFile& file) {
      const std::string path = file.durable ? file.path + ".tmp" : file.path;
      auto made = file_system.open(path, io::OpenMode::create);
      if (!made) return fail(made.error());
      if (auto r = (*made)->truncate(0); !r) return r;
      if (auto r = (*made)->write_at(0, file.content); !r) return r;
      if (!file.durable) return {};
      if (auto r = (*made)->sync(); !r) return r;
      return file_system.rename(path, file.path);
    }
  };

  MonoTime began{};
  std::vector<Part> parts;
  bool new_folder = false;
  std::string root;
  std::vector<NewFile> root_files;  // the positions, once every part is done; the truth last
  Checkpoint checkpoint;
  std::vector<Removal> removals;  // once all this is durable
  std::size_t under_way = 0;
  Result<void> result;

  void run_parts(io::FileSystem& files, std::size_t first, std::size_t step) {
    for (std::size_t i = first; i < parts.size(); i += step) parts[i].run(files);
  }
  void run_root(io::FileSystem& files) {
    for (const auto& part : parts)
      if (!part.result && result) result = part.result;
    if (result) result = write_root(files);
  }

 private:
  Result<void> write_root(io::FileSystem& files) {
    if (new_folder && !mutant(Mutant::no_directory_sync))
      if (auto r = files.sync_directory(root); !r) return r;
    for (const auto& file : root_files) {
      if (auto r = file.durable ? io::write_file_durably(files, file.path, file.content)
                                : Part::write(files, file);
          !r)
        return r;
    }
    return {};
  }
};

void LogStore::checkpoint(std::move_only_function<void(Result<void>)> done) {
  if (done) checkpoint_waiters_.push_back(std::move(done));
  checkpoint_wanted_ = true;
  if (flushing_ || checkpointing_) return;
  if (trouble_ && runtime_.loop().now() < retry_at_ && !closing_) return;  // the timer tries again
  start_checkpoint();
}

void LogStore::start_checkpoint() {
  checkpoint_wanted_ = false;
  const bool repairing = std::any_of(partitions_.begin(), partitions_.end(),
                                     [](const auto& p) { return p.second->repairing_; });
  if (repairing) return;  // its end asks again
  checkpointing_ = true;
  // Who asks from now on is answered by the next one: this one may not cover what they mean.
  for (auto& waiter : checkpoint_waiters_) answered_by_this_.push_back(std::move(waiter));
  checkpoint_waiters_.clear();
  // Everything that is durable in the WAL by now stands in a tail or in a segment.
  const std::uint64_t sequence = wal_->durable_sequence();
  start_flush([this, sequence](const Result<void>& flushed) {
    auto job = plan_checkpoint(sequence);
    if (!flushed) {
      job->result = flushed;
      return finish_checkpoint(*job);
    }
    run_checkpoint(std::move(job));
  });
}

void LogStore::run_checkpoint(std::shared_ptr<CheckpointJob> job) {
  auto& files = runtime_.files();
  const auto last = [this, job, &files] {
    background_->run([job, &files] { job->run_root(files); },
                     [this, job] { finish_checkpoint(*job); });
  };
  if (job->parts.size() < worth_threads) {
    background_->run([job, &files] { job->run_parts(files, 0, 1); }, last);
    return;
  }
  while (syncers_.size() < sync_threads)
    syncers_.push_back(runtime_.make_worker(fmt::format("weir-sync-{}", syncers_.size())));
  job->under_way = syncers_.size();
  for (std::size_t i = 0; i < syncers_.size(); ++i)
    syncers_[i]->run([job, &files, i, step = syncers_.size()] { job->run_parts(files, i, step); },
                     [job, last] {
                       if (--job->under_way == 0) last();
                     });
}

// What one partition needs; its row of the checkpoint is added to `job`.
void LogStore::plan_part(CheckpointJob& job, const std::shared_ptr<PartitionLog>& owner) {
  PartitionLog& partition = *owner;
  CheckpointJob::Part part;
  part.partition = owner;
  part.folder = partition.folder_;
  const Segment& active = partition.segments_.back();
  const Offset end = active.next;
  job.checkpoint.partitions[partition.spec_.id] = {
      .recovery_point = end,
      .log_start = partition.log_start_,
      .active_base = active.base,
      .max_timestamp = active.max_timestamp,
      .max_timestamp_offset = active.max_timestamp_offset,
      .clean_end = partition.clean_end_,
      .no_producers = partition.producers_.empty() ? end : Offset(0),
      .epochs_crc = {},
      .aborted = {}};
  auto& row = job.checkpoint.partitions[partition.spec_.id];
  for (const auto& segment : partition.segments_) {
    if (segment.txn_entries_written > 0)
      row.aborted[segment.base] = {.entries = segment.txn_entries_written, .crc = segment.txn_crc};
    // One that was rolled since is looked at once more: its indexes must be durable.
    const bool rolled = &segment != &active;
    if (segment.log == nullptr || (segment.readable_bytes == segment.synced_bytes && !rolled))
      continue;
    part.syncs.push_back({.base = segment.base,
                          .bytes = segment.readable_bytes,
                          .next = segment.next,
                          .log = segment.log,
                          .index = segment.index,
                          .time_index = segment.time_index,
                          .txn_index = segment.txn_entries_synced == segment.txn_entries_written
                                           ? nullptr
                                           : segment.txn_index,
                          .txn_entries = segment.txn_entries_written,
                          .txn_crc = segment.txn_crc,
                          .rolled = rolled,
                          .result = {}});
  }
  part.names = partition.names_unsynced_;
  if (!partition.producers_.empty() && partition.snapshot_at_ != end) {
    part.files.push_back({.path = partition.stem(end) + ".snapshot",
                          .content = partition.producers_.encode_snapshot(end)});
    if (partition.snapshot_at_.value >= 0)
      part.old_files.push_back(partition.stem(partition.snapshot_at_) + ".snapshot");
    partition.snapshot_at_ = end;
  }
  // Later snapshots are of later ends.
  partition.producers_.forget_ended(end);
  if (partition.epochs_written_ != partition.epochs_.entries().size()) {
    partition.epochs_written_ = partition.epochs_.entries().size();
    part.files.push_back({.path = partition.folder_ + "/leader-epoch-checkpoint",
                          .content = partition.epochs_.encode(),
                          .durable = true});
    partition.epochs_crc_ = crc32c(part.files.back().content);
  }
  row.epochs_crc = partition.epochs_crc_;
  job.new_folder = job.new_folder || part.names;
  if (!part.empty()) job.parts.push_back(std::move(part));
}

std::shared_ptr<LogStore::CheckpointJob> LogStore::plan_checkpoint(std::uint64_t sequence) {
  auto job = std::make_shared<CheckpointJob>();
  job->root = options_.folder;
  job->checkpoint.sequence = sequence;
  job->checkpoint.epoch = leader_epoch_;
  job->removals = removals_;
  job->began = runtime_.loop().now();
  OffsetCheckpoint recovery_points;
  OffsetCheckpoint start_points;
  OffsetCheckpoint clean_points;
  for (const auto& [id, partition] : partitions_) {
    const auto key = std::pair(partition->spec_.topic, id.partition);
    if (partition->is_shut()) {
      const auto known = last_checkpoint_.partitions.find(id);
      if (known != last_checkpoint_.partitions.end()) job->checkpoint.partitions.insert(*known);
      continue;
    }
    if (partition->segments_.empty()) continue;
    plan_part(*job, partition);
    recovery_points[key] = partition->segments_.back().next;
    if (partition->log_start_.value > 0) start_points[key] = partition->log_start_;
    if (partition->clean_end_.value > 0) clean_points[key] = partition->clean_end_;
  }
  // Kafka's tools read the first three; the truth is the last.
  const auto add = [&](const char* name, std::string content, bool durable) {
    job->root_files.push_back(
        {.path = path(name), .content = std::move(content), .durable = durable});
  };
  add("recovery-point-offset-checkpoint", encode(recovery_points), false);
  add("log-start-offset-checkpoint", encode(start_points), false);
  if (!clean_points.empty()) add("cleaner-offset-checkpoint", encode(clean_points), false);
  add("weir-checkpoint", encode(job->checkpoint), true);
  return job;
}

// Each sync that succeeded counts, whatever became of the rest: the repair of one segment must not
// take an earlier one for un-synced. Only a checkpoint that succeeded closes what was rolled.
void LogStore::note_synced(CheckpointJob& job) {
  for (auto& part : job.parts) {
    PartitionLog& partition = *part.partition;
    if (partition.deleted_) continue;
    if (part.names && job.result) partition.names_unsynced_ = false;
    for (auto& sync : part.syncs) {
      if (!sync.result || !part.ran) continue;
      const auto segment = std::find_if(partition.segments_.begin(), partition.segments_.end(),
                                        [&](const Segment& s) { return s.base == sync.base; });
      if (segment == partition.segments_.end() || segment->log != sync.log) continue;
      segment->synced_bytes = sync.bytes;
      segment->synced_next = sync.next;
      segment->txn_entries_synced = sync.txn_entries;
      segment->txn_crc_synced = sync.txn_crc;
      if (sync.rolled && job.result) {
        segment->log.reset();
        segment->index.reset();
        segment->time_index.reset();
        segment->txn_index.reset();
      }
    }
    if (job.result && !partition.repairing_)
      partition.forget_aborted(job.checkpoint.partitions.at(partition.spec_.id).active_base);
  }
}

void LogStore::finish_checkpoint(CheckpointJob& job) {
  checkpointing_ = false;
  note_synced(job);
  auto waiters = std::exchange(answered_by_this_, {});
  if (job.result) {
    ++counters_.checkpoints;
    counters_.last_checkpoint = runtime_.loop().now() - job.began;
    counters_.checkpoint_duration.observe(counters_.last_checkpoint);
    trouble_.reset();
    last_checkpoint_ = std::move(job.checkpoint);
    wal_->release_through(last_checkpoint_.sequence);
    removals_.erase(removals_.begin(),
                    removals_.begin() + static_cast<std::ptrdiff_t>(job.removals.size()));
    if (!job.removals.empty()) remove_later(std::move(job.removals));
  } else {
    note_trouble("checkpoint", job.result.error());
    for (auto& part : job.parts) {
      // What it was to write may not be there: the next one writes it again.
      part.partition->epochs_written_ = 0;
      part.partition->snapshot_at_ = Offset(-1);
      if (part.partition->deleted_ || part.partition->repairing_) continue;
      const auto failed = std::find_if(part.syncs.begin(), part.syncs.end(),
                                       [](const auto& sync) { return !sync.result; });
      if (failed == part.syncs.end()) continue;
      const auto segment = part.partition->segment_for(failed->base);
      if (segment) repair(part.partition, part.partition->segments_[*segment].synced_next);
    }
  }
  if (!job.result && wal_->held_bytes() >= options_.wal_limit_bytes && !cycle_running_) {
    // What waits for room would wait as long as the trouble lasts: it is refused.
    std::vector<Append> none;
    undo(none, job.result.error());
  }
  const bool last = closing_ && checkpoint_waiters_.empty();
  for (auto& waiter : waiters) waiter(job.result);
  if (last) return;  // and perhaps destroyed
  start_cycle();
  if (checkpoint_wanted_) return checkpoint();
  maybe_flush();
}

}  // namespace weir::log
