#include "log/mend.h"

#include <fmt/core.h>

#include <algorithm>
#include <tuple>

#include "log/batch.h"
#include "log/segment.h"
#include "log/wal_scan.h"

namespace weir::log {
namespace {

constexpr std::uint64_t chunk_bytes = 1U << 20U;
constexpr int most_kept_aside = 1000;  // names of damaged files; the last is written over

/// A file written from its start on, in chunks.
class Out {
 public:
  explicit Out(std::shared_ptr<io::File> file) : file_(std::move(file)) {}

  Result<void> put(std::string_view bytes) {
    if (auto r = file_->write_at(at_, bytes); !r) return r;
    at_ += bytes.size();
    return {};
  }

  Result<void> copy(const io::File& from, std::uint64_t at, std::uint64_t end) {
    std::string bytes;
    for (; at < end; at += bytes.size()) {
      bytes.resize(static_cast<std::size_t>(std::min(chunk_bytes, end - at)));
      auto got = from.read_at(at, bytes.data(), bytes.size());
      if (!got) return fail(got.error());
      bytes.resize(*got);
      if (bytes.empty())
        return fail(Errc::damaged, fmt::format("a segment ended at byte {} while it was read", at));
      if (auto r = put(bytes); !r) return r;
    }
    return {};
  }

  Result<void> sync() { return file_->sync(); }

 private:
  std::shared_ptr<io::File> file_;
  std::uint64_t at_ = 0;
};

Result<Out> start_file(io::FileSystem& files, const std::string& path) {
  auto file = files.open(path, io::OpenMode::create);
  if (!file) return fail(file.error());
  if (auto r = (*file)->truncate(0); !r) return fail(r.error());
  return Out(std::move(*file));
}

}  // namespace

OffsetRanges missing_offsets(const VerifiedSegment& verified, Offset end, bool gaps,
                             Offset clean_end) {
  OffsetRanges missing;
  const auto add = [&](Offset from, Offset to) {
    if (gaps) from = std::max(from, clean_end);
    if (from < to) missing.emplace_back(from, to);
  };
  for (const auto& bad : verified.damage) add(bad.from, bad.to);
  add(verified.next, end);
  return missing;
}

bool Elsewhere::is_wanted(Offset base, Offset last) const {
  return std::any_of(wanted_.begin(), wanted_.end(),
                     [&](const auto& range) { return last >= range.first && base < range.second; });
}

Result<void> Elsewhere::look_in_wal(const std::string& folder, const Uuid& folder_id,
                                    const PartitionId& partition) {
  if (wanted_.empty()) return {};
  auto scan = scan_wal(files_, folder, folder_id, 0);
  if (!scan) return fail(scan.error());
  const std::size_t first_path = paths_.size();
  for (const auto& file : scan->files) paths_.push_back(file.path);
  WalReader reader(files_, *scan);
  for (const auto& place : scan->records) {
    auto payload = reader.payload(place);
    if (!payload) continue;  // its file is in use again
    for_each_entry(place.header, *payload, [&](const WalEntry& entry) {
      if (entry.header.partition != partition) return;
      const std::string_view batch = whole_batch(entry.bytes);
      if (batch.size() != entry.bytes.size()) return;
      const BatchHeader header(batch);
      if (!is_wanted(header.base_offset(), header.last_offset())) return;
      batches_.push_back(
          {.base = header.base_offset(),
           .last = header.last_offset(),
           .file = first_path + place.file,
           .at = place.payload_at + static_cast<std::uint64_t>(batch.data() - payload->data()),
           .bytes = static_cast<std::uint32_t>(batch.size()),
           .vouched = true});
    });
  }
  return {};
}

bool holds_segment_bytes(std::string_view name) {
  return name.ends_with(".log.found") || name.find(".log.cut-at-") != std::string_view::npos;
}

Result<void> Elsewhere::look_in_folder(const std::string& folder, bool gaps) {
  auto there = files_.exists(folder);
  if (!there || !*there || wanted_.empty()) return there ? Result<void>() : fail(there.error());
  auto entries = files_.list(folder);
  if (!entries) return fail(entries.error());
  for (const auto& entry : *entries) {
    if (entry.is_directory || !holds_segment_bytes(entry.name)) continue;
    if (auto r = look_in_file(folder + "/" + entry.name, gaps); !r) return r;
  }
  return {};
}

Result<void> Elsewhere::look_in_file(const std::string& path, bool gaps) {
  auto file = files_.open(path, io::OpenMode::read);
  if (!file) return fail(file.error());
  auto size = (*file)->size();
  if (!size) return fail(size.error());
  auto verified = verify_segment(**file, Offset(0), Offset(INT64_MAX), *size, gaps);
  if (!verified) return fail(verified.error());
  paths_.push_back(path);
  for (const auto& run : verified->whole) {
    SegmentScanner scanner(**file, run.at, run.end);
    for (;;) {
      auto batch = scanner.next(false);
      if (!batch) return fail(batch.error());
      if (!*batch) break;
      const BatchHeader header((*batch)->bytes);
      if (!is_wanted(header.base_offset(), header.last_offset())) continue;
      batches_.push_back({.base = header.base_offset(),
                          .last = header.last_offset(),
                          .file = paths_.size() - 1,
                          .at = (*batch)->at,
                          .bytes = static_cast<std::uint32_t>(header.total_bytes())});
    }
  }
  return {};
}

// Base offsets are outside the checksum of a batch, but not of a record of the write-ahead log.
bool Elsewhere::touches(const std::vector<Batch>& sorted, std::size_t i) const {
  const Batch& batch = sorted[i];
  return (i > 0 && sorted[i - 1].last + 1 == batch.base) ||
         (i + 1 < sorted.size() && sorted[i + 1].base == batch.last + 1) ||
         std::any_of(wanted_.begin(), wanted_.end(), [&](const auto& range) {
           return batch.base == range.first || batch.last + 1 == range.second;
         });
}

std::vector<Elsewhere::Batch> Elsewhere::found() const {
  std::vector<Batch> sorted = batches_;
  std::sort(sorted.begin(), sorted.end(), [](const Batch& a, const Batch& b) {
    return std::tuple(a.base, !a.vouched, a.file, a.at) <
           std::tuple(b.base, !b.vouched, b.file, b.at);
  });
  std::vector<Batch> out;
  for (std::size_t i = 0; i < sorted.size(); ++i)
    if ((out.empty() || sorted[i].base > out.back().last) &&
        (sorted[i].vouched || touches(sorted, i)))
      out.push_back(sorted[i]);
  return out;
}

Result<std::string> Elsewhere::read(const Batch& batch) {
  const std::string& path = paths_[batch.file];
  if (open_index_ != batch.file) {
    auto file = files_.open(path, io::OpenMode::read);
    if (!file) return fail(file.error());
    open_ = std::move(*file);
    open_index_ = batch.file;
  }
  std::string bytes(batch.bytes, '\0');
  auto got = open_->read_at(batch.at, bytes.data(), bytes.size());
  if (!got) return fail(got.error());
  if (*got != bytes.size() || whole_batch(bytes).size() != bytes.size() ||
      BatchHeader(bytes).base_offset() != batch.base)
    return fail(Errc::damaged,
                fmt::format("{}: the batch at byte {} changed while it was read", path, batch.at));
  return bytes;
}

std::string found_path(const std::string& stem) { return stem + ".log.found"; }

Result<void> write_found(io::FileSystem& files, const std::string& folder, const std::string& stem,
                         Elsewhere& elsewhere) {
  const auto batches = elsewhere.found();
  if (batches.empty()) return {};
  auto out = start_file(files, found_path(stem));
  if (!out) return fail(out.error());
  for (const auto& batch : batches) {
    auto bytes = elsewhere.read(batch);
    if (!bytes && bytes.error().code() == Errc::damaged) continue;  // its file is in use again
    if (!bytes) return fail(bytes.error());
    if (auto r = out->put(*bytes); !r) return r;
  }
  if (auto r = out->sync(); !r) return r;
  return files.sync_directory(folder);
}

Result<bool> write_mended(io::FileSystem& files, const MendPlan& plan, Elsewhere& elsewhere) {
  const auto batches = elsewhere.found();
  if (batches.empty()) return false;
  auto out = start_file(files, plan.stem + ".log.cleaned");
  if (!out) return fail(out.error());
  auto next = batches.begin();
  Offset reached{0};
  // Of what was found, all that lies before `to`, and does not overlap what is whole.
  const auto put_found = [&](Offset to) -> Result<void> {
    for (; next != batches.end() && next->base < to; ++next) {
      if (next->base < reached || next->last >= to) continue;
      auto bytes = elsewhere.read(*next);
      if (!bytes) return fail(bytes.error());
      if (auto r = out->put(*bytes); !r) return r;
      reached = next->last + 1;
    }
    return {};
  };
  if (plan.verified != nullptr)
    for (const auto& run : plan.verified->whole) {
      if (auto r = put_found(run.base); !r) return fail(r.error());
      if (auto r = out->copy(*plan.log, run.at, run.end); !r) return fail(r.error());
      reached = run.last + 1;
    }
  if (auto r = put_found(plan.missing.back().second); !r) return fail(r.error());
  if (auto r = out->sync(); !r) return fail(r.error());
  return true;
}

Result<void> commit_mended(io::FileSystem& files, const std::string& folder,
                           const std::string& stem) {
  if (auto r = files.sync_directory(folder); !r) return r;
  if (auto r = files.rename(stem + ".log.cleaned", stem + ".log.swap"); !r) return r;
  if (auto r = files.sync_directory(folder); !r) return r;
  auto there = files.exists(stem + ".log");
  if (!there || !*there) return there ? Result<void>() : fail(there.error());
  std::string aside = stem + ".log.damaged";
  for (int n = 2; n < most_kept_aside; ++n) {
    auto taken = files.exists(aside);
    if (!taken) return fail(taken.error());
    if (!*taken) break;
    aside = fmt::format("{}.log.damaged-{}", stem, n);
  }
  if (auto r = files.rename(stem + ".log", aside); !r) return r;
  return files.sync_directory(folder);
}

}  // namespace weir::log
