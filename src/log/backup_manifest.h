// The list of a backup's files. See docs/formats/backup.md.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "io/file.h"

namespace weir::log {

struct BackupFile {
  std::string stored;  // its name in the backup; more than one may have been of the same file
  std::uint64_t bytes = 0;
  std::uint32_t crc = 0;  // CRC-32C of these bytes; what is behind them does not count
};

struct BackupManifest {
  Uuid cluster;
  std::int64_t taken_ms = 0;
  std::uint64_t sequence = 0;
  LeaderEpoch epoch{0};
  std::map<std::string, BackupFile> files;  // by their path in the data folder
};

inline constexpr const char* manifest_name = "weir-backup";

std::string encode(const BackupManifest& manifest);
Result<BackupManifest> decode_manifest(std::string_view text);
/// not_found if the folder has none; damaged and newer_format name the file.
Result<BackupManifest> read_manifest(io::FileSystem& files, const std::string& backup);

}  // namespace weir::log
