// One segment of a partition: `.log`, `.index`, `.timeindex`, in Kafka's formats and names.
//
// A Segment is a value of the loop. What reads or writes its files runs on workers, over a
// SegmentView that holds all it needs; views stay right while the segment grows.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "io/file.h"
#include "io/net.h"
#include "log/damage.h"

namespace weir::log {

inline constexpr std::size_t index_entry_bytes = 8;  // int32 relative last offset, int32 position
inline constexpr std::size_t time_index_entry_bytes = 12;  // int64 timestamp, int32 relative offset

/// What may stand beside each other under a segment's name.
inline constexpr const char* segment_suffixes[] = {".log", ".index", ".timeindex", ".txnindex"};

/// "00000000000000000042"
std::string segment_name(Offset base);
/// The base offset that a file name of 20 digits and `suffix` says, if it is one.
std::optional<Offset> segment_base(std::string_view name, std::string_view suffix);

/// What a reader needs of a segment.
struct SegmentView {
  Offset base;
  Offset next;
  std::string stem;  // path without suffix
  std::uint64_t readable_bytes = 0;
  std::uint64_t index_entries = 0;
  std::uint64_t time_index_entries = 0;
  std::int64_t max_timestamp = -1;
  std::shared_ptr<io::File> log;  // null: open it
  std::shared_ptr<io::File> index, time_index;
  std::vector<DamagedBytes> damage;
  std::shared_ptr<CheckedBytes> checked;
};

/// The state of a segment, on the loop.
struct Segment {
  Offset base;
  std::string stem;
  Offset next;                        // after its last batch
  std::uint64_t assigned_bytes = 0;   // including what is being written
  std::uint64_t readable_bytes = 0;   // written
  std::uint64_t synced_bytes = 0;     // what a sync that succeeded covers
  Offset synced_next;                 // after the last batch of that
  std::int64_t first_timestamp = -1;  // of its first batch, for rolling by time
  std::int64_t max_timestamp = -1;
  Offset max_timestamp_offset{-1};  // last offset of the batch that has it
  std::uint64_t bytes_since_index = 0;
  std::uint64_t index_entries = 0;
  std::uint64_t time_index_entries = 0;
  std::uint64_t txn_entries = 0;          // aborted transactions, with what is being written
  std::uint64_t txn_entries_written = 0;  // of them, in its `.txnindex`
  std::uint64_t txn_entries_synced = 0;
  std::uint32_t txn_crc = 0;         // of txn_entries; a start compares it
  std::uint32_t txn_crc_synced = 0;  // of txn_entries_synced
  std::int64_t last_indexed_timestamp = -1;
  std::vector<DamagedBytes> damage;       // that was found in it
  std::shared_ptr<CheckedBytes> checked;  // null: this process has written all of it
  bool made = false;                      // its files exist
  bool sealed = false;                    // never written again: a sync of it failed
  std::shared_ptr<io::File> log;          // held open while it is the active one
  std::shared_ptr<io::File> index;
  std::shared_ptr<io::File> time_index;
  std::shared_ptr<io::File> txn_index;  // null while it has no aborted transaction

  static Segment empty(Offset base, std::string stem);
  SegmentView view() const;
};

/// Batches to be appended to one segment, with the index entries that belong to them.
struct SegmentWrite {
  std::string folder;  // made if `make`, with its partition.metadata
  std::string stem;
  bool make = false;
  std::shared_ptr<io::File> log, index, time_index, txn_index;
  std::uint64_t log_at = 0;
  std::vector<std::string_view> pieces;  // borrow from the batches that the flush holds
  std::string index_bytes, time_index_bytes, txn_index_bytes;
  std::uint64_t index_at = 0, time_index_at = 0, txn_index_at = 0;
  Result<void> result;

  /// On a worker: makes and opens what is missing, writes; no sync.
  void run(io::FileSystem& files, const std::string& partition_metadata);
};

struct RangeLimits {
  std::uint64_t max_bytes = 0;
  bool at_least_one = false;  // one batch, whatever its size
  Offset end{INT64_MAX};      // no batch that begins at it or behind
};
/// Whole batches from the one that holds `offset` (or the first after it) on. Empty range: nothing
/// there. For workers.
struct SegmentRange {
  io::FileRange range;
  Offset first{-1};  // base offset of the first batch
  Offset next{-1};   // nothing of the range is at or behind it
  std::uint64_t first_batch_bytes = 0;
};
Result<SegmentRange> find_range(io::FileSystem& files, const SegmentView& segment, Offset offset,
                                const RangeLimits& limits);

/// The first batch whose largest timestamp is at least `timestamp`, at or after `from`.
Result<std::optional<std::string>> find_batch_by_time(io::FileSystem& files,
                                                      const SegmentView& segment,
                                                      std::int64_t timestamp, Offset from);

/// A walk over the batch headers of a `.log`, for recovery and repair.
class SegmentScanner {
 public:
  /// `damage`, if given, is passed over; it outlives this.
  SegmentScanner(const io::File& file, std::uint64_t from, std::uint64_t end,
                 const std::vector<DamagedBytes>* damage = nullptr)
      : file_(file), at_(from), end_(end), damage_(damage) {}
  /// The next batch with its place; `whole` asks for its body, and its checksum is checked.
  /// Nothing at the end or at the first byte that is no batch: position() tells where.
  struct Found {
    std::uint64_t at = 0;
    std::string bytes;  // the header, or the whole batch
  };
  Result<std::optional<Found>> next(bool whole);
  std::uint64_t position() const { return at_; }

 private:
  Result<bool> read_header(char* out);

  const io::File& file_;
  std::uint64_t at_;
  std::uint64_t end_;
  const std::vector<DamagedBytes>* damage_;
  std::string ahead_;  // bytes from ahead_at_ on, while batches are small
  std::uint64_t ahead_at_ = 0;
  std::uint64_t last_total_ = 0;
};

/// Builds both indexes of a segment anew from its `.log` and writes them. For start-up and repair.
struct BuiltIndex {
  std::string index, time_index;
  std::int64_t max_timestamp = -1;
  Offset max_timestamp_offset{-1};
  Offset next{-1};
  std::uint64_t bytes = 0;  // up to the first byte that is no batch
};
/// Batches from `end` on do not count; `damage` is passed over.
Result<BuiltIndex> build_index(const io::File& log, Offset base, Offset end, std::uint64_t bytes,
                               std::uint64_t interval, const std::vector<DamagedBytes>& damage);

}  // namespace weir::log
