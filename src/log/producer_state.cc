#include "log/producer_state.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/mutant.h"

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

std::int32_t sequence_after(std::int32_t first, std::int32_t n) {
  return static_cast<std::int32_t>(
      (static_cast<std::uint32_t>(first) + static_cast<std::uint32_t>(n)) & 0x7fffffffU);
}

Result<ProducerStates::Checked> ProducerStates::check(const ProducedSequence& batch) const {
  const auto found = entries_.find(batch.producer);
  if (found == entries_.end()) return Checked{};
  const ProducerEntry& entry = found->second;
  const std::int32_t last_sequence = sequence_after(batch.first_sequence, batch.record_count - 1);
  if (entry.epoch == batch.epoch && !mutant(Mutant::forget_last_batches)) {
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
  if (batch.epoch > entry.epoch) {
    if (batch.first_sequence == 0) return Checked{};
    return fail(Errc::out_of_order_sequence_number,
                fmt::format("producer {}: new epoch {} begins with sequence {}, want 0",
                            batch.producer.value, batch.epoch.value, batch.first_sequence));
  }
  if (mutant(Mutant::forget_last_batches)) return Checked{};
  const ProducerBatch* last = entry.last();
  if (last == nullptr && entry.awaited_sequence >= 0 &&
      batch.first_sequence != entry.awaited_sequence)
    return fail(Errc::out_of_order_sequence_number,
                fmt::format("producer {}: sequence {} after one that was refused, want {}",
                            batch.producer.value, batch.first_sequence, entry.awaited_sequence));
  if (last == nullptr || batch.first_sequence == sequence_after(last->last_sequence, 1))
    return Checked{};
  return fail(Errc::out_of_order_sequence_number,
              fmt::format("producer {}: sequence {} after {}, want {}", batch.producer.value,
                          batch.first_sequence, last->last_sequence,
                          sequence_after(last->last_sequence, 1)));
}

void ProducerStates::apply(const ProducedSequence& batch, Offset last_offset,
                           std::int64_t timestamp, MonoTime now) {
  ProducerEntry& entry = entries_[batch.producer];
  if (entry.epoch != batch.epoch) {
    entry.epoch = batch.epoch;
    entry.count = 0;
  }
  entry.add({.first_sequence = batch.first_sequence,
             .last_sequence = sequence_after(batch.first_sequence, batch.record_count - 1),
             .last_offset = last_offset,
             .offset_delta = batch.record_count - 1,
             .timestamp = timestamp});
  entry.last_write = now;
}

std::optional<ProducerEntry> ProducerStates::saved(ProducerId id) const {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return std::nullopt;
  return found->second;
}

void ProducerStates::restore(const ProducedSequence& undone,
                             const std::optional<ProducerEntry>& entry) {
  if (entry) {
    entries_[undone.producer] = *entry;
    return;
  }
  ProducerEntry& fresh = entries_[undone.producer];
  const MonoTime written = fresh.last_write;
  fresh = {};
  fresh.epoch = undone.epoch;
  fresh.last_write = written;
  fresh.awaited_sequence = undone.first_sequence;
}

void ProducerStates::expire(MonoTime before) {
  std::erase_if(entries_, [&](const auto& item) { return item.second.last_write < before; });
}

std::vector<Offset> ProducerStates::last_offsets() const {
  std::vector<Offset> out;
  for (const auto& [id, entry] : entries_)
    if (const ProducerBatch* last = entry.last()) out.push_back(last->last_offset);
  std::sort(out.begin(), out.end());
  return out;
}

std::string ProducerStates::encode_snapshot(Offset end) const {
  // Kafka's format holds one batch a producer: the last. After a restart from a snapshot alone, a
  // retry of an older batch of the five would look out of order, so all kept batches are written,
  // as rows of one producer, oldest first; Kafka reads the last row of a producer as the truth.
  std::string rows;
  std::uint32_t count = 0;
  for (const auto& [id, entry] : entries_) {
    for (std::size_t i = 0; i < entry.count; ++i) {
      const ProducerBatch& batch = entry.batches[i];
      if (batch.last_offset >= end) break;
      ++count;
      append_be<std::int64_t>(rows, id.value);
      append_be<std::int16_t>(rows, entry.epoch.value);
      append_be<std::int32_t>(rows, batch.last_sequence);
      append_be<std::int64_t>(rows, batch.last_offset.value);
      append_be<std::int32_t>(rows, batch.offset_delta);
      append_be<std::int64_t>(rows, batch.timestamp);
      append_be<std::int32_t>(rows, -1);  // coordinator epoch
      append_be<std::int64_t>(rows, -1);  // first offset of an open transaction
    }
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
    const auto last_sequence = load_be<std::int32_t>(p + 10);
    const auto delta = load_be<std::int32_t>(p + 22);
    if (last_sequence < 0 || delta < 0)
      return fail(Errc::malformed, "producer snapshot: negative numbers");
    states.apply({.producer = id,
                  .epoch = ProducerEpoch(load_be<std::int16_t>(p + 8)),
                  .first_sequence = sequence_after(
                      last_sequence,
                      static_cast<std::int32_t>(0x80000000U - static_cast<std::uint32_t>(delta))),
                  .record_count = delta + 1},
                 Offset(load_be<std::int64_t>(p + 14)), load_be<std::int64_t>(p + 26), now);
  }
  return states;
}

}  // namespace weir::log
