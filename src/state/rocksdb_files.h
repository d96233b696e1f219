// For tests: a RocksDB database over files and a clock of theirs.
#pragma once

#include <memory>

#include "state/rocksdb.h"

namespace rocksdb {
class Env;
}

namespace weir::state {

Result<std::unique_ptr<Database>> open_rocksdb_on(const RocksOptions& options,
                                                  std::unique_ptr<rocksdb::Env> env);

}  // namespace weir::state
