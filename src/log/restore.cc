// A backup read back: all of it looked at, or made a data folder.
#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "base/crc32c.h"
#include "log/backup.h"
#include "log/backup_manifest.h"
#include "log/checkpoint_file.h"
#include "log/segment.h"

namespace weir::log {
namespace {

constexpr std::size_t chunk_bytes = std::size_t{1} << 20U;
constexpr std::uint64_t index_interval_bytes = 4096;

class BackupReader {
 public:
  BackupReader(io::FileSystem& files, std::string backup, BackupManifest manifest,
               const BackupProgress& progress)
      : files_(files),
        backup_(std::move(backup)),
        manifest_(std::move(manifest)),
        progress_(progress) {
    report_.taken_ms = manifest_.taken_ms;
    report_.sequence = manifest_.sequence;
    report_.files = manifest_.files.size();
    for (const auto& [path, file] : manifest_.files) report_.bytes += file.bytes;
  }

  const BackupManifest& manifest() const { return manifest_; }
  BackupReport take_report() { return std::move(report_); }

  /// Reads a file, and writes it to `out` if that is given.
  Result<void> read(const std::string& path, const BackupFile& file, io::File* out) {
    auto stored = files_.open(fmt::format("{}/{}", backup_, file.stored), io::OpenMode::read);
    if (!stored) {
      if (stored.error().code() != Errc::not_found) return fail(stored.error());
      report_.damage.push_back(path + ": missing");
      return {};
    }
    std::uint32_t crc = 0;
    std::string chunk;
    std::uint64_t at = 0;
    for (; at < file.bytes; at += chunk.size()) {
      chunk.resize(static_cast<std::size_t>(std::min<std::uint64_t>(chunk_bytes, file.bytes - at)));
      auto got = (*stored)->read_at(at, chunk.data(), chunk.size());
      if (!got) return fail(got.error());
      chunk.resize(*got);
      if (chunk.empty()) break;
      crc = crc32c_extend(crc, chunk);
      if (out != nullptr)
        if (auto r = out->write_at(at, chunk); !r) return r;
      report_.bytes_done += chunk.size();
      if (progress_) progress_(report_.bytes_done, report_.bytes);
    }
    if (at < file.bytes)
      report_.damage.push_back(fmt::format("{}: ends at byte {} of {}", path, at, file.bytes));
    else if (crc != file.crc)
      report_.damage.push_back(path + ": wrong checksum");
    return {};
  }

 private:
  io::FileSystem& files_;
  std::string backup_;
  BackupManifest manifest_;
  const BackupProgress& progress_;
  BackupReport report_;
};

Result<BackupReader> open_backup(io::FileSystem& files, const std::string& backup,
                                 const BackupProgress& progress) {
  auto manifest = read_manifest(files, backup);
  if (!manifest) return fail(manifest.error());
  return BackupReader(files, backup, std::move(*manifest), progress);
}

class Restore {
 public:
  Restore(io::FileSystem& files, std::string folder, BackupReader reader)
      : files_(files), folder_(std::move(folder)), reader_(std::move(reader)) {}

  Result<BackupReport> run() {
    if (auto r = must_be_empty(); !r) return fail(r.error());
    for (const auto& [path, file] : reader_.manifest().files) {
      // Without an identity no broker opens it: the last file says that all others are there.
      if (path == "meta.properties") continue;
      auto r = path == "weir-checkpoint" ? restore_checkpoint(path, file) : restore(path, file);
      if (!r) return fail(r.error());
    }
    for (const auto& made : folders_)
      if (auto r = files_.sync_directory(made); !r) return fail(r.error());
    const std::string mark = fmt::format("taken {}\n", reader_.manifest().taken_ms);
    if (auto r = io::write_file_durably(files_, path_of(restored_mark), mark); !r)
      return fail(r.error());
    const auto meta = reader_.manifest().files.find("meta.properties");
    if (meta == reader_.manifest().files.end())
      return fail(Errc::damaged, "the backup has no meta.properties");
    if (auto r = restore(meta->first, meta->second); !r) return fail(r.error());
    if (auto r = files_.sync_directory(folder_); !r) return fail(r.error());
    return reader_.take_report();
  }

 private:
  std::string path_of(std::string_view path) const { return fmt::format("{}/{}", folder_, path); }

  Result<void> must_be_empty() {
    auto there = files_.exists(folder_);
    if (!there) return fail(there.error());
    if (*there) {
      auto entries = files_.list(folder_);
      if (!entries) return fail(entries.error());
      if (!entries->empty())
        return fail(
            Errc::already_exists,
            fmt::format("{}: is not empty; a backup is restored to a folder of its own", folder_));
    }
    folders_.insert(folder_);
    return files_.make_directories(folder_);
  }

  Result<void> restore(const std::string& path, const BackupFile& file) {
    const std::string to = path_of(path);
    const std::string parent = io::parent_of(to);
    folders_.insert({folder_, io::parent_of(folder_)});
    if (folders_.insert(parent).second)
      if (auto r = files_.make_directories(parent); !r) return r;
    auto out = files_.open(to, io::OpenMode::create_new);
    if (!out) return fail(out.error());
    if (auto r = reader_.read(path, file, out->get()); !r) return r;
    if (auto r = (*out)->sync(); !r) return r;
    return path.ends_with(".log") ? make_indexes(to, **out) : Result<void>();
  }

  // A start would make them, one segment after the other.
  Result<void> make_indexes(const std::string& log_path, const io::File& log) {
    const std::string name = log_path.substr(log_path.rfind('/') + 1);
    const auto base = segment_base(name, ".log");
    auto size = log.size();
    if (!base || !size) return size ? Result<void>() : fail(size.error());
    auto built = build_index(log, *base, Offset(INT64_MAX), *size, index_interval_bytes, {});
    if (!built) return fail(built.error());
    const std::string stem = log_path.substr(0, log_path.size() - 4);
    for (const auto& [suffix, content] :
         {std::pair(".index", &built->index), std::pair(".timeindex", &built->time_index)}) {
      auto out = files_.open(stem + suffix, io::OpenMode::create_new);
      if (!out) return fail(out.error());
      if (auto r = (*out)->write_at(0, *content); !r) return r;
      if (auto r = (*out)->sync(); !r) return r;
    }
    return {};
  }

  Result<void> restore_checkpoint(const std::string& path, const BackupFile& file) {
    if (auto r = restore(path, file); !r) return r;
    auto text = io::read_file(files_, path_of(path), std::size_t{256} << 20U);
    if (!text) return fail(text.error());
    auto checkpoint = decode_checkpoint(*text);
    if (!checkpoint) return {};  // told by its checksum; a start goes on without it
    checkpoint->epoch = LeaderEpoch(
        std::min(checkpoint->epoch.value, INT32_MAX - 2 * restored_epochs) + restored_epochs);
    return io::write_file_durably(files_, path_of(path), encode(*checkpoint));
  }

  io::FileSystem& files_;
  std::string folder_;
  BackupReader reader_;
  std::set<std::string> folders_;
};

}  // namespace

Result<BackupReport> verify_backup(io::FileSystem& files, const std::string& backup,
                                   const BackupProgress& progress) {
  auto reader = open_backup(files, backup, progress);
  if (!reader) return fail(reader.error());
  for (const auto& [path, file] : reader->manifest().files)
    if (auto r = reader->read(path, file, nullptr); !r) return fail(r.error());
  return reader->take_report();
}

Result<BackupReport> restore_backup(io::FileSystem& files, const std::string& backup,
                                    const std::string& to, const BackupProgress& progress) {
  auto reader = open_backup(files, backup, progress);
  if (!reader) return fail(reader.error());
  return Restore(files, to, std::move(*reader)).run();
}

}  // namespace weir::log
