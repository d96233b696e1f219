#include "log/partition_log.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "base/mutant.h"
#include "kafka/batch_builder.h"
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

void PartitionLog::append(Slice batch, AppendDone done, bool epoch_a_transaction) {
  if (fenced_) return done(fail(*fenced_));
  if (deleted_)
    return done(fail(Errc::unknown_topic_or_partition, spec_.folder_name() + ": deleted"));
  const BatchHeader header(batch.view());
  check(!header.is_control(), "markers have a way of their own");
  PendingAppend append;
  if (header.producer_id().value >= 0) {
    append.kind = PendingAppend::Kind::idempotent;
    append.sequence = sequence_of(header);
    append.sequence.epoch_a_transaction = epoch_a_transaction;
    auto checked = producers_.check(append.sequence);
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
  put(std::move(append), std::move(batch), std::move(done));
}

void PartitionLog::append_end(const TransactionEnd& end, AppendDone done) {
  if (fenced_) return done(fail(*fenced_));
  if (deleted_)
    return done(fail(Errc::unknown_topic_or_partition, spec_.folder_name() + ": deleted"));
  auto checked = producers_.check_end(end);
  if (!checked)
    return done(
        fail(checked.error().code(), spec_.folder_name() + ": " + checked.error().message()));
  if (*checked == ProducerStates::Verdict::duplicate) {
    const Offset at = producers_.entries().at(end.producer).last_marker;
    return wait_for(at, {.base_offset = at, .duplicate = true}, std::move(done));
  }
  PendingAppend append;
  append.kind = PendingAppend::Kind::end_of_transaction;
  append.sequence.producer = end.producer;
  Slice marker = kafka::make_end_marker(
      {.marker = {.commit = end.commit, .coordinator_epoch = end.coordinator_epoch},
       .timestamp = store_.runtime().loop().clock().wall_ms(),
       .producer_id = end.producer.value,
       .producer_epoch = end.epoch.value});
  put(std::move(append), std::move(marker), std::move(done), &end);
}

void PartitionLog::put(PendingAppend append, Slice batch, AppendDone done,
                       const TransactionEnd* end) {
  if (auto refused = store_.refuse_append()) {
    if (append.kind == PendingAppend::Kind::idempotent)
      producers_.note_refused(append.sequence, store_.runtime().loop().now());
    return done(fail(std::move(*refused)));
  }
  const BatchHeader header(batch.view());
  append.partition = store_.shared(spec_.id);
  append.base = next_offset_;
  append.last = next_offset_ + header.last_offset_delta();
  append.max_timestamp = header.max_timestamp();
  char* bytes = batch.mutable_data();
  store_be<std::int64_t>(bytes, append.base.value);
  store_be<std::int32_t>(bytes + 12, store_.leader_epoch().value);
  epochs_.add(store_.leader_epoch(), append.base);
  if (append.kind != PendingAppend::Kind::plain)
    append.producer_before = producers_.saved(append.sequence.producer);
  const MonoTime now = store_.runtime().loop().now();
  if (append.kind == PendingAppend::Kind::idempotent)
    producers_.apply(append.sequence, append.last, append.max_timestamp, now);
  if (append.kind == PendingAppend::Kind::end_of_transaction) note_end(*end, append.base, now);
  next_offset_ = append.last + 1;
  append.bytes = std::move(batch);
  wait_for(append.last, {.base_offset = append.base, .timestamp = append.max_timestamp},
           std::move(done));
  store_.gather(std::move(append));
}

void PartitionLog::note_end(const TransactionEnd& end, Offset marker, MonoTime now) {
  const auto ended = producers_.apply_end(end, marker, now);
  if (!ended || !ended->aborted) return;
  aborted_.push_back({.producer = ended->producer,
                      .first = ended->first,
                      .marker = marker,
                      .last_stable = std::min(producers_.first_open(), marker + 1)});
}

void PartitionLog::undo(const PendingAppend& append) {
  next_offset_ = append.base;
  epochs_.cut(append.base);
  if (append.kind == PendingAppend::Kind::idempotent)
    producers_.restore(append.sequence, append.producer_before);
  if (append.kind == PendingAppend::Kind::end_of_transaction)
    producers_.restore_end(append.sequence.producer, append.base, append.producer_before);
  while (!aborted_.empty() && aborted_.back().marker >= append.base) aborted_.pop_back();
}

// What the files of synced segments say need not be kept in memory, but for the tail: it is served
// without files.
void PartitionLog::forget_aborted(Offset below) {
  if (!tail_.empty()) below = std::min(below, tail_.front().base);
  if (below <= aborted_from_) return;
  aborted_from_ = below;
  while (!aborted_.empty() && aborted_.front().marker < below) aborted_.pop_front();
}

AbortedSearch PartitionLog::aborted_between(std::size_t index, Offset from, Offset to) const {
  AbortedSearch search;
  search.from = from;
  search.to = to;
  search.files_below = aborted_from_;
  if (from < aborted_from_) {
    for (std::size_t i = index; i < segments_.size() && segments_[i].base < aborted_from_; ++i) {
      const Segment& segment = segments_[i];
      if (segment.txn_entries_written > 0)
        search.files.push_back(
            {.path = segment.stem + ".txnindex", .entries = segment.txn_entries_written});
    }
  }
  auto entry = std::lower_bound(aborted_.begin(), aborted_.end(), from,
                                [](const auto& a, Offset o) { return a.marker < o; });
  for (; entry != aborted_.end(); ++entry) {
    if (entry->first < to) search.recent.push_back(*entry);
    if (entry->last_stable >= to) break;
  }
  return search;
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

std::optional<std::size_t> PartitionLog::segment_for(Offset offset) const {
  const auto after = std::upper_bound(segments_.begin(), segments_.end(), offset,
                                      [](Offset o, const Segment& s) { return o < s.base; });
  if (after == segments_.begin()) return std::nullopt;
  return static_cast<std::size_t>(after - segments_.begin()) - 1;
}

std::uint64_t PartitionLog::readable_bytes(Offset offset, std::uint64_t enough,
                                           Isolation isolation) const {
  const Offset end = end_for(isolation);
  if (offset >= end) return 0;
  if (tail_.empty() || offset < tail_.front().base) return enough;
  std::uint64_t total = 0;
  for (auto it = tail_.rbegin(); it != tail_.rend() && it->last >= offset && total < enough; ++it)
    if (it->base < end) total += it->bytes.size();
  return std::min(total, enough);
}

std::optional<Error> PartitionLog::read_fault(Offset offset) const {
  if (fenced_) return fenced_;
  if (offset < log_start_ || offset > next_offset_)
    return Error(Errc::offset_out_of_range,
                 fmt::format("{}: offset {} is outside [{}, {}]", spec_.folder_name(), offset.value,
                             log_start_.value, next_offset_.value));
  if (repairing_)
    return Error(Errc::kafka_storage_error,
                 spec_.folder_name() + ": being repaired after a failed sync; try again");
  for (const auto& [from, to] : lost_)
    if (offset >= from && offset < to)
      return Error(Errc::corrupt_message,
                   fmt::format("{}: {} were lost to damage; read on from {}", spec_.folder_name(),
                               offsets_text(from, to), to.value));
  return std::nullopt;
}

void PartitionLog::read(Offset offset, const ReadLimits& limits, ReadDone done) {
  if (auto fault = read_fault(offset)) return done(fail(std::move(*fault)));
  if (offset >= end_for(limits.isolation)) return done(ReadData{});
  const bool in_tail = !tail_.empty() && offset >= tail_.front().base;
  if (swapping_ && !in_tail) {
    after_swap_.emplace_back(
        [this, self = store_.shared(spec_.id), offset, limits, done = std::move(done)]() mutable {
          read(offset, limits, std::move(done));
        });
    return;
  }
  if (in_tail) return done(read_tail(offset, limits));
  const auto index = segment_for(offset);
  check(index.has_value(), "a readable offset without a segment");
  // Gaps are legal: the offset may lie between this segment's end and the next one's start.
  const bool in_gap = offset >= segments_[*index].next && *index + 1 < segments_.size();
  read_segment(in_gap ? *index + 1 : *index, offset, limits, std::move(done));
}

ReadData PartitionLog::read_tail(Offset offset, const ReadLimits& limits) const {
  ReadData data;
  const Offset end = end_for(limits.isolation);
  Offset reached = offset;
  auto at = std::lower_bound(tail_.begin(), tail_.end(), offset,
                             [](const TailBatch& b, Offset o) { return b.last < o; });
  for (; at != tail_.end() && at->base < end; ++at) {
    if (data.bytes + at->bytes.size() > limits.max_bytes &&
        !(limits.at_least_one && data.bytes == 0))
      break;
    data.bytes += at->bytes.size();
    data.pieces.emplace_back(at->bytes);
    reached = at->last + 1;
  }
  if (limits.isolation == Isolation::uncommitted || aborted_.empty()) return data;
  data.aborted = aborted_between(segments_.size(), offset, reached)
                     .run(store_.runtime().files())
                     .value();  // no file is asked
  return data;
}

namespace {

/// One read of a segment, on a worker. What this process has not written itself is checked once
/// before it is handed out: a bit that flipped on the disk must not reach a reader.
struct SegmentRead {
  SegmentView view;
  Offset offset;
  RangeLimits limits;
  bool gaps = false;  // are legal
  std::optional<LeaderEpochs> epochs;
  std::optional<AbortedSearch> aborted;
  Result<SegmentRange> found = SegmentRange{};
  Result<std::vector<AbortedTransaction>> transactions = std::vector<AbortedTransaction>();
  bool found_damage = false;  // view.damage is new

  void run(io::FileSystem& files) {
    found = checked_range(files);
    const bool damaged = found ? false : found.error().code() == Errc::corrupt_message;
    if (damaged && verify(files)) found = checked_range(files);
    if (!found || !aborted) return;
    aborted->to = found->next;
    transactions = aborted->run(files);
  }

 private:
  Result<SegmentRange> checked_range(io::FileSystem& files) {
    auto range = find_range(files, view, offset, limits);
    if (range && !view.damage.empty() && is_missed(range->first)) {
      // What damage moved does not stand where the index says.
      SegmentView unindexed = view;
      unindexed.index_entries = 0;
      range = find_range(files, unindexed, offset, limits);
    }
    if (!range) return range;
    const auto damaged = [&] {
      return fail(Errc::corrupt_message,
                  fmt::format("{}.log: damaged near byte {}", view.stem, range->range.offset));
    };
    const Offset first = range->first;
    if (is_missed(first)) return damaged();
    const std::uint64_t at = range->range.offset;
    const std::uint64_t size = range->range.size;
    if (size == 0 || view.checked == nullptr || view.checked->covers(at, at + size)) return range;
    auto whole = is_whole(*range->range.file, view, at, size, gaps, known_epochs());
    if (!whole) return fail(whole.error());
    if (!*whole) return damaged();
    view.checked->add(at, at + size);
    return range;
  }

  const LeaderEpochs* known_epochs() const { return epochs ? &*epochs : nullptr; }

  // Offset by offset, but for what compaction took and what is known to be damaged.
  bool is_missed(Offset first) const {
    if (gaps || (first.value >= 0 && first <= offset)) return false;
    return std::none_of(view.damage.begin(), view.damage.end(), [&](const DamagedBytes& bad) {
      return bad.from <= offset && bad.to == first;
    });
  }

  bool verify(io::FileSystem& files) {
    auto log = files.open(view.stem + ".log", io::OpenMode::read);
    if (!log) return false;
    auto verified =
        verify_segment(**log, view.base, view.next, view.readable_bytes, gaps, known_epochs());
    if (!verified) return false;
    view.damage = std::move(verified->damage);
    if (verified->bytes < view.readable_bytes || (!gaps && verified->next < view.next))
      view.damage.push_back({.at = verified->bytes,
                             .end = view.readable_bytes,
                             .from = verified->next,
                             .to = gaps ? verified->next : view.next});
    found_damage = !view.damage.empty();
    return found_damage;
  }
};

}  // namespace

void PartitionLog::read_segment(std::size_t index, Offset offset, const ReadLimits& limits,
                                ReadDone done) {
  const Segment& segment = segments_[index];
  auto search = std::make_shared<SegmentRead>();
  search->view = segment.view();
  search->offset = offset;
  search->gaps = may_have_gaps();
  if (epochs_trusted_) search->epochs = epochs_;
  search->limits = {.max_bytes = limits.max_bytes,
                    .at_least_one = limits.at_least_one,
                    .end = end_for(limits.isolation)};
  if (limits.isolation == Isolation::committed)
    search->aborted = aborted_between(index, offset, segment.next);
  auto& files = store_.runtime().files();
  store_.reader_->run(
      [search, &files] { search->run(files); },
      [search, self = store_.shared(spec_.id), next = segment.next, limits, offset,
       done = std::move(done)]() mutable {
        if (search->found_damage && self != nullptr) {
          if (self->is_cut(search->view))
            return self->read(std::max(offset, self->log_start_), limits, std::move(done));
          self->note_damage(search->view);
          if (auto fault = self->read_fault(offset)) return done(fail(std::move(*fault)));
        }
        if (!search->found) return done(fail(search->found.error()));
        if (!search->transactions) return done(fail(search->transactions.error()));
        auto& range = search->found->range;
        // Compaction may have taken all that was left of the segment: what is next
        // follows it.
        if (search->found->first.value < 0 && self != nullptr &&
            next < self->end_for(limits.isolation))
          return self->read(std::max(next, self->log_start_), limits, std::move(done));
        ReadData data;
        data.bytes = range.size;
        if (range.size > 0) data.pieces.emplace_back(std::move(range));
        data.aborted = std::move(*search->transactions);
        done(std::move(data));
      });
}

// What a repair has cut off while it was read comes again from the write-ahead log: it is not
// damage.
bool PartitionLog::is_cut(const SegmentView& view) const {
  const auto index = segment_for(view.base);
  return repairing_ || !index || segments_[*index].base != view.base ||
         segments_[*index].readable_bytes < view.readable_bytes;
}

// Said once, remembered on the disk, and answered to who asks for it; what is whole is served.
void PartitionLog::note_damage(const SegmentView& view) {
  const auto index = segment_for(view.base);
  if (!index || segments_[*index].base != view.base || !segments_[*index].damage.empty()) return;
  segments_[*index].damage = view.damage;
  for (const auto& bad : view.damage) {
    ++store_.counters_.damaged_ranges;
    add_lost(bad.from, bad.to);
    log_error("log", fmt::format("{}.log: damaged between bytes {} and {}: {} cannot be read; the "
                                 "file is kept as it is, the rest is served",
                                 view.stem, bad.at, bad.end, offsets_text(bad.from, bad.to)));
  }
  store_.save_found(*this, view.base);
}

void PartitionLog::save_lost() {
  auto& files = store_.runtime().files();
  store_.background_->run(
      [&files, folder = folder_, text = lost_offsets_text(lost_)] {
        (void)io::write_file_durably(files, folder + "/lost-offsets", text);
      },
      {});
}

// Each start meets the damage again that an earlier one wrote down.
void PartitionLog::add_lost(Offset from, Offset to) {
  if (from >= to) return;
  lost_.emplace_back(from, to);
  std::sort(lost_.begin(), lost_.end());
  std::vector<std::pair<Offset, Offset>> apart;
  for (const auto& range : lost_) {
    if (!apart.empty() && range.first <= apart.back().second)
      apart.back().second = std::max(apart.back().second, range.second);
    else
      apart.push_back(range);
  }
  lost_ = std::move(apart);
}

void PartitionLog::remove_lost(Offset from, Offset to) {
  std::vector<std::pair<Offset, Offset>> left;
  for (const auto& range : lost_) {
    if (range.first < from) left.emplace_back(range.first, std::min(range.second, from));
    if (range.second > to) left.emplace_back(std::max(range.first, to), range.second);
  }
  lost_ = std::move(left);
}

std::string offsets_text(Offset from, Offset to) {
  if (from >= to) return "no offset";
  return fmt::format("offsets {} to {}", from.value, to.value - 1);
}

std::string lost_offsets_text(const std::vector<std::pair<Offset, Offset>>& lost) {
  std::string text = fmt::format("0\n{}\n", lost.size());
  for (const auto& [from, to] : lost) text += fmt::format("{} {}\n", from.value, to.value);
  return text;
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
