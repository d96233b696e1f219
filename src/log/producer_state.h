// Producers of one partition: the last five batches of each, and their transactions.
#pragma once

#include <weir/result.h>

#include <array>
#include <cstdint>
#include <deque>
#include <map>
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
  MonoTime last_write{};                // when it last appended here, or this process learnt of it
  std::int32_t awaited_sequence = -1;   // without batches: the first that was tried and refused
  Offset transaction_first{-1};         // of its open transaction, or -1
  std::int32_t coordinator_epoch = -1;  // of the newest marker
  Offset last_marker{-1};

  bool in_transaction() const { return transaction_first.value >= 0; }

  const ProducerBatch* last() const { return count == 0 ? nullptr : &batches[count - 1]; }
  void add(const ProducerBatch& batch);
};

/// A batch as it comes in.
struct ProducedSequence {
  ProducerId producer{-1};
  ProducerEpoch epoch{-1};
  std::int32_t first_sequence = -1;  // -1: none, as in batches of a coordinator
  std::int32_t record_count = 0;
  bool transactional = false;
  /// The client bumps its epoch with every transaction (KIP-890): each begins at sequence 0.
  bool epoch_a_transaction = false;
};

/// What a marker says: the transaction of this producer has ended.
struct TransactionEnd {
  ProducerId producer{-1};
  ProducerEpoch epoch{-1};
  bool commit = false;
  std::int32_t coordinator_epoch = 0;
  /// The epoch must be above that of the transaction (KIP-890), so that nothing late gets in.
  bool raises_epoch = false;
};

/// A transaction whose marker was appended.
struct EndedTransaction {
  ProducerId producer;
  ProducerEpoch epoch;  // that it was in
  Offset first;
  Offset marker;
  bool aborted = false;
};

class BatchHeader;
/// What a batch's header says of its producer.
ProducedSequence sequence_of(const BatchHeader& header);
/// What a whole control batch says. Errc::malformed: it ends no transaction.
Result<TransactionEnd> end_in(std::string_view control_batch);

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
  /// out_of_order_sequence_number, invalid_txn_state, with the numbers in the message.
  Result<Checked> check(const ProducedSequence& batch) const;
  /// `duplicate`: the marker stands here already. invalid_producer_epoch: a newer epoch was here.
  Result<Verdict> check_end(const TransactionEnd& end) const;

  /// Remembers an appended batch; also the way recovery tells of what it finds.
  void apply(const ProducedSequence& batch, Offset last_offset, std::int64_t timestamp,
             MonoTime now);
  /// Remembers an appended marker. The transaction that it ended, if there was one.
  std::optional<EndedTransaction> apply_end(const TransactionEnd& end, Offset marker, MonoTime now);

  /// The entry as it stands, to put back if an append is undone.
  std::optional<ProducerEntry> saved(ProducerId id) const;
  /// Puts back what saved() gave before `undone` was applied. A producer that was new is not
  /// forgotten: what it sent behind the refused batch must not be taken for its first.
  void restore(const ProducedSequence& undone, const std::optional<ProducerEntry>& entry);
  /// It was refused before it was applied, for no fault of its own: if it is the producer's first
  /// here, what comes behind it must not be taken for that.
  void note_refused(const ProducedSequence& refused, MonoTime now);
  /// The same for the marker that had been appended at `marker`.
  void restore_end(ProducerId id, Offset marker, const std::optional<ProducerEntry>& entry);

  /// The first offset that may not be read as committed while `high_watermark` is where it is: of
  /// an open transaction, or of one whose marker is not below it. Offset(INT64_MAX): none.
  Offset first_undecided(Offset high_watermark) const;
  /// The same over open transactions alone.
  Offset first_open() const;
  /// Markers below `end` are in a snapshot, or need none.
  void forget_ended(Offset end);

  /// Forgets producers that have not appended since `before` and have no transaction open. (Kafka
  /// compares record timestamps, which forgets every producer of historical data at once.)
  void expire(MonoTime before);
  /// Of the newest batch of each producer, sorted.
  std::vector<Offset> last_offsets() const;
  /// Producers of which a marker alone is left: its epoch fences older ones.
  std::map<ProducerId, ProducerEpoch> marked_alone() const;
  /// Producers that have written here, with what is known of them.
  const std::unordered_map<ProducerId, ProducerEntry>& entries() const { return entries_; }
  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  void clear() { *this = {}; }

  /// Kafka's `.snapshot` file, as things stood at `end`: later batches and markers may be on their
  /// way to the disk. `decode` refuses what its checksum or its counts do not bear out.
  std::string encode_snapshot(Offset end) const;
  static Result<ProducerStates> decode_snapshot(std::string_view bytes, MonoTime now);

 private:
  void open_transaction(ProducerId id, ProducerEntry& entry, Offset first);
  void close_transaction(ProducerEntry& entry);
  void put_back(ProducerId id, const std::optional<ProducerEntry>& entry);

  std::unordered_map<ProducerId, ProducerEntry> entries_;
  std::map<Offset, ProducerId> open_;   // by first offset
  std::deque<EndedTransaction> ended_;  // by marker, until a snapshot is past it
};

}  // namespace weir::log
