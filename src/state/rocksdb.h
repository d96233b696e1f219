// The database that outlives the process: RocksDB, one folder a task. Who links weir_state_rocksdb
// links RocksDB; nobody else does.
#pragma once

#include <weir/result.h>

#include <cstddef>
#include <memory>
#include <string>

#include "state/database.h"
#include "state/limits.h"

namespace weir::state {

/// The memory that all databases of a process share, so that their number does not multiply it.
/// Threads: any. It may be destroyed before the databases that were opened with it.
class SharedMemory {
 public:
  struct Options {
    std::size_t cache_bytes = limits::cache_bytes;
    std::size_t write_buffer_bytes = limits::write_buffer_bytes;
  };
  SharedMemory();  // with the limits
  explicit SharedMemory(const Options& options);
  ~SharedMemory();

  std::size_t cached_bytes() const;
  std::size_t written_bytes() const;

  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

struct RocksOptions {
  std::string folder;  // made if it is not there, with what is above it
  const SharedMemory& memory;
};

/// Opens what is there, or an empty database. Closing writes what flush() has not, as far as that
/// works. Threads of RocksDB's own write files in the background.
///
/// Errors name the folder. Errc::locked: somebody has it open, in this process or in another;
/// damaged: files do not hold what was written; disk_full, permission_denied, io_error. After a
/// write or a flush has failed, it may refuse writes until it is opened again.
Result<std::unique_ptr<Database>> open_rocksdb(const RocksOptions& options);

/// Deletes a database that nobody has open, with its folder; one that is not there is no error.
Result<void> remove_rocksdb(const std::string& folder);

}  // namespace weir::state
