// Batches made from batches: what compaction leaves of one, and another codec for the same records.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "kafka/record_batch.h"

namespace weir::kafka {

/// One batch with some of its records. Offsets, sequences, producer, epoch and codec stay what they
/// were: a record keeps its offset, and the batch covers the offsets it covered, so that look-ups
/// and producer states read from the log do not change (KIP-98, KIP-534).
///   BatchRewriter out(batch, horizon);
///   while (reader.next(record)) if (wanted) out.keep(record);
///   auto smaller = out.finish();
class BatchRewriter {
 public:
  /// `delete_horizon`: set bit 6 and let the base timestamp say when tombstones may go, in
  /// milliseconds of the wall clock. `batch` outlives this.
  BatchRewriter(const BatchView& batch, std::optional<std::int64_t> delete_horizon);

  /// A record of the batch, in order.
  void keep(const RecordView& record);
  std::int32_t kept() const { return count_; }
  /// The batch of what was kept, with its CRC; without any record it is an empty batch, which says
  /// nothing but its offsets and its producer's last sequence.
  Result<Slice> finish();

 private:
  const BatchView& batch_;
  std::int64_t base_timestamp_;
  bool has_horizon_;
  std::int64_t max_timestamp_ = -1;
  std::int32_t count_ = 0;
  std::string records_;
};

/// The same records under another codec; everything else as it was.
Result<Slice> recompress(const BatchView& batch, compress::Codec codec, int level,
                         compress::Caps caps = {});

}  // namespace weir::kafka
