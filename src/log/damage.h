// Damage in segments: found, contained, told. What is whole beside it is served.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <map>
#include <vector>

#include "base/ids.h"
#include "io/file.h"

namespace weir::log {

class LeaderEpochs;
struct SegmentView;

/// Bytes of a `.log` that are no batches, and the offsets that are gone with them.
struct DamagedBytes {
  std::uint64_t at = 0;
  std::uint64_t end = 0;
  Offset from{0};
  Offset to{0};
};

/// Whole batches that stand one behind the other and whose offsets follow each other.
struct BatchRun {
  std::uint64_t at = 0;
  std::uint64_t end = 0;
  Offset base{0};
  Offset last{0};
  std::uint64_t batches = 0;
};

/// What a walk over a whole segment found, checksums included.
struct VerifiedSegment {
  std::vector<BatchRun> whole;  // in order; `damage` is what lies between them
  std::vector<DamagedBytes> damage;
  Offset next{0};             // after the last whole batch
  std::uint64_t batches = 0;  // whole ones
  std::uint64_t bytes = 0;    // where that ends
};
/// Reads `bytes` of the log. Behind damage it goes on with the first bytes that are a batch which
/// belongs here: its checksum is right and its offsets fit in. `end`: offsets from there on belong
/// to the next segment. `gaps`: offsets may be missing, as compaction leaves them; else a gap is
/// damage too, of no bytes. `epochs`, if given: that of a batch, outside its checksum, must be the
/// one that wrote there. Blocks.
Result<VerifiedSegment> verify_segment(const io::File& log, Offset base, Offset end,
                                       std::uint64_t bytes, bool gaps,
                                       const LeaderEpochs* epochs = nullptr);

/// Which bytes of a segment this process has checked, or written itself. Owner: the worker that
/// serves reads.
class CheckedBytes {
 public:
  /// Bytes from `from` on were written by this process.
  explicit CheckedBytes(std::uint64_t from) : own_from_(from) {}
  bool covers(std::uint64_t at, std::uint64_t end) const;
  void add(std::uint64_t at, std::uint64_t end);

 private:
  std::uint64_t own_from_;
  std::map<std::uint64_t, std::uint64_t> ranges_;  // begin -> end, apart from each other
};

/// Whether the range holds whole batches that belong to the segment, in order; reads it all. With
/// `gaps` offsets may be missing.
Result<bool> is_whole(const io::File& log, const SegmentView& segment, std::uint64_t at,
                      std::uint64_t size, bool gaps, const LeaderEpochs* epochs);

}  // namespace weir::log
