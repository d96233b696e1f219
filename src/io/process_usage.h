// What the system says of this process: processor time, memory, file descriptors.
#pragma once

#include <cstdint>
#include <optional>

#include "io/file.h"

namespace weir::io {

struct ProcessUsage {
  double cpu_seconds = 0;
  std::uint64_t max_fds = 0;
  std::uint64_t heap_used = 0;
  std::uint64_t heap_free = 0;  // kept by the allocator
  // Absent where there is no /proc.
  std::optional<std::uint64_t> resident_bytes;
  std::optional<std::uint64_t> virtual_bytes;
  std::optional<std::uint64_t> open_fds;
};

/// Reads /proc through `files`: the kernel makes those files up from memory, so that this may be
/// called on the loop. Costs microseconds, more with thousands of descriptors.
ProcessUsage process_usage(FileSystem& files);

}  // namespace weir::io
