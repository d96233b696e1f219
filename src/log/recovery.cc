// Opening a data folder: identity, checkpoints, the WAL read back, segments cut and written again.
#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "base/check.h"
#include "base/log.h"
#include "base/mutant.h"
#include "log/batch.h"
#include "log/log_store.h"

namespace weir::log {
namespace {

constexpr std::size_t largest_text_file = 64U << 20U;
constexpr std::string_view format_version = "1";

/// Absent: an empty string.
Result<std::string> read_if_there(io::FileSystem& files, const std::string& path) {
  auto text = io::read_file(files, path, largest_text_file);
  if (!text && text.error().code() == Errc::not_found) return std::string();
  return text;
}

std::string property(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.starts_with(name) && line.substr(name.size()).starts_with('='))
      return std::string(line.substr(name.size() + 1));
  }
  return {};
}

}  // namespace

/// Recovers one partition's folder. Blocking, at start-up.
class Recovery {
 public:
  Recovery(LogStore& store, PartitionLog& partition)
      : store_(store), files_(store.runtime().files()), partition_(partition) {}

  /// Segments up to the recovery point are believed, what is behind it is cut.
  Result<void> load(const Checkpoint::Row& row) {
    row_ = row;
    const Offset recovery_point = row.recovery_point;
    const Offset log_start = row.log_start;
    partition_.log_start_ = log_start;
    auto found = list();
    if (!found) return found;
    const Offset end = std::max(recovery_point, log_start);
    for (std::size_t i = 0; i < bases_.size(); ++i) {
      if (bases_[i] >= end) {
        if (auto r = remove_segment(bases_[i]); !r) return r;
        continue;
      }
      const bool last = i + 1 == bases_.size() || bases_[i + 1] >= end;
      if (auto r = last ? load_active(bases_[i], end) : load_rolled(bases_[i], bases_[i + 1]); !r)
        return r;
    }
    auto& segments = partition_.segments_;
    if (!segments.empty() && segments.front().base > partition_.log_start_) {
      if (log_start.value > 0 || segments.front().base.value > 0)
        partition_.log_start_ = std::max(log_start, segments.front().base);
    }
    const Offset reached = segments.empty() ? partition_.log_start_ : segments.back().next;
    if (reached < end && !segments.empty())
      note_lost(reached, end,
                fmt::format("{}.log: readable up to offset {} only", segments.back().stem,
                            reached.value));
    if (reached < end && segments.empty() && log_start < end)
      note_lost(log_start, end, partition_.folder_ + ": no segment is left");
    partition_.next_offset_ = partition_.high_watermark_ = end;
    if (auto r = load_lost(); !r) return r;
    if (auto r = load_epochs(end); !r) return r;
    return load_producers(end);
  }

 private:
  std::string stem(Offset base) const { return partition_.stem(base); }

  Result<void> list() {
    auto there = files_.exists(partition_.folder_);
    if (!there) return fail(there.error());
    if (!*there) return {};
    partition_.folder_made_ = true;
    auto entries = files_.list(partition_.folder_);
    if (!entries) return fail(entries.error());
    for (const auto& entry : *entries) {
      if (const auto base = segment_base(entry.name, ".log")) bases_.push_back(*base);
      if (const auto base = segment_base(entry.name, ".snapshot")) snapshots_.push_back(*base);
      if (entry.name.ends_with(".deleted"))
        if (auto r = files_.remove(partition_.folder_ + "/" + entry.name); !r) return r;
    }
    std::sort(bases_.begin(), bases_.end());
    std::sort(snapshots_.begin(), snapshots_.end());
    return {};
  }

  // Behind the recovery point everything stands in the WAL.
  Result<void> remove_segment(Offset base) {
    for (const char* suffix : {".log", ".index", ".timeindex"}) {
      auto there = files_.exists(stem(base) + suffix);
      if (!there) return fail(there.error());
      if (*there)
        if (auto r = files_.remove(stem(base) + suffix); !r) return r;
    }
    return {};
  }

  Result<std::string> index_file(Offset base, const char* suffix, std::size_t entry_bytes) {
    auto bytes = read_if_there(files_, stem(base) + suffix);
    if (!bytes) return bytes;
    bytes->resize(bytes->size() / entry_bytes * entry_bytes);
    return bytes;
  }

  Result<void> load_rolled(Offset base, Offset next) {
    Segment segment = Segment::empty(base, stem(base));
    segment.next = next;
    auto log = files_.open(segment.stem + ".log", io::OpenMode::read);
    if (!log) return fail(log.error());
    auto size = (*log)->size();
    if (!size) return fail(size.error());
    segment.assigned_bytes = segment.readable_bytes = segment.synced_bytes = *size;
    segment.synced_next = next;
    segment.made = true;
    auto index = index_file(base, ".index", index_entry_bytes);
    auto times = index_file(base, ".timeindex", time_index_entry_bytes);
    if (!index || !times) return fail(index ? times.error() : index.error());
    // Rolled after the checkpoint: nobody has synced its indexes.
    const bool missing =
        base >= row_.active_base || times->empty() ||
        (index->empty() && *size > 2 * partition_.spec_.settings.index_interval_bytes + 65536);
    if (missing) return rebuild(**log, std::move(segment));
    segment.index_entries = index->size() / index_entry_bytes;
    if (auto r = find_end(**log, segment, *index); !r) return r;
    segment.time_index_entries = times->size() / time_index_entry_bytes;
    segment.max_timestamp =
        load_be<std::int64_t>(times->data() + times->size() - time_index_entry_bytes);
    segment.max_timestamp_offset = base + load_be<std::int32_t>(times->data() + times->size() - 4);
    segment.last_indexed_timestamp = segment.max_timestamp;
    partition_.segments_.push_back(std::move(segment));
    return {};
  }

  // A segment that was given up after a failed sync may hold more than its batches.
  static Result<void> find_end(const io::File& log, Segment& segment, const std::string& index) {
    const std::uint64_t from =
        index.empty() ? 0 : load_be<std::uint32_t>(index.data() + index.size() - 4);
    if (!starts_batch(log, from, segment.readable_bytes, index, segment.base)) return {};
    SegmentScanner scanner(log, from, segment.readable_bytes);
    std::uint64_t end = from;
    for (;;) {
      auto found = scanner.next(false);
      if (!found) return fail(found.error());
      if (!*found || BatchHeader((*found)->bytes).base_offset() >= segment.next) break;
      end = scanner.position();
    }
    segment.assigned_bytes = segment.readable_bytes = segment.synced_bytes = end;
    return {};
  }

  Result<void> rebuild(const io::File& log, Segment segment) {
    auto built = build_index(log, segment.base, segment.next, segment.readable_bytes,
                             partition_.spec_.settings.index_interval_bytes);
    if (!built) return fail(built.error());
    for (const auto& [suffix, bytes] :
         {std::pair(".index", &built->index), std::pair(".timeindex", &built->time_index)})
      if (auto r = io::write_file_durably(files_, segment.stem + suffix, *bytes); !r) return r;
    // A segment that was given up after a failed sync may hold more than its batches.
    segment.assigned_bytes = segment.readable_bytes = segment.synced_bytes = built->bytes;
    segment.index_entries = built->index.size() / index_entry_bytes;
    segment.time_index_entries = built->time_index.size() / time_index_entry_bytes;
    segment.max_timestamp = segment.last_indexed_timestamp = built->max_timestamp;
    segment.max_timestamp_offset = built->max_timestamp_offset;
    partition_.segments_.push_back(std::move(segment));
    return {};
  }

  /// The segment that holds `end`: its log is cut there, its indexes keep what lies before.
  Result<void> load_active(Offset base, Offset end) {
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
    if (segment.next < end && cut < *size) {
      segment.sealed = true;  // damage below the durable end: nothing of it is cut or overwritten
    } else if (cut < *size) {
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
    segment.log = std::move(*log);
    for (const auto& [suffix, bytes, file] :
         {std::tuple(".index", index->size(), &segment.index),
          std::tuple(".timeindex", times->size(), &segment.time_index)}) {
      auto opened = files_.open(segment.stem + suffix, io::OpenMode::create);
      if (!opened) return fail(opened.error());
      if (auto r = (*opened)->truncate(bytes); !r) return r;
      *file = std::move(*opened);
    }
    partition_.segments_.push_back(std::move(segment));
    return {};
  }

  static void note_batch(Segment& segment, const BatchHeader& header, std::uint64_t) {
    if (segment.first_timestamp < 0) segment.first_timestamp = header.max_timestamp();
    if (header.max_timestamp() > segment.max_timestamp) {
      segment.max_timestamp = header.max_timestamp();
      segment.max_timestamp_offset = header.last_offset();
    }
    segment.next = header.last_offset() + 1;
  }

  static bool starts_batch(const io::File& log, std::uint64_t at, std::uint64_t size,
                           const std::string& index, Offset base) {
    if (at == 0) return true;
    SegmentScanner scanner(log, at, size);
    auto found = scanner.next(false);
    return found && *found &&
           BatchHeader((*found)->bytes).last_offset() ==
               base + load_be<std::int32_t>(index.data() + index.size() - 8);
  }

  // Entries rise and lie before the cut; a torn or stale end of an index is dropped.
  static void keep_believable(Segment& segment, std::string& index, std::string& times, Offset end,
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

  void note_lost(Offset from, Offset to, const std::string& why) {
    partition_.lost_.emplace_back(from, to);
    const std::string text =
        fmt::format("{}: offsets {} to {} are lost: {}", partition_.spec_.folder_name(), from.value,
                    to.value - 1, why);
    log_error("log", text);
    store_.report_.damage.push_back(text);
  }

  Result<void> load_lost() {
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
        partition_.lost_.emplace_back(Offset(from), Offset(to));
    }
    return {};
  }

  Result<void> load_epochs(Offset end) {
    auto text = read_if_there(files_, partition_.folder_ + "/leader-epoch-checkpoint");
    if (!text) return fail(text.error());
    auto epochs = LeaderEpochs::decode(*text);
    if (text->empty() || !epochs) {
      // Missing or unreadable: the batches know.
      partition_.epochs_ = {};
      return store_.for_each_batch(partition_, [&](std::string_view batch) -> Result<void> {
        const BatchHeader header(batch);
        partition_.epochs_.add(header.leader_epoch(), header.base_offset());
        return {};
      });
    }
    partition_.epochs_ = std::move(*epochs);
    partition_.epochs_.cut(end);
    partition_.epochs_written_ = partition_.epochs_.entries().size();
    return {};
  }

  Result<void> load_producers(Offset end) {
    Offset from = partition_.log_start_;
    const MonoTime now = store_.runtime().loop().now();
    while (!snapshots_.empty()) {
      const Offset at = snapshots_.back();
      snapshots_.pop_back();
      const std::string file = stem(at) + ".snapshot";
      if (at <= end && partition_.snapshot_at_.value < 0) {
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
    for (const auto& segment : partition_.segments_) {
      if (segment.next <= from || segment.readable_bytes == 0) continue;
      auto log = files_.open(segment.stem + ".log", io::OpenMode::read);
      if (!log) return fail(log.error());
      auto range = find_range(files_, segment.view(), std::max(from, segment.base),
                              segment.readable_bytes, true);
      if (!range) return fail(range.error());
      SegmentScanner scanner(**log, range->range.offset, segment.readable_bytes);
      for (;;) {
        auto found = scanner.next(false);
        if (!found) return fail(found.error());
        if (!*found) break;
        const BatchHeader header((*found)->bytes);
        if (header.base_offset() >= from && header.producer_id().value >= 0)
          apply_producer(partition_, header, now);
      }
    }
    return {};
  }

 public:
  static void apply_producer(PartitionLog& partition, const BatchHeader& header, MonoTime now) {
    partition.producers_.apply({.producer = header.producer_id(),
                                .epoch = header.producer_epoch(),
                                .first_sequence = header.base_sequence(),
                                .record_count = header.last_offset_delta() + 1},
                               header.last_offset(), header.max_timestamp(), now);
  }

  /// A batch that the WAL has: it becomes the partition's end, unless a segment has it.
  Result<void> replay(const WalEntry& entry) {
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
    if (header.producer_id().value >= 0)
      apply_producer(partition_, header, store_.runtime().loop().now());
    partition_.next_offset_ = header.last_offset() + 1;
    partition_.make_readable(base, header.last_offset(), header.max_timestamp(),
                             Slice::copy_of(entry.bytes));
    store_.unflushed_bytes_ += entry.bytes.size();
    store_.note_unflushed(partition_);
    ++store_.report_.batches;
    return {};
  }

 private:
  Result<void> save_lost() {
    std::string text = fmt::format("0\n{}\n", partition_.lost_.size());
    for (const auto& [from, to] : partition_.lost_)
      text += fmt::format("{} {}\n", from.value, to.value);
    if (auto r = files_.make_directories(partition_.folder_); !r) return r;
    return io::write_file_durably(files_, partition_.folder_ + "/lost-offsets", text);
  }

  LogStore& store_;
  io::FileSystem& files_;
  PartitionLog& partition_;
  Checkpoint::Row row_;
  std::vector<Offset> bases_;
  std::vector<Offset> snapshots_;
};

Result<void> LogStore::write_identity() {
  auto& files = runtime_.files();
  auto text = read_if_there(files, path("meta.properties"));
  if (!text) return fail(text.error());
  if (!text->empty()) {
    const std::string format = property(*text, "weir.format");
    if (format != format_version)
      return fail(Errc::newer_format,
                  fmt::format("{}: data format '{}', this program reads '{}'; use the version of "
                              "weir that wrote it",
                              path("meta.properties"), format, format_version));
    if (!Uuid::parse(property(*text, "cluster.id"), cluster_id_) ||
        !Uuid::parse(property(*text, "directory.id"), directory_id_))
      return fail(Errc::damaged, path("meta.properties") +
                                     ": cluster.id or directory.id is no id of 22 characters");
    const std::string node = property(*text, "node.id");
    if (node != std::to_string(options_.node_id))
      return fail(Errc::invalid_setting,
                  fmt::format("{}: the folder belongs to node.id {}, not {}",
                              path("meta.properties"), node, options_.node_id));
    return {};
  }
  auto entries = files.list(options_.folder);
  if (!entries) return fail(entries.error());
  for (const auto& entry : *entries)
    if (entry.name.ends_with("-checkpoint"))
      return fail(Errc::damaged,
                  options_.folder + ": holds data but no meta.properties; put it back");
  cluster_id_ = runtime_.rng().uuid();
  directory_id_ = runtime_.rng().uuid();
  return io::write_file_durably(
      files, path("meta.properties"),
      fmt::format("version=1\ncluster.id={}\nnode.id={}\ndirectory.id={}\nweir.format={}\n",
                  cluster_id_.to_string(), options_.node_id, directory_id_.to_string(),
                  format_version));
}

Result<std::unique_ptr<LogStore>> LogStore::open(io::Runtime& runtime, LogOptions options,
                                                 PartitionSpec metadata) {
  auto& files = runtime.files();
  if (auto r = files.make_directories(options.folder + "/wal"); !r) return fail(r.error());
  std::unique_ptr<LogStore> store(new LogStore(runtime, std::move(options)));
  auto lock = files.lock_folder(store->options_.folder);
  if (!lock) return fail(lock.error());
  store->lock_ = std::move(*lock);
  if (!mutant(Mutant::no_directory_sync)) {
    if (auto r = files.sync_directory(io::parent_of(store->options_.folder)); !r)
      return fail(r.error());
    if (auto r = files.sync_directory(store->options_.folder); !r) return fail(r.error());
    // A file that an earlier process made may be used again: its name must be durable by then.
    if (auto r = files.sync_directory(store->path("wal")); !r) return fail(r.error());
  }
  if (auto r = store->write_identity(); !r) return fail(r.error());
  if (auto r = store->read_checkpoints(); !r) return fail(r.error());
  auto scan = scan_wal(files, store->path("wal"), store->directory_id_,
                       store->last_checkpoint_.sequence + 1);
  if (!scan) return fail(scan.error());
  store->scan_ = std::move(*scan);
  store->writer_ = runtime.make_worker("weir-wal");
  store->background_ = runtime.make_worker("weir-flush");
  store->reader_ = runtime.make_worker("weir-find");
  store->metadata_ = std::make_shared<PartitionLog>(*store, std::move(metadata));
  store->partitions_.emplace(store->metadata_->spec().id, store->metadata_);
  if (auto r = store->make_wal_believable(); !r) return fail(r.error());
  if (auto r = store->recover({store->metadata_}); !r) return fail(r.error());
  return store;
}

Result<void> LogStore::read_checkpoints() {
  auto& files = runtime_.files();
  auto clean = files.exists(path(".kafka_cleanshutdown"));
  if (!clean) return fail(clean.error());
  report_.clean = *clean;
  auto text = read_if_there(files, path("weir-checkpoint"));
  if (!text) return fail(text.error());
  const bool first_start = text->empty();
  if (!first_start) {
    auto decoded = decode_checkpoint(*text);
    if (!decoded)
      return fail(Errc::damaged, path("weir-checkpoint") + ": " + decoded.error().message());
    last_checkpoint_ = std::move(*decoded);
    leader_epoch_ = last_checkpoint_.epoch;
  }
  // After an unclean stop a cut end may be written anew: a new epoch tells the two apart.
  if (!report_.clean && !first_start) ++leader_epoch_;
  last_checkpoint_.epoch = leader_epoch_;
  if (auto r = io::write_file_durably(files, path("weir-checkpoint"), encode(last_checkpoint_)); !r)
    return r;
  if (!report_.clean) return {};
  if (auto r = files.remove(path(".kafka_cleanshutdown")); !r) return r;
  return files.sync_directory(options_.folder);
}

// Nobody can vouch for the sync of the last record, nor for the page cache it was read from: it is
// written again, to a new file, and synced.
Result<void> LogStore::make_wal_believable() {
  for (const auto& damage : scan_.damage) {
    const std::string text = fmt::format(
        "{}: records {} to {} were acknowledged and cannot be read (at byte {}); the file is kept",
        damage.path, damage.first_sequence, damage.last_sequence, damage.at);
    log_error("wal", text);
    report_.damage.push_back(text);
  }
  report_.records = scan_.records.size();
  report_.torn_bytes = scan_.torn_bytes;
  if (scan_.torn_bytes > 0)
    log_warn("wal",
             fmt::format("{}: a torn record of {} bytes at the end, never acknowledged, is dropped",
                         scan_.torn_path, scan_.torn_bytes));
  WalOptions wal;
  wal.folder = path("wal");
  wal.folder_id = directory_id_;
  wal.file_bytes = options_.wal_file_bytes;
  wal.first_file_bytes = options_.wal_first_file_bytes;
  wal.spare_files = options_.wal_limit_bytes / options_.wal_file_bytes;
  const bool again = !scan_.records.empty() &&
                     scan_.records.back().header.sequence == scan_.last_sequence &&
                     !mutant(Mutant::recovery_without_sync);
  const std::uint64_t next = again ? scan_.last_sequence : scan_.last_sequence + 1;
  wal_ = std::make_unique<WalWriter>(runtime_, *writer_, *background_, std::move(wal), scan_, next);
  for (const auto& damage : scan_.damage) wal_->keep(damage.path);
  if (!again) return {};
  WalReader reader(runtime_.files(), scan_);
  auto payload = reader.payload(scan_.records.back());
  if (!payload) return fail(payload.error());
  std::vector<WalItem> items;
  const bool whole =
      for_each_entry(scan_.records.back().header, *payload, [&](const WalEntry& entry) {
        items.push_back({.partition = entry.header.partition,
                         .base_offset = entry.header.base_offset,
                         .bytes = Slice::copy_of(entry.bytes)});
      });
  if (!whole) return fail(Errc::damaged, "wal: the last record's entries do not fit it");
  return wal_->write_now(std::move(items));
}

Result<void> LogStore::recover(const std::vector<std::shared_ptr<PartitionLog>>& partitions) {
  std::unordered_map<PartitionId, Recovery> recoveries;
  for (const auto& partition : partitions) {
    const auto known = last_checkpoint_.partitions.find(partition->spec_.id);
    const Checkpoint::Row row =
        known == last_checkpoint_.partitions.end() ? Checkpoint::Row{} : known->second;
    auto [at, fresh] = recoveries.try_emplace(partition->spec_.id, *this, *partition);
    if (auto r = at->second.load(row); !r) {
      const Errc code = r.error().code();
      if (code != Errc::corrupt_message && code != Errc::damaged && code != Errc::malformed)
        return r;
      fence(*partition, r.error());
      recoveries.erase(partition->spec_.id);
    }
  }
  WalReader reader(runtime_.files(), scan_);
  for (const auto& place : scan_.records) {
    auto payload = reader.payload(place);
    if (!payload) return fail(payload.error());
    Result<void> result;
    for_each_entry(place.header, *payload, [&](const WalEntry& entry) {
      const auto found = recoveries.find(entry.header.partition);
      if (found == recoveries.end() || !result) return;
      result = found->second.replay(entry);
    });
    if (!result) return result;
    if (unflushed_bytes_ >= options_.flush_bytes)
      if (auto r = flush_now(); !r) return r;
  }
  return {};
}

// One partition that cannot be read does not keep the others from being served. What the WAL holds
// of it is kept for a person to look at.
void LogStore::fence(PartitionLog& partition, const Error& why) {
  partition.fenced_ = Error(Errc::kafka_storage_error, why.message());
  log_error("log", fmt::format("{}: fenced, neither read nor written: {}",
                               partition.spec_.folder_name(), why.message()));
  report_.damage.push_back(why.message());
  for (const auto& file : scan_.files) wal_->keep(file.path);
}

Result<void> LogStore::start(std::vector<PartitionSpec> specs) {
  std::vector<std::shared_ptr<PartitionLog>> partitions;
  std::set<std::string> known{metadata_->spec().folder_name()};
  for (auto& spec : specs) {
    known.insert(spec.folder_name());
    auto folder = clear_foreign_folder(spec);
    if (!folder) return folder;
    const PartitionId id = spec.id;
    auto partition = std::make_shared<PartitionLog>(*this, std::move(spec));
    partitions_.emplace(id, partition);
    partitions.push_back(std::move(partition));
  }
  if (auto r = recover(partitions); !r) return r;
  if (auto r = name_unknown_folders(known); !r) return r;
  scan_ = {};
  log_info(
      "log",
      fmt::format("{}: {} start, {} WAL records read back, {} batches written again, {} partitions",
                  options_.folder, report_.clean ? "clean" : "unclean", report_.records,
                  report_.batches, partitions_.size()));
  retention_timer_ =
      runtime_.loop().call_after(options_.retention_interval, [this] { retention_tick(); });
  arm_checkpoint_timer();
  if (report_.records > 0) checkpoint();
  return {};
}

void LogStore::arm_checkpoint_timer() {
  checkpoint_timer_ = runtime_.loop().call_after(options_.checkpoint_interval, [this] {
    if (wal_->durable_sequence() > last_checkpoint_.sequence) checkpoint();
    arm_checkpoint_timer();
  });
}

// A folder of this name that belongs to an earlier topic of the same name: its removal was cut
// short.
Result<void> LogStore::clear_foreign_folder(const PartitionSpec& spec) {
  auto& files = runtime_.files();
  const std::string folder = path(spec.folder_name());
  auto there = files.exists(folder + "/partition.metadata");
  if (!there || !*there) return there ? Result<void>() : fail(there.error());
  auto text = io::read_file(files, folder + "/partition.metadata", largest_text_file);
  if (!text) return fail(text.error());
  const std::size_t at = text->find("topic_id: ");
  const std::string id = at == std::string::npos ? std::string() : text->substr(at + 10, 22);
  if (id == spec.id.topic.to_string()) return {};
  log_warn("log", fmt::format("{}: belongs to topic id '{}', not {}; moved aside", folder, id,
                              spec.id.topic.to_string()));
  if (auto r =
          files.rename(folder, fmt::format("{}.{}-stray", folder, id.empty() ? "unknown" : id));
      !r)
    return r;
  return files.sync_directory(options_.folder);
}

Result<void> LogStore::name_unknown_folders(const std::set<std::string>& known) {
  auto entries = runtime_.files().list(options_.folder);
  if (!entries) return fail(entries.error());
  for (const auto& entry : *entries) {
    if (!entry.is_directory || entry.name == "wal" || known.contains(entry.name)) continue;
    if (entry.name.ends_with("-delete")) {
      if (auto r = runtime_.files().remove_all(path(entry.name)); !r) return r;
    } else if (!entry.name.ends_with("-stray")) {
      log_warn("log",
               fmt::format("{}: a folder that no topic claims is left alone", path(entry.name)));
    }
  }
  return {};
}

}  // namespace weir::log
