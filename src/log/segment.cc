#include "log/segment.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/bytes.h"
#include "base/mutant.h"
#include "log/batch.h"

namespace weir::log {

std::string segment_name(Offset base) { return fmt::format("{:020}", base.value); }

std::optional<Offset> segment_base(std::string_view name, std::string_view suffix) {
  if (name.size() != 20 + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + 20, value);
  if (error != std::errc{} || end != name.data() + 20 || value < 0) return std::nullopt;
  return Offset(value);
}

Segment Segment::empty(Offset base, std::string stem) {
  Segment segment;
  segment.base = segment.next = segment.synced_next = base;
  segment.stem = std::move(stem);
  return segment;
}

SegmentView Segment::view() const {
  return {.base = base,
          .next = next,
          .stem = stem,
          .readable_bytes = readable_bytes,
          .index_entries = index_entries,
          .time_index_entries = time_index_entries,
          .max_timestamp = max_timestamp,
          .log = log,
          .index = index,
          .time_index = time_index,
          .damage = damage,
          .checked = checked};
}

void SegmentWrite::run(io::FileSystem& files, const std::string& partition_metadata) {
  result = [&]() -> Result<void> {
    if (make) {
      if (auto r = files.make_directories(folder); !r) return r;
      const std::string metadata = folder + "/partition.metadata";
      // Like all of the folder it becomes durable with the next checkpoint. A write that failed may
      // have left a part of it.
      auto made = files.open(metadata, io::OpenMode::create);
      if (!made) return fail(made.error());
      auto size = (*made)->size();
      if (!size) return fail(size.error());
      if (*size != partition_metadata.size())
        if (auto r = (*made)->write_at(0, partition_metadata); !r) return r;
    }
    const auto open = [&](std::shared_ptr<io::File>& file, const char* suffix) -> Result<void> {
      if (file != nullptr) return {};
      auto opened = files.open(stem + suffix, io::OpenMode::create);
      if (!opened) return fail(opened.error());
      file = std::move(*opened);
      return {};
    };
    if (auto r = open(log, ".log"); !r) return r;
    if (auto r = open(index, ".index"); !r) return r;
    if (auto r = open(time_index, ".timeindex"); !r) return r;
    if (auto r = log->write_at(log_at, pieces); !r) return r;
    // Else a checkpoint would have all of it to write at once, and the cycles would wait behind it.
    std::uint64_t bytes = 0;
    for (const auto& piece : pieces) bytes += piece.size();
    constexpr std::uint64_t worth_it = 64U << 10U;
    if (bytes >= worth_it) log->start_write_back(log_at, bytes);
    if (!index_bytes.empty())
      if (auto r = index->write_at(index_at, index_bytes); !r) return r;
    if (!time_index_bytes.empty())
      if (auto r = time_index->write_at(time_index_at, time_index_bytes); !r) return r;
    if (!txn_index_bytes.empty()) {
      if (auto r = open(txn_index, ".txnindex"); !r) return r;
      if (auto r = txn_index->write_at(txn_index_at, txn_index_bytes); !r) return r;
    }
    return {};
  }();
}

// The headers of small batches come many at a time, those of large ones alone.
Result<bool> SegmentScanner::read_header(char* out) {
  constexpr std::uint64_t chunk = 32U << 10U;
  constexpr std::uint64_t small = chunk / 4;
  if (at_ < ahead_at_ || at_ + batch_header_bytes > ahead_at_ + ahead_.size()) {
    const std::uint64_t want =
        last_total_ <= small ? std::min(chunk, end_ - at_) : batch_header_bytes;
    ahead_.resize(static_cast<std::size_t>(want));
    auto got = file_.read_at(at_, ahead_.data(), ahead_.size());
    if (!got) return fail(got.error());
    ahead_.resize(*got);
    ahead_at_ = at_;
    if (*got < batch_header_bytes) return false;
  }
  std::memcpy(out, ahead_.data() + (at_ - ahead_at_), batch_header_bytes);
  return true;
}

Result<std::optional<SegmentScanner::Found>> SegmentScanner::next(bool whole) {
  if (damage_ != nullptr)
    for (const auto& bad : *damage_)
      if (at_ >= bad.at && at_ < bad.end) at_ = bad.end;
  if (at_ + batch_header_bytes > end_) return std::optional<Found>();
  Found found{.at = at_, .bytes = std::string(batch_header_bytes, '\0')};
  auto there = read_header(found.bytes.data());
  if (!there) return fail(there.error());
  if (!*there) return std::optional<Found>();
  const BatchHeader header(found.bytes);
  const std::int64_t total = header.total_bytes();
  if (header.magic() != 2 || total < static_cast<std::int64_t>(batch_header_bytes) ||
      static_cast<std::uint64_t>(total) > end_ - at_ || !header.offsets_are_possible())
    return std::optional<Found>();
  if (whole) {
    found.bytes.resize(static_cast<std::size_t>(total));
    auto body = file_.read_at(at_ + batch_header_bytes, found.bytes.data() + batch_header_bytes,
                              found.bytes.size() - batch_header_bytes);
    if (!body) return fail(body.error());
    if (whole_batch(found.bytes).size() != found.bytes.size()) return std::optional<Found>();
  }
  last_total_ = static_cast<std::uint64_t>(total);
  at_ += last_total_;
  return std::optional<Found>(std::move(found));
}

namespace {

/// An index file in a look-up: opened once, when it is asked first.
class IndexFile {
 public:
  /// `file`: if it is open already.
  IndexFile(io::FileSystem& files, const std::string& stem, const char* suffix,
            std::shared_ptr<io::File> file, std::uint64_t entries)
      : files_(files), stem_(stem), suffix_(suffix), file_(std::move(file)), entries_(entries) {}

  /// The last entry of which `before` is true, as it is of all in front of it; nothing if there is
  /// none. Searches blocks first: a block costs as much as one of its entries.
  template <std::size_t entry_bytes, class Before>
  Result<std::optional<std::string>> last(const Before& before) {
    if (entries_ == 0) return std::optional<std::string>();
    if (file_ == nullptr) {
      auto opened = files_.open(stem_ + suffix_, io::OpenMode::read);
      // An index is a cache: without one the whole segment is searched.
      if (!opened && opened.error().code() == Errc::not_found) return std::optional<std::string>();
      if (!opened) return fail(opened.error());
      file_ = std::move(*opened);
    }
    constexpr std::uint64_t block_entries = 4096 / entry_bytes;
    std::optional<std::string> best;
    std::uint64_t low = 0;
    std::uint64_t high = (entries_ + block_entries - 1) / block_entries;
    while (low < high) {
      const std::uint64_t middle = (low + high) / 2;
      const std::uint64_t first = middle * block_entries;
      std::string block(std::min(block_entries, entries_ - first) * entry_bytes, '\0');
      auto got = file_->read_at(first * entry_bytes, block.data(), block.size());
      if (!got) return fail(got.error());
      block.resize(*got - *got % entry_bytes);
      if (!block.empty() && before(block.data())) {
        best = std::move(block);
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    if (!best) return best;
    std::size_t in = 0;
    std::size_t out = best->size() / entry_bytes;
    while (out - in > 1) {
      const std::size_t middle = (in + out) / 2;
      (before(best->data() + middle * entry_bytes) ? in : out) = middle;
    }
    return best->substr(in * entry_bytes, entry_bytes);
  }

 private:
  io::FileSystem& files_;
  const std::string& stem_;
  const char* const suffix_;
  std::shared_ptr<io::File> file_;
  const std::uint64_t entries_;
};

IndexFile index_of(io::FileSystem& files, const SegmentView& segment) {
  return {files, segment.stem, ".index", segment.index, segment.index_entries};
}

Result<std::shared_ptr<io::File>> open_log(io::FileSystem& files, const SegmentView& segment) {
  if (segment.log != nullptr) return segment.log;
  return files.open(segment.stem + ".log", io::OpenMode::read);
}

/// A position from the index, believed only if a batch that may stand there does.
Result<std::uint64_t> checked_position(const io::File& log, const SegmentView& segment,
                                       const std::optional<std::string>& entry, Offset not_after) {
  if (!entry) return std::uint64_t{0};
  const auto position = static_cast<std::uint64_t>(load_be<std::uint32_t>(entry->data() + 4));
  if (position >= segment.readable_bytes) return std::uint64_t{0};
  SegmentScanner scanner(log, position, segment.readable_bytes);
  auto found = scanner.next(false);
  if (!found) return fail(found.error());
  if (!*found) return std::uint64_t{0};
  const BatchHeader header((*found)->bytes);
  const Offset claimed = segment.base + load_be<std::int32_t>(entry->data());
  if (header.last_offset() != claimed || claimed > not_after) return std::uint64_t{0};
  return position;
}

/// Where the first batch begins whose base is at or behind `end`, or the end of the segment.
Result<std::uint64_t> position_of(IndexFile& index, const io::File& log, const SegmentView& segment,
                                  Offset end) {
  if (end >= segment.next) return segment.readable_bytes;
  auto entry = index.last<index_entry_bytes>(
      [&](const char* e) { return segment.base + load_be<std::int32_t>(e) < end; });
  if (!entry) return fail(entry.error());
  auto position = checked_position(log, segment, *entry, end - 1);
  if (!position) return fail(position.error());
  SegmentScanner scanner(log, *position, segment.readable_bytes, &segment.damage);
  for (;;) {
    auto found = scanner.next(false);
    if (!found) return fail(found.error());
    if (!*found) return scanner.position();
    if (BatchHeader((*found)->bytes).base_offset() >= end) return (*found)->at;
  }
}

/// Extends `range`, which holds one batch, to the last whole batch at or before `limit`.
Result<void> extend_range(IndexFile& index, const SegmentView& segment, std::uint64_t limit,
                          SegmentRange& range) {
  const io::File& log = *range.range.file;
  const std::uint64_t from = range.range.offset + range.range.size;
  auto entry = index.last<index_entry_bytes>(
      [&](const char* e) { return load_be<std::uint32_t>(e + 4) <= limit; });
  if (!entry) return fail(entry.error());
  auto position = checked_position(log, segment, *entry, Offset(INT64_MAX));
  if (!position) return fail(position.error());
  std::uint64_t end = std::max(*position, from);
  SegmentScanner scanner(log, end, segment.readable_bytes, &segment.damage);
  for (;;) {
    auto found = scanner.next(false);
    if (!found) return fail(found.error());
    if (!*found && scanner.position() < segment.readable_bytes)
      return fail(Errc::corrupt_message,
                  fmt::format("{}.log: no batch at {}", segment.stem, scanner.position()));
    range.range.size = end - range.range.offset;
    range.next = *found ? BatchHeader((*found)->bytes).base_offset() : segment.next;
    if (!*found || scanner.position() > limit) return {};
    end = scanner.position();
  }
}

/// Where the next damage behind `at` begins.
std::uint64_t next_damage(const SegmentView& segment, std::uint64_t at) {
  for (const auto& bad : segment.damage)
    if (bad.at >= at) return bad.at;
  return UINT64_MAX;
}

}  // namespace

Result<SegmentRange> find_range(io::FileSystem& files, const SegmentView& segment, Offset offset,
                                const RangeLimits& limits) {
  auto log = open_log(files, segment);
  if (!log) return fail(log.error());
  IndexFile index = index_of(files, segment);
  auto entry = index.last<index_entry_bytes>(
      [&](const char* e) { return segment.base + load_be<std::int32_t>(e) <= offset; });
  if (!entry) return fail(entry.error());
  auto start = checked_position(**log, segment, *entry, offset);
  if (!start) return fail(start.error());
  SegmentScanner scanner(**log, *start, segment.readable_bytes, &segment.damage);
  for (;;) {
    auto found = scanner.next(false);
    if (!found) return fail(found.error());
    if (!*found) {
      if (scanner.position() < segment.readable_bytes)
        return fail(Errc::corrupt_message,
                    fmt::format("{}.log: no batch at {}", segment.stem, scanner.position()));
      return SegmentRange{};
    }
    const BatchHeader header((*found)->bytes);
    if (header.last_offset() < offset) continue;
    const std::uint64_t at = (*found)->at;
    const std::uint64_t first_bytes = scanner.position() - at;
    SegmentRange out{.range = {.file = *log, .offset = at, .size = 0},
                     .first = header.base_offset(),
                     .next = header.base_offset(),
                     .first_batch_bytes = first_bytes};
    const bool fits = first_bytes <= limits.max_bytes;
    if (header.base_offset() >= limits.end || !(fits || limits.at_least_one)) return out;
    out.range.size = first_bytes;
    out.next = header.last_offset() + 1;
    if (!fits) return out;
    auto end = position_of(index, **log, segment, limits.end);
    if (!end) return fail(end.error());
    const std::uint64_t most = segment.readable_bytes - at;
    const std::uint64_t limit =
        std::min({*end, at + std::min(most, limits.max_bytes), next_damage(segment, at)});
    if (auto r = extend_range(index, segment, limit, out); !r) return fail(r.error());
    return out;
  }
}

Result<std::optional<std::string>> find_batch_by_time(io::FileSystem& files,
                                                      const SegmentView& segment,
                                                      std::int64_t timestamp, Offset from) {
  auto log = open_log(files, segment);
  if (!log) return fail(log.error());
  // Every batch up to the offset of this entry has timestamps below what is looked for.
  auto time_entry =
      IndexFile(files, segment.stem, ".timeindex", segment.time_index, segment.time_index_entries)
          .last<time_index_entry_bytes>(
              [&](const char* e) { return load_be<std::int64_t>(e) < timestamp; });
  if (!time_entry) return fail(time_entry.error());
  const Offset after =
      *time_entry ? std::max(from, segment.base + load_be<std::int32_t>((*time_entry)->data() + 8))
                  : from;
  auto entry = index_of(files, segment).last<index_entry_bytes>([&](const char* e) {
    return segment.base + load_be<std::int32_t>(e) <= after;
  });
  if (!entry) return fail(entry.error());
  auto start = checked_position(**log, segment, *entry, after);
  if (!start) return fail(start.error());
  SegmentScanner scanner(**log, *start, segment.readable_bytes, &segment.damage);
  for (;;) {
    auto found = scanner.next(false);
    if (!found) return fail(found.error());
    if (!*found) return std::optional<std::string>();
    const BatchHeader header((*found)->bytes);
    if (header.last_offset() < from || header.max_timestamp() < timestamp) continue;
    SegmentScanner again(**log, (*found)->at, segment.readable_bytes);
    auto whole = again.next(true);
    if (!whole) return fail(whole.error());
    if (!*whole)
      return fail(Errc::corrupt_message,
                  fmt::format("{}.log: damaged batch at {}", segment.stem, (*found)->at));
    return std::optional<std::string>(std::move((*whole)->bytes));
  }
}

Result<BuiltIndex> build_index(const io::File& log, Offset base, Offset end, std::uint64_t bytes,
                               std::uint64_t interval, const std::vector<DamagedBytes>& damage) {
  BuiltIndex built{.index = {},
                   .time_index = {},
                   .max_timestamp = -1,
                   .max_timestamp_offset = Offset(-1),
                   .next = base,
                   .bytes = 0};
  std::uint64_t since = 0;
  std::int64_t indexed_timestamp = -1;
  SegmentScanner scanner(log, 0, bytes, &damage);
  for (;;) {
    auto found = scanner.next(false);
    if (!found) return fail(found.error());
    if (!*found) break;
    const BatchHeader header((*found)->bytes);
    if (header.base_offset() < built.next || header.base_offset() >= end) break;
    if (header.max_timestamp() > built.max_timestamp) {
      built.max_timestamp = header.max_timestamp();
      built.max_timestamp_offset = header.last_offset();
    }
    if (since > interval) {
      append_be<std::int32_t>(built.index, static_cast<std::int32_t>(header.last_offset() - base));
      append_be<std::uint32_t>(built.index, static_cast<std::uint32_t>((*found)->at));
      if (built.max_timestamp > indexed_timestamp) {
        append_be<std::int64_t>(built.time_index, built.max_timestamp);
        append_be<std::int32_t>(built.time_index,
                                static_cast<std::int32_t>(built.max_timestamp_offset - base));
        indexed_timestamp = built.max_timestamp;
      }
      since = 0;
    }
    since += scanner.position() - (*found)->at;
    built.next = header.last_offset() + 1;
    built.bytes = scanner.position();
  }
  if (built.max_timestamp > indexed_timestamp) {
    append_be<std::int64_t>(built.time_index, built.max_timestamp);
    append_be<std::int32_t>(built.time_index,
                            static_cast<std::int32_t>(built.max_timestamp_offset - base));
  }
  return built;
}

}  // namespace weir::log
