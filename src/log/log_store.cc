#include "log/log_store.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "base/mutant.h"
#include "log/batch.h"

namespace weir::log {
namespace {

// After a record that could not be written at all: refused at once for so long, then tried again.
constexpr auto failed_cycle_pause = std::chrono::milliseconds(100);

}  // namespace

LogStore::LogStore(io::Runtime& runtime, LogOptions options)
    : runtime_(runtime), options_(std::move(options)), pacing_(options_.pacing) {
  clock_anchor_ = runtime_.loop().now();
  wall_anchor_ms_ = runtime_.loop().clock().wall_ms();
}

LogStore::~LogStore() {
  runtime_.loop().cancel(checkpoint_timer_);
  runtime_.loop().cancel(retention_timer_);
  runtime_.loop().cancel(retry_timer_);
  runtime_.loop().cancel(cycle_timer_);
  runtime_.loop().cancel(compaction_timer_);
  runtime_.loop().cancel(compaction_pause_);
}

std::shared_ptr<PartitionLog> LogStore::shared(const PartitionId& id) {
  const auto found = partitions_.find(id);
  return found == partitions_.end() ? nullptr : found->second;
}

PartitionLog* LogStore::find(const PartitionId& id) { return shared(id).get(); }

PartitionLog& LogStore::add(PartitionSpec spec) {
  const PartitionId id = spec.id;
  auto partition = std::make_shared<PartitionLog>(*this, std::move(spec));
  auto [at, fresh] = partitions_.emplace(id, std::move(partition));
  check(fresh, "a partition is added once");
  return *at->second;
}

std::optional<Error> LogStore::refuse_append() const {
  if (closing_) return Error(Errc::kafka_storage_error, "the broker is shutting down");
  if (last_failure_ && runtime_.loop().now() < refuse_until_)
    return Error(Errc::kafka_storage_error,
                 "the write-ahead log cannot be written: " + last_failure_->message());
  if (trouble_ && wal_->held_bytes() + gathering_bytes_ >= options_.wal_limit_bytes)
    return Error(
        Errc::kafka_storage_error,
        fmt::format("the write-ahead log holds its limit of {} bytes and cannot be emptied: {}",
                    options_.wal_limit_bytes, trouble_->message()));
  if (gathering_bytes_ >= options_.gather_bytes)
    return Error(Errc::kafka_storage_error,
                 fmt::format("{} bytes wait for the disk already, at most {} may", gathering_bytes_,
                             options_.gather_bytes));
  return std::nullopt;
}

void LogStore::gather(Append append) {
  pacing_.arriving(runtime_.loop().now(), gathering_bytes_);
  gathering_bytes_ += append.bytes.size();
  gathering_.push_back(std::move(append));
  if (!cycle_running_) plan_cycle();
}

// Behind what the loop has read by now: what the other partitions of a request and other requests
// bring is in the same cycle.
void LogStore::plan_cycle() {
  if (std::exchange(cycle_planned_, true)) return;
  runtime_.loop().post([this, alive = std::weak_ptr<const bool>(alive_)] {
    if (alive.expired()) return;
    cycle_planned_ = false;
    start_cycle();
  });
}

void LogStore::start_cycle() {
  if (gathering_.empty() || cycle_running_) return;
  if (wal_->held_bytes() >= options_.wal_limit_bytes) {
    checkpoint();  // its end starts the cycle
    return;
  }
  const MonoTime now = runtime_.loop().now();
  if (cycle_timer_ != io::TimerId::none && gathering_bytes_ < options_.cycle_bytes && !closing_)
    return;
  const auto until = pacing_.wait(now, gathering_bytes_);
  if (until && gathering_bytes_ < options_.cycle_bytes && !closing_) {
    cycle_timer_ = runtime_.loop().call_at(*until, [this] {
      cycle_timer_ = io::TimerId::none;
      start_cycle();
    });
    return;
  }
  runtime_.loop().cancel(std::exchange(cycle_timer_, io::TimerId::none));
  cycle_began_ = now;
  cycle_running_ = true;
  std::uint64_t bytes = 0;
  std::size_t count = 0;
  while (count < gathering_.size() &&
         (count == 0 || bytes + gathering_[count].bytes.size() <= options_.cycle_bytes))
    bytes += gathering_[count++].bytes.size();
  std::vector<Append> appends(
      std::make_move_iterator(gathering_.begin()),
      std::make_move_iterator(gathering_.begin() + static_cast<std::ptrdiff_t>(count)));
  gathering_.erase(gathering_.begin(), gathering_.begin() + static_cast<std::ptrdiff_t>(count));
  gathering_bytes_ -= bytes;
  pacing_.began(now, bytes);
  ++counters_.cycles;
  counters_.batches += count;
  counters_.bytes += bytes;

  std::vector<WalItem> items;
  items.reserve(count);
  for (const auto& append : appends)
    items.push_back({.partition = append.partition->spec_.id,
                     .base_offset = append.base,
                     .bytes = append.bytes});
  if (mutant(Mutant::acknowledge_before_write)) {
    for (const auto& append : appends) {
      auto& waiters = append.partition->waiters_;
      while (!waiters.empty() && waiters.front().last <= append.last) {
        auto waiter = std::move(waiters.front());
        waiters.pop_front();
        waiter.done(waiter.answer);
      }
    }
  }
  if (mutant(Mutant::high_watermark_before_sync)) {
    for (auto& append : appends) {
      append.partition->make_readable(append.base, append.last, append.max_timestamp, append.bytes);
      note_unflushed(*append.partition);
      unflushed_bytes_ += append.bytes.size();
      if (on_change_) on_change_(*append.partition);
    }
  }
  wal_->write(std::move(items), [this, appends = std::move(appends)](Result<void> result) mutable {
    cycle_done(std::move(appends), result);
  });
}

void LogStore::cycle_done(std::vector<Append> appends, const Result<void>& result) {
  cycle_running_ = false;
  counters_.cycle_duration.observe(runtime_.loop().now() - cycle_began_);
  if (!result) {
    ++counters_.failed_cycles;
    refuse_until_ = runtime_.loop().now() + failed_cycle_pause;
    last_failure_ = result.error();
    undo(appends, result.error());
    if (closing_) finish_close();
    return;
  }
  std::vector<std::shared_ptr<PartitionLog>> changed;
  for (auto& append : appends) {
    PartitionLog& partition = *append.partition;
    if (partition.deleted_) continue;
    if (!mutant(Mutant::high_watermark_before_sync)) {
      unflushed_bytes_ += append.bytes.size();
      partition.make_readable(append.base, append.last, append.max_timestamp,
                              std::move(append.bytes));
      note_unflushed(partition);
    }
    if (std::find(changed.begin(), changed.end(), append.partition) == changed.end())
      changed.push_back(append.partition);
  }
  // The next cycle is under way before anybody is told of this one.
  start_cycle();
  for (const auto& partition : changed) {
    partition->answer_waiters();
    if (on_change_) on_change_(*partition);
  }
  maybe_flush();
  if (wal_->held_bytes() - std::min(wal_->held_bytes(), options_.checkpoint_bytes) > 0)
    checkpoint();
  if (closing_) finish_close();
}

// Takes back what the failed cycle and everything gathered behind it had promised: their offsets
// have not been seen by anybody.
void LogStore::undo(std::vector<Append>& failed, const Error& error) {
  std::vector<Append> all = std::move(failed);
  for (auto& append : gathering_) all.push_back(std::move(append));
  gathering_.clear();
  gathering_bytes_ = 0;
  const Error answer(Errc::kafka_storage_error, error.message());
  std::vector<std::shared_ptr<PartitionLog>> touched;
  for (auto it = all.rbegin(); it != all.rend(); ++it) {
    PartitionLog& partition = *it->partition;
    partition.undo(*it);
    if (std::find(touched.begin(), touched.end(), it->partition) == touched.end())
      touched.push_back(it->partition);
  }
  for (const auto& partition : touched) partition->fail_waiters(answer);
}

void LogStore::remove(const PartitionId& id) {
  const auto partition = shared(id);
  if (partition == nullptr) return;
  partitions_.erase(id);
  partition->deleted_ = true;
  stop_compaction_of(*partition);
  partition->fail_waiters(
      Error(Errc::unknown_topic_or_partition, partition->spec_.folder_name() + ": deleted"));
  for (std::size_t i = partition->flushed_in_tail_; i < partition->tail_.size(); ++i)
    unflushed_bytes_ -= partition->tail_[i].bytes.size();
  std::erase(flush_list_, partition);
  if (on_change_) on_change_(*partition);
  // After the files that are being written: the background worker keeps the order.
  auto& files = runtime_.files();
  const std::string gone = fmt::format("{}.{}-delete", partition->folder_, id.topic.to_string());
  background_->run(
      [&files, folder = partition->folder_, gone, root = options_.folder] {
        auto there = files.exists(folder);
        if (!there || !*there) return;
        if (!files.rename(folder, gone)) return;
        (void)files.sync_directory(root);
        (void)files.remove_all(gone);
      },
      [partition] {});
}

void LogStore::forget_cached() {
  while (cached_bytes_ > options_.tail_cache_bytes && !cached_.empty()) {
    auto [weak, bytes] = std::move(cached_.front());
    cached_.pop_front();
    cached_bytes_ -= bytes;
    const auto partition = weak.lock();
    if (partition == nullptr || partition->flushed_in_tail_ == 0) continue;
    partition->tail_.pop_front();
    --partition->flushed_in_tail_;
  }
}

Result<void> LogStore::for_each_batch(PartitionLog& partition,
                                      const std::function<Result<void>(std::string_view)>& each) {
  for (const auto& segment : partition.segments_) {
    if (segment.readable_bytes == 0) continue;
    auto file = segment.log != nullptr
                    ? Result<std::shared_ptr<io::File>>(segment.log)
                    : runtime_.files().open(segment.stem + ".log", io::OpenMode::read);
    if (!file) return fail(file.error());
    SegmentScanner scanner(**file, 0, segment.readable_bytes, &segment.damage);
    for (;;) {
      auto found = scanner.next(true);
      if (!found) return fail(found.error());
      if (!*found) break;
      if (BatchHeader((*found)->bytes).last_offset() < partition.log_start_) continue;
      if (auto r = each((*found)->bytes); !r) return r;
    }
    if (scanner.position() != segment.readable_bytes)
      return fail(Errc::damaged,
                  fmt::format("{}.log: no valid batch at {}", segment.stem, scanner.position()));
  }
  for (std::size_t i = partition.flushed_in_tail_; i < partition.tail_.size(); ++i)
    if (auto r = each(partition.tail_[i].bytes.view()); !r) return r;
  return {};
}

void LogStore::close(std::function<void(Result<void>)> done) {
  check(!closing_, "a log store is closed once");
  closing_ = true;
  close_done_ = std::move(done);
  finish_close();
}

void LogStore::finish_close() {
  if (cycle_running_ || close_done_ == nullptr) return;
  if (!gathering_.empty()) return start_cycle();
  auto done = std::exchange(close_done_, nullptr);
  checkpoint([this, done = std::move(done)](Result<void> result) {
    if (result) {
      // Who has written nothing leaves the log as it was found.
      const auto end = wal_->end();
      const std::string mark = encode_clean_mark(leader_epoch_, end ? end : clean_end_);
      result = io::write_file_durably(runtime_.files(), path(".kafka_cleanshutdown"), mark);
    }
    done(result);
  });
}

}  // namespace weir::log
