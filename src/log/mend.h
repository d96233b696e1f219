// What damage took from a segment and stands elsewhere: found there, and a segment written anew of
// both.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "io/file.h"
#include "log/damage.h"

namespace weir::log {

/// [from, to) each.
using OffsetRanges = std::vector<std::pair<Offset, Offset>>;

/// Offsets of [base, end) that a segment should hold and does not. Where compaction may have been
/// (`gaps`) nobody knows which it took: from `clean_end` on, every one between two runs.
OffsetRanges missing_offsets(const VerifiedSegment& verified, Offset end, bool gaps,
                             Offset clean_end);

/// Whole batches of one partition outside of its segments. Blocks; for start-up and workers.
class Elsewhere {
 public:
  struct Batch {
    Offset base{0};
    Offset last{0};
    std::size_t file = 0;
    std::uint64_t at = 0;
    std::uint32_t bytes = 0;
    bool vouched = false;  // its offset has a checksum
  };

  /// Batches that overlap one of the ranges are looked for.
  Elsewhere(io::FileSystem& files, OffsetRanges wanted)
      : files_(files), wanted_(std::move(wanted)) {}

  /// In the files of a write-ahead log, also in records that a checkpoint made unneeded.
  Result<void> look_in_wal(const std::string& folder, const Uuid& folder_id,
                           const PartitionId& partition);
  /// In the files of a partition's folder that hold bytes of segments: what was cut off, or found
  /// in the write-ahead log once. `gaps`: as for verify_segment.
  Result<void> look_in_folder(const std::string& folder, bool gaps);
  /// In order, none over another. Where no checksum vouches for its offset, a batch must touch
  /// another one or an end of what is missing.
  std::vector<Batch> found() const;
  /// Its bytes; checked again.
  Result<std::string> read(const Batch& batch);

 private:
  bool touches(const std::vector<Batch>& sorted, std::size_t i) const;
  bool is_wanted(Offset base, Offset last) const;
  Result<void> look_in_file(const std::string& path, bool gaps);

  io::FileSystem& files_;
  OffsetRanges wanted_;
  std::vector<std::string> paths_;
  std::vector<Batch> batches_;
  std::size_t open_index_ = SIZE_MAX;
  std::shared_ptr<io::File> open_;
};

/// Files of a partition's folder in which look_in_folder() looks.
bool holds_segment_bytes(std::string_view name);
/// The one that `write_found` writes: STEM.log.found.
std::string found_path(const std::string& stem);
/// Batches that were found, synced to found_path(): they outlive the write-ahead log's files.
Result<void> write_found(io::FileSystem& files, const std::string& folder, const std::string& stem,
                         Elsewhere& elsewhere);

struct MendPlan {
  std::string folder;
  std::string stem;                           // of the segment, path without suffix
  const io::File* log = nullptr;              // null: the file is gone
  const VerifiedSegment* verified = nullptr;  // of `log`
  OffsetRanges missing;
};
/// Writes STEM.log.cleaned of what is whole and of what was found, and syncs it. False: nothing was
/// found, nothing is written.
Result<bool> write_mended(io::FileSystem& files, const MendPlan& plan, Elsewhere& elsewhere);
/// The damaged file is set aside as STEM.log.damaged (or .damaged-N), the mended one is named
/// STEM.log.swap: a start would complete the exchange.
Result<void> commit_mended(io::FileSystem& files, const std::string& folder,
                           const std::string& stem);

}  // namespace weir::log
