// Every byte of a data folder looked at, without a broker: what is whole, what is damaged.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "io/file.h"
#include "log/damage.h"

namespace weir::log {

struct SegmentReport {
  std::string path;
  std::uint64_t bytes = 0;
  std::uint64_t batches = 0;
  Offset base{0};
  Offset next{0};  // after the last whole batch
  std::vector<DamagedBytes> damage;
  /// Behind the last whole batch of a partition's last segment: perhaps torn, and then in the
  /// write-ahead log.
  std::uint64_t tail_bytes = 0;
};
struct WalReport {
  std::uint64_t records = 0;  // that are not in segments yet, and whole
  std::uint64_t torn_bytes = 0;
  std::vector<std::string> damage;  // a line each
};
struct FolderReport {
  std::vector<std::string> damage;  // of files that are no segments
  WalReport wal;
};

/// Blocks. `each` gets the segments, by partition and offset; false ends it. Errc::locked: a broker
/// has the folder open. Changes nothing.
Result<FolderReport> verify_folder(io::FileSystem& files, const std::string& folder,
                                   const std::function<bool(const SegmentReport&)>& each);

}  // namespace weir::log
