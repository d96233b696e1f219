#include "log/backup_manifest.h"

#include <fmt/core.h>

#include "base/crc32c.h"
#include "log/checkpoint_file.h"

namespace weir::log {
namespace {

constexpr std::size_t largest_manifest = std::size_t{256} << 20U;

/// A path below the folder: nothing that could lead out of it.
bool is_inside(std::string_view path) {
  return !path.empty() && path.front() != '/' && path.find("..") == std::string_view::npos;
}

}  // namespace

std::string encode(const BackupManifest& manifest) {
  std::string text = fmt::format("0\n{}\ncluster {}\ntaken {}\nsequence {}\nepoch {}\n",
                                 manifest.files.size() + 5, manifest.cluster.to_string(),
                                 manifest.taken_ms, manifest.sequence, manifest.epoch.value);
  for (const auto& [path, file] : manifest.files)
    text += fmt::format("file {} {} {} {}\n", path, file.stored, file.bytes, file.crc);
  return text + fmt::format("crc {}\n", crc32c(text));
}

Result<BackupManifest> decode_manifest(std::string_view text) {
  auto rows = CheckpointRows::open(text);
  if (!rows) return fail(rows.error());
  const std::size_t last = text.rfind("\ncrc ");
  const auto malformed = [](std::string_view why) {
    return fail(Errc::malformed, fmt::format("list of a backup: {}", why));
  };
  std::int64_t number = 0;
  const std::string_view said = last == std::string_view::npos ? "" : text.substr(last + 5);
  if (!said.ends_with('\n') || !parse_number(said.substr(0, said.size() - 1), number) ||
      number != crc32c(text.substr(0, last + 1)))
    return malformed("wrong checksum");
  BackupManifest out;
  while (rows->rows_left() > 1 && rows->next()) {  // the last row is the checksum
    const CheckpointRows& row = *rows;
    if (row.size() == 5 && row[0] == "file") {
      BackupFile file{.stored = std::string(row[2])};
      std::int64_t crc = 0;
      if (!is_inside(row[1]) || !is_inside(row[2]) || !parse_number(row[3], number) || number < 0 ||
          !parse_number(row[4], crc) || crc < 0 || crc > UINT32_MAX)
        return malformed("a row of a file that cannot be");
      file.bytes = static_cast<std::uint64_t>(number);
      file.crc = static_cast<std::uint32_t>(crc);
      out.files.emplace(row[1], std::move(file));
    } else if (row.size() == 2 && row[0] == "cluster") {
      if (!Uuid::parse(row[1], out.cluster)) return malformed("cluster is no id");
    } else if (row.size() == 2 && row[0] == "taken" && parse_number(row[1], out.taken_ms)) {
    } else if (row.size() == 2 && row[0] == "sequence" && parse_number(row[1], number) &&
               number >= 0) {
      out.sequence = static_cast<std::uint64_t>(number);
    } else if (row.size() == 2 && row[0] == "epoch" && parse_number(row[1], number) &&
               number >= 0 && number <= INT32_MAX) {
      out.epoch = LeaderEpoch(static_cast<std::int32_t>(number));
    } else {
      return malformed("want rows of cluster, taken, sequence, epoch and file");
    }
  }
  return out;
}

Result<BackupManifest> read_manifest(io::FileSystem& files, const std::string& backup) {
  const std::string path = fmt::format("{}/{}", backup, manifest_name);
  auto text = io::read_file(files, path, largest_manifest);
  if (!text) {
    if (text.error().code() != Errc::not_found) return fail(text.error());
    return fail(Errc::not_found, backup + ": no backup, it has no " + manifest_name);
  }
  auto manifest = decode_manifest(*text);
  if (!manifest)
    return fail(manifest.error().code() == Errc::newer_format ? Errc::newer_format : Errc::damaged,
                path + ": " + manifest.error().message());
  return manifest;
}

}  // namespace weir::log
