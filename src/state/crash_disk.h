// For tests: a disk in memory that loses what was not synced when the power fails.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"

namespace weir::state {

/// Names and files as a program sees them, and beside them what would be there after a loss of
/// power: of a file what its last sync saw, of a folder the names that its last sync saw.
///
/// It stops after a number of changes: from then on every change fails, as if the program were not
/// there any more. Then power_fails() or revive(), and the next life begins. Threads: any.
class CrashDisk {
 public:
  struct Faults {
    bool loses_syncs = false;     // one of three syncs of a file does nothing
    bool zeros_in_tails = false;  // of what was not synced the size may be there without the bytes
  };
  CrashDisk(std::uint64_t seed, const Faults& faults);

  /// Over this disk, which must outlive it. Nothing sleeps in it: RocksDB takes a second's rest
  /// after an error in the background.
  std::unique_ptr<rocksdb::Env> env();

  void stop_after(std::uint64_t changes);
  bool stopped() const;
  /// What was not synced is lost, all of it or parts; what is left is durable.
  void power_fails();
  /// As after kill -9: all is as it was, what was not synced still can be lost.
  void revive();

  struct File {
    bool folder = false;
    std::string bytes;
    std::size_t synced = 0;
  };
  using Names = std::map<std::string, std::shared_ptr<File>>;

  // What the file system is made of. Errors are those of POSIX.
  using Status = rocksdb::IOStatus;
  Status create(const std::string& path, bool keep, std::shared_ptr<File>& file);
  Status make_folder(const std::string& path, bool may_exist);
  Status open(const std::string& path, std::shared_ptr<File>& file) const;
  Status append(File& file, std::string_view bytes);
  Status truncate(File& file, std::size_t size);
  Status sync(File& file);
  Status sync_folder(const std::string& path);
  Status read(const File& file, std::size_t offset, std::size_t size, rocksdb::Slice& result,
              char* scratch) const;
  Status size_of(const std::string& path, std::uint64_t& size) const;
  Status children(const std::string& path, std::vector<std::string>& names) const;
  Status remove(const std::string& path, bool folder);
  Status rename(const std::string& from, const std::string& to);
  Status link(const std::string& from, const std::string& to);
  Status lock(const std::string& path);
  void unlock(const std::string& path);
  bool is_folder(const std::string& path) const;

 private:
  Status change();
  void name(const std::string& path, std::shared_ptr<File> file);
  void drop_orphans();

  mutable std::mutex mutex_;
  Rng rng_;
  const Faults faults_;
  Names now_;
  Names durable_;
  /// Changes of names that no sync saw, in their order; no file: the name went.
  std::vector<std::pair<std::string, std::shared_ptr<File>>> pending_;
  std::set<std::string> locks_;
  std::uint64_t changes_left_ = 0;
};

}  // namespace weir::state
