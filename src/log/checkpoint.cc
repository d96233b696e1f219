// Checkpoints: segments are synced, positions written down, WAL files released; and the repair of a
// segment whose sync failed.
#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "base/mutant.h"
#include "log/batch.h"
#include "log/log_store.h"

namespace weir::log {

/// Everything a checkpoint does on the background worker; touches only itself.
struct LogStore::CheckpointJob {
  struct SegmentSync {
    std::shared_ptr<PartitionLog> partition;  // compared on the loop, not looked into
    Offset base;
    std::uint64_t bytes = 0;
    Offset next;
    std::shared_ptr<io::File> log, index, time_index;
    bool rolled = false;
    Result<void> result;
  };
  struct NewFile {
    std::string path;
    std::string content;
    bool durable = false;
  };
  MonoTime began{};
  std::vector<SegmentSync> syncs;
  std::vector<std::string> directories;  // whose names must become durable
  std::vector<NewFile> files_to_write;   // snapshots and epochs first, the positions last
  std::vector<std::string> files_to_remove;
  std::vector<std::shared_ptr<PartitionLog>> named;
  Checkpoint checkpoint;
  std::vector<std::string> removals;  // once all this is durable
  Result<void> result;

  void run(io::FileSystem& files) {
    for (auto& sync : syncs) {
      sync.result = sync.log->sync();
      if (sync.result && sync.rolled) {
        for (const auto& index : {sync.index, sync.time_index})
          if (auto r = index->sync(); !r && result) result = r;
      }
      if (!sync.result && mutant(Mutant::believe_failed_sync)) sync.result = {};
      if (!sync.result && result) result = sync.result;
    }
    if (!result) return;
    result = [&]() -> Result<void> {
      if (!mutant(Mutant::no_directory_sync))
        for (const auto& directory : directories)
          if (auto r = files.sync_directory(directory); !r) return r;
      for (const auto& file : files_to_write)
        if (auto r = write(files, file); !r) return r;
      for (const auto& path : files_to_remove) (void)files.remove(path);
      return {};
    }();
  }

 private:
  static Result<void> write(io::FileSystem& files, const NewFile& file) {
    if (file.durable) return io::write_file_durably(files, file.path, file.content);
    auto made = files.open(file.path, io::OpenMode::create);
    if (!made) return fail(made.error());
    if (auto r = (*made)->truncate(0); !r) return r;
    return (*made)->write_at(0, file.content);
  }
};

void LogStore::checkpoint(std::function<void(Result<void>)> done) {
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
  // Everything that is durable in the WAL by now stands in a tail or in a segment.
  const std::uint64_t sequence = wal_->durable_sequence();
  start_flush([this, sequence](const Result<void>& flushed) {
    auto job = plan_checkpoint(sequence);
    if (!flushed) {
      job->result = flushed;
      return finish_checkpoint(*job);
    }
    auto& files = runtime_.files();
    background_->run([job, &files] { job->run(files); }, [this, job] { finish_checkpoint(*job); });
  });
}

std::shared_ptr<LogStore::CheckpointJob> LogStore::plan_checkpoint(std::uint64_t sequence) {
  auto job = std::make_shared<CheckpointJob>();
  job->checkpoint.sequence = sequence;
  job->checkpoint.epoch = leader_epoch_;
  job->removals = removals_;
  job->began = runtime_.loop().now();
  bool new_folder = false;
  OffsetCheckpoint recovery_points;
  OffsetCheckpoint start_points;
  for (const auto& [id, partition] : partitions_) {
    const auto key = std::pair(partition->spec_.topic, id.partition);
    if (partition->fenced_) {
      const auto known = last_checkpoint_.partitions.find(id);
      if (known != last_checkpoint_.partitions.end()) job->checkpoint.partitions.insert(*known);
      continue;
    }
    if (partition->segments_.empty()) continue;
    const Offset end = partition->segments_.back().next;
    const Segment& active = partition->segments_.back();
    job->checkpoint.partitions[id] = {.recovery_point = end,
                                      .log_start = partition->log_start_,
                                      .active_base = active.base,
                                      .max_timestamp = active.max_timestamp,
                                      .max_timestamp_offset = active.max_timestamp_offset};
    recovery_points[key] = end;
    if (partition->log_start_.value > 0) start_points[key] = partition->log_start_;
    for (const auto& segment : partition->segments_) {
      // One that was rolled since is looked at once more: its indexes must be durable.
      const bool rolled = &segment != &active;
      if (segment.log == nullptr || (segment.readable_bytes == segment.synced_bytes && !rolled))
        continue;
      job->syncs.push_back({.partition = partition,
                            .base = segment.base,
                            .bytes = segment.readable_bytes,
                            .next = segment.next,
                            .log = segment.log,
                            .index = segment.index,
                            .time_index = segment.time_index,
                            .rolled = rolled,
                            .result = {}});
    }
    if (partition->names_unsynced_) {
      job->directories.push_back(partition->folder_);
      job->named.push_back(partition);
      new_folder = true;
    }
    if (!partition->producers_.empty() && partition->snapshot_at_ != end) {
      job->files_to_write.push_back({.path = partition->stem(end) + ".snapshot",
                                     .content = partition->producers_.encode_snapshot(end)});
      if (partition->snapshot_at_.value >= 0)
        job->files_to_remove.push_back(partition->stem(partition->snapshot_at_) + ".snapshot");
      partition->snapshot_at_ = end;
    }
    if (partition->epochs_written_ != partition->epochs_.entries().size()) {
      partition->epochs_written_ = partition->epochs_.entries().size();
      job->files_to_write.push_back({.path = partition->folder_ + "/leader-epoch-checkpoint",
                                     .content = partition->epochs_.encode(),
                                     .durable = true});
    }
  }
  if (new_folder) job->directories.push_back(options_.folder);
  // Kafka's tools read these two; the truth is the third.
  const auto add = [&](const char* name, std::string content, bool durable) {
    job->files_to_write.push_back(
        {.path = path(name), .content = std::move(content), .durable = durable});
  };
  add("recovery-point-offset-checkpoint", encode(recovery_points), false);
  add("log-start-offset-checkpoint", encode(start_points), false);
  add("weir-checkpoint", encode(job->checkpoint), true);
  return job;
}

void LogStore::finish_checkpoint(CheckpointJob& job) {
  checkpointing_ = false;
  for (auto& sync : job.syncs) {
    PartitionLog& partition = *sync.partition;
    if (partition.deleted_ || !job.result) continue;
    const auto segment = std::find_if(partition.segments_.begin(), partition.segments_.end(),
                                      [&](const Segment& s) { return s.base == sync.base; });
    if (segment == partition.segments_.end()) continue;
    segment->synced_bytes = sync.bytes;
    segment->synced_next = sync.next;
    if (sync.rolled) {
      segment->log.reset();
      segment->index.reset();
      segment->time_index.reset();
    }
  }
  auto waiters = std::exchange(checkpoint_waiters_, {});
  if (job.result) {
    ++counters_.checkpoints;
    counters_.last_checkpoint = runtime_.loop().now() - job.began;
    trouble_.reset();
    for (const auto& partition : job.named) partition->names_unsynced_ = false;
    last_checkpoint_ = std::move(job.checkpoint);
    wal_->release_through(last_checkpoint_.sequence);
    removals_.erase(removals_.begin(),
                    removals_.begin() + static_cast<std::ptrdiff_t>(job.removals.size()));
    if (!job.removals.empty()) remove_later(std::move(job.removals));
  } else {
    note_trouble("checkpoint", job.result.error());
    for (const auto& sync : job.syncs) {
      if (sync.result || sync.partition->deleted_ || sync.partition->repairing_) continue;
      const Segment* segment = sync.partition->segment_for(sync.base);
      if (segment != nullptr) repair(sync.partition, segment->synced_next);
    }
  }
  if (!job.result && wal_->held_bytes() >= options_.wal_limit_bytes && !cycle_running_) {
    // What waits for room would wait as long as the trouble lasts: it is refused.
    std::vector<Append> none;
    undo(none, job.result.error());
  }
  for (auto& waiter : waiters) waiter(job.result);
  if (closing_) return;
  start_cycle();
  if (checkpoint_wanted_) return checkpoint();
  maybe_flush();
}

// What a failed sync covered may look fine in the page cache and not be on the disk. The segment
// ends where its last good sync ended; what follows is taken from the WAL and written to a new
// segment.
void LogStore::repair(const std::shared_ptr<PartitionLog>& partition, Offset from) {
  struct Repair {
    std::vector<std::pair<std::string, std::string>> aside;
    std::vector<std::pair<std::string, std::uint64_t>> cut;
    std::vector<std::pair<Offset, Slice>> batches;
    Result<void> result;
  };
  ++counters_.repairs;
  partition->repairing_ = true;
  auto job = std::make_shared<Repair>();
  for (const auto& segment : partition->segments_) {
    if (segment.synced_bytes > 0 && segment.readable_bytes > segment.synced_bytes)
      job->cut.emplace_back(segment.stem + ".log", segment.synced_bytes);
    if (segment.base < from || segment.synced_bytes > 0) continue;
    for (const char* suffix : {".log", ".index", ".timeindex"})
      job->aside.emplace_back(segment.stem + suffix, fmt::format("{}{}.unsynced-{}", segment.stem,
                                                                 suffix, counters_.repairs));
  }
  log_error("log",
            fmt::format(
                "{}: a sync failed; offsets from {} on are written again from the write-ahead log",
                partition->spec_.folder_name(), from.value));
  auto& files = runtime_.files();
  background_->run(
      [job, &files, id = partition->spec_.id, from, wal = path("wal"), folder_id = directory_id_,
       sequence = last_checkpoint_.sequence + 1] {
        job->result = [&]() -> Result<void> {
          auto scan = scan_wal(files, wal, folder_id, sequence);
          if (!scan) return fail(scan.error());
          WalReader reader(files, *scan);
          for (const auto& place : scan->records) {
            auto payload = reader.payload(place);
            if (!payload) return fail(payload.error());
            for_each_entry(place.header, *payload, [&](const WalEntry& entry) {
              if (entry.header.partition == id && entry.header.base_offset >= from)
                job->batches.emplace_back(entry.header.base_offset, Slice::copy_of(entry.bytes));
            });
          }
          // For Kafka's tools; weir itself knows where the batches end.
          for (const auto& [path, size] : job->cut)
            if (auto file = files.open(path, io::OpenMode::read_write))
              (void)(*file)->truncate(size);
          for (const auto& [old_path, new_path] : job->aside) {
            auto there = files.exists(old_path);
            if (!there) return fail(there.error());
            if (*there)
              if (auto r = files.rename(old_path, new_path); !r) return r;
          }
          return {};
        }();
      },
      [this, job, partition, from] {
        partition->repairing_ = false;
        if (partition->deleted_) return;
        auto& tail = partition->tail_;
        const Offset tail_start = tail.empty() ? partition->high_watermark_ : tail.front().base;
        std::deque<PartitionLog::TailBatch> whole;
        Offset expected = from;
        for (auto& [base, bytes] : job->batches) {
          if (base >= tail_start) break;
          const BatchHeader header(bytes.view());
          expected = header.last_offset() + 1;
          whole.push_back({.base = base,
                           .last = header.last_offset(),
                           .max_timestamp = header.max_timestamp(),
                           .bytes = std::move(bytes)});
        }
        if (!job->result || (expected < tail_start && from < tail_start)) {
          partition->fenced_ = Error(
              Errc::kafka_storage_error,
              fmt::format("{}: a sync failed and offsets from {} on could not be read back from "
                          "the write-ahead log; restart the broker to recover them",
                          partition->spec_.folder_name(), expected.value));
          log_error("log", partition->fenced_->message());
          partition->fail_waiters(*partition->fenced_);
          if (on_change_) on_change_(*partition);
          return;
        }
        for (auto& batch : tail)
          if (batch.base >= from) whole.push_back(std::move(batch));
        for (std::size_t i = 0; i < partition->unflushed(); ++i)
          unflushed_bytes_ -= whole[whole.size() - 1 - i].bytes.size();
        tail = std::move(whole);
        partition->flushed_in_tail_ = 0;
        for (const auto& batch : tail) unflushed_bytes_ += batch.bytes.size();
        auto& segments = partition->segments_;
        while (!segments.empty() && segments.back().base >= from &&
               segments.back().synced_bytes == 0)
          segments.pop_back();
        if (!segments.empty() && segments.back().readable_bytes > segments.back().synced_bytes) {
          Segment& last = segments.back();
          last.assigned_bytes = last.readable_bytes = last.synced_bytes;
          last.next = last.synced_next;
        }
        if (!segments.empty()) segments.back().sealed = true;
        note_unflushed(*partition);
        if (on_change_) on_change_(*partition);
        checkpoint();
      });
}

}  // namespace weir::log
