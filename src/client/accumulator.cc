#include "client/accumulator.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "kafka/partitioner.h"

namespace weir::client {
namespace {

// What a record that waits for its topic takes beside its bytes.
constexpr std::size_t waiting_overhead_bytes = 160;
// A batch with less room than this is full: no record of sense fits.
constexpr std::size_t smallest_record_bytes = 16;

}  // namespace

Accumulator::Accumulator(const ProducerOptions& options, const Clock& clock, std::uint64_t seed,
                         std::function<void()> wake, Senders senders)
    : options_(options),
      clock_(clock),
      wall_time_(clock),
      wake_(std::move(wake)),
      senders_(senders),
      rng_(seed) {}

Result<void> Accumulator::append(const ProducerRecord& record, DeliveryCallback& done, Room room) {
  Result<void> result;
  bool wake = false;
  {
    const auto lock = locked();
    if (closed_) return fail(*closed_);
    if (refused_) return fail(*refused_);
    Piece piece{record.key, record.value, {}, record.partition, 0};
    piece.timestamp_ms =
        record.timestamp ? record.timestamp->time_since_epoch().count() : wall_time_.now_ms();
    if (!record.headers.empty()) {
      header_scratch_.clear();
      for (const Header& header : record.headers)
        header_scratch_.push_back({header.key, header.value});
      piece.headers = header_scratch_;
    }
    TopicQueue& topic = topic_queue(record.topic);
    const bool may_exceed = room == Room::beyond;
    result = topic.partitions.empty() ? wait_for_topic(topic, piece, done, may_exceed)
                                      : place(topic, piece, done, may_exceed, 0);
    wake = std::exchange(wake_needed_, false) && !std::exchange(woken_, true);
  }
  if (wake) wake_();
  return result;
}

Accumulator::TopicQueue& Accumulator::topic_queue(std::string_view name) {
  for (TopicQueue* recent : recent_topics_)
    if (recent != nullptr && recent->name == name) return *recent;
  auto found = topics_.find(name);
  if (found == topics_.end()) {
    found = topics_.emplace(std::string(name), std::make_unique<TopicQueue>()).first;
    found->second->name = found->first;
    new_topics_.push_back(found->first);
    wake_needed_ = true;
  }
  TopicQueue& queue = *found->second;
  recent_topics_[next_recent_++ % recent_topics_.size()] = &queue;
  return queue;
}

bool Accumulator::has_room(std::size_t charge) {
  // A record larger than the whole buffer goes alone.
  if (used_ + charge <= options_.buffer_bytes || used_ == 0) return true;
  starved_ = wake_needed_ = true;
  return false;
}

Result<std::size_t> Accumulator::choose_partition(TopicQueue& topic, const Piece& piece) {
  const std::size_t count = topic.partitions.size();
  if (piece.partition) {
    if (*piece.partition < 0 || static_cast<std::size_t>(*piece.partition) >= count)
      return fail(Errc::invalid_argument, fmt::format("{}: no partition {}, it has {}", topic.name,
                                                      *piece.partition, count));
    return static_cast<std::size_t>(*piece.partition);
  }
  if (piece.key)
    return static_cast<std::size_t>(
        kafka::partition_for_key(*piece.key, static_cast<std::int32_t>(count)));
  return topic.sticky;
}

void Accumulator::change_sticky(TopicQueue& topic) {
  if (topic.with_leader.empty()) {
    topic.sticky = rng_.below(topic.partitions.size());
  } else {
    topic.sticky =
        static_cast<std::size_t>(topic.with_leader[rng_.below(topic.with_leader.size())]);
  }
}

Result<void> Accumulator::place(TopicQueue& topic, const Piece& piece, DeliveryCallback& done,
                                bool may_exceed, std::uint64_t inherited_id) {
  for (bool changed = false;; changed = true) {
    const auto index = choose_partition(topic, piece);
    if (!index) return fail(index.error());
    PartitionQueue& queue = *topic.partitions[*index];
    ProducerBatch* batch =
        queue.batches.empty() || queue.batches.back()->full ? nullptr : queue.batches.back().get();
    if (batch != nullptr && batch->builder.size_with(piece.timestamp_ms, piece.key, piece.value,
                                                     piece.headers) > options_.batch_bytes) {
      batch->full = wake_needed_ = true;
      batch = nullptr;
      if (!piece.key && !piece.partition && !changed) {
        change_sticky(topic);
        continue;
      }
    }
    if (batch == nullptr) {
      auto fresh = std::make_unique<ProducerBatch>(options_.batch_bytes);
      const std::size_t size =
          fresh->builder.size_with(piece.timestamp_ms, piece.key, piece.value, piece.headers);
      if (size > options_.max_request_bytes)
        return fail(Errc::message_too_large,
                    fmt::format("{}-{}: a record of {} bytes, at most {} (max_request_bytes)",
                                topic.name, *index, size, options_.max_request_bytes));
      fresh->charge = std::max(size, options_.batch_bytes);
      if (!may_exceed && !has_room(fresh->charge))
        return fail(Errc::queue_full,
                    fmt::format("{}-{}: {} bytes wait for their acknowledgement, at most {} "
                                "(buffer_bytes)",
                                topic.name, *index, used_, options_.buffer_bytes));
      used_ += fresh->charge;
      fresh->id = ++last_id_;
      fresh->created = clock_.now();
      incomplete_.insert(incomplete_.end(), fresh->id);
      batch = fresh.get();
      queue.batches.push_back(std::move(fresh));
      activate_locked(queue);
      if (batch->created + options_.linger < looks_at_ || starved_) wake_needed_ = true;
    }
    batch->builder.append(piece.timestamp_ms, piece.key, piece.value, piece.headers);
    if (done)
      batch->deliveries.push_back({batch->record_count, piece.timestamp_ms, std::move(done)});
    if (inherited_id != 0) batch->inherited_ids.push_back(inherited_id);
    ++batch->record_count;
    if (batch->builder.size() + smallest_record_bytes > options_.batch_bytes) {
      batch->full = wake_needed_ = true;
      if (!piece.key && !piece.partition) change_sticky(topic);
    }
    return {};
  }
}

Result<void> Accumulator::wait_for_topic(TopicQueue& topic, const Piece& piece,
                                         DeliveryCallback& done, bool may_exceed) {
  WaitingRecord record{
      .id = 0,
      .deadline = clock_.now() + std::min(options_.max_block, options_.delivery_timeout),
      .key = {},
      .value = {},
      .headers = {},
      .partition = piece.partition,
      .timestamp_ms = piece.timestamp_ms,
      .done = {},
      .charge = waiting_overhead_bytes};
  if (piece.key) record.charge += record.key.emplace(*piece.key).size();
  if (piece.value) record.charge += record.value.emplace(*piece.value).size();
  for (const kafka::Header& header : piece.headers) {
    auto& kept = record.headers.emplace_back(std::string(header.key), std::nullopt);
    if (header.value) kept.second = std::string(*header.value);
    record.charge += kept.first.size() + (header.value ? header.value->size() : 0);
  }
  if (record.charge > options_.max_request_bytes)
    return fail(Errc::message_too_large,
                fmt::format("{}: a record of {} bytes, at most {} (max_request_bytes)", topic.name,
                            record.charge, options_.max_request_bytes));
  if (!may_exceed && !has_room(record.charge))
    return fail(Errc::queue_full,
                fmt::format("{}: not known yet, and no room for more records", topic.name));
  used_ += record.charge;
  record.id = ++last_id_;
  incomplete_.insert(incomplete_.end(), record.id);
  record.done = std::move(done);
  if (topic.waiting.empty()) wake_needed_ = true;
  topic.waiting.push_back(std::move(record));
  return {};
}

void Accumulator::wait_for_room(std::chrono::nanoseconds timeout) {
  check(senders_ == Senders::any_thread, "the loop never waits for room");
  std::unique_lock lock(mutex_);
  room_.wait_for(lock, timeout, [this] { return !starved_ || closed_ || refused_; });
}

std::size_t Accumulator::used_bytes() const {
  const auto lock = locked();
  return used_;
}

void Accumulator::close(Error why) {
  const auto lock = locked();
  if (!closed_) closed_ = std::move(why);
  room_.notify_all();
}

void Accumulator::refuse(std::optional<Error> why) {
  const auto lock = locked();
  refused_ = std::move(why);
  if (refused_) room_.notify_all();
}

std::vector<std::string> Accumulator::take_new_topics() {
  const auto lock = locked();
  woken_ = false;
  looks_at_ = MonoTime::max();  // what comes while it looks, it may not see
  return std::exchange(new_topics_, {});
}

void Accumulator::looks_at(MonoTime when) {
  const auto lock = locked();
  looks_at_ = when;
}

std::vector<FailedRecord> Accumulator::set_partitions(
    const std::string& name, std::size_t count, const std::vector<std::int32_t>& with_leader) {
  std::vector<FailedRecord> failed;
  const auto lock = locked();
  const auto found = topics_.find(name);
  if (found == topics_.end() || count == 0) return failed;
  TopicQueue& topic = *found->second;
  const bool first = topic.partitions.empty();
  while (topic.partitions.size() < count) {
    auto queue = std::make_unique<PartitionQueue>();
    queue->topic = name;
    queue->partition = static_cast<std::int32_t>(topic.partitions.size());
    topic.partitions.push_back(std::move(queue));
  }
  topic.with_leader = with_leader;
  if (first) change_sticky(topic);
  std::vector<kafka::Header> headers;
  for (WaitingRecord& record : topic.waiting) {
    headers.clear();
    for (const auto& [key, value] : record.headers) headers.push_back({key, value});
    used_ -= record.charge;
    auto placed =
        place(topic, {record.key, record.value, headers, record.partition, record.timestamp_ms},
              record.done, true, record.id);
    if (!placed) failed.push_back({name, record.id, 0, std::move(record.done), placed.error()});
  }
  topic.waiting.clear();
  wake_needed_ = false;  // the loop is here already
  return failed;
}

std::vector<FailedRecord> Accumulator::take_waiting(const std::string* only, MonoTime now) {
  std::vector<FailedRecord> taken;
  const auto lock = locked();
  for (auto& [name, topic] : topics_) {
    if (only != nullptr && name != *only) continue;
    while (!topic->waiting.empty() && (only != nullptr || topic->waiting.front().deadline <= now)) {
      WaitingRecord& record = topic->waiting.front();
      taken.push_back({name, record.id, record.charge, std::move(record.done), Error(Errc::none)});
      topic->waiting.pop_front();
    }
  }
  return taken;
}

MonoTime Accumulator::next_waiting_deadline() const {
  const auto lock = locked();
  MonoTime next = MonoTime::max();
  for (const auto& [name, topic] : topics_)
    if (!topic->waiting.empty()) next = std::min(next, topic->waiting.front().deadline);
  return next;
}

void Accumulator::activate(PartitionQueue& queue) {
  const auto lock = locked();
  activate_locked(queue);
}

void Accumulator::activate_locked(PartitionQueue& queue) {
  if (std::exchange(queue.active, true)) return;
  active_.push_back(&queue);
}

MonoTime Accumulator::ready_at(const PartitionQueue& queue) const {
  if (queue.batches.empty()) return MonoTime::max();
  const ProducerBatch& front = *queue.batches.front();
  if (front.full || queue.batches.size() > 1 || starved_ || closed_ || front.id <= flush_id_)
    return MonoTime::min();
  return front.created + options_.linger;
}

std::unique_ptr<ProducerBatch> Accumulator::take_front(PartitionQueue& queue) {
  check(!queue.batches.empty(), "accumulator: nothing to take");
  auto batch = std::move(queue.batches.front());
  queue.batches.pop_front();
  batch->full = true;
  return batch;
}

void Accumulator::complete(const ProducerBatch& batch) {
  const auto lock = locked();
  incomplete_.erase(batch.id);
  for (const std::uint64_t id : batch.inherited_ids) incomplete_.erase(id);
}

void Accumulator::complete_waiting(const FailedRecord& record) {
  const auto lock = locked();
  incomplete_.erase(record.id);
}

void Accumulator::release(std::size_t charge) {
  if (charge == 0) return;
  const auto lock = locked();
  check(charge <= used_, "accumulator: more given back than taken");
  used_ -= charge;
  if (std::exchange(starved_, false)) room_.notify_all();
}

std::uint64_t Accumulator::flush() {
  const auto lock = locked();
  return flush_id_ = last_id_;
}

bool Accumulator::is_flushed(std::uint64_t id) const {
  const auto lock = locked();
  return incomplete_.empty() || *incomplete_.begin() > id;
}

}  // namespace weir::client
