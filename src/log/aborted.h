// Transactions that were aborted: Kafka's `.txnindex`, and what a reader of committed data is told.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "io/file.h"

namespace weir::log {

/// An entry of a `.txnindex`: int16 version 0, then four int64. Entries stand in the order of their
/// markers.
struct AbortedTransaction {
  ProducerId producer;
  Offset first;        // of its first batch here
  Offset marker;       // of the marker that aborted it
  Offset last_stable;  // where the last stable offset stood once the marker was there
};
inline constexpr std::size_t txn_index_entry_bytes = 34;

void append_entry(std::string& bytes, const AbortedTransaction& entry);
/// Errc::malformed: a part of an entry, an unknown version, numbers that cannot be.
Result<std::vector<AbortedTransaction>> decode_txn_index(std::string_view bytes);

/// Which aborted transactions a reader of [from, to) must know. Runs on a worker, or at once if it
/// has no files.
struct AbortedSearch {
  struct IndexFile {
    std::string path;
    std::uint64_t entries = 0;
  };
  std::vector<IndexFile> files;            // in order
  Offset files_below{0};                   // of what has its marker behind it: `recent`
  std::vector<AbortedTransaction> recent;  // in order
  Offset from{0};
  Offset to{0};

  /// By first offset, each once: Kafka's clients take one off their list for each marker they meet.
  /// An index that is missing or damaged fails: its aborted records would be taken
  /// for committed ones.
  Result<std::vector<AbortedTransaction>> run(io::FileSystem& file_system) const;
};

}  // namespace weir::log
