// For tests: a RocksDB database over a file system of theirs.
#pragma once

#include <memory>

#include "state/rocksdb.h"

namespace rocksdb {
class FileSystem;
}

namespace weir::state {

Result<std::unique_ptr<Database>> open_rocksdb_on(const RocksOptions& options,
                                                  std::shared_ptr<rocksdb::FileSystem> files);

}  // namespace weir::state
