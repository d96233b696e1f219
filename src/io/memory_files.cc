#include "io/memory_files.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>

#include "io/real_internal.h"

namespace weir::io {
namespace {

/// What all files of one file system may take, and take.
struct Space {
  explicit Space(std::uint64_t bytes) : most(bytes) {}
  const std::uint64_t most;
  std::atomic<std::uint64_t> used{0};

  bool take(std::uint64_t bytes) {
    if (used.fetch_add(bytes) + bytes <= most) return true;
    used -= bytes;
    return false;
  }
};

class MemoryFile final : public NativeFile {
 public:
  MemoryFile(std::shared_ptr<NativeFile> file, std::shared_ptr<Space> space)
      : file_(std::move(file)), space_(std::move(space)) {}
  ~MemoryFile() override { space_->used -= written_; }

  int descriptor() const override { return file_->descriptor(); }
  const std::string& path() const override { return file_->path(); }
  Result<std::size_t> read_at(std::uint64_t offset, char* out, std::size_t size) const override {
    return file_->read_at(offset, out, size);
  }
  Result<std::uint64_t> size() const override { return file_->size(); }
  Result<void> sync() override { return {}; }

  Result<void> write_at(std::uint64_t offset, std::span<const std::string_view> pieces) override {
    std::uint64_t end = offset;
    for (const auto& piece : pieces) end += piece.size();
    if (end > written_) {
      if (!space_->take(end - written_))
        return fail(Errc::disk_full, path() + ": the memory for files is used up");
      written_ = end;
    }
    return file_->write_at(offset, pieces);
  }

  Result<void> truncate(std::uint64_t size) override {
    auto done = file_->truncate(size);
    if (done && size < written_) {
      space_->used -= written_ - size;
      written_ = size;
    }
    return done;
  }

  Result<void> allocate(std::uint64_t size) override {
    auto present = file_->size();
    if (!present) return fail(present.error());
    return *present < size ? file_->truncate(size) : Result<void>();
  }

 private:
  std::shared_ptr<NativeFile> file_;
  std::shared_ptr<Space> space_;
  std::uint64_t written_ = 0;  // the end of what was ever written, and not cut
};

tl::unexpected<Error> missing(const std::string& path) {
  return fail(Errc::not_found, path + ": there is no such file or directory");
}

class MemoryFileSystem final : public FileSystem {
 public:
  explicit MemoryFileSystem(std::uint64_t most_bytes)
      : space_(std::make_shared<Space>(most_bytes)) {}

  Result<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) override {
    const std::string name = normal(path);
    const std::lock_guard lock(mutex_);
    const auto found = nodes_.find(name);
    const bool is_there = found != nodes_.end();
    if (is_there && mode == OpenMode::create_new)
      return fail(Errc::already_exists, path + ": it is there already");
    if (is_there) {
      if (found->second == nullptr) return fail(Errc::io_error, path + ": is a directory");
      return found->second;
    }
    if (mode == OpenMode::read || mode == OpenMode::read_write) return missing(path);
    if (!is_directory(parent(name))) return missing(parent(name));
    const int fd = ::memfd_create("weir", MFD_CLOEXEC);
    if (fd < 0) return fail(Errc::io_error, path + ": a file in memory: " + std::strerror(errno));
    auto file = std::make_shared<MemoryFile>(make_descriptor_file(fd, path), space_);
    nodes_.emplace(name, file);
    return file;
  }

  Result<void> make_directories(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    for (std::string name = normal(path); !is_root(name); name = parent(name)) {
      const auto [node, is_new] = nodes_.try_emplace(name, nullptr);
      if (!is_new && node->second != nullptr)
        return fail(Errc::already_exists, name + ": is a file");
    }
    return {};
  }

  Result<std::vector<DirectoryEntry>> list(const std::string& path) override {
    const std::string name = normal(path);
    const std::lock_guard lock(mutex_);
    if (!is_directory(name)) return missing(path);
    std::vector<DirectoryEntry> entries;
    for (const auto& [other, file] : nodes_)
      if (parent(other) == name)
        entries.push_back({std::filesystem::path(other).filename().string(), file == nullptr});
    return entries;
  }

  Result<bool> exists(const std::string& path) override {
    const std::string name = normal(path);
    const std::lock_guard lock(mutex_);
    return is_root(name) || nodes_.contains(name);
  }

  Result<void> rename(const std::string& from, const std::string& to) override {
    const std::string old_name = normal(from);
    const std::string new_name = normal(to);
    const std::lock_guard lock(mutex_);
    if (!nodes_.contains(old_name)) return missing(from);
    if (!is_directory(parent(new_name))) return missing(parent(new_name));
    if (old_name == new_name) return {};
    auto moved = take_tree(old_name);
    (void)take_tree(new_name);
    for (auto& [name, file] : moved)
      nodes_.insert_or_assign(new_name + name.substr(old_name.size()), std::move(file));
    return {};
  }

  Result<void> remove(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    const auto found = nodes_.find(normal(path));
    if (found == nodes_.end()) return missing(path);
    if (found->second == nullptr) return fail(Errc::io_error, path + ": is a directory");
    nodes_.erase(found);
    return {};
  }

  Result<void> remove_all(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    (void)take_tree(normal(path));
    return {};
  }

  Result<void> sync_directory(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    return is_directory(normal(path)) ? Result<void>() : missing(path);
  }

  Result<std::uint64_t> free_bytes(const std::string&) override {
    return space_->most - std::min<std::uint64_t>(space_->most, space_->used);
  }
  Result<std::uint64_t> total_bytes(const std::string&) override { return space_->most; }

  Result<std::unique_ptr<FolderLock>> lock_folder(const std::string& path) override;

 private:
  friend class MemoryLock;
  using Nodes = std::map<std::string, std::shared_ptr<MemoryFile>>;  // null: a directory

  static std::string normal(const std::string& path) {
    std::string name = std::filesystem::path(path).lexically_normal().string();
    while (name.size() > 1 && name.ends_with('/')) name.pop_back();
    return name;
  }
  static std::string parent(const std::string& name) {
    return normal(std::filesystem::path(name).parent_path().string());
  }
  static bool is_root(std::string_view name) { return name.empty() || name == "." || name == "/"; }
  bool is_directory(const std::string& name) const {
    const auto found = nodes_.find(name);
    return is_root(name) || (found != nodes_.end() && found->second == nullptr);
  }
  Nodes take_tree(const std::string& name) {
    Nodes taken;
    for (auto at = nodes_.lower_bound(name); at != nodes_.end() && at->first.starts_with(name);) {
      const bool is_inside = at->first.size() == name.size() || at->first[name.size()] == '/';
      if (is_inside) taken.insert(*at);
      at = is_inside ? nodes_.erase(at) : std::next(at);
    }
    return taken;
  }

  std::shared_ptr<Space> space_;
  std::mutex mutex_;
  Nodes nodes_;
  std::set<std::string> locked_;
};

class MemoryLock final : public FolderLock {
 public:
  MemoryLock(MemoryFileSystem& files, std::string name) : files_(files), name_(std::move(name)) {}
  ~MemoryLock() override {
    const std::lock_guard lock(files_.mutex_);
    files_.locked_.erase(name_);
  }

 private:
  MemoryFileSystem& files_;
  std::string name_;
};

Result<std::unique_ptr<FolderLock>> MemoryFileSystem::lock_folder(const std::string& path) {
  const std::string name = normal(path);
  const std::lock_guard lock(mutex_);
  if (!is_directory(name)) return missing(path);
  if (!locked_.insert(name).second) return fail(Errc::locked, path + ": it is open already");
  return std::make_unique<MemoryLock>(*this, name);
}

}  // namespace

std::unique_ptr<FileSystem> make_memory_file_system(std::uint64_t most_bytes) {
  return std::make_unique<MemoryFileSystem>(most_bytes);
}

}  // namespace weir::io
