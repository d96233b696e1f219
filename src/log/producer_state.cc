#include "log/producer_state.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/mutant.h"
#include "log/batch.h"

namespace weir::log {
namespace {

constexpr std::size_t snapshot_entry_bytes = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8;
constexpr std::size_t snapshot_head_bytes = 2 + 4 + 4;

}  // namespace

void ProducerEntry::add(const ProducerBatch& batch) {
  if (count == batches_kept) {
    std::move(batches.begin() + 1, batches.end(), batches.begin());
    --count;
  }
  batches[count++] = batch;
}

ProducedSequence sequence_of(const BatchHeader& header) {
  return {.producer = header.producer_id(),
          .epoch = header.producer_epoch(),
          .first_sequence = header.base_sequence(),
          .record_count = header.last_offset_delta() + 1,
          .transactional = header.is_transactional()};
}

Result<TransactionEnd> end_in(std::string_view control_batch) {
  const auto bad = [](std::string_view why) {
    return fail(Errc::malformed, fmt::format("control batch: {}", why));
  };
  auto batch = kafka::BatchView::parse(control_batch);
  if (!batch) return bad(batch.error().message());
  auto reader = kafka::RecordReader::open(*batch);
  kafka::RecordView record;
  if (!reader || !reader->next(record)) return bad("no record in it");
  auto marker = kafka::parse_end_marker(record);
  if (!marker) return bad(marker.error().message());
  return TransactionEnd{.producer = ProducerId(batch->producer_id()),
                        .epoch = ProducerEpoch(batch->producer_epoch()),
                        .commit = marker->commit,
                        .coordinator_epoch = marker->coordinator_epoch};
}

std::int32_t sequence_after(std::int32_t first, std::int32_t n) {
  return static_cast<std::int32_t>(
      (static_cast<std::uint32_t>(first) + static_cast<std::uint32_t>(n)) & 0x7fffffffU);
}

Result<ProducerStates::Checked> ProducerStates::check(const ProducedSequence& batch) const {
  const auto found = entries_.find(batch.producer);
  if (found == entries_.end()) return Checked{};
  const ProducerEntry& entry = found->second;
  const std::int32_t last_sequence = sequence_after(batch.first_sequence, batch.record_count - 1);
  const bool has_sequence = batch.first_sequence >= 0;
  const bool same_epoch = entry.epoch == batch.epoch || mutant(Mutant::duplicates_across_epochs);
  if (has_sequence && same_epoch && !mutant(Mutant::forget_last_batches)) {
    for (std::size_t i = 0; i < entry.count; ++i) {
      const ProducerBatch& kept = entry.batches[i];
      if (kept.first_sequence == batch.first_sequence && kept.last_sequence == last_sequence)
        return Checked{.verdict = Verdict::duplicate, .original = kept};
    }
  }
  if (batch.epoch < entry.epoch)
    return fail(Errc::invalid_producer_epoch,
                fmt::format("producer {}: epoch {} is older than {}", batch.producer.value,
                            batch.epoch.value, entry.epoch.value));
  if (entry.in_transaction() && !batch.transactional)
    return fail(Errc::invalid_txn_state,
                fmt::format("producer {}: its transaction is open, this batch is not of it",
                            batch.producer.value));
  if (!has_sequence) return Checked{};
  if (batch.epoch > entry.epoch) {
    if (batch.first_sequence == 0) return Checked{};
    return fail(Errc::out_of_order_sequence_number,
                fmt::format("producer {}: new epoch {} begins with sequence {}, want 0",
                            batch.producer.value, batch.epoch.value, batch.first_sequence));
  }
  if (mutant(Mutant::forget_last_batches)) return Checked{};
  const ProducerBatch* last = entry.last();
  const std::int32_t wanted = last != nullptr               ? sequence_after(last->last_sequence, 1)
                              : entry.awaited_sequence >= 0 ? entry.awaited_sequence
                              : batch.epoch_a_transaction   ? 0
                                                            : batch.first_sequence;
  if (batch.first_sequence == wanted) return Checked{};
  return fail(Errc::out_of_order_sequence_number,
              last != nullptr
                  ? fmt::format("producer {}: sequence {} after {}, want {}", batch.producer.value,
                                batch.first_sequence, last->last_sequence, wanted)
                  : fmt::format("producer {}: sequence {}, want {}, which was refused before",
                                batch.producer.value, batch.first_sequence, wanted));
}

Result<ProducerStates::Verdict> ProducerStates::check_end(const TransactionEnd& end) const {
  const auto found = entries_.find(end.producer);
  if (found == entries_.end()) return Verdict::append;
  const ProducerEntry& entry = found->second;
  const bool too_old = end.epoch < entry.epoch ||
                       (end.raises_epoch && end.epoch == entry.epoch && entry.in_transaction());
  if (too_old)
    return fail(Errc::invalid_producer_epoch,
                fmt::format("producer {}: a marker of epoch {} cannot end what is of epoch {}",
                            end.producer.value, end.epoch.value, entry.epoch.value));
  // A coordinator that was interrupted writes its markers again (KAFKA-19999).
  if (end.raises_epoch && end.epoch == entry.epoch) return Verdict::duplicate;
  return Verdict::append;
}

void ProducerStates::open_transaction(ProducerId id, ProducerEntry& entry, Offset first) {
  entry.transaction_first = first;
  open_.emplace(first, id);
}

void ProducerStates::close_transaction(ProducerEntry& entry) {
  if (!entry.in_transaction()) return;
  open_.erase(entry.transaction_first);
  entry.transaction_first = Offset(-1);
}

void ProducerStates::apply(const ProducedSequence& batch, Offset last_offset,
                           std::int64_t timestamp, MonoTime now) {
  ProducerEntry& entry = entries_[batch.producer];
  if (entry.epoch != batch.epoch) {
    entry.epoch = batch.epoch;
    if (!mutant(Mutant::duplicates_across_epochs)) entry.count = 0;
  }
  if (batch.first_sequence >= 0)
    entry.add({.first_sequence = batch.first_sequence,
               .last_sequence = sequence_after(batch.first_sequence, batch.record_count - 1),
               .last_offset = last_offset,
               .offset_delta = batch.record_count - 1,
               .timestamp = timestamp});
  entry.last_write = now;
  if (batch.transactional && !entry.in_transaction())
    open_transaction(batch.producer, entry, Offset(last_offset.value - (batch.record_count - 1)));
}

std::optional<EndedTransaction> ProducerStates::apply_end(const TransactionEnd& end, Offset marker,
                                                          MonoTime now) {
  ProducerEntry& entry = entries_[end.producer];
  std::optional<EndedTransaction> ended;
  if (entry.in_transaction()) {
    ended = EndedTransaction{.producer = end.producer,
                             .epoch = entry.epoch,
                             .first = entry.transaction_first,
                             .marker = marker,
                             .aborted = !end.commit};
    ended_.push_back(*ended);
    close_transaction(entry);
  }
  if (entry.epoch != end.epoch) {
    entry.epoch = end.epoch;
    if (!mutant(Mutant::duplicates_across_epochs)) entry.count = 0;
    entry.awaited_sequence = -1;
  }
  entry.coordinator_epoch = end.coordinator_epoch;
  entry.last_marker = marker;
  entry.last_write = now;
  return ended;
}

std::optional<ProducerEntry> ProducerStates::saved(ProducerId id) const {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return std::nullopt;
  return found->second;
}

void ProducerStates::put_back(ProducerId id, const std::optional<ProducerEntry>& entry) {
  ProducerEntry& present = entries_[id];
  close_transaction(present);
  if (!entry) return;
  present = *entry;
  if (present.in_transaction()) open_.emplace(present.transaction_first, id);
}

void ProducerStates::restore(const ProducedSequence& undone,
                             const std::optional<ProducerEntry>& entry) {
  put_back(undone.producer, entry);
  if (entry) return;
  ProducerEntry& fresh = entries_[undone.producer];
  const MonoTime written = fresh.last_write;
  fresh = {};
  fresh.epoch = undone.epoch;
  fresh.last_write = written;
  fresh.awaited_sequence = undone.first_sequence;
}

void ProducerStates::note_refused(const ProducedSequence& refused, MonoTime now) {
  if (refused.first_sequence < 0) return;
  ProducerEntry& entry = entries_[refused.producer];
  if (entry.epoch.value < 0) entry.epoch = refused.epoch;
  if (entry.epoch != refused.epoch || entry.count > 0 || entry.awaited_sequence >= 0) return;
  entry.awaited_sequence = refused.first_sequence;
  entry.last_write = now;
}

void ProducerStates::restore_end(ProducerId id, Offset marker,
                                 const std::optional<ProducerEntry>& entry) {
  if (!ended_.empty() && ended_.back().marker == marker) ended_.pop_back();
  put_back(id, entry);
  if (!entry) entries_.erase(id);
}

Offset ProducerStates::first_open() const {
  return open_.empty() ? Offset(INT64_MAX) : open_.begin()->first;
}

Offset ProducerStates::first_undecided(Offset high_watermark) const {
  if (mutant(Mutant::stable_is_high_watermark)) return high_watermark;
  Offset first = first_open();
  for (auto it = ended_.rbegin(); it != ended_.rend() && it->marker >= high_watermark; ++it)
    first = std::min(first, it->first);
  return first;
}

void ProducerStates::forget_ended(Offset end) {
  while (!ended_.empty() && ended_.front().marker < end) ended_.pop_front();
}

void ProducerStates::expire(MonoTime before) {
  std::erase_if(entries_, [&](const auto& item) {
    return item.second.last_write < before && !item.second.in_transaction();
  });
}

std::vector<Offset> ProducerStates::last_offsets() const {
  std::vector<Offset> out;
  for (const auto& [id, entry] : entries_)
    if (const ProducerBatch* last = entry.last()) out.push_back(last->last_offset);
  std::sort(out.begin(), out.end());
  return out;
}

std::map<ProducerId, ProducerEpoch> ProducerStates::marked_alone() const {
  std::map<ProducerId, ProducerEpoch> out;
  for (const auto& [id, entry] : entries_)
    if (entry.count == 0 && entry.coordinator_epoch >= 0) out.emplace(id, entry.epoch);
  return out;
}

namespace {

struct SnapshotRow {
  ProducerId id;
  ProducerEpoch epoch;
  ProducerBatch batch;  // none: last_sequence -1
  std::int32_t coordinator_epoch = -1;
  Offset transaction_first{-1};
};

void append_row(std::string& rows, const SnapshotRow& row) {
  append_be<std::int64_t>(rows, row.id.value);
  append_be<std::int16_t>(rows, row.epoch.value);
  append_be<std::int32_t>(rows, row.batch.last_sequence);
  append_be<std::int64_t>(rows, row.batch.last_offset.value);
  append_be<std::int32_t>(rows, row.batch.offset_delta);
  append_be<std::int64_t>(rows, row.batch.timestamp);
  append_be<std::int32_t>(rows, row.coordinator_epoch);
  append_be<std::int64_t>(rows, row.transaction_first.value);
}

}  // namespace

// Kafka's format holds one batch a producer: the last. After a restart from a snapshot alone, a
// retry of an older batch of the five would look out of order, so all kept batches are written, as
// rows of one producer, oldest first; Kafka reads the last row of a producer as the truth.
std::string ProducerStates::encode_snapshot(Offset end) const {
  // Transactions that were open at `end` and have ended since.
  std::unordered_map<ProducerId, const EndedTransaction*> open_then;
  for (const auto& ended : ended_)
    if (ended.marker >= end && ended.first < end) open_then.try_emplace(ended.producer, &ended);
  std::string rows;
  std::uint32_t count = 0;
  for (const auto& [id, entry] : entries_) {
    SnapshotRow row{
        .id = id,
        .epoch = entry.epoch,
        .batch = {},
        .coordinator_epoch = entry.coordinator_epoch,
        .transaction_first = entry.transaction_first < end ? entry.transaction_first : Offset(-1)};
    if (const auto then = open_then.find(id); then != open_then.end()) {
      row.epoch = then->second->epoch;
      row.transaction_first = then->second->first;
    }
    std::size_t written = 0;
    for (std::size_t i = 0; row.epoch == entry.epoch && i < entry.count; ++i) {
      row.batch = entry.batches[i];
      if (row.batch.last_offset >= end) break;
      ++written;
      append_row(rows, row);
    }
    count += static_cast<std::uint32_t>(written);
    // Without a batch: its epoch fences older ones, and its transaction holds readers back.
    const bool marked = entry.coordinator_epoch >= 0 && entry.last_marker < end;
    if (written > 0 || (!marked && row.transaction_first.value < 0)) continue;
    ++count;
    row.batch = {};
    append_row(rows, row);
  }
  std::string checked;
  append_be<std::uint32_t>(checked, count);
  checked += rows;
  std::string out;
  append_be<std::int16_t>(out, 1);
  append_be<std::uint32_t>(out, crc32c(checked));
  return out + checked;
}

Result<ProducerStates> ProducerStates::decode_snapshot(std::string_view bytes, MonoTime now) {
  if (bytes.size() < snapshot_head_bytes)
    return fail(Errc::malformed, "producer snapshot: too short");
  if (load_be<std::int16_t>(bytes.data()) != 1)
    return fail(Errc::newer_format, "producer snapshot: unknown version");
  if (load_be<std::uint32_t>(bytes.data() + 2) != crc32c(bytes.substr(6)))
    return fail(Errc::malformed, "producer snapshot: wrong checksum");
  const auto count = load_be<std::uint32_t>(bytes.data() + 6);
  bytes.remove_prefix(snapshot_head_bytes);
  if (bytes.size() != std::size_t{count} * snapshot_entry_bytes)
    return fail(Errc::malformed, "producer snapshot: count and size disagree");
  ProducerStates states;
  for (const char* p = bytes.data(); p != bytes.data() + bytes.size(); p += snapshot_entry_bytes) {
    const ProducerId id(load_be<std::int64_t>(p));
    const ProducerEpoch epoch(load_be<std::int16_t>(p + 8));
    const auto last_sequence = load_be<std::int32_t>(p + 10);
    const auto delta = load_be<std::int32_t>(p + 22);
    if (last_sequence < -1 || delta < 0)
      return fail(Errc::malformed, "producer snapshot: negative numbers");
    if (delta == INT32_MAX)
      return fail(Errc::malformed, "producer snapshot: more records than a batch holds");
    if (last_sequence >= 0) {
      states.apply({.producer = id,
                    .epoch = epoch,
                    .first_sequence = sequence_after(
                        last_sequence,
                        static_cast<std::int32_t>(0x80000000U - static_cast<std::uint32_t>(delta))),
                    .record_count = delta + 1},
                   Offset(load_be<std::int64_t>(p + 14)), load_be<std::int64_t>(p + 26), now);
    }
    ProducerEntry& entry = states.entries_[id];
    entry.epoch = epoch;
    entry.last_write = now;
    entry.coordinator_epoch = load_be<std::int32_t>(p + 34);
    const Offset first(load_be<std::int64_t>(p + 38));
    if (first == entry.transaction_first) continue;
    states.close_transaction(entry);
    if (first.value < 0) continue;
    if (states.open_.contains(first))
      return fail(Errc::malformed, "producer snapshot: two transactions with one first offset");
    states.open_transaction(id, entry, first);
  }
  return states;
}

}  // namespace weir::log
