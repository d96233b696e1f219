#include "log/checkpoint_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/crc32c.h"

namespace weir::log {

bool parse_number(std::string_view text, std::int64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty() && out >= -1;
}

bool CheckpointRows::next() {
  size_ = 0;
  if (left_ == 0) return false;
  --left_;
  const std::size_t end = rest_.find('\n');
  std::string_view line = rest_.substr(0, end);
  rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
  while (!line.empty() && size_ < words_.size()) {
    const std::size_t space = line.find(' ');
    words_[size_++] = line.substr(0, space);
    line = space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
  }
  return true;
}

Result<CheckpointRows> CheckpointRows::open(std::string_view text) {
  CheckpointRows rows;
  rows.rest_ = text;
  rows.left_ = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  if (!text.empty() && text.back() != '\n') ++rows.left_;
  const auto number = [&](std::int64_t& out) {
    return rows.next() && rows.size() == 1 && parse_number(rows[0], out);
  };
  std::int64_t version = -1;
  std::int64_t count = -1;
  if (!number(version) || !number(count) || static_cast<std::size_t>(count) != rows.left_)
    return fail(Errc::malformed, "checkpoint: want a version, a count, and that many rows");
  if (version != 0)
    return fail(Errc::newer_format, fmt::format("checkpoint: version {}, want 0", version));
  return rows;
}

Uuid id_behind(std::string_view text, std::string_view name) {
  Uuid id;
  const std::size_t at = text.find(name);
  if (at != std::string_view::npos && !Uuid::parse(text.substr(at + name.size(), 22), id)) id = {};
  return id;
}

std::string encode(const OffsetCheckpoint& offsets) {
  std::string out = fmt::format("0\n{}\n", offsets.size());
  for (const auto& [partition, offset] : offsets)
    out += fmt::format("{} {} {}\n", partition.first, partition.second, offset.value);
  return out;
}

std::string encode(const Checkpoint& checkpoint) {
  std::string rows;
  std::size_t count = 2 + checkpoint.partitions.size();
  for (const auto& [id, row] : checkpoint.partitions) {
    const std::string partition = fmt::format("{} {}", id.topic.to_string(), id.partition);
    rows +=
        fmt::format("partition {} {} {} {} {} {} {} {} {}\n", partition, row.recovery_point.value,
                    row.log_start.value, row.active_base.value, row.max_timestamp,
                    row.max_timestamp_offset.value, row.clean_end.value, row.no_producers.value,
                    row.epochs_crc ? std::int64_t{*row.epochs_crc} : std::int64_t{-1});
    count += row.aborted.size();
    for (const auto& [base, aborted] : row.aborted)
      rows +=
          fmt::format("aborted {} {} {} {}\n", partition, base.value, aborted.entries, aborted.crc);
  }
  const std::string text = fmt::format("0\n{}\nsequence {}\nepoch {}\n", count + 1,
                                       checkpoint.sequence, checkpoint.epoch.value) +
                           rows;
  return text + fmt::format("crc {}\n", crc32c(text));
}

namespace {

/// "aborted ID PARTITION BASE ENTRIES CRC", behind its partition's row.
bool decode_aborted(const CheckpointRows& row, Checkpoint& out) {
  Uuid topic;
  std::int64_t partition = 0;
  std::int64_t base = 0;
  std::int64_t entries = 0;
  std::int64_t crc = 0;
  if (row.size() != 6 || !Uuid::parse(row[1], topic) || !parse_number(row[2], partition) ||
      !parse_number(row[3], base) || !parse_number(row[4], entries) || !parse_number(row[5], crc))
    return false;
  if (partition < 0 || partition > INT32_MAX || base < 0 || entries < 1 || crc < 0 ||
      crc > UINT32_MAX)
    return false;
  const auto of = out.partitions.find({topic, static_cast<std::int32_t>(partition)});
  if (of == out.partitions.end()) return false;
  return of->second.aborted
      .try_emplace(Offset(base),
                   Checkpoint::Row::Aborted{.entries = static_cast<std::uint64_t>(entries),
                                            .crc = static_cast<std::uint32_t>(crc)})
      .second;
}

}  // namespace

Result<Checkpoint> decode_checkpoint(std::string_view text) {
  // Absent in files from before there were transactions.
  if (const std::size_t at = text.rfind("\ncrc "); at != std::string_view::npos) {
    std::int64_t crc = 0;
    const std::string_view said = text.substr(at + 5);
    if (!said.ends_with('\n') || !parse_number(said.substr(0, said.size() - 1), crc) ||
        crc != crc32c(text.substr(0, at + 1)))
      return fail(Errc::malformed, "checkpoint: wrong checksum");
  }
  auto rows = CheckpointRows::open(text);
  if (!rows) return fail(rows.error());
  Checkpoint out;
  std::vector<std::int64_t> numbers;
  while (rows->next()) {
    const CheckpointRows& row = *rows;
    if (row.size() > 0 && row[0] == "aborted") {
      if (decode_aborted(row, out)) continue;
      return fail(Errc::malformed, "checkpoint: a row of aborted transactions that cannot be");
    }
    if (row.size() == 2 && row[0] == "crc" && row.rows_left() == 0) continue;
    numbers.clear();
    Uuid topic;
    // Eight words before there was compaction, ten before there were transactions.
    const bool is_partition = (row.size() == 8 || row.size() == 10 || row.size() == 11) &&
                              row[0] == "partition" && Uuid::parse(row[1], topic);
    bool fine = is_partition || (row.size() == 2 && (row[0] == "sequence" || row[0] == "epoch"));
    for (std::size_t i = is_partition ? 2 : 1; fine && i < row.size(); ++i) {
      fine = parse_number(row[i], numbers.emplace_back());
      // Only timestamps and their offsets, and the checksum, may be absent, as -1.
      if (!is_partition || i < 6 || i == 8 || i == 9) fine = fine && numbers.back() >= 0;
    }
    if (fine && row[0] != "sequence") fine = numbers[0] < INT32_MAX;
    if (!fine)
      return fail(Errc::malformed, "checkpoint: want rows of sequence, epoch and partition");
    if (is_partition) {
      out.partitions[{topic, static_cast<std::int32_t>(numbers[0])}] = {
          .recovery_point = Offset(numbers[1]),
          .log_start = Offset(numbers[2]),
          .active_base = Offset(numbers[3]),
          .max_timestamp = numbers[4],
          .max_timestamp_offset = Offset(numbers[5]),
          .clean_end = Offset(numbers.size() > 6 ? numbers[6] : 0),
          .no_producers = Offset(numbers.size() > 6 ? numbers[7] : 0),
          .epochs_crc = {},
          .aborted = {}};
      if (numbers.size() > 8 && numbers[8] >= 0 && numbers[8] <= UINT32_MAX)
        out.partitions[{topic, static_cast<std::int32_t>(numbers[0])}].epochs_crc =
            static_cast<std::uint32_t>(numbers[8]);
    } else if (row[0] == "sequence") {
      out.sequence = static_cast<std::uint64_t>(numbers[0]);
    } else {
      out.epoch = LeaderEpoch(static_cast<std::int32_t>(numbers[0]));
    }
  }
  return out;
}

}  // namespace weir::log
