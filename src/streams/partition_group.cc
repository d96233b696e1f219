#include "streams/partition_group.h"

#include <algorithm>

namespace weir::streams {

void RecordQueue::add(Batch batch) {
  records_ += batch.size();
  bytes_ += batch.size_bytes();
  batches_.push_back(std::move(batch));
  if (batches_.size() > 1) return;
  at_ = batches_.front().begin();
  look_at_head();
}

void RecordQueue::pop() {
  time_ms_ = std::max(time_ms_, head_timestamp_ms_);
  position_ = at_->offset() + 1;
  --records_;
  ++at_;
  look_at_head();
}

/// The first record that has a timestamp is the head; those before it are passed over.
void RecordQueue::look_at_head() {
  while (!batches_.empty()) {
    if (at_ == batches_.front().end()) {
      position_ = std::max(position_, batches_.front().next_offset());
      bytes_ -= batches_.front().size_bytes();
      batches_.pop_front();
      if (!batches_.empty()) at_ = batches_.front().begin();
      continue;
    }
    head_timestamp_ms_ = source_->timestamp_of(*at_, time_ms_);
    if (head_timestamp_ms_ >= 0) return;
    position_ = at_->offset() + 1;
    --records_;
    source_->passed_over();
    ++at_;
  }
}

void RecordQueue::advance_to(std::int64_t offset) {
  if (batches_.empty()) position_ = std::max(position_, offset);
}

RecordQueue& PartitionGroup::add_partition(TopicPartition partition, detail::SourceNode& source) {
  auto queue = std::make_unique<RecordQueue>(std::move(partition), source);
  const auto at = std::ranges::lower_bound(
      queues_, queue->partition(), {},
      [](const auto& other) -> const TopicPartition& { return other->partition(); });
  return **queues_.insert(at, std::move(queue));
}

RecordQueue* PartitionGroup::find(const TopicPartition& partition) {
  for (const auto& queue : queues_)
    if (queue->partition() == partition) return queue.get();
  return nullptr;
}

RecordQueue* PartitionGroup::next(MonoTime now) {
  RecordQueue* best = nullptr;
  bool waits = false;
  enforced_ = false;
  wake_at_.reset();
  for (const auto& queue : queues_) {
    if (!queue->empty()) {
      queue->idle_since_.reset();
      if (best == nullptr || queue->head_timestamp_ms() < best->head_timestamp_ms())
        best = queue.get();
      continue;
    }
    if (!max_idle_) continue;
    if (!queue->end_ || *queue->end_ > queue->position()) {
      waits = true;
      continue;
    }
    if (!queue->idle_since_) queue->idle_since_ = now;
    const MonoTime until = *queue->idle_since_ + *max_idle_;
    if (until <= now) {
      enforced_ = true;
      continue;
    }
    waits = true;
    wake_at_ = wake_at_ ? std::min(*wake_at_, until) : until;
  }
  return waits ? nullptr : best;
}

}  // namespace weir::streams
