// Retention by time and size: whole segments from the front, never the active one.
#include <fmt/core.h>

#include <algorithm>

#include "base/log.h"
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

void LogStore::apply_retention() {
  const MonoTime now = runtime_.loop().now();
  const std::int64_t wall_ms = runtime_.loop().clock().wall_ms();
  const auto passed =
      std::chrono::duration_cast<std::chrono::milliseconds>(now - clock_anchor_).count();
  const std::int64_t jump = wall_ms - wall_anchor_ms_ - passed;
  const auto tolerance =
      std::chrono::duration_cast<std::chrono::milliseconds>(options_.clock_tolerance).count();
  if (!time_retention_stopped_ && (jump > tolerance || jump < -tolerance)) {
    time_retention_stopped_ = true;
    log_error(
        "log",
        fmt::format(
            "the wall clock jumped by {} ms against the monotonic one: retention by time stops "
            "until the clock is confirmed or the broker restarted",
            jump));
  }
  std::vector<std::shared_ptr<PartitionLog>> all;
  for (const auto& [id, partition] : partitions_) all.push_back(partition);
  for (const auto& partition : all) {
    partition->producers_.expire(now - options_.producer_expiration);
    if (!partition->repairing_ && !partition->fenced_ && partition != metadata_)
      retain(*partition, !time_retention_stopped_, wall_ms);
  }
}

void LogStore::retain(PartitionLog& partition, bool by_time, std::int64_t now_ms) {
  const PartitionSettings& settings = partition.spec_.settings;
  auto& segments = partition.segments_;
  std::uint64_t total = 0;
  for (const auto& segment : segments) total += segment.assigned_bytes;
  std::size_t count = 0;
  for (; count + 1 < segments.size(); ++count) {
    const Segment& segment = segments[count];
    const bool settled = segment.synced_bytes == segment.assigned_bytes;
    const bool old = by_time && settings.retention_ms >= 0 && segment.max_timestamp >= 0 &&
                     now_ms - segment.max_timestamp > settings.retention_ms;
    const bool too_much =
        settings.retention_bytes >= 0 &&
        total - segment.assigned_bytes >= static_cast<std::uint64_t>(settings.retention_bytes);
    const bool below_start = segment.next <= partition.log_start_;
    if (!settled || !(old || too_much || below_start)) break;
    total -= segment.assigned_bytes;
  }
  if (count > 0) return drop_front(partition, count);
  // The active segment is closed when all of it is due, so that the next round can take it.
  if (segments.size() == 1 && by_time && settings.retention_ms >= 0 &&
      segments[0].max_timestamp >= 0 &&
      now_ms - segments[0].max_timestamp > settings.retention_ms && partition.unflushed() == 0 &&
      !flushing_ && partition.high_watermark_ == partition.next_offset_ &&
      segments[0].assigned_bytes > 0) {
    segments.push_back(
        Segment::empty(partition.next_offset_, partition.stem(partition.next_offset_)));
  }
}

// Order: the new start is durable, with a checkpoint, before a file goes: it never falls back.
void LogStore::drop_front(PartitionLog& partition, std::size_t count) {
  auto& segments = partition.segments_;
  for (std::size_t i = 0; i < count; ++i)
    for (const char* suffix : {".log", ".index", ".timeindex"})
      removals_.push_back(segments[i].stem + suffix);
  const Offset start = std::max(partition.log_start_, segments[count].base);
  segments.erase(segments.begin(), segments.begin() + static_cast<std::ptrdiff_t>(count));
  partition.log_start_ = start;
  log_info("log", fmt::format("{}: retention removed {} segments, the log starts at {}",
                              partition.spec_.folder_name(), count, start.value));
  checkpoint();
}

// Kafka's way: renamed first, so that nobody takes them for data, and removed when readers have
// gone.
void LogStore::remove_later(std::vector<std::string> names) {
  auto& files = runtime_.files();
  auto renamed = std::make_shared<std::vector<std::string>>();
  background_->run(
      [&files, renamed, names = std::move(names)] {
        for (const auto& name : names) {
          auto there = files.exists(name);
          if (there && *there && files.rename(name, name + ".deleted"))
            renamed->push_back(name + ".deleted");
        }
      },
      [this, renamed, &files] {
        runtime_.loop().call_after(
            options_.file_delete_delay,
            [this, alive = std::weak_ptr<PartitionLog>(metadata_), renamed, &files] {
              if (alive.expired()) return;
              background_->run(
                  [renamed, &files] {
                    for (const auto& name : *renamed) (void)files.remove(name);
                  },
                  {});
            });
      });
}

}  // namespace weir::log
