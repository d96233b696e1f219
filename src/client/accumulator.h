// Where send() puts records: open batches of every partition, within a bound, under one lock.
#pragma once

#include <weir/producer.h>

#include <array>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/rng.h"
#include "client/producer_batch.h"
#include "client/wall_time.h"

namespace weir::client {

/// The only object of the client that two threads touch: send() fills it on the application's
/// threads, a ProducerCore empties it on the loop. Posting each record to the loop would cost
/// more than all the rest of send(). Owner: a ProducerCore, whose options and clock it shares.
/// Threads: any, but for what says "loop".
class Accumulator {
 public:
  /// Who calls append(). With `loop` there is no lock: all is on the loop.
  enum class Senders : std::uint8_t { any_thread, loop };
  /// `wake` is called, from any thread and without the lock, when the loop should look again; once
  /// until it has.
  Accumulator(const ProducerOptions& options, const Clock& clock, std::uint64_t seed,
              std::function<void()> wake, Senders senders = Senders::any_thread);

  /// Whether a record may take more than `buffer_bytes`: `beyond` is for a caller that has its own
  /// bound and must not be refused in the middle of what it does.
  enum class Room : std::uint8_t { bounded, beyond };
  /// Copies a record in. queue_full: no room now; message_too_large, invalid_argument; the error
  /// given to close(). `done` is taken only if the record is.
  Result<void> append(const ProducerRecord& record, DeliveryCallback& done,
                      Room room = Room::bounded);
  /// Not the loop. Waits until there may be room for a record again, or for `timeout`.
  void wait_for_room(std::chrono::nanoseconds timeout);
  std::size_t used_bytes() const;

  /// Loop. append() fails with `why` from now on.
  void close(Error why);
  /// Loop. append() fails with `why`, until the next call; absent: it takes records.
  void refuse(std::optional<Error> why);
  /// Loop. It looks now: what changes after this wakes it again. Topics that were sent to for the
  /// first time since the last call.
  std::vector<std::string> take_new_topics();
  /// Loop. It looks by itself at this time at the latest, so what lingers until then need not wake
  /// it.
  void looks_at(MonoTime when);
  /// Loop. Records that waited for this go into their batches; those that fit nowhere (an explicit
  /// partition that does not exist) are failed by the caller. Partitions never become fewer.
  std::vector<FailedRecord> set_partitions(const std::string& topic, std::size_t count,
                                           const std::vector<std::int32_t>& with_leader);
  /// Loop. Takes out the records that wait for their topic: all of `topic`, or, if it is nullptr,
  /// those whose time is over.
  std::vector<FailedRecord> take_waiting(const std::string* topic, MonoTime now);

  /// Loop. Calls `look(partition)` for each partition with batches, in turn; the lock is held.
  template <class Look>
  void each_active(Look look) {
    const auto lock = locked();
    const std::size_t count = active_.size();
    if (count == 0) return;
    first_active_ = (first_active_ + 1) % count;
    for (std::size_t i = 0; i < count; ++i) look(*active_[(first_active_ + i) % count]);
    std::erase_if(active_, [](PartitionQueue* queue) {
      queue->active = !queue->batches.empty() || !queue->retries.empty();
      return !queue->active;
    });
  }
  /// Loop. A partition has something to send again.
  void activate(PartitionQueue& queue);
  /// Loop, inside each_active. When the front batch may go: the past if now.
  MonoTime ready_at(const PartitionQueue& queue) const;
  /// Loop, inside each_active. The front batch, closed to further records.
  std::unique_ptr<ProducerBatch> take_front(PartitionQueue& queue);
  /// Loop. The earliest moment at which a record's wait for its topic is over.
  MonoTime next_waiting_deadline() const;

  /// Loop. The batch was answered or has failed: flush() need not wait for it.
  void complete(const ProducerBatch& batch);
  /// Loop. Nobody reads the batch's bytes any more.
  void release(std::size_t charge);
  void complete_waiting(const FailedRecord& record);
  /// Loop. Everything up to the id returned is ready at once.
  std::uint64_t flush();
  /// True once everything up to `id` has been completed.
  bool is_flushed(std::uint64_t id) const;

 private:
  struct WaitingRecord {
    std::uint64_t id;
    MonoTime deadline;
    std::optional<std::string> key, value;
    std::vector<std::pair<std::string, std::optional<std::string>>> headers;
    std::optional<std::int32_t> partition;
    std::int64_t timestamp_ms;
    DeliveryCallback done;
    std::size_t charge;
  };
  struct TopicQueue {
    std::string name;
    std::vector<std::unique_ptr<PartitionQueue>> partitions;  // empty: not known yet
    std::vector<std::int32_t> with_leader;
    std::size_t sticky = 0;
    std::deque<WaitingRecord> waiting;
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };
  struct Piece {  // a record on its way into a batch
    std::optional<std::string_view> key, value;
    std::span<const kafka::Header> headers;
    std::optional<std::int32_t> partition;
    std::int64_t timestamp_ms;
  };

  std::unique_lock<std::mutex> locked() const {
    return senders_ == Senders::loop ? std::unique_lock<std::mutex>() : std::unique_lock(mutex_);
  }
  TopicQueue& topic_queue(std::string_view name);
  Result<void> place(TopicQueue& topic, const Piece& piece, DeliveryCallback& done, bool may_exceed,
                     std::uint64_t inherited_id);
  Result<void> wait_for_topic(TopicQueue& topic, const Piece& piece, DeliveryCallback& done,
                              bool may_exceed);
  Result<std::size_t> choose_partition(TopicQueue& topic, const Piece& piece);
  void change_sticky(TopicQueue& topic);
  bool has_room(std::size_t charge);
  void activate_locked(PartitionQueue& queue);

  const ProducerOptions& options_;
  const Clock& clock_;
  WallTime wall_time_;
  std::function<void()> wake_;
  const Senders senders_;
  mutable std::mutex mutex_;
  std::condition_variable room_;
  // All below: under the mutex.
  Rng rng_;
  std::optional<Error> closed_;
  std::optional<Error> refused_;
  std::size_t used_ = 0;
  bool starved_ = false;  // somebody found no room: nothing waits for its linger
  bool wake_needed_ = false;
  bool woken_ = false;  // and has not looked since
  MonoTime looks_at_ = MonoTime::max();
  std::uint64_t last_id_ = 0;
  std::uint64_t flush_id_ = 0;
  std::set<std::uint64_t> incomplete_;
  std::unordered_map<std::string, std::unique_ptr<TopicQueue>, TextHash, std::equal_to<>> topics_;
  std::array<TopicQueue*, 4> recent_topics_{};  // looked at before topics_
  std::size_t next_recent_ = 0;
  std::vector<std::string> new_topics_;
  std::vector<PartitionQueue*> active_;
  std::size_t first_active_ = 0;
  std::vector<kafka::Header> header_scratch_;
};

}  // namespace weir::client
