#include "log/checkpoint_file.h"

#include <fmt/core.h>

#include <charconv>

namespace weir::log {

bool parse_number(std::string_view text, std::int64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty() && out >= -1;
}

Result<std::vector<std::vector<std::string_view>>> decode_checkpoint_rows(std::string_view text) {
  std::vector<std::vector<std::string_view>> rows;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    auto& row = rows.emplace_back();
    while (!line.empty()) {
      const std::size_t space = line.find(' ');
      row.push_back(line.substr(0, space));
      line = space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
    }
  }
  std::int64_t version = -1;
  std::int64_t count = -1;
  if (rows.size() < 2 || rows[0].size() != 1 || rows[1].size() != 1 ||
      !parse_number(rows[0][0], version) || !parse_number(rows[1][0], count) ||
      static_cast<std::size_t>(count) != rows.size() - 2)
    return fail(Errc::malformed, "checkpoint: want a version, a count, and that many rows");
  if (version != 0)
    return fail(Errc::newer_format, fmt::format("checkpoint: version {}, want 0", version));
  rows.erase(rows.begin(), rows.begin() + 2);
  return rows;
}

std::string encode(const OffsetCheckpoint& offsets) {
  std::string out = fmt::format("0\n{}\n", offsets.size());
  for (const auto& [partition, offset] : offsets)
    out += fmt::format("{} {} {}\n", partition.first, partition.second, offset.value);
  return out;
}

std::string encode(const Checkpoint& checkpoint) {
  std::string out = fmt::format("0\n{}\nsequence {}\nepoch {}\n", checkpoint.partitions.size() + 2,
                                checkpoint.sequence, checkpoint.epoch.value);
  for (const auto& [id, row] : checkpoint.partitions)
    out += fmt::format("partition {} {} {} {}\n", id.topic.to_string(), id.partition,
                       row.recovery_point.value, row.log_start.value);
  return out;
}

Result<Checkpoint> decode_checkpoint(std::string_view text) {
  auto rows = decode_checkpoint_rows(text);
  if (!rows) return fail(rows.error());
  Checkpoint out;
  for (const auto& row : *rows) {
    std::int64_t a = 0;
    std::int64_t b = 0;
    std::int64_t c = 0;
    Uuid topic;
    if (row.size() == 2 && row[0] == "sequence" && parse_number(row[1], a) && a >= 0) {
      out.sequence = static_cast<std::uint64_t>(a);
    } else if (row.size() == 2 && row[0] == "epoch" && parse_number(row[1], a) && a >= 0 &&
               a < INT32_MAX) {
      out.epoch = LeaderEpoch(static_cast<std::int32_t>(a));
    } else if (row.size() == 5 && row[0] == "partition" && Uuid::parse(row[1], topic) &&
               parse_number(row[2], a) && parse_number(row[3], b) && parse_number(row[4], c) &&
               a >= 0 && a <= INT32_MAX && b >= 0 && c >= 0) {
      out.partitions[{topic, static_cast<std::int32_t>(a)}] = {Offset(b), Offset(c)};
    } else {
      return fail(Errc::malformed, "checkpoint: want rows of sequence, epoch and partition");
    }
  }
  return out;
}

}  // namespace weir::log
