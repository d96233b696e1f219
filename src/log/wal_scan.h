// Reads a write-ahead log back and tells a torn tail from damage.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/file.h"
#include "log/wal_format.h"

namespace weir::log {

/// One file of the WAL as found.
struct WalFileInfo {
  std::string path;
  std::uint64_t size = 0;
  WalFileHeader header;             // of a blank file: zeros
  bool blank = false;               // never used
  bool empty = false;               // begun, but no record of it was ever whole
  std::uint64_t last_sequence = 0;  // of its valid records that count; 0: none
};

/// A valid record: where its payload lies.
struct WalRecordPlace {
  std::size_t file = 0;  // index into WalScan::files
  std::uint64_t payload_at = 0;
  WalRecordHeader header;
};

/// Bytes that were acknowledged once and cannot be read.
struct WalDamage {
  std::string path;
  std::uint64_t at = 0;
  std::uint64_t first_sequence = 0;  // [first, last] are missing
  std::uint64_t last_sequence = 0;
};

struct WalScan {
  std::vector<WalFileInfo> files;       // in the order of their ids, blank ones last
  std::vector<WalRecordPlace> records;  // in the order of their sequences, from `from_sequence` on
  std::vector<WalDamage> damage;
  std::unordered_map<PartitionId, Offset> ends;  // of a partition's last batch in `records`
  std::uint64_t last_sequence = 0;               // of the last valid record, or from_sequence - 1
  std::uint64_t durable_sequence = 0;  // the largest that a later record or header vouches for
  std::uint64_t last_file_id = 0;
  std::uint64_t torn_bytes = 0;  // after the last valid record, not blank; 0: a clean end
  std::string torn_path;
};

/// Where the records of a folder ended at its clean stop. Ids of files come again when all files
/// are gone, sequences never.
struct WalEnd {
  std::uint64_t file_id = 0;
  std::uint64_t sequence = 0;  // of the last record
  std::uint64_t position = 0;
};

/// .kafka_cleanshutdown, as Kafka writes it; readers of its JSON pass over what they do not know.
std::string encode_clean_mark(LeaderEpoch epoch, const std::optional<WalEnd>& end);
std::optional<WalEnd> wal_end_in(std::string_view clean_mark);

/// Finds the records with `from_sequence` and later of the folder's WAL files (`*.wal`). A file of
/// another folder (`folder_id`) or of a newer format is an error: nothing is guessed.
/// `from_sequence` 0: nobody knows; the first record that is there begins it, and without one the
/// last sequence is 0. `clean_end`: after a clean stop the last file ends there, before
/// `from_sequence`; if nothing stands there it is not read.
Result<WalScan> scan_wal(io::FileSystem& files, const std::string& folder, const Uuid& folder_id,
                         std::uint64_t from_sequence,
                         const std::optional<WalEnd>& clean_end = std::nullopt);

/// Reads payloads of a scan, each checked again. Keeps the file it read last open.
class WalReader {
 public:
  WalReader(io::FileSystem& files, const WalScan& scan) : files_(files), scan_(scan) {}
  Result<std::string> payload(const WalRecordPlace& place);

 private:
  io::FileSystem& files_;
  const WalScan& scan_;
  std::size_t open_index_ = SIZE_MAX;
  std::shared_ptr<io::File> open_;
};

}  // namespace weir::log
