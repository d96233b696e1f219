// Files, behind one interface: positional reads and writes, explicit syncs of files and
// directories.
//
// Every call blocks; see the README for who may make it. Errors: io_error, disk_full (ENOSPC,
// EDQUOT), not_found, already_exists, permission_denied, locked; the message names path and cause.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::io {

/// One open file. Threads: reads from any thread; writes, truncate and sync from one at a time.
class File {
 public:
  virtual ~File() = default;
  /// Reads up to `size` bytes at `offset`; less only at the end of the file.
  virtual Result<std::size_t> read_at(std::uint64_t offset, char* out, std::size_t size) const = 0;
  /// Writes all of `pieces`, one after another, from `offset` on. On failure any part may be there.
  virtual Result<void> write_at(std::uint64_t offset, std::span<const std::string_view> pieces) = 0;
  Result<void> write_at(std::uint64_t offset, std::string_view bytes) {
    return write_at(offset, std::span<const std::string_view>(&bytes, 1));
  }
  /// Makes content and size durable. After a failure nothing written since the last success may be
  /// believed, and trying again proves nothing.
  virtual Result<void> sync() = 0;
  virtual Result<void> truncate(std::uint64_t size) = 0;
  /// Takes disk space for [0, size) and sets the size, without writing (fallocate).
  virtual Result<void> allocate(std::uint64_t size) = 0;
  virtual Result<std::uint64_t> size() const = 0;
  /// The disk may begin to take what was written there, so that a later sync has less to wait for;
  /// promises nothing.
  virtual void start_write_back(std::uint64_t /*offset*/, std::uint64_t /*size*/) {}
  /// What is cached of it in memory may go; it is not needed soon.
  virtual void drop_cached() {}
  virtual const std::string& path() const = 0;
};

/// Offsets, sizes and addresses of writes to a file that was opened with open_direct().
inline constexpr std::size_t direct_alignment = 4096;

enum class OpenMode : std::uint8_t {
  read,        // must exist
  read_write,  // must exist
  create,      // read and write, made if missing
  create_new,  // read and write, must not exist
};

struct DirectoryEntry {
  std::string name;
  bool is_directory = false;
};

/// Holds a folder for this process; released when destroyed.
class FolderLock {
 public:
  virtual ~FolderLock() = default;
};

/// The names and the files. Threads: any.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  /// The same for a file that is written past the page cache where the file system can (O_DIRECT):
  /// its writes must be aligned to direct_alignment. A sync is still needed.
  virtual Result<std::shared_ptr<File>> open_direct(const std::string& path, OpenMode mode) {
    return open(path, mode);
  }
  /// Makes the directory and its parents; fine if it is there.
  virtual Result<void> make_directories(const std::string& path) = 0;
  virtual Result<std::vector<DirectoryEntry>> list(const std::string& path) = 0;
  virtual Result<bool> exists(const std::string& path) = 0;
  /// Replaces `to` if it exists. Durable only after the directories of both are synced.
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  virtual Result<void> remove(const std::string& path) = 0;
  /// A directory and everything in it.
  virtual Result<void> remove_all(const std::string& path) = 0;
  /// Makes the names in the directory durable.
  virtual Result<void> sync_directory(const std::string& path) = 0;
  /// Of the file system that holds `path`: what is left, and how much there is in all.
  virtual Result<std::uint64_t> free_bytes(const std::string& path) = 0;
  virtual Result<std::uint64_t> total_bytes(const std::string& path) = 0;
  virtual Result<std::unique_ptr<FolderLock>> lock_folder(const std::string& path) = 0;
};

/// The whole file, refused with limit_exceeded above `max_bytes`.
Result<std::string> read_file(FileSystem& files, const std::string& path, std::size_t max_bytes);

/// Replaces `path` with `content`, durable when it returns: `.tmp`, sync, rename, directory sync.
Result<void> write_file_durably(FileSystem& files, const std::string& path,
                                std::string_view content);

/// The part before the last '/', "." if there is none.
std::string parent_of(const std::string& path);

}  // namespace weir::io
