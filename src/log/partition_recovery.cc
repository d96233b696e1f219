#include "log/partition_recovery.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/crc32c.h"
#include "base/log.h"
#include "base/mutant.h"
#include "log/batch.h"

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

// A segment that was given up after a failed sync may hold more than its batches.
Result<void> find_end(const io::File& log, Segment& segment, const std::string& index,
                      Offset& reached) {
  const std::uint64_t from =
      index.empty() ? 0 : load_be<std::uint32_t>(index.data() + index.size() - 4);
  reached = segment.next;
  if (!starts_batch(log, from, segment.readable_bytes, index, segment.base)) return {};
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
  return {};
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
  bool removed = false;
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
  for (std::size_t i = 0; i < bases_.size(); ++i) {
    if (i + 1 < bases_.size()) {
      if (auto r = load_rolled(bases_[i], bases_[i + 1]); !r) return r;
      continue;
    }
    auto log = files_.open(stem(bases_[i]) + ".log", io::OpenMode::read);
    if (!log) return fail(log.error());
    auto size = (*log)->size();
    if (!size) return fail(size.error());
    auto verified = verify_segment(**log, bases_[i], Offset(INT64_MAX), *size, gaps);
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
    if (entry.name.ends_with(".deleted") || entry.name.ends_with(".cleaned"))
      if (auto r = files_.remove(partition_.folder_ + "/" + entry.name); !r) return r;
  }
  std::sort(bases_.begin(), bases_.end());
  std::sort(snapshots_.begin(), snapshots_.end());
  return {};
}

// Compaction had written all of B.log.swap when it stopped: it takes the place of the segments that
// it covers. Their indexes are made anew. Should it not be whole, the segments that it was made
// from are still better; it is kept for a person to look at.
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
  log_info("log", fmt::format("{}.log: an exchange by compaction is completed", stem(base)));
  return files_.sync_directory(partition_.folder_);
}

// Behind the recovery point everything stands in the WAL.
Result<void> Recovery::remove_segment(Offset base) {
  for (const char* suffix : segment_suffixes) {
    auto there = files_.exists(stem(base) + suffix);
    if (!there) return fail(there.error());
    if (*there)
      if (auto r = files_.remove(stem(base) + suffix); !r) return r;
  }
  return {};
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
  segment.index_entries = index->size() / index_entry_bytes;
  Offset reached = base;
  if (auto r = find_end(**log, segment, *index, reached); !r) return r;
  if (is_short(segment, reached, next, *size))
    if (auto r = contain(**log, segment, next, *size); !r) return r;
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
  if (reached >= end) return false;
  return !partition_.may_have_gaps() || segment.readable_bytes < size;
}

// Damage below the durable end: what is whole before and behind it stays readable.
Result<void> Recovery::contain(const io::File& log, Segment& segment, Offset end,
                               std::uint64_t size) {
  const bool gaps = partition_.may_have_gaps();
  auto verified = verify_segment(log, segment.base, end, size, gaps);
  if (!verified) return fail(verified.error());
  const auto say = [&](Offset from, Offset to, std::uint64_t at) {
    note_lost(from, to, fmt::format("{}.log: damaged at byte {}", segment.stem, at));
  };
  for (const auto& bad : verified->damage) say(bad.from, bad.to, bad.at);
  if (verified->next < end && !gaps) say(verified->next, end, verified->bytes);
  segment.damage = std::move(verified->damage);
  segment.assigned_bytes = segment.readable_bytes = segment.synced_bytes = verified->bytes;
  segment.sealed = true;  // nothing of it is cut or overwritten
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
  if (is_short(segment, built->next, segment.next, size)) {
    if (auto r = contain(log, segment, segment.next, size); !r) return r;
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
  for (;;) {
    auto found = scanner.next(false);
    if (!found) return fail(found.error());
    if (!*found) break;
    const BatchHeader header((*found)->bytes);
    if (header.base_offset() >= end || header.base_offset() < segment.next) break;
    note_batch(segment, header, scanner.position() - (*found)->at);
    cut = scanner.position();
  }
  const bool damaged = segment.next < end && cut < *size && !mutant(Mutant::cut_at_damage);
  if (!damaged && cut < *size) {
    if (auto r = (*log)->truncate(cut); !r) return r;
  }
  if (base == row_.active_base && row_.max_timestamp > segment.max_timestamp) {
    segment.max_timestamp = row_.max_timestamp;
    segment.max_timestamp_offset = row_.max_timestamp_offset;
  }
  segment.bytes_since_index = cut - at;
  segment.assigned_bytes = segment.readable_bytes = segment.synced_bytes = cut;
  if (damaged) {
    if (auto r = contain(**log, segment, end, *size); !r) return r;
    cut = segment.readable_bytes;
    segment.next = end;
  }
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
  auto rows = decode_checkpoint_rows(*text);
  if (!rows)
    return fail(rows.error().code(),
                partition_.folder_ + "/lost-offsets: " + rows.error().message());
  for (const auto& row : *rows) {
    std::int64_t from = 0;
    std::int64_t to = 0;
    if (row.size() == 2 && parse_number(row[0], from) && parse_number(row[1], to))
      partition_.add_lost(Offset(from), Offset(to));
  }
  return {};
}

Result<void> Recovery::load_epochs(Offset end) {
  auto text = read_if_there(files_, partition_.folder_ + "/leader-epoch-checkpoint");
  if (!text) return fail(text.error());
  auto epochs = LeaderEpochs::decode(*text);
  const bool changed = row_.epochs_crc && *row_.epochs_crc != crc32c(*text);
  if (text->empty() || !epochs || changed) return epochs_from_batches();
  partition_.epochs_ = std::move(*epochs);
  partition_.epochs_.cut(end);
  partition_.epochs_crc_ = row_.epochs_crc;
  partition_.epochs_written_ = partition_.epochs_.entries().size();
  return {};
}

// Missing or unreadable: the batches know.
Result<void> Recovery::epochs_from_batches() {
  partition_.epochs_ = {};
  partition_.epochs_trusted_ = partition_.segments_.empty();
  auto walked = store_.for_each_batch(partition_, [&](std::string_view batch) -> Result<void> {
    const BatchHeader header(batch);
    partition_.epochs_.add(header.leader_epoch(), header.base_offset());
    return {};
  });
  // What is damaged says nothing; what is behind it is of an epoch that more follow.
  return !walked && walked.error().code() != Errc::damaged ? walked : Result<void>();
}

Result<void> Recovery::load_producers(Offset end) {
  // That there was none is as good as a snapshot.
  const bool none = row_.no_producers.value > 0 && row_.no_producers <= end;
  Offset from = none ? row_.no_producers : partition_.log_start_;
  const MonoTime now = store_.runtime().loop().now();
  while (!snapshots_.empty()) {
    const Offset at = snapshots_.back();
    snapshots_.pop_back();
    const std::string file = stem(at) + ".snapshot";
    if (at <= end && at >= from && partition_.snapshot_at_.value < 0) {
      auto bytes = io::read_file(files_, file, largest_text_file);
      if (!bytes) return fail(bytes.error());
      auto states = ProducerStates::decode_snapshot(*bytes, now);
      if (states) {
        partition_.producers_ = std::move(*states);
        partition_.snapshot_at_ = at;
        from = at;
        continue;
      }
    }
    if (auto r = files_.remove(file); !r) return r;  // a cache that cannot be used
  }
  for (auto& segment : partition_.segments_) {
    if (segment.next <= from || segment.readable_bytes == 0) continue;
    auto walked = for_each(segment, position_of(segment, from),
                           [&](const SegmentScanner::Found& batch) -> Result<void> {
                             if (BatchHeader(batch.bytes).base_offset() < from) return {};
                             auto applied = apply_producer(partition_.producers_, batch.bytes);
                             return applied ? Result<void>() : fail(applied.error());
                           });
    if (!walked) return walked;
  }
  return {};
}

// From there on is everything at or behind `offset`; what the index cannot say costs time alone.
std::uint64_t Recovery::position_of(const Segment& segment, Offset offset) const {
  if (offset <= segment.base) return 0;
  auto found = find_range(files_, segment.view(), offset, {.max_bytes = 0, .at_least_one = true});
  return found ? found->range.offset : 0;
}

Result<void> Recovery::for_each(Segment& segment, std::uint64_t at, const EachBatch& each) {
  auto log = files_.open(segment.stem + ".log", io::OpenMode::read);
  if (!log) return fail(log.error());
  for (bool contained = false;; contained = true) {
    SegmentScanner scanner(**log, at, segment.readable_bytes, &segment.damage);
    for (;;) {
      auto found = scanner.next(false);
      if (!found) return fail(found.error());
      at = *found ? (*found)->at : scanner.position();
      if (*found && BatchHeader((*found)->bytes).is_control()) {
        found = SegmentScanner(**log, at, segment.readable_bytes).next(true);
        if (!found) return fail(found.error());
      }
      if (!*found) break;
      if (auto r = each(**found); !r) return r;
    }
    if (at >= segment.readable_bytes) return {};
    if (contained)
      return fail(Errc::corrupt_message, fmt::format("{}.log: no batch at {}", segment.stem, at));
    if (auto r = contain(**log, segment, segment.next, segment.readable_bytes); !r) return r;
  }
}

/// `batch`: of data its header, of a marker all.
Result<std::optional<EndedTransaction>> Recovery::apply_producer(ProducerStates& producers,
                                                                 std::string_view batch) const {
  const BatchHeader header(batch);
  const MonoTime now = store_.runtime().loop().now();
  if (header.is_control()) {
    auto end = end_in(batch);
    if (!end) return fail(Errc::damaged, partition_.folder_ + ": " + end.error().message());
    return producers.apply_end(*end, header.base_offset(), now);
  }
  if (header.producer_id().value >= 0)
    producers.apply(sequence_of(header), header.last_offset(), header.max_timestamp(), now);
  return std::optional<EndedTransaction>();
}

// What the checkpoint knew to be in it must be there; what is behind comes again from the WAL.
Result<void> Recovery::load_aborted(Segment& segment) {
  const std::string path = segment.stem + ".txnindex";
  const auto known = row_.aborted.find(segment.base);
  if (known == row_.aborted.end()) {
    auto there = files_.exists(path);
    if (!there) return fail(there.error());
    return *there ? files_.remove(path) : Result<void>();
  }
  auto bytes = read_if_there(files_, path);
  if (!bytes) return fail(bytes.error());
  const auto size = static_cast<std::size_t>(known->second.entries) * txn_index_entry_bytes;
  if (bytes->size() < size ||
      crc32c(std::string_view(*bytes).substr(0, size)) != known->second.crc) {
    aborted_damage_ = path;
    return {};
  }
  segment.txn_entries = segment.txn_entries_written = segment.txn_entries_synced =
      known->second.entries;
  segment.txn_crc = segment.txn_crc_synced = known->second.crc;
  return {};
}

// The batches know which transactions were aborted; they are read from the log's first on.
Result<void> Recovery::rebuild_aborted() {
  log_warn("log", fmt::format("{}: missing or damaged; transaction indexes of {} are made again",
                              aborted_damage_, partition_.spec_.folder_name()));
  ProducerStates producers;
  for (auto& segment : partition_.segments_) {
    std::string index;
    auto walked = for_each(segment, 0, [&](const SegmentScanner::Found& batch) -> Result<void> {
      auto ended = apply_producer(producers, batch.bytes);
      if (!ended) return fail(ended.error());
      if (*ended && (*ended)->aborted)
        append_entry(index,
                     {.producer = (*ended)->producer,
                      .first = (*ended)->first,
                      .marker = (*ended)->marker,
                      .last_stable = std::min(producers.first_open(), (*ended)->marker + 1)});
      producers.forget_ended(Offset(INT64_MAX));
      return {};
    });
    if (!walked) return walked;
    const std::string path = segment.stem + ".txnindex";
    segment.txn_entries = segment.txn_entries_written = segment.txn_entries_synced =
        index.size() / txn_index_entry_bytes;
    segment.txn_crc = segment.txn_crc_synced = crc32c(index);
    segment.txn_index.reset();
    if (index.empty()) continue;
    if (auto r = io::write_file_durably(files_, path, index); !r) return r;
    if (segment.log == nullptr) continue;
    auto opened = files_.open(path, io::OpenMode::read_write);
    if (!opened) return fail(opened.error());
    segment.txn_index = std::move(*opened);
  }
  return {};
}

Result<void> Recovery::replay(const WalEntry& entry) {
  if (entry.bytes.size() < batch_header_bytes)
    return fail(Errc::damaged,
                partition_.folder_ + ": a batch in the write-ahead log is too short");
  const BatchHeader header(entry.bytes);
  const Offset base = header.base_offset();
  if (base < partition_.next_offset_) return {};
  if (base > partition_.next_offset_) {
    note_lost(partition_.next_offset_, base, "damage in the write-ahead log");
    if (auto r = save_lost(); !r) return r;
  }
  partition_.epochs_.add(header.leader_epoch(), base);
  const MonoTime now = store_.runtime().loop().now();
  if (header.is_control()) {
    auto end = end_in(entry.bytes);
    if (!end) return fail(Errc::damaged, partition_.folder_ + ": " + end.error().message());
    partition_.note_end(*end, base, now);
  } else if (header.producer_id().value >= 0) {
    partition_.producers_.apply(sequence_of(header), header.last_offset(), header.max_timestamp(),
                                now);
  }
  partition_.next_offset_ = header.last_offset() + 1;
  partition_.make_readable(base, header.last_offset(), header.max_timestamp(),
                           Slice::copy_of(entry.bytes));
  store_.unflushed_bytes_ += entry.bytes.size();
  store_.note_unflushed(partition_);
  ++store_.report_.batches;
  return {};
}

Result<void> Recovery::save_lost() {
  if (auto r = files_.make_directories(partition_.folder_); !r) return r;
  return io::write_file_durably(files_, partition_.folder_ + "/lost-offsets",
                                lost_offsets_text(partition_.lost_));
}

}  // namespace weir::log
