#include "log/partition_recovery.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/crc32c.h"
#include "base/log.h"
#include "base/mutant.h"
#include "log/batch.h"
#include "log/flush.h"
#include "log/mend.h"

namespace weir::log {
namespace {

bool starts_batch(const io::File& log, std::uint64_t at, std::uint64_t size,
                  const std::string& index, Offset base) {
  if (at == 0) return true;
  SegmentScanner scanner(log, at, size);
  auto found = scanner.next(false);
  return found && *found &&
         BatchHeader((*found)->bytes).last_offset() ==
             base + load_be<std::int32_t>(index.data() + index.size() - 8);
}

// A segment that was given up after a failed sync may hold more than its batches. False: the index
// does not fit the log.
Result<bool> find_end(const io::File& log, Segment& segment, const std::string& index,
                      Offset& reached) {
  const std::uint64_t from =
      index.empty() ? 0 : load_be<std::uint32_t>(index.data() + index.size() - 4);
  if (!starts_batch(log, from, segment.readable_bytes, index, segment.base)) return false;
  reached = segment.base;
  SegmentScanner scanner(log, from, segment.readable_bytes);
  std::uint64_t end = from;
  for (;;) {
    auto found = scanner.next(false);
    if (!found) return fail(found.error());
    if (!*found || BatchHeader((*found)->bytes).base_offset() >= segment.next) break;
    reached = BatchHeader((*found)->bytes).last_offset() + 1;
    end = scanner.position();
  }
  segment.assigned_bytes = segment.readable_bytes = segment.synced_bytes = end;
  return true;
}

void note_batch(Segment& segment, const BatchHeader& header, std::uint64_t) {
  if (segment.first_timestamp < 0) segment.first_timestamp = header.max_timestamp();
  if (header.max_timestamp() > segment.max_timestamp) {
    segment.max_timestamp = header.max_timestamp();
    segment.max_timestamp_offset = header.last_offset();
  }
  segment.next = header.last_offset() + 1;
}

// Entries rise and lie before the cut; a torn or stale end of an index is dropped.
void keep_believable(Segment& segment, std::string& index, std::string& times, Offset end,
                     std::uint64_t size) {
  std::size_t kept = 0;
  std::int64_t offset_before = -1;
  std::int64_t position_before = -1;
  for (; kept + index_entry_bytes <= index.size(); kept += index_entry_bytes) {
    const auto relative = load_be<std::int32_t>(index.data() + kept);
    const auto position = load_be<std::uint32_t>(index.data() + kept + 4);
    if (relative <= offset_before || static_cast<std::int64_t>(position) <= position_before ||
        position >= size || segment.base + relative >= end)
      break;
    offset_before = relative;
    position_before = position;
  }
  index.resize(kept);
  kept = 0;
  segment.max_timestamp = -1;
  std::int64_t time_offset_before = -1;
  for (; kept + time_index_entry_bytes <= times.size(); kept += time_index_entry_bytes) {
    const auto timestamp = load_be<std::int64_t>(times.data() + kept);
    const auto relative = load_be<std::int32_t>(times.data() + kept + 8);
    if (timestamp <= segment.max_timestamp || relative < time_offset_before ||
        relative > offset_before)
      break;
    segment.max_timestamp = timestamp;
    segment.max_timestamp_offset = segment.base + relative;
    time_offset_before = relative;
  }
  times.resize(kept);
  segment.last_indexed_timestamp = segment.max_timestamp;
  segment.index_entries = index.size() / index_entry_bytes;
  segment.time_index_entries = times.size() / time_index_entry_bytes;
  segment.next = segment.base;
}

}  // namespace

Result<std::string> read_if_there(io::FileSystem& files, const std::string& path) {
  auto text = io::read_file(files, path, largest_text_file);
  if (!text && text.error().code() == Errc::not_found) return std::string();
  return text;
}

Result<void> Recovery::load(const Checkpoint::Row& row) {
  row_ = row;
  const Offset recovery_point = row.recovery_point;
  const Offset log_start = row.log_start;
  partition_.log_start_ = log_start;
  partition_.clean_end_ = row.clean_end;
  auto found = list();
  if (!found) return found;
  if (row.unknown) return load_unknown();
  const Offset end = std::max(recovery_point, log_start);
  auto deleted = remove_deleted(log_start);
  if (!deleted) return fail(deleted.error());
  bool removed = *deleted;
  if (log_start < end)
    if (auto r = mend_front(log_start, bases_.empty() ? end : std::min(bases_.front(), end)); !r)
      return r;
  for (std::size_t i = 0; i < bases_.size(); ++i) {
    if (bases_[i] >= end) {
      if (auto r = remove_segment(bases_[i]); !r) return r;
      removed = true;
      continue;
    }
    const bool last = i + 1 == bases_.size() || bases_[i + 1] >= end;
    if (auto r = last ? load_active(bases_[i], end) : load_rolled(bases_[i], bases_[i + 1]); !r)
      return r;
  }
  // One that comes back after a later checkpoint would hide what stands in its place by then.
  if (removed)
    if (auto r = files_.sync_directory(partition_.folder_); !r) return r;
  auto& segments = partition_.segments_;
  // The start is durable before a file in front of it goes: one that is missing was damaged.
  if (!segments.empty() && segments.front().base > log_start)
    note_lost(log_start, segments.front().base,
              fmt::format("{}.log: the segments before it are missing", segments.front().stem));
  const Offset reached = segments.empty() ? log_start : segments.back().next;
  if (reached < end && !segments.empty())
    note_lost(
        reached, end,
        fmt::format("{}.log: readable up to offset {} only", segments.back().stem, reached.value));
  if (reached < end && segments.empty() && log_start < end)
    note_lost(log_start, end, partition_.folder_ + ": no segment is left");
  // No offset is given out twice: what comes goes behind what was there.
  if (reached < end) {
    if (!segments.empty()) segments.back().sealed = true;
    segments.push_back(Segment::empty(end, stem(end)));
  }
  partition_.next_offset_ = partition_.high_watermark_ = end;
  if (auto r = load_lost(); !r) return r;
  if (auto r = load_epochs(end); !r) return r;
  if (auto r = load_producers(end); !r) return r;
  partition_.aborted_from_ = end;
  return aborted_damage_.empty() ? Result<void>() : rebuild_aborted();
}

// Nothing says how far the segments are durable: each is read whole, and what is no batch is
// damage, but for the end of the last one, which may be torn.
Result<void> Recovery::load_unknown() {
  const bool gaps = partition_.may_have_gaps();
  auto& segments = partition_.segments_;
  Offset expected = bases_.empty() ? Offset(0) : bases_.front();
  partition_.log_start_ = expected;
  row_.active_base = Offset(0);  // no index is believed
  // What is read may stand in the page cache alone, and the next checkpoint vouches for it.
  for (const Offset base : bases_) {
    auto log = files_.open(stem(base) + ".log", io::OpenMode::read_write);
    if (!log) return fail(log.error());
    if (auto r = (*log)->sync(); !r) return r;
  }
  if (partition_.folder_made_)
    if (auto r = files_.sync_directory(partition_.folder_); !r) return r;
  for (std::size_t i = 0; i < bases_.size(); ++i) {
    if (i + 1 < bases_.size()) {
      if (auto r = load_rolled(bases_[i], bases_[i + 1]); !r) return r;
      continue;
    }
    auto log = files_.open(stem(bases_[i]) + ".log", io::OpenMode::read);
    if (!log) return fail(log.error());
    auto size = (*log)->size();
    if (!size) return fail(size.error());
    // Base offsets are outside of checksums: behind what the WAL knows there is nothing but torn
    // writes. Of a partition that it does not know, all was synced.
    const auto known = store_.scan_.ends.find(partition_.spec_.id);
    const Offset most = known == store_.scan_.ends.end() ? Offset(INT64_MAX) : known->second;
    auto verified = verify_segment(**log, bases_[i], most, *size, gaps);
    if (!verified) return fail(verified.error());
    expected = verified->next;
    if (verified->bytes < *size)
      if (auto r = keep_aside(**log, bases_[i], verified->bytes, *size); !r) return r;
    if (auto r = load_active(bases_[i], expected); !r) return r;
  }
  partition_.next_offset_ = partition_.high_watermark_ = expected;
  if (auto r = load_lost(); !r) return r;
  if (auto r = epochs_from_batches(); !r) return r;
  if (auto r = load_producers(expected); !r) return r;
  partition_.aborted_from_ = expected;
  aborted_damage_ = partition_.folder_;
  return segments.empty() ? Result<void>() : rebuild_aborted();
}

// A torn end, or damage of what was acknowledged: nobody can tell, so the bytes are kept.
Result<void> Recovery::keep_aside(const io::File& log, Offset base, std::uint64_t at,
                                  std::uint64_t end) {
  const std::string path = fmt::format("{}.log.cut-at-{}", stem(base), at);
  // An earlier start may have kept more: the same offsets are the same batches.
  if (auto earlier = files_.open(path, io::OpenMode::read)) {
    auto kept = (*earlier)->size();
    if (!kept || *kept >= end - at) return kept ? Result<void>() : fail(kept.error());
  }
  log_warn("log", fmt::format("{}.log: {} bytes from {} on are no batches; they are kept in {}",
                              stem(base), end - at, at, path));
  auto aside = files_.open(path, io::OpenMode::create);
  if (!aside) return fail(aside.error());
  if (auto r = (*aside)->truncate(0); !r) return r;
  constexpr std::uint64_t chunk = 1U << 20U;
  std::string bytes;
  for (std::uint64_t done = 0; at + done < end; done += bytes.size()) {
    bytes.resize(static_cast<std::size_t>(std::min(chunk, end - at - done)));
    auto got = log.read_at(at + done, bytes.data(), bytes.size());
    if (!got) return fail(got.error());
    bytes.resize(*got);
    if (bytes.empty()) break;
    if (auto r = (*aside)->write_at(done, bytes); !r) return r;
  }
  if (auto r = (*aside)->sync(); !r) return r;
  return files_.sync_directory(partition_.folder_);
}

Result<void> Recovery::list() {
  auto there = files_.exists(partition_.folder_);
  if (!there) return fail(there.error());
  if (!*there) return {};
  partition_.folder_made_ = true;
  auto entries = files_.list(partition_.folder_);
  if (!entries) return fail(entries.error());
  std::vector<Offset> exchanges;
  for (const auto& entry : *entries)
    if (const auto base = segment_base(entry.name, ".log.swap")) exchanges.push_back(*base);
  if (!exchanges.empty()) {
    for (const Offset base : exchanges)
      if (auto r = finish_exchange(base); !r) return r;
    entries = files_.list(partition_.folder_);
    if (!entries) return fail(entries.error());
  }
  for (const auto& entry : *entries) {
    if (const auto base = segment_base(entry.name, ".log")) bases_.push_back(*base);
    if (const auto base = segment_base(entry.name, ".snapshot")) snapshots_.push_back(*base);
    if (const auto base = segment_base(entry.name, ".log.found")) found_.insert(*base);
    if (entry.name == failed_repair_mark) {
      wal_lacks_ = true;
      store_.removals_.push_back({.path = partition_.folder_ + "/" + entry.name, .delay = {}});
    }
    if (entry.name.ends_with(".deleted") || entry.name.ends_with(".cleaned"))
      if (auto r = files_.remove(partition_.folder_ + "/" + entry.name); !r) return r;
  }
  std::sort(bases_.begin(), bases_.end());
  std::sort(snapshots_.begin(), snapshots_.end());
  return {};
}

// Compaction, or a mend, had written all of B.log.swap when it stopped: it takes the place of the
// segments that it covers. Their indexes are made anew. Should it not be whole, the segments that
// it was made from are still better; it is kept for a person to look at.
Result<void> Recovery::finish_exchange(Offset base) {
  const std::string swap = stem(base) + ".log.swap";
  auto file = files_.open(swap, io::OpenMode::read);
  if (!file) return fail(file.error());
  auto size = (*file)->size();
  if (!size) return fail(size.error());
  SegmentScanner scanner(**file, 0, *size);
  Offset end = base;
  for (;;) {
    auto found = scanner.next(true);
    if (!found) return fail(found.error());
    if (!*found) break;
    end = BatchHeader((*found)->bytes).last_offset() + 1;
  }
  auto original = files_.exists(stem(base) + ".log");
  if (!original) return fail(original.error());
  if (scanner.position() != *size && *original) {
    const std::string text = fmt::format(
        "{}: damaged at byte {}; the segments that it was made "
        "from are kept in its place",
        swap, scanner.position());
    log_error("log", text);
    store_.report_.damage.push_back(text);
    return files_.rename(swap, stem(base) + ".log.damaged");
  }
  auto entries = files_.list(partition_.folder_);
  if (!entries) return fail(entries.error());
  for (const auto& entry : *entries) {
    const auto covered = segment_base(entry.name, ".log");
    if (!covered || *covered <= base || *covered >= end) continue;
    if (auto r = remove_segment(*covered); !r) return r;
  }
  for (const char* suffix : {".index", ".timeindex", ".txnindex"}) {
    auto there = files_.exists(stem(base) + suffix);
    if (!there) return fail(there.error());
    if (*there)
      if (auto r = files_.remove(stem(base) + suffix); !r) return r;
  }
  if (auto r = files_.sync_directory(partition_.folder_); !r) return r;
  if (auto r = files_.rename(swap, stem(base) + ".log"); !r) return r;
  log_info("log", fmt::format("{}.log: an exchange is completed", stem(base)));
  return files_.sync_directory(partition_.folder_);
}

// Behind the recovery point everything stands in the WAL; where that is damaged, perhaps here
// alone.
Result<void> Recovery::remove_segment(Offset base) {
  auto log = files_.open(stem(base) + ".log", io::OpenMode::read);
  if (!log && log.error().code() != Errc::not_found) return fail(log.error());
  if (log) {
    auto size = (*log)->size();
    if (!size) return fail(size.error());
    auto known = wal_has_all(**log, 0, *size);
    if (!known) return fail(known.error());
    if (!*known)
      if (auto r = keep_aside(**log, base, 0, *size); !r) return r;
  }
  return remove_files(base);
}

Result<void> Recovery::remove_files(Offset base) {
  for (const char* suffix : segment_suffixes) {
    auto there = files_.exists(stem(base) + suffix);
    if (!there) return fail(there.error());
    if (*there)
      if (auto r = files_.remove(stem(base) + suffix); !r) return r;
  }
  return {};
}

// Segments that lie wholly below the start were about to go, and names go in any order: what is
// missing between two of them is no loss.
Result<bool> Recovery::remove_deleted(Offset log_start) {
  std::size_t count = 0;
  while (count + 1 < bases_.size() && bases_[count + 1] <= log_start) ++count;
  for (std::size_t i = 0; i < count; ++i)
    if (auto r = remove_files(bases_[i]); !r) return fail(r.error());
  bases_.erase(bases_.begin(), bases_.begin() + static_cast<std::ptrdiff_t>(count));
  return count > 0;
}

Result<std::string> Recovery::index_file(Offset base, const char* suffix, std::size_t entry_bytes) {
  auto bytes = read_if_there(files_, stem(base) + suffix);
  if (!bytes) return bytes;
  bytes->resize(bytes->size() / entry_bytes * entry_bytes);
  return bytes;
}

Result<void> Recovery::load_rolled(Offset base, Offset next) {
  Segment segment = Segment::empty(base, stem(base));
  segment.next = next;
  auto log = files_.open(segment.stem + ".log", io::OpenMode::read);
  if (!log) return fail(log.error());
  auto size = (*log)->size();
  if (!size) return fail(size.error());
  segment.assigned_bytes = segment.readable_bytes = segment.synced_bytes = *size;
  segment.synced_next = next;
  segment.made = true;
  segment.checked = std::make_shared<CheckedBytes>(*size);
  if (auto r = load_aborted(segment); !r) return r;
  auto index = index_file(base, ".index", index_entry_bytes);
  auto times = index_file(base, ".timeindex", time_index_entry_bytes);
  if (!index || !times) return fail(index ? times.error() : index.error());
  // Rolled after the checkpoint: nobody has synced its indexes.
  const bool missing =
      base >= row_.active_base || times->empty() ||
      (index->empty() && *size > 2 * partition_.spec_.settings.index_interval_bytes + 65536);
  if (missing) return rebuild(**log, std::move(segment));
  Offset reached = base;
  auto fits = find_end(**log, segment, *index, reached);
  if (!fits) return fail(fits.error());
  if (!*fits) return rebuild(**log, std::move(segment));
  // What lies behind may be left of a failed sync; or a batch claims more offsets than it has.
  if (is_short(segment, reached, next, *size) || segment.readable_bytes < *size ||
      must_be_read(base)) {
    auto mended = contain(**log, segment, next, *size);
    if (!mended) return fail(mended.error());
    if (*mended) return load_rolled(base, next);
  }
  segment.index_entries = index->size() / index_entry_bytes;
  segment.time_index_entries = times->size() / time_index_entry_bytes;
  segment.max_timestamp =
      load_be<std::int64_t>(times->data() + times->size() - time_index_entry_bytes);
  segment.max_timestamp_offset = base + load_be<std::int32_t>(times->data() + times->size() - 4);
  segment.last_indexed_timestamp = segment.max_timestamp;
  partition_.segments_.push_back(std::move(segment));
  return {};
}

// Something is where a batch should be, or nothing is.
bool Recovery::is_short(const Segment& segment, Offset reached, Offset end,
                        std::uint64_t size) const {
  if (reached > end) return true;  // a batch claims more offsets than it can have
  if (reached == end) return false;
  return !partition_.may_have_gaps() || segment.readable_bytes < size;
}

// Damage below the durable end: what is whole before and behind it stays readable. True: all or a
// part of what is missing stood elsewhere, and the segment was written anew: it is to be loaded
// again.
Result<bool> Recovery::contain(const io::File& log, Segment& segment, Offset end,
                               std::uint64_t size) {
  const bool gaps = partition_.may_have_gaps();
  auto verified = verify_segment(log, segment.base, end, size, gaps);
  if (!verified) return fail(verified.error());
  auto missing = missing_offsets(*verified, end, gaps, row_.clean_end);
  // A crash may have come between its exchange and the removal of what was saved for it.
  if (missing.empty() && verified->damage.empty())
    if (auto r = drop_found(segment.base); !r) return fail(r.error());
  auto mended = mend(segment.base, &log, &*verified, std::move(missing));
  if (!mended || *mended) return mended;
  const auto say = [&](Offset from, Offset to, std::uint64_t at) {
    note_lost(from, to, fmt::format("{}.log: damaged at byte {}", segment.stem, at));
  };
  for (const auto& run : verified->whole) whole_.emplace_back(run.base, run.last + 1);
  for (const auto& bad : verified->damage) say(bad.from, bad.to, bad.at);
  if (verified->next < end && !gaps) say(verified->next, end, verified->bytes);
  segment.damage = std::move(verified->damage);
  segment.assigned_bytes = segment.readable_bytes = segment.synced_bytes = verified->bytes;
  // Nothing of it is cut or overwritten.
  segment.sealed = !segment.damage.empty() || verified->next < end;
  return false;
}

// It is asked for, or an earlier process found damage and wrote down what the WAL had of it, or
// this one has mended what it could.
bool Recovery::must_be_read(Offset base) const {
  return store_.options_.read_all_segments || partition_.spec_.read_whole ||
         found_.contains(base) || mended_.contains(base);
}

// Whether the bytes from `at` on, which the checkpoint does not know of, come again from the WAL. A
// file of it that was deleted is missed by nobody else.
Result<bool> Recovery::wal_has_all(const io::File& log, std::uint64_t at, std::uint64_t end) {
  const auto known = store_.scan_.ends.find(partition_.spec_.id);
  const Offset wal_end = known == store_.scan_.ends.end() ? Offset(0) : known->second;
  bool all = store_.scan_.damage.empty();
  SegmentScanner scanner(log, at, end);
  while (all) {
    auto batch = scanner.next(false);
    if (!batch) return fail(batch.error());
    if (!*batch) break;
    all = BatchHeader((*batch)->bytes).last_offset() < wal_end;
  }
  wal_lacks_ = wal_lacks_ || !all;
  return all;
}

Result<Elsewhere> Recovery::look_elsewhere(OffsetRanges wanted) {
  Elsewhere elsewhere(files_, std::move(wanted));
  const auto& id = partition_.spec_.id;
  if (auto r = elsewhere.look_in_wal(store_.path("wal"), store_.directory_id_, id); !r)
    return fail(r.error());
  if (auto r = elsewhere.look_in_folder(partition_.folder_, partition_.may_have_gaps()); !r)
    return fail(r.error());
  return elsewhere;
}

Result<bool> Recovery::mend(Offset base, const io::File* log, const VerifiedSegment* verified,
                            OffsetRanges missing) {
  if (missing.empty() || !mended_.insert(base).second) return false;
  auto elsewhere = look_elsewhere(missing);
  if (!elsewhere) return fail(elsewhere.error());
  auto written = write_mended(files_,
                              {.folder = partition_.folder_,
                               .stem = stem(base),
                               .log = log,
                               .verified = verified,
                               .missing = missing},
                              *elsewhere);
  if (!written || !*written) return written;
  if (auto r = commit_mended(files_, partition_.folder_, stem(base)); !r) return fail(r.error());
  if (auto r = finish_exchange(base); !r) return fail(r.error());
  if (auto r = drop_found(base); !r) return fail(r.error());
  store_.report_.mended_batches += elsewhere->found().size();
  return true;
}

// Else every later start would read all of the segment for it.
Result<void> Recovery::drop_found(Offset base) {
  return found_.erase(base) > 0 ? files_.remove(found_path(stem(base))) : Result<void>();
}

// The first segments are gone, or all of them.
Result<void> Recovery::mend_front(Offset from, Offset to) {
  if (!bases_.empty() && bases_.front() <= from) return {};
  auto elsewhere = look_elsewhere({{from, to}});
  if (!elsewhere) return fail(elsewhere.error());
  const auto found = elsewhere->found();
  if (found.empty()) return {};
  if (auto r = files_.make_directories(partition_.folder_); !r) return r;
  partition_.folder_made_ = true;
  const std::string metadata = partition_.folder_ + "/partition.metadata";
  if (auto r = io::write_file_durably(files_, metadata, partition_metadata(partition_.spec_)); !r)
    return r;
  const Offset base = std::min(from, found.front().base);
  auto mended = mend(base, nullptr, nullptr, {{from, to}});
  if (!mended) return fail(mended.error());
  if (*mended) bases_.insert(bases_.begin(), base);
  return {};
}

Result<void> Recovery::rebuild(const io::File& log, Segment segment) {
  const std::uint64_t size = segment.readable_bytes;
  const auto build = [&] {
    return build_index(log, segment.base, segment.next, size,
                       partition_.spec_.settings.index_interval_bytes, segment.damage);
  };
  auto built = build();
  if (!built) return fail(built.error());
  // A segment that was given up after a failed sync may hold more than its batches.
  segment.assigned_bytes = segment.readable_bytes = segment.synced_bytes = built->bytes;
  if (is_short(segment, built->next, segment.next, size) || built->bytes < size ||
      must_be_read(segment.base)) {
    auto mended = contain(log, segment, segment.next, size);
    if (!mended) return fail(mended.error());
    if (*mended) return load_rolled(segment.base, segment.next);
    if (built = build(); !built) return fail(built.error());
  }
  for (const auto& [suffix, bytes] :
       {std::pair(".index", &built->index), std::pair(".timeindex", &built->time_index)})
    if (auto r = io::write_file_durably(files_, segment.stem + suffix, *bytes); !r) return r;
  segment.index_entries = built->index.size() / index_entry_bytes;
  segment.time_index_entries = built->time_index.size() / time_index_entry_bytes;
  segment.max_timestamp = segment.last_indexed_timestamp = built->max_timestamp;
  segment.max_timestamp_offset = built->max_timestamp_offset;
  partition_.segments_.push_back(std::move(segment));
  return {};
}

/// The segment that holds `end`: its log is cut there, its indexes keep what lies before.
Result<void> Recovery::load_active(Offset base, Offset end) {
  Segment segment = Segment::empty(base, stem(base));
  auto log = files_.open(segment.stem + ".log", io::OpenMode::read_write);
  if (!log) return fail(log.error());
  auto size = (*log)->size();
  if (!size) return fail(size.error());
  auto index = index_file(base, ".index", index_entry_bytes);
  auto times = index_file(base, ".timeindex", time_index_entry_bytes);
  if (!index || !times) return fail(index ? times.error() : index.error());
  keep_believable(segment, *index, *times, end, *size);
  std::uint64_t at =
      segment.index_entries == 0 ? 0 : load_be<std::uint32_t>(index->data() + index->size() - 4);
  if (!starts_batch(**log, at, *size, *index, base)) {
    index->clear();
    times->clear();
    keep_believable(segment, *index, *times, end, *size);
    at = 0;
  }
  SegmentScanner scanner(**log, at, *size);
  std::uint64_t cut = at;
  std::uint64_t last = at;
  for (;;) {
    auto found = scanner.next(false);
    if (!found) return fail(found.error());
    if (!*found) break;
    const BatchHeader header((*found)->bytes);
    if (header.base_offset() >= end || header.base_offset() < segment.next) break;
    note_batch(segment, header, scanner.position() - (*found)->at);
    last = (*found)->at;
    cut = scanner.position();
  }
  bool damaged =
      segment.next > end || (segment.next < end && (cut < *size || !partition_.may_have_gaps()));
  if (!damaged && cut < *size && cut > last) {
    // Should it claim more offsets than it has, then what is cut behind it is not behind `end`.
    auto whole = SegmentScanner(**log, last, *size).next(true);
    if (!whole) return fail(whole.error());
    damaged = !*whole;
  }
  if (mutant(Mutant::cut_at_damage)) damaged = false;
  if (damaged || must_be_read(base)) {
    auto mended = contain(**log, segment, end, damaged ? *size : cut);
    if (!mended) return fail(mended.error());
    if (*mended) return load_active(base, end);
    cut = segment.readable_bytes;
    if (damaged) segment.next = end;
  }
  if (!segment.sealed && cut < *size) {
    auto known = wal_has_all(**log, cut, *size);
    if (!known) return fail(known.error());
    if (!*known)
      if (auto r = keep_aside(**log, base, cut, *size); !r) return r;
    if (auto r = (*log)->truncate(cut); !r) return r;
  }
  if (base == row_.active_base && row_.max_timestamp > segment.max_timestamp) {
    segment.max_timestamp = row_.max_timestamp;
    segment.max_timestamp_offset = row_.max_timestamp_offset;
  }
  segment.bytes_since_index = cut - at;
  segment.assigned_bytes = segment.readable_bytes = segment.synced_bytes = cut;
  segment.synced_next = segment.next;
  segment.made = true;
  segment.checked = std::make_shared<CheckedBytes>(cut);
  segment.log = std::move(*log);
  for (const auto& [suffix, bytes, file] :
       {std::tuple(".index", index->size(), &segment.index),
        std::tuple(".timeindex", times->size(), &segment.time_index)}) {
    auto opened = files_.open(segment.stem + suffix, io::OpenMode::create);
    if (!opened) return fail(opened.error());
    if (auto r = (*opened)->truncate(bytes); !r) return r;
    *file = std::move(*opened);
  }
  if (auto r = load_aborted(segment); !r) return r;
  if (segment.txn_entries > 0) {
    auto opened = files_.open(segment.stem + ".txnindex", io::OpenMode::create);
    if (!opened) return fail(opened.error());
    if (auto r = (*opened)->truncate(segment.txn_entries * txn_index_entry_bytes); !r) return r;
    segment.txn_index = std::move(*opened);
  }
  partition_.segments_.push_back(std::move(segment));
  return {};
}

void Recovery::note_lost(Offset from, Offset to, const std::string& why) {
  partition_.add_lost(from, to);
  const std::string text = fmt::format("{}: {} are lost: {}", partition_.spec_.folder_name(),
                                       offsets_text(from, to), why);
  log_error("log", text);
  store_.report_.damage.push_back(text);
}

Result<void> Recovery::load_lost() {
  auto text = read_if_there(files_, partition_.folder_ + "/lost-offsets");
  if (!text || text->empty()) return text ? Result<void>() : fail(text.error());
  auto rows = CheckpointRows::open(*text);
  if (!rows)
    return fail(rows.error().code(),
                partition_.folder_ + "/lost-offsets: " + rows.error().message());
  while (rows->next()) {
    const CheckpointRows& row = *rows;
    std::int64_t from = 0;
    std::int64_t to = 0;
    if (row.size() == 2 && parse_number(row[0], from) && parse_number(row[1], to))
      partition_.add_lost(Offset(from), Offset(to));
  }
  const OffsetRanges known = partition_.lost_;
  for (const auto& [from, to] : whole_) partition_.remove_lost(from, to);
  if (partition_.lost_ == known) return {};
  log_info("log", partition_.spec_.folder_name() + ": of what was lost to damage, some is mended");
  return save_lost();
}

}  // namespace weir::log
