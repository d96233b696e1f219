// The machine's files (POSIX).
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "io/real_internal.h"
#include "io/runtime.h"

namespace weir::io {
namespace {

Errc code_of(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT: return Errc::disk_full;
    case ENOENT: return Errc::not_found;
    case EEXIST: return Errc::already_exists;
    case EACCES:
    case EPERM:
    case EROFS: return Errc::permission_denied;
    default: return Errc::io_error;
  }
}

tl::unexpected<Error> failed(const std::string& path, std::string_view what, int error) {
  return fail(code_of(error), path + ": " + std::string(what) + ": " + std::strerror(error));
}

class PosixFile final : public NativeFile {
 public:
  PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~PosixFile() override { ::close(fd_); }

  int descriptor() const override { return fd_; }
  const std::string& path() const override { return path_; }

  Result<std::size_t> read_at(std::uint64_t offset, char* out, std::size_t size) const override {
    std::size_t done = 0;
    while (done < size) {
      const ssize_t n = ::pread(fd_, out + done, size - done, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failed(path_, "read", errno);
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }

  Result<void> write_at(std::uint64_t offset, std::span<const std::string_view> pieces) override {
    std::array<iovec, 64> batch;
    std::size_t next = 0;  // first piece not wholly written
    std::size_t skip = 0;  // bytes of it already written
    while (next < pieces.size()) {
      int count = 0;
      for (std::size_t i = next; i < pieces.size() && count < 64; ++i, ++count) {
        const std::string_view piece = i == next ? pieces[i].substr(skip) : pieces[i];
        batch[static_cast<std::size_t>(count)] = {const_cast<char*>(piece.data()), piece.size()};
      }
      ssize_t n = ::pwritev(fd_, batch.data(), count, static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failed(path_, "write", errno);
      offset += static_cast<std::uint64_t>(n);
      auto left = static_cast<std::size_t>(n);
      while (next < pieces.size() && left >= pieces[next].size() - skip) {
        left -= pieces[next].size() - skip;
        skip = 0;
        ++next;
      }
      skip += left;
    }
    return {};
  }

  Result<void> sync() override {
    if (::fdatasync(fd_) != 0)
      return fail(Errc::sync_failed, path_ + ": sync: " + std::strerror(errno));
    return {};
  }

  Result<void> truncate(std::uint64_t size) override {
    if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) return failed(path_, "truncate", errno);
    return {};
  }

  Result<void> allocate(std::uint64_t size) override {
    if (const int error = ::posix_fallocate(fd_, 0, static_cast<off_t>(size)); error != 0)
      return failed(path_, "allocate", error);
    return {};
  }

  void start_write_back(std::uint64_t offset, std::uint64_t size) override {
    (void)::sync_file_range(fd_, static_cast<off_t>(offset), static_cast<off_t>(size),
                            SYNC_FILE_RANGE_WRITE);
  }
  void drop_cached() override { (void)::posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED); }

  Result<std::uint64_t> size() const override {
    struct stat info{};
    if (::fstat(fd_, &info) != 0) return failed(path_, "size", errno);
    return static_cast<std::uint64_t>(info.st_size);
  }

 private:
  int fd_;
  std::string path_;
};

class PosixLock final : public FolderLock {
 public:
  explicit PosixLock(int fd) : fd_(fd) {}
  ~PosixLock() override { ::close(fd_); }

 private:
  int fd_;
};

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) override {
    return open_with(path, mode, 0);
  }

  Result<std::shared_ptr<File>> open_direct(const std::string& path, OpenMode mode) override {
    auto file = open_with(path, mode, O_DIRECT);
    // EINVAL: a file system without direct access, tmpfs for example.
    if (!file && file.error().code() == Errc::io_error) return open_with(path, mode, 0);
    return file;
  }

 private:
  static Result<std::shared_ptr<File>> open_with(const std::string& path, OpenMode mode, int more) {
    int flags = O_CLOEXEC | more;
    switch (mode) {
      case OpenMode::read: flags |= O_RDONLY; break;
      case OpenMode::read_write: flags |= O_RDWR; break;
      case OpenMode::create: flags |= O_RDWR | O_CREAT; break;
      case OpenMode::create_new: flags |= O_RDWR | O_CREAT | O_EXCL; break;
    }
    const int fd = ::open(path.c_str(), flags, 0640);
    if (fd < 0) return failed(path, "open", errno);
    return std::make_shared<PosixFile>(fd, path);
  }

 public:
  Result<void> make_directories(const std::string& path) override {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) return failed(path, "make directory", error.value());
    return {};
  }

  Result<std::vector<DirectoryEntry>> list(const std::string& path) override {
    DIR* dir = ::opendir(path.c_str());
    if (dir == nullptr) return failed(path, "list", errno);
    std::vector<DirectoryEntry> entries;
    errno = 0;
    while (const dirent* entry = ::readdir(dir)) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      bool is_directory = entry->d_type == DT_DIR;
      if (entry->d_type == DT_UNKNOWN) {
        struct stat info{};
        is_directory =
            ::stat((path + "/" + std::string(name)).c_str(), &info) == 0 && S_ISDIR(info.st_mode);
      }
      entries.push_back({std::string(name), is_directory});
    }
    ::closedir(dir);
    return entries;
  }

  Result<bool> exists(const std::string& path) override {
    struct stat info{};
    if (::stat(path.c_str(), &info) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return failed(path, "look up", errno);
  }

  Result<void> rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return failed(from, "rename to " + to, errno);
    return {};
  }

  Result<void> remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return failed(path, "remove", errno);
    return {};
  }

  Result<void> remove_all(const std::string& path) override {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error) return failed(path, "remove", error.value());
    return {};
  }

  Result<void> sync_directory(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return failed(path, "open directory", errno);
    const int result = ::fsync(fd);
    const int error = errno;
    ::close(fd);
    if (result != 0)
      return fail(Errc::sync_failed, path + ": sync directory: " + std::strerror(error));
    return {};
  }

  Result<std::uint64_t> free_bytes(const std::string& path) override {
    auto info = statistics(path);
    if (!info) return fail(info.error());
    return static_cast<std::uint64_t>(info->f_bavail) * info->f_frsize;
  }

  Result<std::uint64_t> total_bytes(const std::string& path) override {
    auto info = statistics(path);
    if (!info) return fail(info.error());
    return static_cast<std::uint64_t>(info->f_blocks) * info->f_frsize;
  }

  Result<std::unique_ptr<FolderLock>> lock_folder(const std::string& path) override {
    const std::string file = path + "/.lock";
    const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) return failed(file, "open", errno);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      ::close(fd);
      if (error == EWOULDBLOCK)
        return fail(Errc::locked, path +
                                      ": another process has this folder open; stop it first, "
                                      "or use another folder");
      return failed(file, "lock", error);
    }
    return std::make_unique<PosixLock>(fd);
  }

 private:
  static Result<struct statvfs> statistics(const std::string& path) {
    struct statvfs info{};
    if (::statvfs(path.c_str(), &info) != 0) return failed(path, "free space", errno);
    return info;
  }
};

}  // namespace

std::shared_ptr<NativeFile> make_descriptor_file(int descriptor, std::string path) {
  return std::make_shared<PosixFile>(descriptor, std::move(path));
}

std::unique_ptr<FileSystem> make_real_file_system() { return std::make_unique<PosixFileSystem>(); }

}  // namespace weir::io
