#include "log/verify_folder.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "log/checkpoint_file.h"
#include "log/partition_recovery.h"
#include "log/segment.h"
#include "log/wal_scan.h"

namespace weir::log {
namespace {

class FolderCheck {
 public:
  FolderCheck(io::FileSystem& files, std::string folder,
              const std::function<bool(const SegmentReport&)>& each)
      : files_(files), folder_(std::move(folder)), each_(each) {}

  Result<FolderReport> run() {
    if (auto r = read_checkpoint(); !r) return fail(r.error());
    if (auto r = check_wal(); !r) return fail(r.error());
    auto entries = files_.list(folder_);
    if (!entries) return fail(entries.error());
    std::set<std::string> partitions;
    for (const auto& entry : *entries)
      if (entry.is_directory && entry.name != "wal") partitions.insert(entry.name);
    for (const auto& name : partitions) {
      auto going_on = check_partition(name);
      if (!going_on) return fail(going_on.error());
      if (!*going_on) break;
    }
    return std::move(report_);
  }

 private:
  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  Result<void> read_checkpoint() {
    auto text = read_if_there(files_, path("weir-checkpoint"));
    if (!text) return fail(text.error());
    auto decoded = decode_checkpoint(*text);
    if (decoded) {
      checkpoint_ = std::move(*decoded);
    } else {
      report_.damage.push_back(path("weir-checkpoint") + ": " +
                               (text->empty() ? "missing" : decoded.error().message()));
    }
    return {};
  }

  Result<void> check_wal() {
    auto there = files_.exists(path("wal"));
    if (!there) return fail(there.error());
    if (!*there) return {};
    auto identity = io::read_file(files_, path("meta.properties"), largest_text_file);
    if (!identity) return fail(identity.error());
    auto scan = scan_wal(files_, path("wal"), id_behind(*identity, "directory.id="),
                         report_.damage.empty() ? checkpoint_.sequence + 1 : 0);
    if (!scan) return fail(scan.error());
    report_.wal.records = scan->records.size();
    report_.wal.torn_bytes = scan->torn_bytes;
    for (const auto& damage : scan->damage)
      report_.wal.damage.push_back(fmt::format("{}: records {} to {} cannot be read (at byte {})",
                                               damage.path, damage.first_sequence,
                                               damage.last_sequence, damage.at));
    return {};
  }

  // Where compaction has been, offsets may be missing.
  Result<bool> may_have_gaps(const std::string& name) {
    auto text = read_if_there(files_, path(name) + "/partition.metadata");
    if (!text) return fail(text.error());
    const Uuid topic = id_behind(*text, "topic_id: ");
    for (const auto& [id, row] : checkpoint_.partitions)
      if (id.topic == topic && name.ends_with(fmt::format("-{}", id.partition)))
        return row.clean_end.value > 0;
    return false;
  }

  Result<bool> check_partition(const std::string& name) {
    auto entries = files_.list(path(name));
    if (!entries) return fail(entries.error());
    auto gaps = may_have_gaps(name);
    if (!gaps) return fail(gaps.error());
    std::vector<Offset> bases;
    for (const auto& entry : *entries)
      if (const auto base = segment_base(entry.name, ".log")) bases.push_back(*base);
    std::sort(bases.begin(), bases.end());
    for (std::size_t i = 0; i < bases.size(); ++i) {
      const bool last = i + 1 == bases.size();
      auto report = check_segment(path(name) + "/" + segment_name(bases[i]) + ".log", bases[i],
                                  last ? Offset(INT64_MAX) : bases[i + 1], *gaps, last);
      if (!report) return fail(report.error());
      if (!each_(*report)) return false;
    }
    return true;
  }

  Result<SegmentReport> check_segment(const std::string& file, Offset base, Offset end, bool gaps,
                                      bool last) {
    SegmentReport report;
    report.path = file;
    report.base = base;
    auto log = files_.open(file, io::OpenMode::read);
    if (!log) return fail(log.error());
    auto size = (*log)->size();
    if (!size) return fail(size.error());
    report.bytes = *size;
    auto verified = verify_segment(**log, base, end, *size, gaps);
    if (!verified) return fail(verified.error());
    report.batches = verified->batches;
    report.next = verified->next;
    report.damage = std::move(verified->damage);
    const bool short_of_next = !last && !gaps && verified->next < end;
    if (last) {
      report.tail_bytes = *size - verified->bytes;
    } else if (verified->bytes < *size || short_of_next) {
      report.damage.push_back({.at = verified->bytes,
                               .end = *size,
                               .from = verified->next,
                               .to = gaps ? verified->next : end});
    }
    return report;
  }

  io::FileSystem& files_;
  const std::string folder_;
  const std::function<bool(const SegmentReport&)>& each_;
  Checkpoint checkpoint_;
  FolderReport report_;
};

}  // namespace

Result<FolderReport> verify_folder(io::FileSystem& files, const std::string& folder,
                                   const std::function<bool(const SegmentReport&)>& each) {
  auto there = files.exists(folder + "/meta.properties");
  if (!there) return fail(there.error());
  if (!*there) return fail(Errc::not_found, folder + ": no data folder, it has no meta.properties");
  auto lock = files.lock_folder(folder);
  if (!lock) return fail(lock.error());
  return FolderCheck(files, folder, each).run();
}

}  // namespace weir::log
