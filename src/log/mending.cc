// Damage that was found while reading: what the write-ahead log still has of it is saved at once,
// and the segment written anew as soon as nobody writes to it.
#include <fmt/core.h>

#include <algorithm>

#include "base/log.h"
#include "log/log_store.h"
#include "log/mend.h"
#include "log/segment.h"

namespace weir::log {

struct LogStore::MendJob {
  std::shared_ptr<PartitionLog> partition;
  Segment segment;          // as it was, then as it will be
  std::uint64_t bytes = 0;  // of the damaged file
  bool gaps = false;
  std::optional<LeaderEpochs> epochs;
  Offset clean_end{0};
  std::uint64_t index_interval = 0;
  OffsetRanges found;
  Result<void> result;

  /// The segment, if it is still as it was when the job began.
  Segment* standing(std::deque<Segment>& segments) const {
    const auto at = std::find_if(segments.begin(), segments.end(), [&](const Segment& s) {
      return s.base == segment.base && s.readable_bytes == bytes;
    });
    return at == segments.end() ? nullptr : &*at;
  }
  Result<void> write(io::FileSystem& files, const std::string& folder);
  Result<void> exchange(io::FileSystem& files, const std::string& folder) const;
  Result<void> write_indexes(io::FileSystem& files, const BuiltIndex& built) const;
};

// The next checkpoint may let go of the WAL's files.
void LogStore::save_found(PartitionLog& partition, Offset base) {
  const auto index = partition.segment_for(base);
  if (!index || partition.segments_[*index].base != base) return;
  const Segment& segment = partition.segments_[*index];
  OffsetRanges wanted;
  for (const auto& bad : segment.damage)
    if (bad.from < bad.to) wanted.emplace_back(bad.from, bad.to);
  struct Search {
    bool found = false;
    Result<void> result;
  };
  auto search = std::make_shared<Search>();
  ++searches_;
  auto& files = runtime_.files();
  background_->run(
      [search, &files, wanted, wal = path("wal"), folder_id = directory_id_,
       id = partition.spec_.id, folder = partition.folder_, stem = segment.stem] {
        Elsewhere elsewhere(files, wanted);
        search->result = elsewhere.look_in_wal(wal, folder_id, id);
        search->found = !elsewhere.found().empty();
        if (search->result && search->found)
          search->result = write_found(files, folder, stem, elsewhere);
      },
      [this, search, id = partition.spec_.id, base, stem = segment.stem] {
        --searches_;
        // Only now: a start that knows of the loss does not look for it again.
        if (const auto of = shared(id); of != nullptr) of->save_lost();
        if (!search->result)
          log_warn("log", fmt::format("{}.log: looking for what is damaged in the write-ahead log "
                                      "failed: {}",
                                      stem, search->result.error().message()));
        if (!search->result || !search->found) return;
        to_mend_.emplace_back(id, base);
        mend_next();
      });
}

void LogStore::mend_next() {
  if (to_mend_.empty() || clean_job_ != nullptr || mend_job_ != nullptr || closing_) return;
  const auto [id, base] = to_mend_.front();
  const auto partition = shared(id);
  const auto index = partition == nullptr ? std::nullopt : partition->segment_for(base);
  if (!index || partition->segments_[*index].base != base || partition->deleted_ ||
      partition->fenced_) {
    to_mend_.pop_front();
    return mend_next();
  }
  if (partition->repairing_ || partition->swapping_) return;
  const Segment& segment = partition->segments_[*index];
  const bool settled = segment.log == nullptr && segment.made &&
                       segment.synced_bytes == segment.assigned_bytes &&
                       segment.readable_bytes == segment.assigned_bytes;
  if (!settled) {
    if (*index + 1 == partition->segments_.size()) {
      if (!can_close_active(*partition)) return;  // the next tick tries again
      close_active(*partition);
    }
    checkpoint([this](const Result<void>& synced) {
      if (synced) mend_next();
    });
    return;
  }
  to_mend_.pop_front();
  auto job = std::make_shared<MendJob>();
  job->partition = partition;
  job->segment = segment;
  job->bytes = segment.readable_bytes;
  job->gaps = partition->may_have_gaps();
  if (partition->epochs_trusted_) job->epochs = partition->epochs_;
  job->clean_end = partition->clean_end_;
  job->index_interval = partition->spec_.settings.index_interval_bytes;
  mend_job_ = job;
  if (cleaner_ == nullptr) cleaner_ = runtime_.make_worker("weir-clean");
  auto& files = runtime_.files();
  cleaner_->run([job, &files] { job->result = job->write(files, job->partition->folder_); },
                [this, job] { exchange_mended(job); });
}

Result<void> LogStore::MendJob::write(io::FileSystem& files, const std::string& folder) {
  auto log = files.open(segment.stem + ".log", io::OpenMode::read);
  if (!log) return fail(log.error());
  const LeaderEpochs* known = epochs ? &*epochs : nullptr;
  auto verified = verify_segment(**log, segment.base, segment.next, bytes, gaps, known);
  if (!verified) return fail(verified.error());
  const OffsetRanges missing = missing_offsets(*verified, segment.next, gaps, clean_end);
  Elsewhere elsewhere(files, missing);
  if (auto r = elsewhere.look_in_folder(folder, gaps); !r) return r;
  auto written = write_mended(files,
                              {.folder = folder,
                               .stem = segment.stem,
                               .log = log->get(),
                               .verified = &*verified,
                               .missing = missing},
                              elsewhere);
  if (!written) return fail(written.error());
  if (!*written) return fail(Errc::not_found, segment.stem + ".log: nothing to mend it with");
  for (const auto& batch : elsewhere.found()) found.emplace_back(batch.base, batch.last + 1);
  auto mended = files.open(segment.stem + ".log.cleaned", io::OpenMode::read);
  if (!mended) return fail(mended.error());
  auto size = (*mended)->size();
  if (!size) return fail(size.error());
  auto whole = verify_segment(**mended, segment.base, segment.next, *size, gaps, known);
  if (!whole) return fail(whole.error());
  segment.damage = std::move(whole->damage);
  if (!gaps && whole->next < segment.next)
    segment.damage.push_back({.at = *size, .end = *size, .from = whole->next, .to = segment.next});
  auto built = build_index(**mended, segment.base, segment.next, *size, index_interval, {});
  if (!built) return fail(built.error());
  segment.checked = nullptr;  // all of it was written here
  segment.assigned_bytes = segment.readable_bytes = segment.synced_bytes = *size;
  segment.index_entries = built->index.size() / index_entry_bytes;
  segment.time_index_entries = built->time_index.size() / time_index_entry_bytes;
  segment.max_timestamp = segment.last_indexed_timestamp = built->max_timestamp;
  segment.max_timestamp_offset = built->max_timestamp_offset;
  return write_indexes(files, *built);
}

Result<void> LogStore::MendJob::write_indexes(io::FileSystem& files,
                                              const BuiltIndex& built) const {
  for (const auto& [suffix, content] : {std::pair(".index.cleaned", &built.index),
                                        std::pair(".timeindex.cleaned", &built.time_index)}) {
    auto file = files.open(segment.stem + suffix, io::OpenMode::create);
    if (!file) return fail(file.error());
    if (auto r = (*file)->truncate(0); !r) return r;
    if (auto r = (*file)->write_at(0, *content); !r) return r;
    if (auto r = (*file)->sync(); !r) return r;
  }
  return {};
}

// A start completes it if it is cut short: indexes are made again then.
Result<void> LogStore::MendJob::exchange(io::FileSystem& files, const std::string& folder) const {
  if (auto r = commit_mended(files, folder, segment.stem); !r) return r;
  for (const char* suffix : {".index", ".timeindex"})
    if (auto r = files.rename(segment.stem + suffix + ".cleaned", segment.stem + suffix); !r)
      return r;
  if (auto r = files.sync_directory(folder); !r) return r;
  if (auto r = files.rename(segment.stem + ".log.swap", segment.stem + ".log"); !r) return r;
  return files.sync_directory(folder);
}

// Reads of the partition's files wait for it, as for an exchange by compaction.
void LogStore::exchange_mended(const std::shared_ptr<MendJob>& job) {
  PartitionLog& partition = *job->partition;
  if (!job->result || closing_ || partition.deleted_ || partition.fenced_ || partition.repairing_ ||
      job->standing(partition.segments_) == nullptr) {
    if (!job->result)
      log_warn("log", fmt::format("{}.log: not mended, the next start tries again: {}",
                                  job->segment.stem, job->result.error().message()));
    mend_job_.reset();
    return;
  }
  partition.swapping_ = true;
  auto& files = runtime_.files();
  reader_->run(
      [job, &files] { job->result = job->exchange(files, job->partition->folder_); },
      [this, job, &partition, &files] {
        partition.swapping_ = false;
        mend_job_.reset();
        Segment* segment = job->standing(partition.segments_);
        if (!job->result) {
          fence_partition(partition, fmt::format("{}.log: the exchange by a mended one was cut "
                                                 "short; restart the broker to complete it: {}",
                                                 job->segment.stem, job->result.error().message()));
        } else if (!partition.deleted_ && segment != nullptr) {
          *segment = job->segment;
          counters_.mended_batches += job->found.size();
          for (const auto& [from, to] : job->found) partition.remove_lost(from, to);
          log_warn("log", fmt::format("{}.log: {} batches that were damaged were taken from the "
                                      "write-ahead log; the damaged file is kept as .log.damaged",
                                      job->segment.stem, job->found.size()));
          partition.save_lost();
          // Until then a start would find that there is more than is known.
          background_->run(
              [&files, path = found_path(job->segment.stem)] { (void)files.remove(path); }, {});
        }
        for (auto& read : std::exchange(partition.after_swap_, {})) read();
        mend_next();
      });
}

}  // namespace weir::log
