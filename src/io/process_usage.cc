#include "io/process_usage.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string_view>

namespace weir::io {
namespace {

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

/// The first two numbers of /proc/self/statm: pages in all, pages in RAM.
std::optional<std::array<std::uint64_t, 2>> pages(FileSystem& files) {
  const auto file = files.open("/proc/self/statm", OpenMode::read);
  if (!file) return std::nullopt;
  std::array<char, 128> text;
  const auto size = (*file)->read_at(0, text.data(), text.size());
  if (!size) return std::nullopt;
  std::array<std::uint64_t, 2> out{};
  const char* at = text.data();
  const char* end = text.data() + *size;
  for (std::uint64_t& number : out) {
    const auto [stop, error] = std::from_chars(at, end, number);
    if (error != std::errc{} || stop == end) return std::nullopt;
    at = stop + 1;
  }
  return out;
}

}  // namespace

ProcessUsage process_usage(FileSystem& files) {
  ProcessUsage usage;
  rusage times{};
  if (::getrusage(RUSAGE_SELF, &times) == 0)
    usage.cpu_seconds = seconds(times.ru_utime) + seconds(times.ru_stime);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) usage.max_fds = limit.rlim_cur;
  const auto heap = ::mallinfo2();
  usage.heap_used = heap.uordblks + heap.hblkhd;
  usage.heap_free = heap.fordblks;
  if (const auto counted = pages(files)) {
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    usage.virtual_bytes = (*counted)[0] * page;
    usage.resident_bytes = (*counted)[1] * page;
  }
  // The listing itself holds one.
  if (const auto fds = files.list("/proc/self/fd"); fds && !fds->empty())
    usage.open_fds = fds->size() - 1;
  return usage;
}

}  // namespace weir::io
