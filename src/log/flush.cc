// Behind the WAL: batches move from the tails into the segments, unsynced.
#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "log/batch.h"
#include "log/flush.h"
#include "log/log_store.h"

namespace weir::log {

namespace {

constexpr auto retry_pause = std::chrono::seconds(1);

}  // namespace

std::string partition_metadata(const PartitionSpec& spec) {
  return fmt::format("version: 0\ntopic_id: {}", spec.id.topic.to_string());
}

void LogStore::note_unflushed(PartitionLog& partition) {
  if (partition.in_flush_list_) return;
  partition.in_flush_list_ = true;
  flush_list_.push_back(shared(partition.spec_.id));
}

void LogStore::maybe_flush() {
  const std::uint64_t worth_it = std::max(
      options_.flush_bytes,
      std::min(options_.flush_most_bytes, flush_list_.size() * options_.flush_partition_bytes));
  if (unflushed_bytes_ < worth_it || flushing_ || checkpointing_) return;
  if (trouble_ && runtime_.loop().now() < retry_at_) return;
  start_flush({});
}

bool must_roll(const Segment& segment, const PartitionSettings& settings, std::uint64_t bytes,
               Offset last, std::int64_t max_timestamp) {
  if (segment.sealed) return true;
  if (segment.assigned_bytes == 0) return last - segment.base > INT32_MAX;
  if (segment.assigned_bytes + bytes > settings.segment_bytes) return true;
  if (last - segment.base > INT32_MAX) return true;
  if ((segment.index_entries + 1) * index_entry_bytes > settings.segment_index_bytes) return true;
  if ((segment.time_index_entries + 1) * time_index_entry_bytes > settings.segment_index_bytes)
    return true;
  if ((segment.txn_entries + 1) * txn_index_entry_bytes > settings.segment_index_bytes) return true;
  if (segment.first_timestamp < 0) return false;
  // Segments that were begun together need not all be closed together.
  const std::int64_t jitter =
      settings.segment_jitter_ms <= 0
          ? 0
          : static_cast<std::int64_t>(crc32c(segment.stem)) % settings.segment_jitter_ms;
  // What may not stay uncompacted any longer must leave the active segment.
  const std::int64_t most = settings.compact
                                ? std::min(settings.segment_ms, settings.max_compaction_lag_ms)
                                : settings.segment_ms;
  return max_timestamp - segment.first_timestamp > most - std::min(jitter, most);
}

void index_batch(Segment& segment, SegmentWrite& write, std::uint64_t at, Offset last,
                 bool force_time) {
  if (!force_time) {
    append_be<std::int32_t>(write.index_bytes, static_cast<std::int32_t>(last - segment.base));
    append_be<std::uint32_t>(write.index_bytes, static_cast<std::uint32_t>(at));
    ++segment.index_entries;
    segment.bytes_since_index = 0;
  }
  if (segment.max_timestamp > segment.last_indexed_timestamp) {
    append_be<std::int64_t>(write.time_index_bytes, segment.max_timestamp);
    append_be<std::int32_t>(write.time_index_bytes,
                            static_cast<std::int32_t>(segment.max_timestamp_offset - segment.base));
    ++segment.time_index_entries;
    segment.last_indexed_timestamp = segment.max_timestamp;
  }
}

void index_aborted(Segment& segment, SegmentWrite& write, const AbortedTransaction& aborted) {
  std::string entry;
  append_entry(entry, aborted);
  segment.txn_crc = crc32c_extend(segment.txn_crc, entry);
  ++segment.txn_entries;
  write.txn_index_bytes += entry;
}

SegmentWrite begin_write(const std::string& folder, const Segment& segment) {
  SegmentWrite write;
  write.folder = folder;
  write.stem = segment.stem;
  write.make = !segment.made;
  write.log = segment.log;
  write.index = segment.index;
  write.time_index = segment.time_index;
  write.txn_index = segment.txn_index;
  write.log_at = segment.assigned_bytes;
  write.index_at = segment.index_entries * index_entry_bytes;
  write.time_index_at = segment.time_index_entries * time_index_entry_bytes;
  write.txn_index_at = segment.txn_entries * txn_index_entry_bytes;
  return write;
}

/// One partition's part of a flush, with what to go back to if it fails.
struct PartitionFlush {
  std::shared_ptr<PartitionLog> partition;
  std::string metadata;
  std::vector<Slice> batches;
  std::vector<SegmentWrite> writes;
  std::size_t batch_count = 0;
  std::uint64_t bytes = 0;
  std::size_t segments_added = 0;
  std::optional<Segment> active_before;
};

struct LogStore::FlushJob {
  std::vector<PartitionFlush> parts;
  void run(io::FileSystem& files) {
    for (auto& part : parts)
      for (auto& write : part.writes) {
        write.run(files, part.metadata);
        if (!write.result) break;
      }
  }
};

void LogStore::plan_partition(FlushJob& job, const std::shared_ptr<PartitionLog>& partition) {
  auto& segments = partition->segments_;
  PartitionFlush part;
  part.partition = partition;
  part.metadata = partition_metadata(partition->spec_);
  if (!segments.empty()) part.active_before = segments.back();
  std::optional<SegmentWrite> write;
  const auto finish_segment = [&](bool rolled) {
    if (!write) return;
    if (rolled) index_batch(segments.back(), *write, 0, Offset(0), true);
    part.writes.push_back(std::move(*write));
    write.reset();
  };
  auto aborted = partition->aborted_.begin();
  if (partition->unflushed() > 0)
    aborted = std::lower_bound(
        partition->aborted_.begin(), partition->aborted_.end(),
        partition->tail_[partition->flushed_in_tail_].base,
        [](const AbortedTransaction& entry, Offset offset) { return entry.marker < offset; });
  for (std::size_t i = partition->flushed_in_tail_; i < partition->tail_.size(); ++i) {
    const auto& batch = partition->tail_[i];
    const bool roll =
        segments.empty() || must_roll(segments.back(), partition->spec_.settings,
                                      batch.bytes.size(), batch.last, batch.max_timestamp);
    if (roll) {
      if (!segments.empty() && !write) write = begin_write(partition->folder_, segments.back());
      finish_segment(true);
      segments.push_back(Segment::empty(batch.base, partition->stem(batch.base)));
      ++part.segments_added;
    }
    Segment& segment = segments.back();
    if (!write) write = begin_write(partition->folder_, segment);
    if (batch.max_timestamp > segment.max_timestamp) {
      segment.max_timestamp = batch.max_timestamp;
      segment.max_timestamp_offset = batch.last;
    }
    if (segment.first_timestamp < 0) segment.first_timestamp = batch.max_timestamp;
    if (segment.bytes_since_index > partition->spec_.settings.index_interval_bytes)
      index_batch(segment, *write, segment.assigned_bytes, batch.last, false);
    segment.bytes_since_index += batch.bytes.size();
    while (aborted != partition->aborted_.end() && aborted->marker <= batch.last)
      index_aborted(segment, *write, *aborted++);
    segment.assigned_bytes += batch.bytes.size();
    segment.next = batch.last + 1;
    write->pieces.push_back(batch.bytes.view());
    part.batches.push_back(batch.bytes);
    part.bytes += batch.bytes.size();
    ++part.batch_count;
  }
  finish_segment(false);
  if (part.writes.empty()) return;
  partition->in_flush_ = true;
  job.parts.push_back(std::move(part));
}

// A clean stop leaves the active segment as a roll would: its time index knows its largest
// timestamp.
void LogStore::plan_last_time(FlushJob& job, const std::shared_ptr<PartitionLog>& partition) {
  if (partition->is_shut() || partition->repairing_ || partition->segments_.empty()) return;
  Segment& active = partition->segments_.back();
  if (active.time_index == nullptr || active.max_timestamp <= active.last_indexed_timestamp) return;
  const auto planned =
      std::find_if(job.parts.begin(), job.parts.end(),
                   [&](const PartitionFlush& part) { return part.partition == partition; });
  if (planned != job.parts.end() && planned->writes.back().stem == active.stem) {
    index_batch(active, planned->writes.back(), 0, Offset(0), true);
    return;
  }
  PartitionFlush part;
  part.partition = partition;
  part.metadata = partition_metadata(partition->spec_);
  part.active_before = active;
  part.writes.push_back(begin_write(partition->folder_, active));
  index_batch(active, part.writes.back(), 0, Offset(0), true);
  partition->in_flush_ = true;
  job.parts.push_back(std::move(part));
}

std::shared_ptr<LogStore::FlushJob> LogStore::plan_flush() {
  auto job = std::make_shared<FlushJob>();
  for (const auto& partition : flush_list_) {
    partition->in_flush_list_ = false;
    if (!partition->deleted_ && !partition->is_shut() && !partition->repairing_)
      plan_partition(*job, partition);
  }
  flush_list_.clear();
  if (closing_)
    for (const auto& [id, partition] : partitions_) plan_last_time(*job, partition);
  return job;
}

Result<void> LogStore::finish_flush(FlushJob& job) {
  ++counters_.flushes;
  Result<void> result;
  for (auto& part : job.parts) {
    PartitionLog& partition = *part.partition;
    partition.in_flush_ = false;
    if (partition.deleted_) continue;
    const auto failed = std::find_if(part.writes.begin(), part.writes.end(),
                                     [](const SegmentWrite& w) { return !w.result; });
    if (failed != part.writes.end()) {
      // As if it had not been tried: the same places are written again later.
      result = fail(failed->result.error());
      for (std::size_t i = 0; i < part.segments_added; ++i) partition.segments_.pop_back();
      if (part.active_before) partition.segments_.back() = *part.active_before;
      note_unflushed(partition);
      continue;
    }
    for (auto& write : part.writes) {
      const auto segment = std::find_if(partition.segments_.rbegin(), partition.segments_.rend(),
                                        [&](const Segment& s) { return s.stem == write.stem; });
      check(segment != partition.segments_.rend(), "a flushed segment is there");
      segment->readable_bytes = segment->assigned_bytes;
      segment->txn_entries_written = segment->txn_entries;
      const bool first_aborted = segment->txn_index == nullptr && write.txn_index != nullptr;
      if (!segment->made || first_aborted) partition.names_unsynced_ = true;
      segment->made = true;
      segment->log = std::move(write.log);
      segment->index = std::move(write.index);
      segment->time_index = std::move(write.time_index);
      segment->txn_index = std::move(write.txn_index);
    }
    partition.folder_made_ = true;
    partition.flushed_in_tail_ += part.batch_count;
    unflushed_bytes_ -= part.bytes;
    cached_bytes_ += part.bytes;
    for (const auto& batch : part.batches) cached_.emplace_back(part.partition, batch.size());
    if (partition.unflushed() > 0) note_unflushed(partition);
  }
  forget_cached();
  return result;
}

void LogStore::start_flush(std::function<void(Result<void>)> done) {
  check(!flushing_, "one flush at a time");
  flushing_ = true;
  auto job = plan_flush();
  auto& files = runtime_.files();
  background_->run([job, &files] { job->run(files); },
                   [this, job, done = std::move(done)] {
                     flushing_ = false;
                     auto result = finish_flush(*job);
                     if (!result) {
                       note_trouble("writing segments", result.error());
                     } else if (trouble_ && !done) {
                       trouble_.reset();
                       log_info("log", "writing segments works again");
                     }
                     if (done) return done(result);
                     if (checkpoint_wanted_) return start_checkpoint();
                     maybe_flush();
                   });
}

void LogStore::note_trouble(std::string_view what, const Error& error) {
  if (!trouble_)
    log_error("log", fmt::format("{}: {}; nothing is lost, trying again", what, error.message()));
  trouble_ = error;
  retry_at_ = runtime_.loop().now() + retry_pause;
  runtime_.loop().cancel(retry_timer_);
  retry_timer_ = runtime_.loop().call_at(retry_at_, [this] { checkpoint(); });
}

Result<void> LogStore::flush_now() {
  auto job = plan_flush();
  job->run(runtime_.files());
  return finish_flush(*job);
}

}  // namespace weir::log
