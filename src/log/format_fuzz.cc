// Whatever stands in the log's own files: it is refused or read, never more. What is accepted is
// encoded again to the same meaning. Byte 0 chooses the format; its highest bit makes the checksum
// right, so that what is behind it is reached.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/limits.h"
#include "fuzz/harness.h"
#include "log/aborted.h"
#include "log/backup_manifest.h"
#include "log/batch.h"
#include "log/checkpoint_file.h"
#include "log/leader_epochs.h"
#include "log/producer_state.h"
#include "log/wal_format.h"

namespace weir::log {
namespace {

// end_in() reads the records of a marker, and decompresses them if the batch says that they are
// compressed: what comes, a copy of its own size, and what a codec needs (decompress_fuzz.cc).
constexpr std::size_t compressed_bound =
    2 * limits::decompressed_batch_bytes + (std::size_t{10} << 20U);

void seal_text(std::string& text) { text += "crc " + std::to_string(crc32c(text)) + '\n'; }

void seal_at(std::string& bytes, std::size_t crc_at, std::size_t from, std::size_t size) {
  if (bytes.size() < from) return;
  store_be(bytes.data() + crc_at, crc32c(std::string_view(bytes).substr(from, size)));
}

void read_wal_header(std::string bytes, bool sealed) {
  if (sealed) {
    bytes.insert(0, "weirwal1");
    bytes.resize(wal_alignment);
    seal_at(bytes, 12, 16, 48);
  }
  WalFileHeader header;
  const auto state = fuzz::bounded(bytes.size(), [&] { return decode(bytes, header); });
  if (state != WalHeaderState::valid) return;
  WalFileHeader again;
  check(decode(encode(header), again) == WalHeaderState::valid && again.folder == header.folder &&
            again.durable_sequence == header.durable_sequence,
        "a header is read back as it was written");
}

void read_wal_record(std::string bytes, bool sealed) {
  if (sealed) bytes.insert(0, "WREC");
  const auto record = decode_record_header(bytes);
  if (!record) return;
  const std::string_view payload = std::string_view(bytes).substr(wal_record_header_bytes);
  std::uint64_t total = 0;
  const bool whole = fuzz::bounded(bytes.size(), [&] {
    return for_each_entry(*record, payload, [&](const WalEntry& entry) {
      total += wal_entry_header_bytes + entry.bytes.size();
    });
  });
  check(total <= payload.size(), "entries lie inside the record");
  check(!whole || total == payload.size(), "and fill it if it is whole");
}

void read_checkpoint(std::string text, bool sealed) {
  if (sealed) seal_text(text);
  const auto checkpoint = fuzz::bounded(text.size(), [&] { return decode_checkpoint(text); });
  if (!checkpoint) return;
  for (const auto& [partition, row] : checkpoint->partitions) fuzz::canary(!row.aborted.empty());
  const auto again = decode_checkpoint(encode(*checkpoint));
  check(again && again->sequence == checkpoint->sequence &&
            again->partitions.size() == checkpoint->partitions.size(),
        "a checkpoint is read back as it was written");
}

void read_epochs(std::string text, bool /*sealed*/) {
  const auto epochs = fuzz::bounded(text.size(), [&] { return LeaderEpochs::decode(text); });
  if (!epochs) return;
  const auto again = LeaderEpochs::decode(epochs->encode());
  check(again && again->entries().size() == epochs->entries().size(),
        "leader epochs are read back as they were written");
}

void read_manifest(std::string text, bool sealed) {
  if (sealed) seal_text(text);
  const auto manifest = fuzz::bounded(text.size(), [&] { return decode_manifest(text); });
  if (!manifest) return;
  const auto again = decode_manifest(encode(*manifest));
  check(again && again->files.size() == manifest->files.size(),
        "the list of a backup is read back as it was written");
}

void read_snapshot(std::string bytes, bool sealed) {
  if (sealed) {
    bytes.insert(0, std::string("\0\1crc_", 6));
    seal_at(bytes, 2, 6, std::string::npos);
  }
  const auto read = [](std::string_view snapshot) {
    return ProducerStates::decode_snapshot(snapshot, MonoTime{});
  };
  const auto states = fuzz::bounded(bytes.size(), [&] { return read(bytes); });
  if (!states) return;
  const auto again = read(states->encode_snapshot(Offset(INT64_MAX)));
  check(again && again->size() <= states->size(), "a producer snapshot is read back");
}

void read_transactions(std::string bytes, bool /*sealed*/) {
  const auto entries = fuzz::bounded(bytes.size(), [&] { return decode_txn_index(bytes); });
  if (!entries) return;
  std::string again;
  for (const auto& entry : *entries) append_entry(again, entry);
  check(again == bytes, "a transaction index is read back as it was written");
}

void read_batch(std::string bytes, bool sealed) {
  if (sealed && bytes.size() >= batch_header_bytes) {
    store_be(bytes.data() + at::length,
             static_cast<std::int32_t>(bytes.size() - kafka::batch_prefix_bytes));
    bytes[at::magic] = kafka::batch_magic;
    seal_at(bytes, at::crc, at::attributes, std::string::npos);
  }
  const std::string_view batch = whole_batch(bytes);
  if (batch.empty()) return;
  const BatchHeader header(batch);
  const bool compressed = (header.attributes() & kafka::batch_bits::codec) != 0;
  const auto end =
      fuzz::bounded_by(compressed ? compressed_bound : fuzz::allocation_bound(batch.size()),
                       [&] { return end_in(batch); });
  const ProducedSequence sequence = sequence_of(header);
  check(!end || end->producer == sequence.producer, "a marker is of the producer of its batch");
}

void read_properties(std::string text, bool /*sealed*/) {
  (void)fuzz::bounded(text.size(), [&] { return id_behind(text, "topic_id: "); });
}

using Format = void (*)(std::string bytes, bool sealed);
constexpr std::array<Format, 9> formats = {read_wal_header,   read_wal_record, read_checkpoint,
                                           read_epochs,       read_manifest,   read_snapshot,
                                           read_transactions, read_batch,      read_properties};

}  // namespace
}  // namespace weir::log

void weir::fuzz::input(std::string_view bytes) {
  if (bytes.empty()) return;
  const auto chosen = static_cast<unsigned char>(bytes[0]);
  log::formats[(chosen & 0x7fU) % log::formats.size()](std::string(bytes.substr(1)),
                                                       (chosen & 0x80U) != 0);
}
