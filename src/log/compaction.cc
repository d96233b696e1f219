// Compaction: which partition is due, its steps on a worker, and the exchange of files.
#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "log/cleaner.h"
#include "log/log_store.h"

namespace weir::log {

/// One compaction under way.
struct LogStore::CleanJob {
  CleanJob(io::FileSystem& files, CleanPlan plan, std::shared_ptr<PartitionLog> of)
      : cleaning(files, std::move(plan)), partition(std::move(of)) {}
  Cleaning cleaning;
  std::shared_ptr<PartitionLog> partition;
  Result<Cleaning::Status> status = Cleaning::Status::going_on;
};

namespace {

constexpr auto failed_compaction_pause = std::chrono::seconds(60);

/// The sources of `plan` still stand as they were planned.
bool still_there(const std::deque<Segment>& segments, const std::vector<CleanSource>& sources) {
  auto at = std::find_if(segments.begin(), segments.end(),
                         [&](const Segment& s) { return s.base == sources.front().base; });
  for (const auto& source : sources) {
    if (at == segments.end() || at->base != source.base || at->readable_bytes != source.bytes)
      return false;
    ++at;
  }
  return true;
}

/// Exchanges the files of a group whose `.swap` is there. The order lets a start finish what a
/// crash cut short: see docs/formats/data-folder.md.
Result<std::vector<std::string>> exchange_files(io::FileSystem& files, const std::string& folder,
                                                const CleanedGroup& group) {
  std::vector<std::string> deleted;
  for (std::size_t i = 1; i < group.replaced.size(); ++i)
    for (const char* suffix : segment_suffixes) {
      const std::string name = group.replaced[i].stem + suffix;
      auto there = files.exists(name);
      if (!there) return fail(there.error());
      if (!*there) continue;
      if (auto r = files.rename(name, name + ".deleted"); !r) return fail(r.error());
      deleted.push_back(name + ".deleted");
    }
  const std::string& stem = group.segment.stem;
  for (const char* suffix : {".index", ".timeindex"})
    if (auto r = files.rename(stem + suffix + ".cleaned", stem + suffix); !r)
      return fail(r.error());
  const std::string aborted = stem + ".txnindex";
  if (group.segment.txn_entries > 0) {
    if (auto r = files.rename(aborted + ".cleaned", aborted); !r) return fail(r.error());
  } else if (auto there = files.exists(aborted); there && *there) {
    if (auto r = files.remove(aborted); !r) return fail(r.error());
  }
  if (auto r = files.sync_directory(folder); !r) return fail(r.error());
  if (auto r = files.rename(stem + ".log.swap", stem + ".log"); !r) return fail(r.error());
  if (auto r = files.sync_directory(folder); !r) return fail(r.error());
  return deleted;
}

}  // namespace

std::optional<LogStore::Dirty> LogStore::dirty_part(const PartitionLog& partition,
                                                    std::optional<std::int64_t> now_ms) const {
  const PartitionSettings& settings = partition.spec_.settings;
  const auto& segments = partition.segments_;
  Dirty dirty;
  dirty.from = std::max(partition.clean_end_, partition.log_start_);
  if (dirty.from > partition.next_offset_) dirty.from = partition.log_start_;  // not of this log
  const Offset last_stable = partition.last_stable_offset();
  std::uint64_t clean_bytes = 0;
  std::uint64_t dirty_bytes = 0;
  std::int64_t oldest = -1;
  for (std::size_t i = 0; i + 1 < segments.size(); ++i) {
    const Segment& segment = segments[i];
    const bool settled = segment.log == nullptr && segment.made &&
                         segment.synced_bytes == segment.assigned_bytes &&
                         segment.readable_bytes == segment.assigned_bytes;
    // What a transaction has not decided is not compacted.
    if (!settled || segments[i + 1].base > last_stable) break;
    const bool clean = segment.next <= dirty.from;
    if (!clean && settings.min_compaction_lag_ms > 0 &&
        (!now_ms || segment.max_timestamp > *now_ms - settings.min_compaction_lag_ms))
      break;
    (clean ? clean_bytes : dirty_bytes) += segment.assigned_bytes;
    if (!clean && oldest < 0)
      oldest = segment.first_timestamp >= 0 ? segment.first_timestamp : segment.max_timestamp;
    dirty.segments = i + 1;
    dirty.end = segment.next;
  }
  if (dirty_bytes == 0) return std::nullopt;
  dirty.ratio = static_cast<double>(dirty_bytes) / static_cast<double>(clean_bytes + dirty_bytes);
  dirty.overdue = now_ms && oldest >= 0 && settings.max_compaction_lag_ms != INT64_MAX &&
                  *now_ms - oldest > settings.max_compaction_lag_ms;
  return dirty;
}

void LogStore::compaction_tick() {
  mend_next();
  compact_most_dirty();
  compaction_timer_ =
      runtime_.loop().call_after(options_.compaction_interval, [this] { compaction_tick(); });
}

void LogStore::compact_most_dirty() {
  if (clean_job_ != nullptr || mend_job_ != nullptr || closing_ ||
      runtime_.loop().now() < compaction_retry_at_)
    return;
  const std::optional<std::int64_t> now_ms = believed_wall_ms();
  std::shared_ptr<PartitionLog> chosen;
  Dirty best;
  bool unsettled = false;
  for (const auto& [id, partition] : partitions_) {
    const PartitionSettings& settings = partition->spec_.settings;
    if (!settings.compact || partition->fenced_ || partition->repairing_ || partition->uncleanable_)
      continue;
    roll_overdue(*partition, now_ms);
    const auto& segments = partition->segments_;
    unsettled = unsettled || (segments.size() > 1 && segments[segments.size() - 2].log != nullptr);
    const auto dirty = dirty_part(*partition, now_ms);
    if (!dirty || !(dirty->overdue || dirty->ratio >= settings.min_cleanable_dirty_ratio)) continue;
    if (chosen != nullptr &&
        std::pair(dirty->overdue, dirty->ratio) <= std::pair(best.overdue, best.ratio))
      continue;
    chosen = partition;
    best = *dirty;
  }
  // A rolled segment is compacted once it is synced.
  if (unsettled) checkpoint();
  if (chosen != nullptr) start_compaction(chosen, best);
}

// The active segment is never compacted: when its oldest record has waited for too long it is
// closed, so that the next round can take it.
void LogStore::roll_overdue(PartitionLog& partition, std::optional<std::int64_t> now_ms) {
  const PartitionSettings& settings = partition.spec_.settings;
  if (!now_ms || settings.max_compaction_lag_ms == INT64_MAX || partition.segments_.empty()) return;
  const Segment& active = partition.segments_.back();
  if (active.assigned_bytes == 0 || active.first_timestamp < 0 || !can_close_active(partition) ||
      *now_ms - active.first_timestamp <= settings.max_compaction_lag_ms)
    return;
  close_active(partition);
  checkpoint();
}

bool LogStore::can_close_active(const PartitionLog& partition) const {
  return partition.unflushed() == 0 && !flushing_ && !checkpointing_ &&
         partition.high_watermark_ == partition.next_offset_;
}

void LogStore::close_active(PartitionLog& partition) {
  partition.segments_.push_back(
      Segment::empty(partition.next_offset_, partition.stem(partition.next_offset_)));
}

void LogStore::start_compaction(const std::shared_ptr<PartitionLog>& partition,
                                const Dirty& dirty) {
  const PartitionSettings& settings = partition->spec_.settings;
  CleanPlan plan;
  plan.folder = partition->folder_;
  for (std::size_t i = 0; i < dirty.segments; ++i) {
    const Segment& segment = partition->segments_[i];
    plan.segments.push_back({.base = segment.base,
                             .next = partition->segments_[i + 1].base,
                             .stem = segment.stem,
                             .bytes = segment.readable_bytes});
  }
  plan.log_start = partition->log_start_;
  plan.dirty_from = dirty.from;
  plan.end = plan.segments.back().next;
  plan.producer_ends = partition->producers_.last_offsets();
  plan.marked_alone = partition->producers_.marked_alone();
  plan.aborted = partition->aborted_between(0, Offset(0), plan.end);
  plan.now_ms = believed_wall_ms();
  plan.delete_retention_ms = settings.delete_retention_ms;
  plan.segment_bytes = settings.segment_bytes;
  plan.index_interval_bytes = settings.index_interval_bytes;
  plan.map_bytes = options_.compaction_map_bytes;
  plan.seed = runtime_.rng().next();
  if (cleaner_ == nullptr) cleaner_ = runtime_.make_worker("weir-clean");
  clean_job_ = std::make_shared<CleanJob>(runtime_.files(), std::move(plan), partition);
  compaction_step();
}

void LogStore::compaction_step() {
  compaction_pause_ = io::TimerId::none;
  auto job = clean_job_;
  const PartitionLog& partition = *job->partition;
  if (closing_ || partition.deleted_ || partition.fenced_ || partition.repairing_)
    return end_compaction(true);
  cleaner_->run(
      [job, budget = options_.compaction_step_bytes] { job->status = job->cleaning.step(budget); },
      [this] { compaction_stepped(); });
}

void LogStore::compaction_stepped() {
  auto& job = *clean_job_;
  PartitionLog& partition = *job.partition;
  if (!job.status) {
    const Error& error = job.status.error();
    if (partition.deleted_ || closing_) return end_compaction(true);
    ++counters_.failed_compactions;
    if (error.code() == Errc::corrupt_message || error.code() == Errc::invalid_record ||
        error.code() == Errc::limit_exceeded) {
      partition.uncleanable_ = error;
      log_error("log",
                fmt::format("{}: compaction leaves it alone until the next start, nothing is "
                            "lost: {}",
                            partition.spec_.folder_name(), error.message()));
    } else if (error.code() != Errc::not_found) {  // retention was quicker
      compaction_retry_at_ = runtime_.loop().now() + failed_compaction_pause;
      log_error("log", fmt::format("{}: compaction failed, trying again in a minute: {}",
                                   partition.spec_.folder_name(), error.message()));
    }
    return end_compaction(true);
  }
  switch (*job.status) {
    case Cleaning::Status::going_on: {
      const double seconds = static_cast<double>(job.cleaning.last_step_bytes()) /
                             options_.compaction_bytes_per_second;
      const Duration pause = std::chrono::duration_cast<Duration>(
          std::chrono::duration<double>(std::min(seconds, 60.0)));
      if (pause < std::chrono::microseconds(100)) return compaction_step();
      compaction_pause_ = runtime_.loop().call_after(pause, [this] { compaction_step(); });
      return;
    }
    case Cleaning::Status::group_ready: return exchange_group();
    case Cleaning::Status::finished: {
      partition.clean_end_ = std::max(partition.clean_end_, job.cleaning.cleaned_to());
      ++counters_.compactions;
      const CleanCounters& done = job.cleaning.counters();
      counters_.compacted_bytes_read += done.bytes_read;
      counters_.compacted_bytes_written += done.bytes_written;
      counters_.compacted_records += done.records_dropped + done.tombstones_dropped;
      counters_.keyless_records_dropped += done.keyless_dropped;
      counters_.aborted_records_dropped += done.aborted_dropped;
      log_info("log",
               fmt::format("{}: compacted up to offset {}: {} records kept, {} dropped, {} "
                           "of them without a key",
                           partition.spec_.folder_name(), job.cleaning.cleaned_to().value,
                           done.records_kept,
                           done.records_dropped + done.tombstones_dropped + done.keyless_dropped,
                           done.keyless_dropped));
      return end_compaction(false);
    }
  }
}

// Reads of the partition's files wait for it: what they know of sizes and places changes with it.
void LogStore::exchange_group() {
  auto job = clean_job_;
  struct Exchange {
    CleanedGroup group;
    std::string folder;
    Result<std::vector<std::string>> deleted = std::vector<std::string>();
  };
  PartitionLog& partition = *job->partition;
  if (closing_ || partition.deleted_ || partition.fenced_ || partition.repairing_)
    return end_compaction(true);
  auto exchange = std::make_shared<Exchange>();
  exchange->group = job->cleaning.group();
  exchange->folder = partition.folder_;
  if (!still_there(partition.segments_, exchange->group.replaced)) return end_compaction(true);
  job->cleaning.group_taken();
  partition.swapping_ = true;
  auto& files = runtime_.files();
  reader_->run(
      [exchange, &files] {
        exchange->deleted = exchange_files(files, exchange->folder, exchange->group);
      },
      [this, job, exchange, &partition] {
        partition.swapping_ = false;
        if (partition.deleted_) {
          end_compaction(true);
        } else if (!exchange->deleted) {
          fence_partition(partition, fmt::format("{}: compaction was cut short while it exchanged "
                                                 "files; restart the broker to complete it: {}",
                                                 partition.spec_.folder_name(),
                                                 exchange->deleted.error().message()));
          end_compaction(true);
        } else {
          auto& segments = partition.segments_;
          const auto& replaced = exchange->group.replaced;
          const auto first = std::find_if(segments.begin(), segments.end(), [&](const Segment& s) {
            return s.base == replaced.front().base;
          });
          check(first != segments.end(), "retention leaves a partition alone during an exchange");
          *first = exchange->group.segment;
          segments.erase(first + 1, first + static_cast<std::ptrdiff_t>(replaced.size()));
          delete_later(std::move(*exchange->deleted),
                       std::chrono::milliseconds(partition.spec_.settings.file_delete_delay_ms));
          compaction_step();
        }
        for (auto& read : std::exchange(partition.after_swap_, {})) read();
      });
}

void LogStore::end_compaction(bool discard) {
  auto job = std::exchange(clean_job_, nullptr);
  if (discard) {
    // Nobody begins another one before its files are gone.
    clean_job_ = job;
    cleaner_->run([job] { job->cleaning.discard(); }, [this] { clean_job_.reset(); });
    return;
  }
  compact_most_dirty();
}

void LogStore::stop_compaction_of(const PartitionLog& partition) {
  if (clean_job_ != nullptr && clean_job_->partition.get() == &partition)
    clean_job_->cleaning.stop();
}

void LogStore::fence_partition(PartitionLog& partition, const std::string& why) {
  partition.fenced_ = Error(Errc::kafka_storage_error, why);
  log_error("log", why);
  partition.fail_waiters(*partition.fenced_);
  if (on_change_) on_change_(partition);
}

}  // namespace weir::log
