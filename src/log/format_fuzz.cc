// Whatever stands in the log's own files: it is refused or read, never more. What is accepted is
// encoded again to the same meaning.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "log/aborted.h"
#include "log/backup_manifest.h"
#include "log/batch.h"
#include "log/checkpoint_file.h"
#include "log/leader_epochs.h"
#include "log/producer_state.h"
#include "log/wal_format.h"

namespace weir::log {
namespace {

void read_wal(std::string_view bytes) {
  WalFileHeader file;
  (void)decode(bytes.substr(0, wal_alignment), file);
  const auto record = decode_record_header(bytes);
  if (!record) return;
  std::uint64_t total = 0;
  const bool whole = for_each_entry(
      *record, bytes.substr(wal_record_header_bytes),
      [&](const WalEntry& entry) { total += wal_entry_header_bytes + entry.bytes.size(); });
  check(total <= bytes.size(), "entries lie inside the record");
  check(!whole || total + wal_record_header_bytes == bytes.size(), "and fill it if it is whole");
}

void read_texts(std::string_view text) {
  if (auto checkpoint = decode_checkpoint(text)) {
    auto again = decode_checkpoint(encode(*checkpoint));
    check(again && again->sequence == checkpoint->sequence &&
              again->partitions.size() == checkpoint->partitions.size(),
          "a checkpoint is read back as it was written");
  }
  if (auto epochs = LeaderEpochs::decode(text)) {
    auto again = LeaderEpochs::decode(epochs->encode());
    check(again && again->entries().size() == epochs->entries().size(), "so are leader epochs");
  }
  if (auto manifest = decode_manifest(text)) {
    auto again = decode_manifest(encode(*manifest));
    check(again && again->files.size() == manifest->files.size(), "so is the list of a backup");
  }
}

void read_snapshot(std::string_view bytes) {
  if (auto states = ProducerStates::decode_snapshot(bytes, MonoTime{})) {
    auto again =
        ProducerStates::decode_snapshot(states->encode_snapshot(Offset(INT64_MAX)), MonoTime{});
    check(again && again->size() <= states->size(), "a producer snapshot is read back");
  }
}

void read_transactions(std::string_view bytes) {
  if (auto entries = decode_txn_index(bytes)) {
    std::string again;
    for (const auto& entry : *entries) append_entry(again, entry);
    check(again == bytes, "a transaction index is read back as it was written");
  }
  (void)end_in(bytes);
}

}  // namespace
}  // namespace weir::log

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  weir::log::read_wal(bytes);
  weir::log::read_texts(bytes);
  weir::log::read_snapshot(bytes);
  weir::log::read_transactions(bytes);
  (void)weir::log::whole_batch(bytes);
  return 0;
}
