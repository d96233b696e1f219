// Idempotent producers of one partition: the last five batches of each, as Kafka keeps them.
#pragma once

#include <weir/result.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"

namespace weir::log {

/// What is remembered of one appended batch.
struct ProducerBatch {
  std::int32_t first_sequence = -1;
  std::int32_t last_sequence = -1;
  Offset last_offset{-1};
  std::int32_t offset_delta = 0;  // last offset - base offset
  std::int64_t timestamp = -1;    // the batch's largest

  Offset base_offset() const { return last_offset - offset_delta; }
};

/// One producer id. At most five batches, oldest first.
struct ProducerEntry {
  static constexpr std::size_t batches_kept = 5;
  ProducerEpoch epoch{-1};
  std::array<ProducerBatch, batches_kept> batches{};
  std::size_t count = 0;
  MonoTime last_write{};               // when it last appended here, or this process learnt of it
  std::int32_t awaited_sequence = -1;  // without batches: the first that was tried and refused

  const ProducerBatch* last() const { return count == 0 ? nullptr : &batches[count - 1]; }
  void add(const ProducerBatch& batch);
};

/// A batch as it comes in.
struct ProducedSequence {
  ProducerId producer{-1};
  ProducerEpoch epoch{-1};
  std::int32_t first_sequence = -1;
  std::int32_t record_count = 0;
};

/// The sequence `n` after `first`: after 2^31 - 1 comes 0.
std::int32_t sequence_after(std::int32_t first, std::int32_t n);

/// Owner: a PartitionLog. Threads: its loop.
class ProducerStates {
 public:
  enum class Verdict : std::uint8_t { append, duplicate };
  struct Checked {
    Verdict verdict = Verdict::append;
    ProducerBatch original;  // of a duplicate
  };
  /// Kafka's rules (broker.md 10): duplicates before order; errors invalid_producer_epoch,
  /// out_of_order_sequence_number, with the numbers in the message.
  Result<Checked> check(const ProducedSequence& batch) const;

  /// Remembers an appended batch; also the way recovery tells of what it finds.
  void apply(const ProducedSequence& batch, Offset last_offset, std::int64_t timestamp,
             MonoTime now);

  /// The entry as it stands, to put back if an append is undone.
  std::optional<ProducerEntry> saved(ProducerId id) const;
  /// Puts back what saved() gave before `undone` was applied. A producer that was new is not
  /// forgotten: what it sent behind the refused batch must not be taken for its first.
  void restore(const ProducedSequence& undone, const std::optional<ProducerEntry>& entry);

  /// Forgets producers that have not appended since `before`. (Kafka compares record timestamps,
  /// which forgets every producer of historical data at once.)
  void expire(MonoTime before);
  /// Of the newest batch of each producer, sorted.
  std::vector<Offset> last_offsets() const;
  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  void clear() { entries_.clear(); }

  /// Kafka's `.snapshot` file, of the batches below `end` alone: later ones may be on their way to
  /// the disk. `decode` refuses what its checksum or its counts do not bear out.
  std::string encode_snapshot(Offset end) const;
  static Result<ProducerStates> decode_snapshot(std::string_view bytes, MonoTime now);

 private:
  std::unordered_map<ProducerId, ProducerEntry> entries_;
};

}  // namespace weir::log
