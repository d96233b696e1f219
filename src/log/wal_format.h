// The write-ahead log's bytes. See docs/formats/wal.md.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace weir::log {

// The write-ahead log's bytes: a file header, then records at multiples of 4096. See
// docs/formats/wal.md.
//
//   file header (4096 bytes)                record (48 bytes + entries)
//    0  "weirwal1"                           0  magic "WREC"
//    8  version u32 = 1                      4  crc-32c of bytes 8 to the end of the entries
//   12  crc-32c of bytes 16..64              8  length u32: bytes of the entries
//   16  file id u64, never used twice       12  count u32 of entries
//   24  first sequence u64                  16  file id u64
//   32  durable sequence u64                24  sequence u64: one more than the record before
//   40  folder id, 16 bytes                 32  durable sequence u64
//   56  zero                                40  zero u64
//                                           48  entries: topic id 16, partition i32, base offset
//                                           i64,
//                                               length u32, then one record batch of that length
//
// A record lies in one file. `durable sequence` is the last one whose sync had returned when this
// was written: what it names was acknowledged, so finding it unreadable is damage and not a torn
// tail.
inline constexpr std::uint64_t wal_alignment = 4096;
inline constexpr std::size_t wal_record_header_bytes = 48;
inline constexpr std::size_t wal_entry_header_bytes = 32;
inline constexpr std::uint32_t wal_version = 1;

struct WalFileHeader {
  std::uint64_t file_id = 0;
  std::uint64_t first_sequence = 0;
  std::uint64_t durable_sequence = 0;
  Uuid folder;
};

struct WalRecordHeader {
  std::uint32_t crc = 0;
  std::uint32_t length = 0;
  std::uint32_t count = 0;
  std::uint64_t file_id = 0;
  std::uint64_t sequence = 0;
  std::uint64_t durable_sequence = 0;
};

struct WalEntryHeader {
  PartitionId partition;
  Offset base_offset;
  std::uint32_t length = 0;
};

/// One batch in a record; `bytes` borrows.
struct WalEntry {
  WalEntryHeader header;
  std::string_view bytes;
};

constexpr std::uint64_t wal_align(std::uint64_t at) {
  return (at + wal_alignment - 1) / wal_alignment * wal_alignment;
}

/// 4096 bytes.
std::string encode(const WalFileHeader& header);
/// 48 bytes with the crc left zero.
std::string encode(const WalRecordHeader& header);
/// 32 bytes.
std::string encode(const WalEntryHeader& header);

enum class WalHeaderState : std::uint8_t { valid, blank, invalid, newer };
/// `blank`: never used (zeros). `newer`: a version this program does not know.
WalHeaderState decode(std::string_view bytes, WalFileHeader& out);

/// Nothing if it is no record header at all; the crc is not checked.
std::optional<WalRecordHeader> decode_record_header(std::string_view bytes);

/// Calls `each` for the entries of a record's payload in order. False if they do not fit it
/// exactly.
bool for_each_entry(const WalRecordHeader& header, std::string_view payload,
                    const std::function<void(const WalEntry&)>& each);

}  // namespace weir::log
