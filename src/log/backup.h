// A copy of a data folder, taken while a broker has it open; and a data folder made from one.
//
// What a backup holds is a moment: everything up to one record of the write-ahead log, of all
// partitions alike, so that transactions and offsets agree. The format is docs/formats/backup.md.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "io/file.h"

namespace weir::log {

struct BackupReport {
  std::int64_t taken_ms = 0;   // wall clock, of the moment that it holds
  std::uint64_t sequence = 0;  // of the last record of the write-ahead log in it
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;       // of all files
  std::uint64_t bytes_done = 0;  // of them, copied or read this time
  /// A line for each place that is damaged: in the source, which is copied as it is, or in the
  /// backup.
  std::vector<std::string> damage;
};

/// Bytes done, and all that there are to do as far as it is known. Called often.
using BackupProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

/// Copies the data folder `from` to the folder `to`, which is made, or holds an earlier backup of
/// the same folder: then only what is new is copied. Cut short at any moment the earlier backup
/// stays whole. Changes nothing in `from` and needs no broker's help, but reads its files: run it
/// where the broker runs. Blocks.
/// Errors: not_found (no data folder), already_exists (`to` holds something else), locked (another
/// backup is being taken), damaged (the earlier backup), busy (the broker changed its files in
/// every try), disk_full, io_error.
Result<BackupReport> back_up(io::FileSystem& files, const std::string& from, const std::string& to,
                             std::int64_t now_ms, const BackupProgress& progress);

/// Reads every byte of a backup.
Result<BackupReport> verify_backup(io::FileSystem& files, const std::string& backup,
                                   const BackupProgress& progress);

/// Makes the data folder `to`, which must not exist or be empty. A damaged file is copied too, and
/// reported: a broker serves what is whole. Cut short it leaves a folder that no broker opens.
Result<BackupReport> restore_backup(io::FileSystem& files, const std::string& backup,
                                    const std::string& to, const BackupProgress& progress);

/// A restored folder has this file until the broker has left room for what the backup does not
/// know: producer ids that were given out since.
inline constexpr const char* restored_mark = "weir-restored";
/// By so much a restored folder's leader epoch is above the backup's: more than the broker can have
/// used since. A client that has seen more than the backup holds learns that it was cut.
inline constexpr std::int32_t restored_epochs = 1000;

}  // namespace weir::log
