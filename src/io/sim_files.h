// The simulated file system: in memory, forgetful of what was not synced, and able to fail.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/rng.h"
#include "io/file.h"

namespace weir::io {

enum class FileOp : std::uint8_t {
  open,
  read,
  write,
  sync,
  truncate,
  rename,
  remove,
  sync_directory
};

/// Makes calls fail: the calls of `op` on paths that contain `path`, after `skip` of them, `count`
/// times (0: for ever). A failed sync drops what was pending in that file; a failed write may leave
/// any front part of it. The error simulated_crash ends the process in that call, as crash_after().
struct FileFault {
  FileOp op = FileOp::sync;
  std::string path;
  std::uint64_t skip = 0;
  std::uint64_t count = 1;
  Errc error = Errc::io_error;
};

/// What happened, for proofs that a run was hard enough.
struct FileCounters {
  std::uint64_t operations = 0;
  std::uint64_t crashes = 0;
  std::uint64_t torn_writes = 0;
  std::uint64_t lost_writes = 0;
  std::uint64_t kept_unsynced_writes = 0;
  std::uint64_t lost_names = 0;  // files and directories made, whose names a crash forgot
  std::uint64_t lost_renames = 0;
  std::uint64_t lost_removals = 0;
  std::uint64_t failed_syncs = 0;
  std::uint64_t failed_calls = 0;
};

struct SimInode;

/// Owner: a simulated machine; lives through crashes of the processes on it. Threads: one.
///
/// Each un-synced operation survives a crash whole, torn or not at all, independent of the others;
/// a sync of the file (or directory) makes all of its operations durable.
class SimFileSystem final : public FileSystem {
 public:
  explicit SimFileSystem(std::uint64_t seed);
  ~SimFileSystem() override;

  Result<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<void> make_directories(const std::string& path) override;
  Result<std::vector<DirectoryEntry>> list(const std::string& path) override;
  Result<bool> exists(const std::string& path) override;
  /// Both names must be in one directory; across directories: unsupported.
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<void> remove_all(const std::string& path) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<std::uint64_t> free_bytes(const std::string& path) override;
  Result<std::uint64_t> total_bytes(const std::string&) override { return capacity_; }
  Result<std::unique_ptr<FolderLock>> lock_folder(const std::string& path) override;

  /// The power fails: open files are dead, un-synced operations are decided by `Rng`.
  void crash();
  /// The process dies but the machine lives: open files are dead, everything written stays.
  void kill();
  /// The call after `operations` more and all later ones fail with simulated_crash and change
  /// nothing, until crash() or kill().
  void crash_after(std::uint64_t operations);
  bool crashed() const { return crashed_; }

  void add_fault(FileFault fault);
  void clear_faults();
  /// Total bytes of all files; growing beyond it is disk_full.
  void set_capacity(std::uint64_t bytes) { capacity_ = bytes; }

  /// Changes bytes behind everybody's back, as a bad disk does: in the page cache and on the disk.
  void damage(const std::string& path, std::uint64_t offset, std::string_view bytes);
  /// The content that would survive if nothing un-synced did.
  std::string durable_content(const std::string& path) const;

  const FileCounters& counters() const { return counters_; }

  /// Is told of every call as it begins: "sync", its path, and whether it is made to fail.
  using Witness = std::function<void(std::string_view op, const std::string& path, bool fails)>;
  void set_witness(Witness witness) { witness_ = std::move(witness); }

 private:
  friend class SimFile;
  friend class SimLock;

  Result<void> begin(FileOp op, const std::string& path);
  Result<void> allow(FileOp op, const std::string& path);
  std::shared_ptr<SimInode> find(const std::string& path) const;
  std::shared_ptr<SimInode> find_parent(const std::string& path, std::string& name) const;
  Result<void> write(SimInode& inode, const std::string& path, std::uint64_t offset,
                     std::span<const std::string_view> pieces);
  Result<void> sync(SimInode& inode, const std::string& path);
  void settle(SimInode& inode, int mode);
  std::uint64_t used_bytes() const;

  Rng rng_;
  std::shared_ptr<SimInode> root_;
  std::vector<FileFault> faults_;
  std::set<std::string> locked_;
  FileCounters counters_;
  Witness witness_;
  std::uint64_t generation_ = 0;
  std::uint64_t crash_in_ = 0;  // 0: never
  bool crashed_ = false;
  std::uint64_t capacity_ = UINT64_MAX;
};

}  // namespace weir::io
