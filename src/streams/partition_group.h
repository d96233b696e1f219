// PartitionGroup: the inputs of a task, and which record is next.
#pragma once

#include <weir/streams/detail/nodes.h>

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "base/clock.h"

// It is always the one with the smallest timestamp among the heads of all partitions; equal ones go
// by topic, then by partition, for ever, so that a replay takes the same way. A partition whose
// queue is empty may hold the others up, as `max.task.idle.ms` says (KIP-353, KIP-695):
//
//     has a record                              ready
//     empty, and its end is not known           the task waits
//     empty, and not all up to its end is here  the task waits
//     empty, at its end                         ready once it was so for max_idle ("enforced")
//
// Pure: it is told of batches, ends and the time. Threads: the task's.

namespace weir::streams {

/// The records of one partition that are here, in order.
class RecordQueue {
 public:
  RecordQueue(TopicPartition partition, detail::SourceNode& source)
      : partition_(std::move(partition)), source_(&source) {}

  const TopicPartition& partition() const { return partition_; }
  detail::SourceNode& source() const { return *source_; }
  void add(Batch batch);
  bool empty() const { return batches_.empty(); }
  /// Of a queue that is not empty.
  const RecordView& head() const { return *at_; }
  std::int64_t head_timestamp_ms() const { return head_timestamp_ms_; }
  void pop();

  /// The offset of the next record to process; -1: not known yet.
  std::int64_t position() const { return position_; }
  /// Nothing before `offset` will come any more (control batches, aborted records).
  void advance_to(std::int64_t offset);
  /// The largest timestamp that was taken; -1 at first.
  std::int64_t time_ms() const { return time_ms_; }
  void set_time_ms(std::int64_t time) { time_ms_ = time; }

  /// Records that wait, and the bytes of their batches.
  std::int64_t records() const { return records_; }
  std::size_t bytes() const { return bytes_; }

 private:
  friend class PartitionGroup;
  void look_at_head();

  TopicPartition partition_;
  detail::SourceNode* source_;
  std::deque<Batch> batches_;
  Batch::Iterator at_;  // in the first batch
  std::int64_t head_timestamp_ms_ = -1;
  std::int64_t position_ = -1;
  std::int64_t time_ms_ = -1;
  std::int64_t records_ = 0;
  std::size_t bytes_ = 0;
  std::optional<std::int64_t> end_;
  std::optional<MonoTime> idle_since_;
};

class PartitionGroup {
 public:
  /// Absent: an empty partition never holds the others up.
  explicit PartitionGroup(std::optional<Duration> max_idle) : max_idle_(max_idle) {}

  RecordQueue& add_partition(TopicPartition partition, detail::SourceNode& source);
  /// nullptr: not of this task.
  RecordQueue* find(const TopicPartition& partition);
  const std::vector<std::unique_ptr<RecordQueue>>& queues() const { return queues_; }

  /// As the last answer to a fetch from `position` said it.
  void set_end(RecordQueue& queue, std::int64_t end) { queue.end_ = end; }

  /// The queue of the next record; nullptr: there is none, or an empty partition holds it up.
  RecordQueue* next(MonoTime now);
  /// When next() may have something without anything else happening; absent: never.
  std::optional<MonoTime> wake_at() const { return wake_at_; }
  /// Whether next() went on without a partition that has nothing.
  bool enforced() const { return enforced_; }

 private:
  std::optional<Duration> max_idle_;
  std::vector<std::unique_ptr<RecordQueue>> queues_;  // by topic and partition
  std::optional<MonoTime> wake_at_;
  bool enforced_ = false;
};

}  // namespace weir::streams
