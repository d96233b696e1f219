#include "space.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <array>
#include <map>
#include <utility>

#include "base/check.h"
#include "base/rng.h"
#include "samples.h"

namespace weir::log_cost {
namespace {

enum class Space { growing, fallocated, zero_filled, recycled };
constexpr std::array kinds = {
    std::pair{Space::growing, "growing"}, std::pair{Space::fallocated, "fallocate"},
    std::pair{Space::zero_filled, "zero-filled"}, std::pair{Space::recycled, "recycled"}};

struct Size {
  std::size_t bytes;
  int writes;  // to one file
};
constexpr std::array sizes = {Size{4096, 2000}, Size{65536, 400}, Size{1 << 20, 60}};
constexpr int rounds = 3;  // the kinds take turns, so that a slow moment of the disk meets all

class PlainFile {
 public:
  explicit PlainFile(std::string path)
      : path_(std::move(path)), fd_(::open(path_.c_str(), O_CREAT | O_TRUNC | O_RDWR, 0600)) {
    check(fd_ >= 0, "a file of the benchmark cannot be made");
  }
  ~PlainFile() {
    ::close(fd_);
    ::unlink(path_.c_str());
  }
  PlainFile(const PlainFile&) = delete;
  PlainFile& operator=(const PlainFile&) = delete;

  void write(std::uint64_t at, const std::string& bytes) const {
    check(::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(at)) ==
              static_cast<ssize_t>(bytes.size()),
          "a write of the benchmark failed");
  }
  void sync() const { check(::fdatasync(fd_) == 0, "a sync of the benchmark failed"); }
  void sync_all() const { check(::fsync(fd_) == 0, "a sync of the benchmark failed"); }
  void allocate(std::uint64_t size) const {
    check(::posix_fallocate(fd_, 0, static_cast<off_t>(size)) == 0, "fallocate failed");
  }

 private:
  std::string path_;
  int fd_;
};

void fill(const PlainFile& file, std::uint64_t size, char with) {
  const std::string block(256U * 1024, with);
  for (std::uint64_t at = 0; at < size; at += block.size())
    file.write(at, block.substr(0, std::min<std::uint64_t>(block.size(), size - at)));
}

void prepare(const PlainFile& file, Space kind, std::uint64_t size) {
  switch (kind) {
    case Space::growing: break;
    case Space::fallocated: file.allocate(size); break;
    case Space::zero_filled: fill(file, size, '\0'); break;
    case Space::recycled:
      fill(file, size, '\0');
      file.sync_all();
      fill(file, size, 'x');
      break;
  }
  file.sync_all();
}

void measure_file(const std::string& path, Space kind, const std::string& block, int writes,
                  Samples& samples) {
  const PlainFile file(path);
  prepare(file, kind, block.size() * static_cast<std::uint64_t>(writes));
  const SystemClock clock;
  for (int n = 0; n < writes; ++n) {
    const MonoTime began = clock.now();
    file.write(static_cast<std::uint64_t>(n) * block.size(), block);
    file.sync();
    samples.add(clock.now() - began);
  }
}

}  // namespace

void measure_space(const std::string& folder, double scale) {
  Rng rng(1);
  for (const auto& size : sizes) {
    std::string block(size.bytes, '\0');
    for (char& c : block) c = static_cast<char>(rng.below(256));
    const int writes = std::max(5, static_cast<int>(size.writes * scale));
    std::map<Space, Samples> taken;
    for (int round = 0; round < rounds; ++round)
      for (const auto& [kind, name] : kinds)
        measure_file(fmt::format("{}/space-{}", folder, name), kind, block, writes, taken[kind]);
    for (const auto& [kind, name] : kinds) {
      auto& samples = taken[kind];
      const double mb_per_s =
          static_cast<double>(size.bytes * samples.count()) / samples.total_us();
      fmt::print(R"({{"part": "space", "kind": "{}", "bytes": {}, "mb_per_s": {:.1f}, {}}})"
                 "\n",
                 name, size.bytes, mb_per_s, samples.json());
    }
  }
}

}  // namespace weir::log_cost
