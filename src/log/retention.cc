// Retention by time and size: whole segments from the front, never the active one.
#include <fmt/core.h>

#include <algorithm>

#include "base/log.h"
#include "base/mutant.h"
#include "log/log_store.h"

namespace weir::log {

void LogStore::retention_tick() {
  apply_retention();
  retention_timer_ =
      runtime_.loop().call_after(options_.retention_interval, [this] { retention_tick(); });
}

void LogStore::confirm_clock() {
  clock_anchor_ = runtime_.loop().now();
  wall_anchor_ms_ = runtime_.loop().clock().wall_ms();
  if (time_retention_stopped_)
    log_info("log", "the wall clock is confirmed; retention by time goes on");
  time_retention_stopped_ = false;
}

// Nothing is removed by a clock that jumped: it must not take a company's data (or its tombstones)
// with it.
std::optional<std::int64_t> LogStore::believed_wall_ms() {
  const std::int64_t wall_ms = runtime_.loop().clock().wall_ms();
  const auto passed =
      std::chrono::duration_cast<std::chrono::milliseconds>(runtime_.loop().now() - clock_anchor_)
          .count();
  const std::int64_t jump = wall_ms - wall_anchor_ms_ - passed;
  const auto tolerance =
      std::chrono::duration_cast<std::chrono::milliseconds>(options_.clock_tolerance).count();
  if (!time_retention_stopped_ && (jump > tolerance || jump < -tolerance)) {
    time_retention_stopped_ = true;
    log_error(
        "log",
        fmt::format("the wall clock jumped by {} ms against the monotonic one: retention by time "
                    "and the removal of tombstones stop until the clock is confirmed or the broker "
                    "restarted",
                    jump));
  }
  if (time_retention_stopped_ && !mutant(Mutant::believe_jumped_clock)) return std::nullopt;
  return wall_ms;
}

void LogStore::apply_retention() {
  const std::optional<std::int64_t> now_ms = believed_wall_ms();
  const MonoTime forget = runtime_.loop().now() - options_.producer_expiration;
  std::vector<std::shared_ptr<PartitionLog>> all;
  for (const auto& [id, partition] : partitions_) all.push_back(partition);
  for (const auto& partition : all) {
    partition->producers_.expire(forget);
    // One that a flush writes to waits for the next round: its last segment may be closed by it.
    if (!partition->repairing_ && !partition->swapping_ && !partition->in_flush_ &&
        !partition->fenced_ && partition != metadata_)
      retain(*partition, now_ms);
  }
}

void LogStore::retain(PartitionLog& partition, std::optional<std::int64_t> now_ms) {
  const PartitionSettings& settings = partition.spec_.settings;
  auto& segments = partition.segments_;
  // A policy of compact alone removes nothing but what lies before the log start.
  const bool by_time = now_ms && settings.remove && settings.retention_ms >= 0;
  const bool by_size = settings.remove && settings.retention_bytes >= 0;
  const auto due = [&](const Segment& segment) {
    return by_time && segment.max_timestamp >= 0 &&
           *now_ms - segment.max_timestamp > settings.retention_ms;
  };
  std::uint64_t total = 0;
  for (const auto& segment : segments) total += segment.assigned_bytes;
  std::size_t count = 0;
  for (; count + 1 < segments.size(); ++count) {
    const Segment& segment = segments[count];
    const bool settled = segment.synced_bytes == segment.assigned_bytes;
    const bool too_much = by_size && total - segment.assigned_bytes >=
                                         static_cast<std::uint64_t>(settings.retention_bytes);
    const bool below_start = segment.next <= partition.log_start_;
    if (!settled || !(due(segment) || too_much || below_start)) break;
    total -= segment.assigned_bytes;
  }
  if (count > 0) return drop_front(partition, count);
  // The active segment is closed when all of it is due, so that the next round can take it.
  if (segments.size() == 1 && segments[0].assigned_bytes > 0 && due(segments[0]) &&
      can_close_active(partition))
    close_active(partition);
}

// Order: the new start is durable, with a checkpoint, before a file goes: it never falls back.
void LogStore::drop_front(PartitionLog& partition, std::size_t count) {
  auto& segments = partition.segments_;
  const Duration delay = std::chrono::milliseconds(partition.spec_.settings.file_delete_delay_ms);
  for (std::size_t i = 0; i < count; ++i)
    for (const char* suffix : segment_suffixes)
      removals_.push_back({.path = segments[i].stem + suffix, .delay = delay});
  const Offset start = std::max(partition.log_start_, segments[count].base);
  segments.erase(segments.begin(), segments.begin() + static_cast<std::ptrdiff_t>(count));
  partition.log_start_ = start;
  log_info("log", fmt::format("{}: retention removed {} segments, the log starts at {}",
                              partition.spec_.folder_name(), count, start.value));
  checkpoint();
}

// Kafka's way: renamed first, so that nobody takes them for data, and removed when readers have
// gone.
void LogStore::remove_later(std::vector<Removal> files_to_go) {
  struct Renamed {
    std::vector<Removal> files;
  };
  auto& files = runtime_.files();
  auto renamed = std::make_shared<Renamed>();
  background_->run(
      [&files, renamed, names = std::move(files_to_go)] {
        for (const auto& name : names) {
          auto there = files.exists(name.path);
          if (there && *there && files.rename(name.path, name.path + ".deleted"))
            renamed->files.push_back({.path = name.path + ".deleted", .delay = name.delay});
        }
      },
      [this, renamed] {
        // Those of one topic stand together.
        std::vector<std::string> together;
        for (std::size_t i = 0; i < renamed->files.size(); ++i) {
          together.push_back(renamed->files[i].path);
          const bool last = i + 1 == renamed->files.size() ||
                            renamed->files[i + 1].delay != renamed->files[i].delay;
          if (last) delete_later(std::exchange(together, {}), renamed->files[i].delay);
        }
      });
}

void LogStore::delete_later(std::vector<std::string> renamed, Duration delay) {
  if (renamed.empty()) return;
  runtime_.loop().call_after(
      delay, [this, alive = std::weak_ptr<const bool>(alive_), names = std::move(renamed)] {
        if (alive.expired()) return;
        background_->run(
            [names, &files = runtime_.files()] {
              for (const auto& name : names) (void)files.remove(name);
            },
            {});
      });
}

void LogStore::delete_records(const PartitionId& id, Offset before,
                              std::move_only_function<void(Result<Offset>)> done) {
  const auto partition = shared(id);
  if (partition == nullptr)
    return done(fail(Errc::unknown_topic_or_partition, "no such partition"));
  if (partition->fenced_) return done(fail(*partition->fenced_));
  if (before < Offset(0) || before > partition->high_watermark_)
    return done(fail(Errc::offset_out_of_range,
                     fmt::format("{}: records can be deleted before an offset of at most {}, not "
                                 "before {}",
                                 partition->spec_.folder_name(), partition->high_watermark_.value,
                                 before.value)));
  partition->log_start_ = std::max(partition->log_start_, before);
  const auto known = last_checkpoint_.partitions.find(id);
  const bool durable =
      partition->log_start_.value == 0 || (known != last_checkpoint_.partitions.end() &&
                                           known->second.log_start >= partition->log_start_);
  if (durable) return done(partition->log_start_);
  if (on_change_) on_change_(*partition);
  checkpoint([start = partition->log_start_, done = std::move(done)](Result<void> result) mutable {
    if (!result) return done(fail(Errc::kafka_storage_error, result.error().message()));
    done(start);
  });
}

}  // namespace weir::log
