#include "log/partition_log.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "base/mutant.h"
#include "log/batch.h"
#include "log/log_store.h"

namespace weir::log {

std::string PartitionSpec::folder_name() const { return fmt::format("{}-{}", topic, id.partition); }

PartitionLog::PartitionLog(LogStore& store, PartitionSpec spec)
    : store_(store),
      spec_(std::move(spec)),
      folder_(store.options().folder + "/" + spec_.folder_name()) {}

std::string PartitionLog::stem(Offset base) const { return folder_ + "/" + segment_name(base); }

LeaderEpoch PartitionLog::leader_epoch() const { return store_.leader_epoch(); }

std::uint64_t PartitionLog::size_bytes() const {
  std::uint64_t total = 0;
  for (const auto& segment : segments_) total += segment.assigned_bytes;
  for (std::size_t i = flushed_in_tail_; i < tail_.size(); ++i) total += tail_[i].bytes.size();
  return total;
}

void PartitionLog::append(Slice batch, AppendDone done) {
  if (fenced_) return done(fail(*fenced_));
  if (deleted_)
    return done(fail(Errc::unknown_topic_or_partition, spec_.folder_name() + ": deleted"));
  const BatchHeader header(batch.view());
  ProducedSequence sequence{.producer = header.producer_id(),
                            .epoch = header.producer_epoch(),
                            .first_sequence = header.base_sequence(),
                            .record_count = header.last_offset_delta() + 1};
  const bool idempotent = sequence.producer.value >= 0;
  if (idempotent) {
    auto checked = producers_.check(sequence);
    if (!checked)
      return done(
          fail(checked.error().code(), spec_.folder_name() + ": " + checked.error().message()));
    if (checked->verdict == ProducerStates::Verdict::duplicate) {
      const ProducerBatch& original = checked->original;
      return wait_for(original.last_offset,
                      {.base_offset = original.base_offset(),
                       .timestamp = original.timestamp,
                       .duplicate = true},
                      std::move(done));
    }
  }
  if (auto refused = store_.refuse_append()) return done(fail(std::move(*refused)));

  LogStore::Append append;
  append.partition = store_.shared(spec_.id);
  append.base = next_offset_;
  append.last = next_offset_ + header.last_offset_delta();
  append.max_timestamp = header.max_timestamp();
  char* bytes = batch.mutable_data();
  store_be<std::int64_t>(bytes, append.base.value);
  store_be<std::int32_t>(bytes + 12, store_.leader_epoch().value);
  epochs_.add(store_.leader_epoch(), append.base);
  if (idempotent) {
    append.idempotent = true;
    append.sequence = sequence;
    append.producer_before = producers_.saved(sequence.producer);
    producers_.apply(sequence, append.last, append.max_timestamp, store_.runtime().loop().now());
  }
  next_offset_ = append.last + 1;
  append.bytes = std::move(batch);
  wait_for(append.last, {.base_offset = append.base, .timestamp = append.max_timestamp},
           std::move(done));
  store_.gather(std::move(append));
}

void PartitionLog::wait_for(Offset last, const Appended& answer, AppendDone done) {
  if (last < high_watermark_) return done(answer);
  // Nearly always the newest; a repeated batch may stand further in front.
  auto at = waiters_.end();
  while (at != waiters_.begin() && std::prev(at)->last > last) --at;
  waiters_.insert(at, Waiter{.last = last, .answer = answer, .done = std::move(done)});
}

void PartitionLog::make_readable(Offset base, Offset last, std::int64_t max_timestamp,
                                 Slice bytes) {
  tail_.push_back(
      {.base = base, .last = last, .max_timestamp = max_timestamp, .bytes = std::move(bytes)});
  high_watermark_ = last + 1;
}

void PartitionLog::answer_waiters() {
  while (!waiters_.empty() && waiters_.front().last < high_watermark_) {
    Waiter waiter = std::move(waiters_.front());
    waiters_.pop_front();
    waiter.done(waiter.answer);
  }
}

void PartitionLog::fail_waiters(const Error& error) {
  while (!waiters_.empty()) {
    Waiter waiter = std::move(waiters_.front());
    waiters_.pop_front();
    waiter.done(fail(error));
  }
}

Segment* PartitionLog::segment_for(Offset offset) {
  auto after = std::upper_bound(segments_.begin(), segments_.end(), offset,
                                [](Offset o, const Segment& s) { return o < s.base; });
  return after == segments_.begin() ? nullptr : &*std::prev(after);
}

std::uint64_t PartitionLog::readable_bytes(Offset offset, std::uint64_t enough) const {
  if (offset >= high_watermark_) return 0;
  if (tail_.empty() || offset < tail_.front().base) return enough;
  std::uint64_t total = 0;
  for (auto it = tail_.rbegin(); it != tail_.rend() && it->last >= offset && total < enough; ++it)
    total += it->bytes.size();
  return std::min(total, enough);
}

void PartitionLog::read(Offset offset, std::uint64_t max_bytes, bool at_least_one, ReadDone done) {
  if (fenced_) return done(fail(*fenced_));
  if (offset < log_start_ || offset > next_offset_)
    return done(fail(Errc::offset_out_of_range,
                     fmt::format("{}: offset {} is outside [{}, {}]", spec_.folder_name(),
                                 offset.value, log_start_.value, next_offset_.value)));
  if (repairing_)
    return done(fail(Errc::kafka_storage_error,
                     spec_.folder_name() + ": being repaired after a failed sync; try again"));
  for (const auto& [from, to] : lost_)
    if (offset >= from && offset < to)
      return done(fail(Errc::corrupt_message,
                       fmt::format("{}: offsets {} to {} were lost to damage; read on from {}",
                                   spec_.folder_name(), from.value, to.value - 1, to.value)));
  if (offset >= high_watermark_) return done(ReadData{});
  if (swapping_ && (tail_.empty() || offset < tail_.front().base)) {
    after_swap_.emplace_back([this, self = store_.shared(spec_.id), offset, max_bytes, at_least_one,
                              done = std::move(done)]() mutable {
      read(offset, max_bytes, at_least_one, std::move(done));
    });
    return;
  }
  if (!tail_.empty() && offset >= tail_.front().base) {
    ReadData data;
    auto at = std::lower_bound(tail_.begin(), tail_.end(), offset,
                               [](const TailBatch& b, Offset o) { return b.last < o; });
    for (; at != tail_.end(); ++at) {
      if (data.bytes + at->bytes.size() > max_bytes && !(at_least_one && data.bytes == 0)) break;
      data.bytes += at->bytes.size();
      data.pieces.emplace_back(at->bytes);
    }
    return done(std::move(data));
  }
  Segment* segment = segment_for(offset);
  check(segment != nullptr, "a readable offset without a segment");
  // Gaps are legal: the offset may lie between this segment's end and the next one's start.
  if (offset >= segment->next && segment != &segments_.back()) ++segment;
  read_segment(*segment, offset, max_bytes, at_least_one, std::move(done));
}

void PartitionLog::read_segment(Segment& segment, Offset offset, std::uint64_t max_bytes,
                                bool at_least_one, ReadDone done) {
  struct Search {
    SegmentView view;
    Result<SegmentRange> found = SegmentRange{};
  };
  auto search = std::make_shared<Search>();
  search->view = segment.view();
  auto& files = store_.runtime().files();
  store_.reader_->run(
      [search, &files, offset, max_bytes, at_least_one] {
        search->found = find_range(files, search->view, offset, max_bytes, at_least_one);
      },
      [search, self = store_.shared(spec_.id), next = segment.next, max_bytes, at_least_one,
       done = std::move(done)]() mutable {
        if (!search->found) return done(fail(search->found.error()));
        auto& range = search->found->range;
        // Compaction may have taken all that was left of the segment: what is next follows it.
        if (search->found->first.value < 0 && self != nullptr && next < self->high_watermark_)
          return self->read(std::max(next, self->log_start_), max_bytes, at_least_one,
                            std::move(done));
        ReadData data;
        data.bytes = range.size;
        if (range.size > 0) data.pieces.emplace_back(std::move(range));
        done(std::move(data));
      });
}

void PartitionLog::find_by_time(std::int64_t timestamp, RecordByTime in_batch, TimeDone done) {
  if (fenced_) return done(fail(*fenced_));
  if (swapping_) {
    after_swap_.emplace_back([this, self = store_.shared(spec_.id), timestamp,
                              in_batch = std::move(in_batch), done = std::move(done)]() mutable {
      find_by_time(timestamp, std::move(in_batch), std::move(done));
    });
    return;
  }
  struct Search {
    std::vector<SegmentView> segments;
    std::vector<Slice> tail;
    RecordByTime in_batch;
    std::int64_t timestamp = 0;
    Offset from;
    Result<std::optional<TimeMatch>> result = std::optional<TimeMatch>();
    void run(io::FileSystem& files) {
      for (const auto& segment : segments) {
        // A batch may promise a timestamp whose record compaction took: on to the next batch.
        for (Offset at = from;;) {
          auto batch = find_batch_by_time(files, segment, timestamp, at);
          if (!batch) {
            result = fail(batch.error());
            return;
          }
          if (!*batch) break;
          result = in_batch(**batch, timestamp);
          if (!result || *result) return;
          at = BatchHeader(**batch).last_offset() + 1;
        }
      }
      for (const auto& batch : tail) {
        if (BatchHeader(batch.view()).max_timestamp() < timestamp) continue;
        result = in_batch(batch.view(), timestamp);
        if (!result || *result) return;
      }
    }
  };
  auto search = std::make_shared<Search>();
  for (const auto& segment : segments_)
    if (segment.max_timestamp >= timestamp && segment.readable_bytes > 0 &&
        segment.next > log_start_)
      search->segments.push_back(segment.view());
  for (std::size_t i = flushed_in_tail_; i < tail_.size(); ++i)
    search->tail.push_back(tail_[i].bytes);
  search->in_batch = std::move(in_batch);
  search->timestamp = timestamp;
  search->from = log_start_;
  auto& files = store_.runtime().files();
  store_.reader_->run(
      [search, &files] { search->run(files); },
      [search, done = std::move(done)]() mutable { done(std::move(search->result)); });
}

void PartitionLog::find_max_timestamp(RecordByTime in_batch, TimeDone done) {
  std::int64_t largest = -1;
  for (const auto& segment : segments_) largest = std::max(largest, segment.max_timestamp);
  for (std::size_t i = flushed_in_tail_; i < tail_.size(); ++i)
    largest = std::max(largest, tail_[i].max_timestamp);
  if (largest < 0) return done(std::optional<TimeMatch>());
  find_by_time(largest, std::move(in_batch), std::move(done));
}

}  // namespace weir::log
