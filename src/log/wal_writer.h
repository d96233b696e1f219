// Writes the WAL: one record a cycle, into files that are zero-filled once and then recycled.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "io/aligned_buffer.h"
#include "io/loop.h"
#include "io/runtime.h"
#include "log/wal_format.h"
#include "log/wal_scan.h"

namespace weir::log {

/// A batch to be written; the slice is held until the cycle's completion.
struct WalItem {
  PartitionId partition;
  Offset base_offset;
  Slice bytes;
};

struct WalOptions {
  std::string folder;  // of the WAL files
  Uuid folder_id;
  std::uint64_t file_bytes = 32U * 1024 * 1024;   // of a prepared file
  std::uint64_t first_file_bytes = 1024U * 1024;  // of the first one: a fresh start is quick
  std::size_t spare_files = 8;                    // kept for reuse; more are removed
};

/// Owner: a LogStore. Threads: the loop; writes run on the store's writer worker, preparation and
/// removal of files on its background worker.
///
/// One cycle at a time. A cycle whose write or sync failed is written once more into a new file;
/// the old one is never written again. If that fails too, the cycle's `done` gets the error and its
/// sequence is used again by the next cycle, in a new file, which hides whatever the failed one
/// left.
class WalWriter {
 public:
  using Done = std::move_only_function<void(Result<void>)>;

  /// `scan`: what the folder holds; `next_sequence`: of the first record to be written.
  WalWriter(io::Runtime& runtime, io::Worker& writer, io::Worker& background, WalOptions options,
            const WalScan& scan, std::uint64_t next_sequence);

  /// Writes and syncs one record; `done` on the loop. Only when !busy().
  void write(std::vector<WalItem> items, Done done);
  /// The same, blocking, for start-up.
  Result<void> write_now(std::vector<WalItem> items);

  bool busy() const { return busy_; }
  /// Of the last record whose sync returned.
  std::uint64_t durable_sequence() const { return next_sequence_ - 1; }
  /// Where the next record would stand; nothing if the next one begins a file.
  std::optional<WalEnd> end() const;
  /// Bytes of all records not yet released.
  std::uint64_t held_bytes() const;
  /// Records up to `sequence` are not needed any more: files that hold no other are reused or
  /// removed.
  void release_through(std::uint64_t sequence);
  /// A file to be kept for a person to look at: it is never reused.
  void keep(const std::string& path);
  /// The same for every file that holds a record which is not released.
  void keep_all();

 private:
  struct Current {
    std::string path;
    std::shared_ptr<io::File> file;  // null: to be made by the next write
    std::uint64_t file_id = 0;
    std::uint64_t capacity = 0;
    std::uint64_t position = 0;  // 0: the header is still to be written
    std::uint64_t released = 0;  // its front that no recovery needs
    std::uint64_t last_sequence = 0;
    bool failed = false;
  };
  struct Sealed {
    std::string path;
    std::shared_ptr<io::File> file;
    std::uint64_t bytes = 0;
    std::uint64_t capacity = 0;
    std::uint64_t last_sequence = 0;
    bool reusable = true;
  };
  struct Spare {
    std::string path;
    std::shared_ptr<io::File> file;
    std::uint64_t capacity = 0;
  };
  struct Job;

  std::shared_ptr<Job> plan(std::vector<WalItem> items, bool fresh_file);
  void choose_file(std::uint64_t need);
  void seal_current();
  bool finish(const Job& job);
  void submit(std::shared_ptr<Job> job, Done done);
  void prepare_spare();
  std::string next_path();

  io::Runtime& runtime_;
  io::Worker& writer_;
  io::Worker& background_;
  WalOptions options_;
  Current current_;
  std::deque<Sealed> sealed_;
  std::vector<Spare> spares_;
  std::vector<std::string> kept_;
  std::uint64_t next_sequence_;
  std::uint64_t last_file_id_;
  std::uint64_t last_path_number_ = 0;
  io::AlignedBuffer buffer_;  // of the write under way
  bool busy_ = false;
  bool preparing_ = false;
  bool failing_ = false;  // the last record could not be written; said once
};

}  // namespace weir::log
