#include "log/wal_scan.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "base/crc32c.h"
#include "log/batch.h"

namespace weir::log {
namespace {

constexpr std::size_t largest_wal_file = std::size_t{1} << 30U;

/// The valid record at `at`, whatever its file id.
bool valid_record(std::string_view bytes, std::uint64_t at, WalRecordHeader& out) {
  if (at + wal_record_header_bytes > bytes.size()) return false;
  const auto header = decode_record_header(bytes.substr(at, wal_record_header_bytes));
  if (!header) return false;
  const std::uint64_t total = wal_record_header_bytes + std::uint64_t{header->length};
  if (total > bytes.size() - at) return false;
  if (crc32c(bytes.substr(at + 8, total - 8)) != header->crc) return false;
  out = *header;
  return true;
}

/// A file whose header is unreadable is known by its first valid record.
bool adopt_by_record(std::string_view bytes, WalFileHeader& header) {
  for (std::uint64_t at = wal_alignment; at < bytes.size(); at += wal_alignment) {
    WalRecordHeader record;
    if (!valid_record(bytes, at, record)) continue;
    header.file_id = record.file_id;
    header.first_sequence = record.sequence;
    return true;
  }
  return false;
}

/// Whether any record of this life of the file is whole. Nearly always the first one is.
Result<bool> has_record(io::FileSystem& files, const io::File& file, const WalFileInfo& info) {
  std::string head(wal_record_header_bytes, '\0');
  auto got = file.read_at(wal_alignment, head.data(), head.size());
  if (!got) return fail(got.error());
  head.resize(*got);
  const auto header = decode_record_header(head);
  if (header && header->file_id == info.header.file_id && header->length <= info.size) {
    std::string record(wal_record_header_bytes + header->length, '\0');
    got = file.read_at(wal_alignment, record.data(), record.size());
    if (!got) return fail(got.error());
    WalRecordHeader checked;
    if (*got == record.size() && valid_record(record, 0, checked)) return true;
  }
  auto bytes = io::read_file(files, info.path, largest_wal_file);
  if (!bytes) return fail(bytes.error());
  for (std::uint64_t at = wal_alignment; at < bytes->size(); at += wal_alignment) {
    WalRecordHeader record;
    if (valid_record(*bytes, at, record) && record.file_id == info.header.file_id) return true;
  }
  return false;
}

Result<WalFileInfo> look_at(io::FileSystem& files, const std::string& path, const Uuid& folder_id) {
  auto file = files.open(path, io::OpenMode::read);
  if (!file) return fail(file.error());
  auto size = (*file)->size();
  if (!size) return fail(size.error());
  WalFileInfo info{.path = path, .size = *size, .header = {}};
  std::string head(wal_alignment, '\0');
  auto got = (*file)->read_at(0, head.data(), head.size());
  if (!got) return fail(got.error());
  head.resize(*got);
  switch (decode(head, info.header)) {
    case WalHeaderState::valid:
      if (info.header.folder != folder_id)
        return fail(Errc::damaged, path + ": belongs to another data folder (" +
                                       info.header.folder.to_string() + "); move it away");
      if (auto has = has_record(files, **file, info); !has) {
        return fail(has.error());
      } else {
        info.empty = !*has;
      }
      break;
    case WalHeaderState::newer:
      return fail(Errc::newer_format,
                  path + ": written by a newer version of weir; use that version");
    case WalHeaderState::blank: info.blank = true; break;
    case WalHeaderState::invalid: {
      auto bytes = io::read_file(files, path, largest_wal_file);
      if (!bytes) return fail(bytes.error());
      info.blank = !adopt_by_record(*bytes, info.header);
      break;
    }
  }
  return info;
}

/// Whether no record of this life of the file stands where the clean stop left its end.
Result<bool> ends_at(io::FileSystem& files, const WalFileInfo& info, const WalEnd& end) {
  const bool can_be = end.position % wal_alignment == 0 && end.position <= info.size;
  const bool is_that_file =
      info.header.file_id == end.file_id && info.header.first_sequence <= end.sequence;
  if (!is_that_file || !can_be) return false;
  auto file = files.open(info.path, io::OpenMode::read);
  if (!file) return fail(file.error());
  std::string head(wal_record_header_bytes, '\0');
  auto got = (*file)->read_at(end.position, head.data(), head.size());
  if (!got) return fail(got.error());
  head.resize(*got);
  const auto header = decode_record_header(head);
  return !header || header->file_id != info.header.file_id;
}

class Scanner {
 public:
  Scanner(std::uint64_t from, WalScan& out) : expected_(from), out_(out) {
    // Sequences begin with 1: what is written behind nothing must not get 0, which no start reads.
    out_.last_sequence = from == 0 ? 0 : from - 1;
  }

  /// `next_first`: the first sequence of the file after it; records from there on do not count
  /// here.
  void scan(std::size_t index, std::string_view bytes, std::uint64_t next_first) {
    WalFileInfo& info = out_.files[index];
    out_.durable_sequence = std::max(out_.durable_sequence, info.header.durable_sequence);
    std::uint64_t at = wal_alignment;
    while (at < bytes.size()) {
      WalRecordHeader record;
      const bool counts = valid_record(bytes, at, record) && record.file_id == info.header.file_id;
      if (!counts) {
        const std::uint64_t later = find_later(bytes, at + wal_alignment, info.header.file_id);
        if (later == 0) {
          note_torn(info, bytes, at);
          return;
        }
        at = later;
        continue;
      }
      if (record.sequence >= next_first) return;
      out_.durable_sequence = std::max(out_.durable_sequence, record.durable_sequence);
      info.last_sequence = record.sequence;
      if (expected_ == 0) expected_ = record.sequence;
      if (record.sequence >= expected_) {
        if (record.sequence > expected_) note_gap(info, at, record.sequence);
        out_.records.push_back(
            {.file = index, .payload_at = at + wal_record_header_bytes, .header = record});
        note_ends(record, bytes.substr(at + wal_record_header_bytes, record.length));
        expected_ = record.sequence + 1;
        out_.last_sequence = record.sequence;
      }
      at = wal_align(at + wal_record_header_bytes + record.length);
    }
  }

  /// Sequences that somebody vouches for but nobody has.
  void finish() {
    if (expected_ > 0 && out_.durable_sequence >= expected_) {
      const std::string path = out_.files.empty() ? std::string("wal") : out_.files.back().path;
      out_.damage.push_back({.path = path,
                             .at = 0,
                             .first_sequence = expected_,
                             .last_sequence = out_.durable_sequence});
      expected_ = out_.durable_sequence + 1;
      out_.last_sequence = out_.durable_sequence;
    }
  }

 private:
  static std::uint64_t find_later(std::string_view bytes, std::uint64_t at, std::uint64_t file_id) {
    for (; at < bytes.size(); at += wal_alignment) {
      WalRecordHeader record;
      if (valid_record(bytes, at, record) && record.file_id == file_id) return at;
    }
    return 0;
  }

  void note_torn(const WalFileInfo& info, std::string_view bytes, std::uint64_t at) {
    // Zeros and records of the file's earlier life are no torn write of this one.
    const auto header = decode_record_header(bytes.substr(at));
    if (!header || header->file_id != info.header.file_id) return;
    out_.torn_bytes = wal_record_header_bytes + std::uint64_t{header->length};
    out_.torn_path = info.path;
  }

  void note_ends(const WalRecordHeader& record, std::string_view payload) {
    for_each_entry(record, payload, [&](const WalEntry& entry) {
      if (entry.bytes.size() < batch_header_bytes) return;
      const BatchHeader batch(entry.bytes);
      if (!batch.offsets_are_possible()) return;
      Offset& end = out_.ends[entry.header.partition];
      end = std::max(end, batch.last_offset() + 1);
    });
  }

  void note_gap(const WalFileInfo& info, std::uint64_t at, std::uint64_t found) {
    out_.damage.push_back(
        {.path = info.path, .at = at, .first_sequence = expected_, .last_sequence = found - 1});
  }

  std::uint64_t expected_;
  WalScan& out_;
};

}  // namespace

std::string encode_clean_mark(LeaderEpoch epoch, const std::optional<WalEnd>& end) {
  std::string mark = fmt::format("{{\"version\":0,\"brokerEpoch\":{}", epoch.value);
  if (end)
    mark += fmt::format(",\"weirWalFile\":{},\"weirWalSequence\":{},\"weirWalEnd\":{}",
                        end->file_id, end->sequence, end->position);
  return mark + "}";
}

std::optional<WalEnd> wal_end_in(std::string_view clean_mark) {
  const auto number = [&](std::string_view name, std::uint64_t& out) {
    const std::size_t at = clean_mark.find(name);
    if (at == std::string_view::npos) return false;
    const std::string_view text = clean_mark.substr(at + name.size());
    return std::from_chars(text.data(), text.data() + text.size(), out).ec == std::errc{};
  };
  WalEnd end;
  const bool is_whole = number("\"weirWalFile\":", end.file_id) &&
                        number("\"weirWalSequence\":", end.sequence) &&
                        number("\"weirWalEnd\":", end.position);
  return is_whole ? std::optional(end) : std::nullopt;
}

Result<WalScan> scan_wal(io::FileSystem& files, const std::string& folder, const Uuid& folder_id,
                         std::uint64_t from_sequence, const std::optional<WalEnd>& clean_end) {
  auto entries = files.list(folder);
  if (!entries) return fail(entries.error());
  WalScan scan;
  for (const auto& entry : *entries) {
    if (entry.is_directory || !entry.name.ends_with(".wal")) continue;
    auto info = look_at(files, folder + "/" + entry.name, folder_id);
    if (!info) return fail(info.error());
    scan.last_file_id = std::max(scan.last_file_id, info->header.file_id);
    scan.files.push_back(std::move(*info));
  }
  std::sort(scan.files.begin(), scan.files.end(), [](const WalFileInfo& a, const WalFileInfo& b) {
    if (a.blank != b.blank) return b.blank;
    return a.blank ? a.path < b.path : a.header.file_id < b.header.file_id;
  });
  Scanner scanner(from_sequence, scan);
  for (std::size_t i = 0; i < scan.files.size() && !scan.files[i].blank; ++i) {
    // A file that was begun hides older records of its sequences only once a record of it is whole:
    // until then the older ones may be the only ones.
    std::size_t next = i + 1;
    while (next < scan.files.size() && scan.files[next].empty) ++next;
    const bool has_next = next < scan.files.size() && !scan.files[next].blank;
    const std::uint64_t next_first = has_next ? scan.files[next].header.first_sequence : UINT64_MAX;
    if (next_first <= from_sequence) {
      scan.files[i].last_sequence = next_first - 1;
      continue;
    }
    if (clean_end && !has_next && clean_end->sequence == from_sequence - 1) {
      auto is_end = ends_at(files, scan.files[i], *clean_end);
      if (!is_end) return fail(is_end.error());
      if (*is_end) {
        scan.files[i].last_sequence = from_sequence - 1;
        continue;
      }
    }
    auto bytes = io::read_file(files, scan.files[i].path, largest_wal_file);
    if (!bytes) return fail(bytes.error());
    scanner.scan(i, *bytes, next_first);
  }
  scanner.finish();
  return scan;
}

Result<std::string> WalReader::payload(const WalRecordPlace& place) {
  const std::string& path = scan_.files[place.file].path;
  if (open_index_ != place.file) {
    auto file = files_.open(path, io::OpenMode::read);
    if (!file) return fail(file.error());
    open_ = std::move(*file);
    open_index_ = place.file;
  }
  std::string record(wal_record_header_bytes + place.header.length, '\0');
  auto got =
      open_->read_at(place.payload_at - wal_record_header_bytes, record.data(), record.size());
  if (!got) return fail(got.error());
  WalRecordHeader header;
  if (*got != record.size() || !valid_record(record, 0, header) ||
      header.sequence != place.header.sequence)
    return fail(Errc::damaged, fmt::format("{}: record {} at {} changed while it was read", path,
                                           place.header.sequence, place.payload_at));
  record.erase(0, wal_record_header_bytes);
  return record;
}

}  // namespace weir::log
