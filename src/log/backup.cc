#include "log/backup.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <set>

#include "base/crc32c.h"
#include "log/aborted.h"
#include "log/backup_manifest.h"
#include "log/batch.h"
#include "log/checkpoint_file.h"
#include "log/partition_recovery.h"
#include "log/segment.h"
#include "log/wal_scan.h"

namespace weir::log {
namespace {

constexpr std::size_t chunk_bytes = std::size_t{1} << 20U;
constexpr std::size_t largest_index = std::size_t{64} << 20U;
constexpr int most_tries = 5;  // a broker at work changes its files now and then

/// One file as it is to be in the backup.
struct Source {
  std::string path;                     // in the data folder
  std::shared_ptr<io::File> file = {};  // null: `content` is all of it
  std::string content = {};
  std::uint64_t bytes = 0;   // of `file`, from its start on
  bool append_only = false;  // what was copied of it once is still right: nobody need look
};

/// A moment of a data folder: its files are open, and what they are to show is settled.
class Moment {
 public:
  Moment(io::FileSystem& files, std::string folder) : files_(files), folder_(std::move(folder)) {}

  /// timed_out: the broker changed something meanwhile; another moment may be better.
  Result<void> take() {
    auto identity = io::read_file(files_, path("meta.properties"), largest_text_file);
    if (!identity) {
      if (identity.error().code() != Errc::not_found) return fail(identity.error());
      return fail(Errc::not_found, folder_ + ": no data folder, it has no meta.properties");
    }
    cluster = id_behind(*identity, "cluster.id=");
    auto text = read_if_there(files_, path("weir-checkpoint"));
    if (!text) return fail(text.error());
    auto decoded = decode_checkpoint(*text);
    if (!decoded)
      return fail(Errc::damaged, fmt::format("{}: {}; start a broker on it first",
                                             path("weir-checkpoint"), decoded.error().message()));
    checkpoint_ = std::move(*decoded);
    add("meta.properties", std::move(*identity));
    if (auto r = take_wal(id_behind(sources.back().content, "directory.id=")); !r) return r;
    auto entries = files_.list(folder_);
    if (!entries) return fail(entries.error());
    for (const auto& entry : *entries)
      if (entry.is_directory && entry.name != "wal" && !entry.name.ends_with("-delete") &&
          !entry.name.ends_with("-stray"))
        if (auto r = take_partition(entry.name); !r) return r;
    add("weir-checkpoint", encode(checkpoint_));
    return {};
  }

  LeaderEpoch epoch() const { return checkpoint_.epoch; }

  Uuid cluster;
  std::uint64_t sequence = 0;
  std::vector<Source> sources;

 private:
  std::string path(std::string_view name) const { return fmt::format("{}/{}", folder_, name); }
  void add(std::string name, std::string content) {
    const std::uint64_t bytes = content.size();
    sources.push_back({.path = std::move(name), .content = std::move(content), .bytes = bytes});
  }
  static tl::unexpected<Error> changed(const std::string& what) {
    return fail(Errc::timed_out, what + ": the broker changed it while it was read");
  }

  // The records behind the checkpoint, each where it stood. The broker may use their files again as
  // soon as the next checkpoint is there.
  Result<void> take_wal(const Uuid& folder_id) {
    const std::uint64_t first = checkpoint_.sequence + 1;
    auto scan = scan_wal(files_, path("wal"), folder_id, first);
    if (!scan) return fail(scan.error());
    if (!scan->damage.empty()) return changed(scan->damage.front().path);
    sequence = scan->last_sequence;
    WalReader reader(files_, *scan);
    std::map<std::size_t, std::string> copies;
    for (const auto& place : scan->records) {
      std::string& copy = copies[place.file];
      if (copy.empty()) copy = encode(scan->files[place.file].header);
      auto payload = reader.payload(place);
      if (!payload) return changed(scan->files[place.file].path);
      copy.resize(place.payload_at - wal_record_header_bytes);
      std::string header = encode(place.header);
      store_be<std::uint32_t>(header.data() + 4, place.header.crc);
      copy += header;
      copy += *payload;
    }
    for (auto& [index, copy] : copies) {
      const std::string& from = scan->files[index].path;
      copy.resize(wal_align(copy.size()));
      add("wal/" + from.substr(from.rfind('/') + 1), std::move(copy));
    }
    return {};
  }

  Result<std::set<std::string>> names_in(const std::string& name) {
    auto entries = files_.list(path(name));
    if (!entries && entries.error().code() == Errc::not_found) return changed(name);
    if (!entries) return fail(entries.error());
    std::set<std::string> names;
    for (const auto& entry : *entries)
      if (entry.name.ends_with(".log") || entry.name.find(".log.damaged") != std::string::npos)
        names.insert(entry.name);
    return names;
  }

  Result<void> take_partition(const std::string& name) {
    auto metadata = read_if_there(files_, path(name) + "/partition.metadata");
    if (!metadata) return fail(metadata.error());
    std::int64_t number = -1;
    const std::size_t dash = name.rfind('-');
    if (dash == std::string::npos || !parse_number(name.substr(dash + 1), number)) return {};
    const PartitionId id{.topic = id_behind(*metadata, "topic_id: "),
                         .partition = static_cast<std::int32_t>(number)};
    const auto row = checkpoint_.partitions.find(id);
    if (row == checkpoint_.partitions.end()) return {};  // it is in the write-ahead log alone
    add(name + "/partition.metadata", std::move(*metadata));
    for (const char* small : {"leader-epoch-checkpoint", "lost-offsets"}) {
      auto text = read_if_there(files_, fmt::format("{}/{}", path(name), small));
      if (!text) return fail(text.error());
      if (!text->empty()) add(fmt::format("{}/{}", name, small), std::move(*text));
    }
    const std::string snapshot =
        fmt::format("{}/{}.snapshot", name, segment_name(row->second.recovery_point));
    auto producers = read_if_there(files_, path(snapshot));
    if (!producers) return fail(producers.error());
    if (!producers->empty()) add(snapshot, std::move(*producers));
    return take_segments(name, row->second);
  }

  // Compaction may put one file in the place of several: then their names are not what they were.
  Result<void> take_segments(const std::string& name, Checkpoint::Row& row) {
    auto before = names_in(name);
    if (!before) return fail(before.error());
    std::vector<Offset> bases;
    bool rewritten = row.clean_end.value > 0;  // compacted, or mended
    for (const auto& file : *before) {
      const auto base = segment_base(file, ".log");
      rewritten = rewritten || !base;
      if (base && *base < row.recovery_point) bases.push_back(*base);
    }
    for (std::size_t i = 0; i < bases.size(); ++i) {
      const bool last = i + 1 == bases.size();
      auto taken = take_segment(name + "/" + segment_name(bases[i]), bases[i], row, last);
      if (!taken) return taken;
      for (std::size_t at = sources.size(); at-- > 0 && sources[at].path.starts_with(name + "/");)
        sources[at].append_only = sources[at].file != nullptr && !rewritten;
    }
    auto after = names_in(name);
    if (!after) return fail(after.error());
    if (*before != *after) return changed(name);
    // Retention was quicker than the checkpoint.
    if (!bases.empty()) row.log_start = std::max(row.log_start, bases.front());
    return {};
  }

  Result<void> take_segment(const std::string& stem, Offset base, const Checkpoint::Row& row,
                            bool last) {
    auto file = files_.open(path(stem) + ".log", io::OpenMode::read);
    if (!file && file.error().code() == Errc::not_found) return changed(stem);
    if (!file) return fail(file.error());
    auto size = (*file)->size();
    if (!size) return fail(size.error());
    Source source{.path = stem + ".log", .file = *file, .content = {}, .bytes = *size};
    if (last) {
      auto from = near(**file, stem, base, row.recovery_point);
      if (!from) return fail(from.error());
      auto end = end_of(**file, *from, *size, row.recovery_point);
      if (!end) return fail(end.error());
      source.bytes = *end;
    }
    sources.push_back(std::move(source));
    const auto aborted = row.aborted.find(base);
    if (aborted == row.aborted.end()) return {};
    auto index = read_if_there(files_, path(stem) + ".txnindex");
    if (!index) return fail(index.error());
    index->resize(std::min(
        index->size(), static_cast<std::size_t>(aborted->second.entries) * txn_index_entry_bytes));
    add(stem + ".txnindex", std::move(*index));
    return {};
  }

  // Where a batch before `offset` begins, by the index; what it says is believed only if that batch
  // stands there.
  Result<std::uint64_t> near(const io::File& log, const std::string& stem, Offset base,
                             Offset offset) {
    auto index = io::read_file(files_, path(stem) + ".index", largest_index);
    if (!index) return std::uint64_t{0};  // there is none, or it cannot be one
    std::uint64_t from = 0;
    Offset last{-1};
    for (std::size_t at = 0; at + index_entry_bytes <= index->size(); at += index_entry_bytes) {
      const Offset entry = base + load_be<std::int32_t>(index->data() + at);
      if (entry >= offset || entry <= last) break;
      last = entry;
      from = load_be<std::uint32_t>(index->data() + at + 4);
    }
    std::string head(batch_header_bytes, '\0');
    auto got = log.read_at(from, head.data(), head.size());
    if (!got) return fail(got.error());
    if (*got != head.size()) return std::uint64_t{0};
    const BatchHeader header(head);
    const bool there = header.magic() == kafka::batch_magic && header.offsets_are_possible() &&
                       header.last_offset() == last;
    return there ? from : 0;
  }

  // Where the first batch at or behind `offset` begins.
  static Result<std::uint64_t> end_of(const io::File& log, std::uint64_t from, std::uint64_t size,
                                      Offset offset) {
    SegmentScanner scanner(log, from, size);
    for (;;) {
      auto found = scanner.next(false);
      if (!found) return fail(found.error());
      if (!*found) return scanner.position();
      if (BatchHeader((*found)->bytes).base_offset() >= offset) return (*found)->at;
    }
  }

  io::FileSystem& files_;
  std::string folder_;
  Checkpoint checkpoint_;
};

/// Brings a backup from what it holds to a moment.
class BackupWriter {
 public:
  BackupWriter(io::FileSystem& files, std::string backup, BackupManifest before,
               const BackupProgress& progress)
      : files_(files),
        backup_(std::move(backup)),
        before_(std::move(before)),
        progress_(progress) {}

  Result<BackupReport> run(Moment moment, std::int64_t now_ms) {
    note_same(moment);
    after_ = {.cluster = moment.cluster,
              .taken_ms = now_ms,
              .sequence = moment.sequence,
              .epoch = moment.epoch(),
              .files = {}};
    for (const auto& source : moment.sources) total_ += source.bytes - kept_bytes(source);
    for (auto& source : moment.sources)
      if (auto r = put(source); !r) return fail(r.error());
    for (const auto& folder : folders_)
      if (auto r = files_.sync_directory(folder); !r) return fail(r.error());
    const std::string list = fmt::format("{}/{}", backup_, manifest_name);
    if (auto r = io::write_file_durably(files_, list, encode(after_)); !r) return fail(r.error());
    if (auto r = remove_old(); !r) return fail(r.error());
    report_.taken_ms = now_ms;
    report_.sequence = after_.sequence;
    report_.files = after_.files.size();
    for (const auto& [path, file] : after_.files) report_.bytes += file.bytes;
    report_.bytes_done = done_;
    return std::move(report_);
  }

 private:
  const BackupFile* known(const Source& source) const {
    const auto found = before_.files.find(source.path);
    return found == before_.files.end() ? nullptr : &found->second;
  }
  // Where one name stood for another topic, or all for another history, nothing is known.
  void note_same(const Moment& moment) {
    one_history_ = moment.sequence >= before_.sequence &&
                   moment.epoch().value - before_.epoch.value < restored_epochs;
    for (const auto& source : moment.sources) {
      const BackupFile* old = known(source);
      if (source.path.ends_with("/partition.metadata") && old != nullptr &&
          old->crc == crc32c(source.content))
        same_partitions_.insert(io::parent_of(source.path));
    }
  }

  /// What need not be looked at.
  std::uint64_t kept_bytes(const Source& source) const {
    const BackupFile* file = known(source);
    const bool kept = source.append_only && one_history_ && file != nullptr &&
                      file->bytes <= source.bytes &&
                      same_partitions_.contains(io::parent_of(source.path));
    return kept ? file->bytes : 0;
  }

  Result<void> put(Source& source) {
    if (source.file == nullptr) return put_content(source);
    const BackupFile* old = known(source);
    std::uint64_t kept = kept_bytes(source);
    if (kept == 0 && old != nullptr && old->bytes > 0 && old->bytes <= source.bytes) {
      auto crc = crc_of(*source.file, old->bytes);
      if (!crc) return fail(crc.error());
      if (*crc == old->crc) kept = old->bytes;
    }
    BackupFile file;
    if (kept > 0) file = *old;
    if (kept == 0 || kept < source.bytes) {
      if (file.stored.empty()) file.stored = new_name(source.path);
      if (auto r = copy(source, file); !r) return r;
    }
    after_.files[source.path] = file;
    return {};
  }

  Result<void> put_content(const Source& source) {
    BackupFile file{.stored = {}, .bytes = source.bytes, .crc = crc32c(source.content)};
    const BackupFile* old = known(source);
    if (old != nullptr && old->bytes == file.bytes && old->crc == file.crc) {
      after_.files[source.path] = *old;
      return {};
    }
    file.stored = new_name(source.path);
    auto out = make(file.stored);
    if (!out) return fail(out.error());
    if (auto r = (*out)->truncate(0); !r) return r;
    if (auto r = (*out)->write_at(0, source.content); !r) return r;
    if (auto r = (*out)->sync(); !r) return r;
    step(source.bytes);
    after_.files[source.path] = file;
    return {};
  }

  // A name that the earlier list does not have: what it lists stays whole.
  std::string new_name(const std::string& path) const {
    const auto old = before_.files.find(path);
    if (old == before_.files.end()) return "data/" + path;
    std::int64_t number = 1;
    const std::size_t mark = old->second.stored.rfind('~');
    if (mark != std::string::npos)
      (void)parse_number(std::string_view(old->second.stored).substr(mark + 1), number);
    return fmt::format("data/{}~{}", path, number + 1);
  }

  Result<std::shared_ptr<io::File>> make(const std::string& stored) {
    const std::string path = fmt::format("{}/{}", backup_, stored);
    const std::string folder = io::parent_of(path);
    if (!folders_.contains(folder))
      if (auto r = files_.make_directories(folder); !r) return fail(r.error());
    // Each name on the way to it, the backup's own too, is to be durable.
    std::string above = folder;
    for (; above.size() > backup_.size(); above = io::parent_of(above)) folders_.insert(above);
    folders_.insert({backup_, io::parent_of(backup_)});
    return files_.open(path, io::OpenMode::create);
  }

  // From file.bytes on; whole batches are checked on the way.
  Result<void> copy(const Source& source, BackupFile& file) {
    auto out = make(file.stored);
    if (!out) return fail(out.error());
    if (auto r = (*out)->truncate(file.bytes); !r) return r;
    std::string pending;
    const auto write = [&]() -> Result<void> {
      if (auto r = (*out)->write_at(file.bytes, pending); !r) return r;
      file.crc = crc32c_extend(file.crc, pending);
      file.bytes += pending.size();
      step(pending.size());
      pending.clear();
      return {};
    };
    SegmentScanner scanner(*source.file, file.bytes, source.bytes);
    for (;;) {
      auto batch = scanner.next(true);
      if (!batch) return fail(batch.error());
      if (!*batch) break;
      pending += (*batch)->bytes;
      if (pending.size() < chunk_bytes) continue;
      if (auto r = write(); !r) return r;
    }
    if (auto r = write(); !r) return r;
    if (file.bytes < source.bytes)
      report_.damage.push_back(
          fmt::format("{}: damaged at byte {}; copied as it is", source.path, file.bytes));
    while (file.bytes < source.bytes) {
      pending.resize(static_cast<std::size_t>(
          std::min<std::uint64_t>(chunk_bytes, source.bytes - file.bytes)));
      auto got = source.file->read_at(file.bytes, pending.data(), pending.size());
      if (!got) return fail(got.error());
      if (*got == 0) return fail(Errc::io_error, source.path + ": it became shorter");
      pending.resize(*got);
      if (auto r = write(); !r) return r;
    }
    return (*out)->sync();
  }

  Result<std::uint32_t> crc_of(const io::File& file, std::uint64_t bytes) {
    std::uint32_t crc = 0;
    std::string chunk;
    for (std::uint64_t at = 0; at < bytes; at += chunk.size()) {
      chunk.resize(static_cast<std::size_t>(std::min<std::uint64_t>(chunk_bytes, bytes - at)));
      auto got = file.read_at(at, chunk.data(), chunk.size());
      if (!got) return fail(got.error());
      if (*got != chunk.size()) return ~crc;
      crc = crc32c_extend(crc, chunk);
    }
    return crc;
  }

  // What no list names any more.
  Result<void> remove_old() {
    std::set<std::string> wanted;
    for (const auto& [path, file] : after_.files) wanted.insert(file.stored);
    return remove_unwanted("data", wanted);
  }
  Result<void> remove_unwanted(const std::string& folder, const std::set<std::string>& wanted) {
    auto entries = files_.list(fmt::format("{}/{}", backup_, folder));
    if (!entries) return fail(entries.error());
    for (const auto& entry : *entries) {
      const std::string stored = fmt::format("{}/{}", folder, entry.name);
      auto r = entry.is_directory        ? remove_unwanted(stored, wanted)
               : wanted.contains(stored) ? Result<void>()
                                         : files_.remove(fmt::format("{}/{}", backup_, stored));
      if (!r) return r;
    }
    return {};
  }

  void step(std::uint64_t bytes) {
    done_ += bytes;
    if (progress_) progress_(done_, std::max(done_, total_));
  }

  io::FileSystem& files_;
  std::string backup_;
  BackupManifest before_;
  const BackupProgress& progress_;
  BackupManifest after_;
  BackupReport report_;
  bool one_history_ = false;
  std::set<std::string> same_partitions_;  // their folders' paths
  std::set<std::string> folders_;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
};

/// The folder of a backup: new, or one of the same cluster.
Result<BackupManifest> earlier_backup(io::FileSystem& files, const std::string& backup,
                                      const Uuid& cluster) {
  auto manifest = read_manifest(files, backup);
  if (manifest) {
    if (manifest->cluster != cluster)
      return fail(Errc::already_exists, fmt::format("{}: a backup of another cluster ({}); choose "
                                                    "another folder",
                                                    backup, manifest->cluster.to_string()));
    return manifest;
  }
  if (manifest.error().code() != Errc::not_found) return manifest;
  auto entries = files.list(backup);
  if (!entries) return fail(entries.error());
  for (const auto& entry : *entries)
    if (entry.name != "data" && entry.name != ".lock" && !entry.name.ends_with(".tmp"))
      return fail(
          Errc::already_exists,
          fmt::format("{}: holds {} and no backup; choose another folder", backup, entry.name));
  return BackupManifest{};
}

}  // namespace

Result<BackupReport> back_up(io::FileSystem& files, const std::string& from, const std::string& to,
                             std::int64_t now_ms, const BackupProgress& progress) {
  for (int tries = 1;; ++tries) {
    Moment moment(files, from);
    if (auto r = moment.take(); !r) {
      if (r.error().code() == Errc::timed_out && tries < most_tries) continue;
      return fail(r.error());
    }
    if (auto r = files.make_directories(to); !r) return fail(r.error());
    auto lock = files.lock_folder(to);
    if (!lock) return fail(lock.error());
    auto before = earlier_backup(files, to, moment.cluster);
    if (!before) return fail(before.error());
    return BackupWriter(files, to, std::move(*before), progress).run(std::move(moment), now_ms);
  }
}

}  // namespace weir::log
