// Files in memory alone: for a broker whose data goes with it.
#pragma once

#include <cstdint>
#include <memory>

#include "io/file.h"

namespace weir::io {

/// Nothing outlives it, or the process: each file is a memfd (memfd_create(2)), which the network
/// can send from; a sync has nothing to do. Paths are its own, not the machine's; "/" and "." are
/// there. A descriptor a file: too many are io_error. What is written beyond `most_bytes` in all
/// files is disk_full; what is allocated and not written takes nothing.
std::unique_ptr<FileSystem> make_memory_file_system(std::uint64_t most_bytes);

}  // namespace weir::io
