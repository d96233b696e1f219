#include "state/crash_disk.h"

#include <rocksdb/system_clock.h>

#include <algorithm>
#include <limits>

namespace weir::state {
namespace {

using Status = rocksdb::IOStatus;
using File = CrashDisk::File;
using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::Slice;

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

std::string clean(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

class SequentialFile final : public rocksdb::FSSequentialFile {
 public:
  SequentialFile(CrashDisk& disk, std::shared_ptr<File> file)
      : disk_(disk), file_(std::move(file)) {}
  Status Read(std::size_t n, const IOOptions&, Slice* result, char* scratch,
              IODebugContext*) override {
    const Status status = disk_.read(*file_, at_, n, *result, scratch);
    at_ += result->size();
    return status;
  }
  Status Skip(std::uint64_t n) override {
    at_ += n;
    return Status::OK();
  }

 private:
  CrashDisk& disk_;
  std::shared_ptr<File> file_;
  std::size_t at_ = 0;
};

class RandomFile final : public rocksdb::FSRandomAccessFile {
 public:
  RandomFile(CrashDisk& disk, std::shared_ptr<File> file) : disk_(disk), file_(std::move(file)) {}
  Status Read(std::uint64_t offset, std::size_t n, const IOOptions&, Slice* result, char* scratch,
              IODebugContext*) const override {
    return disk_.read(*file_, offset, n, *result, scratch);
  }

 private:
  CrashDisk& disk_;
  std::shared_ptr<File> file_;
};

class WritableFile final : public rocksdb::FSWritableFile {
 public:
  WritableFile(CrashDisk& disk, std::shared_ptr<File> file) : disk_(disk), file_(std::move(file)) {}
  using FSWritableFile::Append;
  Status Append(const Slice& data, const IOOptions&, IODebugContext*) override {
    return disk_.append(*file_, {data.data(), data.size()});
  }
  Status Truncate(std::uint64_t size, const IOOptions&, IODebugContext*) override {
    return disk_.truncate(*file_, size);
  }
  Status Close(const IOOptions&, IODebugContext*) override { return Status::OK(); }
  Status Flush(const IOOptions&, IODebugContext*) override { return Status::OK(); }
  Status Sync(const IOOptions&, IODebugContext*) override { return disk_.sync(*file_); }
  bool IsSyncThreadSafe() const override { return true; }
  std::uint64_t GetFileSize(const IOOptions&, IODebugContext*) override {
    return file_->bytes.size();  // asked by who writes
  }

 private:
  CrashDisk& disk_;
  std::shared_ptr<File> file_;
};

class Folder final : public rocksdb::FSDirectory {
 public:
  Folder(CrashDisk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}
  Status Fsync(const IOOptions&, IODebugContext*) override { return disk_.sync_folder(path_); }
  Status Close(const IOOptions&, IODebugContext*) override { return Status::OK(); }

 private:
  CrashDisk& disk_;
  const std::string path_;
};

class Lock final : public rocksdb::FileLock {
 public:
  explicit Lock(std::string name) : path(std::move(name)) {}
  const std::string path;
};

class NoLog final : public rocksdb::Logger {
 public:
  using Logger::Logv;
  void Logv(const char*, va_list) override {}
  std::size_t GetLogFileSize() const override { return 0; }
};

class CrashFileSystem final : public rocksdb::FileSystem {
 public:
  explicit CrashFileSystem(CrashDisk& disk) : disk_(disk) {}

  const char* Name() const override { return "CrashFileSystem"; }

  Status NewSequentialFile(const std::string& path, const FileOptions&,
                           std::unique_ptr<rocksdb::FSSequentialFile>* result,
                           IODebugContext*) override {
    std::shared_ptr<File> file;
    const Status status = disk_.open(path, file);
    if (status.ok()) *result = std::make_unique<SequentialFile>(disk_, std::move(file));
    return status;
  }
  Status NewRandomAccessFile(const std::string& path, const FileOptions&,
                             std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                             IODebugContext*) override {
    std::shared_ptr<File> file;
    const Status status = disk_.open(path, file);
    if (status.ok()) *result = std::make_unique<RandomFile>(disk_, std::move(file));
    return status;
  }
  Status NewWritableFile(const std::string& path, const FileOptions&,
                         std::unique_ptr<rocksdb::FSWritableFile>* result,
                         IODebugContext*) override {
    return writable(path, false, result);
  }
  Status ReopenWritableFile(const std::string& path, const FileOptions&,
                            std::unique_ptr<rocksdb::FSWritableFile>* result,
                            IODebugContext*) override {
    return writable(path, true, result);
  }
  Status NewDirectory(const std::string& path, const IOOptions&,
                      std::unique_ptr<rocksdb::FSDirectory>* result, IODebugContext*) override {
    if (!disk_.is_folder(clean(path))) return Status::PathNotFound(path);
    *result = std::make_unique<Folder>(disk_, clean(path));
    return Status::OK();
  }
  Status FileExists(const std::string& path, const IOOptions&, IODebugContext*) override {
    std::shared_ptr<File> file;
    return disk_.open(clean(path), file).ok() ? Status::OK() : Status::NotFound(path);
  }
  Status GetChildren(const std::string& path, const IOOptions&, std::vector<std::string>* names,
                     IODebugContext*) override {
    return disk_.children(clean(path), *names);
  }
  Status DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) override {
    return disk_.remove(path, false);
  }
  Status CreateDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return disk_.make_folder(clean(path), false);
  }
  Status CreateDirIfMissing(const std::string& path, const IOOptions&, IODebugContext*) override {
    return disk_.make_folder(clean(path), true);
  }
  Status DeleteDir(const std::string& path, const IOOptions&, IODebugContext*) override {
    return disk_.remove(clean(path), true);
  }
  Status GetFileSize(const std::string& path, const IOOptions&, std::uint64_t* size,
                     IODebugContext*) override {
    return disk_.size_of(path, *size);
  }
  Status GetFileModificationTime(const std::string&, const IOOptions&, std::uint64_t* time,
                                 IODebugContext*) override {
    *time = 0;
    return Status::OK();
  }
  Status RenameFile(const std::string& from, const std::string& to, const IOOptions&,
                    IODebugContext*) override {
    return disk_.rename(from, to);
  }
  Status LinkFile(const std::string& from, const std::string& to, const IOOptions&,
                  IODebugContext*) override {
    return disk_.link(from, to);
  }
  Status LockFile(const std::string& path, const IOOptions&, rocksdb::FileLock** lock,
                  IODebugContext*) override {
    const Status status = disk_.lock(path);
    if (status.ok()) *lock = new Lock(path);
    return status;
  }
  Status UnlockFile(rocksdb::FileLock* lock, const IOOptions&, IODebugContext*) override {
    const std::unique_ptr<Lock> held(static_cast<Lock*>(lock));
    disk_.unlock(held->path);
    return Status::OK();
  }
  Status GetTestDirectory(const IOOptions&, std::string* path, IODebugContext*) override {
    *path = "/test";
    return Status::OK();
  }
  Status NewLogger(const std::string&, const IOOptions&, std::shared_ptr<rocksdb::Logger>* log,
                   IODebugContext*) override {
    *log = std::make_shared<NoLog>();
    return Status::OK();
  }
  Status GetAbsolutePath(const std::string& path, const IOOptions&, std::string* absolute,
                         IODebugContext*) override {
    *absolute = path;
    return Status::OK();
  }
  Status IsDirectory(const std::string& path, const IOOptions&, bool* is,
                     IODebugContext*) override {
    *is = disk_.is_folder(clean(path));
    return Status::OK();
  }

 private:
  Status writable(const std::string& path, bool keep,
                  std::unique_ptr<rocksdb::FSWritableFile>* result) {
    std::shared_ptr<File> file;
    const Status status = disk_.create(path, keep, file);
    if (status.ok()) *result = std::make_unique<WritableFile>(disk_, std::move(file));
    return status;
  }

  CrashDisk& disk_;
};

class RestlessClock final : public rocksdb::SystemClockWrapper {
 public:
  RestlessClock() : SystemClockWrapper(rocksdb::SystemClock::Default()) {}
  const char* Name() const override { return "RestlessClock"; }
  void SleepForMicroseconds(int) override {}
};

class CrashEnv final : public rocksdb::EnvWrapper {
 public:
  explicit CrashEnv(const std::shared_ptr<rocksdb::FileSystem>& files)
      : EnvWrapper(rocksdb::NewCompositeEnv(files)) {
    system_clock_ = std::make_shared<RestlessClock>();
  }
  const char* Name() const override { return "CrashEnv"; }
};

}  // namespace

CrashDisk::CrashDisk(std::uint64_t seed, const Faults& faults) : rng_(seed), faults_(faults) {
  now_["/"] = std::make_shared<File>(File{.folder = true, .bytes = {}, .synced = 0});
  durable_ = now_;
  revive();
}

std::unique_ptr<rocksdb::Env> CrashDisk::env() {
  return std::make_unique<CrashEnv>(std::make_shared<CrashFileSystem>(*this));
}

void CrashDisk::stop_after(std::uint64_t changes) {
  const std::lock_guard lock(mutex_);
  changes_left_ = changes;
}

bool CrashDisk::stopped() const {
  const std::lock_guard lock(mutex_);
  return changes_left_ == 0;
}

void CrashDisk::revive() {
  const std::lock_guard lock(mutex_);
  changes_left_ = std::numeric_limits<std::uint64_t>::max();
  locks_.clear();
}

void CrashDisk::power_fails() {
  {
    const std::lock_guard lock(mutex_);
    // A kernel may have written any part of what nobody synced, or nothing.
    const bool parts = rng_.one_in(2);
    if (parts) pending_.resize(rng_.below(pending_.size() + 1));
    if (!parts) pending_.clear();
    for (auto& [path, file] : pending_)
      file ? void(durable_[path] = file) : void(durable_.erase(path));
    pending_.clear();
    drop_orphans();
    now_.clear();
    std::map<const File*, std::shared_ptr<File>> left;  // a file may have two names
    for (const auto& [path, file] : durable_) {
      auto& copy = left[file.get()];
      if (!copy) {
        copy = std::make_shared<File>(*file);
        const std::size_t tail = file->bytes.size() - file->synced;
        copy->bytes.resize(file->synced + (parts ? rng_.below(tail + 1) : 0));
        if (parts && faults_.zeros_in_tails && rng_.one_in(2))
          copy->bytes.resize(file->bytes.size(), '\0');
        copy->synced = copy->bytes.size();
      }
      now_[path] = copy;
    }
    durable_ = now_;
  }
  revive();
}

/// A name is found through the folders above it.
void CrashDisk::drop_orphans() {
  // In the order of names a folder stands before what is in it.
  std::erase_if(durable_, [this](const auto& entry) {
    return entry.first != "/" && !durable_.contains(folder_of(entry.first));
  });
}

Status CrashDisk::change() {
  if (changes_left_ == 0) return Status::IOError("the disk has stopped");
  --changes_left_;
  return changes_left_ == 0 ? Status::IOError("the disk stops") : Status::OK();
}

void CrashDisk::name(const std::string& path, std::shared_ptr<File> file) {
  pending_.emplace_back(path, file);
  if (file)
    now_[path] = std::move(file);
  else
    now_.erase(path);
}

Status CrashDisk::create(const std::string& path, bool keep, std::shared_ptr<File>& file) {
  const std::lock_guard lock(mutex_);
  if (auto may = change(); !may.ok()) return may;
  if (!now_.contains(folder_of(path))) return Status::PathNotFound(path);
  if (!keep || !now_.contains(path)) name(path, std::make_shared<File>());
  file = now_[path];
  return Status::OK();
}

Status CrashDisk::make_folder(const std::string& path, bool may_exist) {
  const std::lock_guard lock(mutex_);
  if (now_.contains(path)) return may_exist ? Status::OK() : Status::IOError(path, "exists");
  if (auto may = change(); !may.ok()) return may;
  if (!now_.contains(folder_of(path))) return Status::PathNotFound(path);
  name(path, std::make_shared<File>(File{.folder = true, .bytes = {}, .synced = 0}));
  return Status::OK();
}

Status CrashDisk::open(const std::string& path, std::shared_ptr<File>& file) const {
  const std::lock_guard lock(mutex_);
  const auto found = now_.find(path);
  if (found == now_.end()) return Status::PathNotFound(path);
  file = found->second;
  return Status::OK();
}

Status CrashDisk::append(File& file, std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  if (auto may = change(); !may.ok()) {
    // The write during which the power fails may come in part.
    if (changes_left_ == 0 && rng_.one_in(2))
      file.bytes.append(bytes, 0, rng_.below(bytes.size() + 1));
    return may;
  }
  file.bytes.append(bytes);
  return Status::OK();
}

Status CrashDisk::truncate(File& file, std::size_t size) {
  const std::lock_guard lock(mutex_);
  if (auto may = change(); !may.ok()) return may;
  file.bytes.resize(size);
  file.synced = std::min(file.synced, size);
  return Status::OK();
}

Status CrashDisk::sync(File& file) {
  const std::lock_guard lock(mutex_);
  if (auto may = change(); !may.ok()) return may;
  if (faults_.loses_syncs && rng_.one_in(3)) return Status::OK();
  file.synced = file.bytes.size();
  return Status::OK();
}

Status CrashDisk::sync_folder(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (auto may = change(); !may.ok()) return may;
  const auto within = [&](const std::string& name) {
    return name != "/" && folder_of(name) == path;
  };
  std::erase_if(pending_, [&](const auto& change) { return within(change.first); });
  std::erase_if(durable_, [&](const auto& entry) { return within(entry.first); });
  for (const auto& [name, file] : now_)
    if (within(name)) durable_[name] = file;
  return Status::OK();
}

Status CrashDisk::read(const File& file, std::size_t offset, std::size_t size, Slice& result,
                       char* scratch) const {
  const std::lock_guard lock(mutex_);
  const std::size_t from = std::min(offset, file.bytes.size());
  const std::size_t count = file.bytes.copy(scratch, size, from);
  result = Slice(scratch, count);
  return Status::OK();
}

Status CrashDisk::size_of(const std::string& path, std::uint64_t& size) const {
  std::shared_ptr<File> file;
  if (auto found = open(path, file); !found.ok()) return found;
  const std::lock_guard lock(mutex_);
  size = file->bytes.size();
  return Status::OK();
}

Status CrashDisk::children(const std::string& path, std::vector<std::string>& names) const {
  const std::lock_guard lock(mutex_);
  names.clear();
  if (!now_.contains(path)) return Status::NotFound(path);
  for (const auto& [name, file] : now_)
    if (name != "/" && folder_of(name) == path) names.push_back(name.substr(name.rfind('/') + 1));
  return Status::OK();
}

Status CrashDisk::remove(const std::string& path, bool folder) {
  const std::lock_guard lock(mutex_);
  const auto found = now_.find(path);
  if (found == now_.end()) return Status::PathNotFound(path);
  if (found->second->folder != folder) return Status::IOError(path, "is of the other kind");
  if (auto may = change(); !may.ok()) return may;
  name(path, nullptr);
  return Status::OK();
}

Status CrashDisk::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  const auto found = now_.find(from);
  if (found == now_.end()) return Status::PathNotFound(from);
  if (auto may = change(); !may.ok()) return may;
  const auto file = found->second;
  name(to, file);
  name(from, nullptr);
  return Status::OK();
}

Status CrashDisk::link(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  const auto found = now_.find(from);
  if (found == now_.end()) return Status::PathNotFound(from);
  if (now_.contains(to)) return Status::IOError(to, "exists");
  if (auto may = change(); !may.ok()) return may;
  name(to, found->second);
  return Status::OK();
}

Status CrashDisk::lock(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (!locks_.insert(path).second) return Status::IOError("lock hold by current process", path);
  return Status::OK();
}

void CrashDisk::unlock(const std::string& path) {
  const std::lock_guard lock(mutex_);
  locks_.erase(path);
}

bool CrashDisk::is_folder(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto found = now_.find(path);
  return found != now_.end() && found->second->folder;
}

}  // namespace weir::state
