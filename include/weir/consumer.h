// Consumer: reads partitions in batches of record views; alone, or as a member of a group that
// shares the partitions of topics among its members.
//
// Settings have the names and, where not said, the defaults of Apache Kafka.
#pragma once

#include <weir/group.h>
#include <weir/interceptor.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace weir::client {
class Session;
}

namespace weir {
inline namespace v1 {

class TransactionalProducer;

/// Where to go on when a partition has no position, or one that the broker no longer has.
enum class OffsetReset : std::uint8_t {
  earliest,
  latest,
  none,         // poll() gives Errc::offset_out_of_range
  by_duration,  // the first record that is younger than `reset_duration`, else the latest
                // (KIP-1106)
};

/// Which records of transactions are read (KIP-98).
enum class Isolation : std::uint8_t {
  read_uncommitted,
  read_committed,  // up to the last stable offset, without those of aborted transactions
};

/// A position that the broker did not have any more, and what auto_offset_reset has made of it.
struct PositionReset {
  TopicPartition partition;
  std::int64_t from = -1;
  std::int64_t to = -1;
};

/// The log of a partition was cut and written anew below our position: records that poll() has
/// handed out are not in it any more (KIP-320).
struct LogTruncation {
  std::int64_t position = -1;
  /// Up to here what was read is in the log.
  std::int64_t diverging_offset = -1;
  std::int32_t diverging_epoch = -1;
};

/// How a commit ended; called on the client's thread.
using CommitCallback = std::function<void(Result<void>)>;

struct ConsumerOptions {
  /// `group.id`; empty: no group, nothing can be committed.
  std::string group = {};
  /// Subscribed to at once; others later by subscribe().
  std::vector<std::string> topics = {};
  OffsetReset auto_offset_reset = OffsetReset::latest;
  /// For OffsetReset::by_duration.
  std::chrono::milliseconds reset_duration{0};
  /// Told inside poll(), before it hands out anything from the new position: `to - from` records
  /// are skipped, or read again if that is negative. A first position is no reset.
  std::function<void(const PositionReset&)> on_reset = {};
  Isolation isolation = Isolation::read_uncommitted;
  /// The broker waits for this much data, up to `fetch_max_wait`.
  std::int32_t fetch_min_bytes = 1;
  std::chrono::milliseconds fetch_max_wait{500};
  std::int32_t fetch_max_bytes = 50 * 1024 * 1024;
  std::int32_t max_partition_fetch_bytes = 1024 * 1024;
  /// Fetched bytes that wait for poll() or are held by batches; no more is fetched above it.
  std::size_t prefetch_bytes = 64U * 1024 * 1024;
  /// About how many bytes one poll() hands out; at least one batch.
  std::size_t max_poll_bytes = 1024U * 1024;
  /// Compares each batch with its CRC-32C.
  bool check_crcs = true;
  std::chrono::milliseconds request_timeout{30'000};

  /// A static member: its partitions wait for it through a restart of up to `session_timeout`
  /// (KIP-345). Then close() does not leave the group.
  std::optional<std::string> group_instance_id = std::nullopt;
  /// In order of preference; empty: range and cooperative-sticky, as Kafka's clients, which is
  /// eager until all members offer cooperative-sticky alone. Each belongs to this consumer.
  std::vector<std::shared_ptr<Assignor>> assignors = {};
  std::shared_ptr<RebalanceObserver> observer = nullptr;
  /// Without a heartbeat for so long a member is out; the broker allows 6 s to 30 min.
  std::chrono::milliseconds session_timeout{45'000};
  std::chrono::milliseconds heartbeat_interval{3'000};
  /// Without a poll() for so long the member leaves and its partitions are lost.
  std::chrono::milliseconds max_poll_interval{300'000};
  /// Absent: nothing is committed unasked (Kafka's default is every 5 s). Else poll() commits what
  /// earlier polls handed out when so much time has passed, and so it is before partitions are
  /// revoked and in close().
  std::optional<std::chrono::milliseconds> auto_commit_interval = std::nullopt;
  /// Shown every batch, in their order.
  std::vector<std::shared_ptr<ConsumerInterceptor>> interceptors = {};
  /// Told to the group's leader; `client.rack`.
  std::optional<std::string> rack = std::nullopt;
};

struct OffsetAndTimestamp {
  std::int64_t offset = -1;
  Timestamp timestamp{};
  std::int32_t leader_epoch = -1;
};

/// Threads: one at a time, but commit_async() and group_metadata() from any. Every call that waits
/// has a deadline.
///
/// In a group, heartbeats go out on the client's thread; partitions come and go inside poll(). A
/// rebalance never stops the records of partitions that stay (with cooperative assignors).
class Consumer {
 public:
  Consumer(Consumer&&) noexcept;
  Consumer& operator=(Consumer&&) noexcept;
  /// Batches handed out stay valid. A member of a group leaves it, without the auto-commit and
  /// without telling the observer: close() before.
  ~Consumer();

  /// Becomes a member of the group, or changes what it reads; poll() does the rest.
  /// Errc::invalid_argument: no group, no topic, or partitions were assigned by hand.
  Result<void> subscribe(std::vector<std::string> topics);
  /// The topics whose whole name matches (RE2), but Kafka's internal ones; looked at again
  /// with every refresh of the metadata.
  Result<void> subscribe_pattern(const std::string& pattern);
  /// Leaves the group; tells the observer first.
  Result<void> unsubscribe();
  /// The topics it reads as a member now.
  std::vector<std::string> subscription() const;
  /// Commits (if auto-commit is on), tells the observer, and leaves the group: all within
  /// `timeout`. Every later call fails with Errc::closed.
  Result<void> close(std::chrono::milliseconds timeout);

  /// Reads these partitions and no others; those that were assigned before keep their position.
  /// With a group the others begin at its committed offsets.
  Result<void> assign(std::vector<TopicPartition> partitions);
  std::vector<TopicPartition> assignment() const;

  /// The next poll() starts at `offset`. Errc::invalid_argument if the partition is not assigned or
  /// the offset is negative.
  Result<void> seek(const TopicPartition& partition, std::int64_t offset);
  Result<void> seek_to_beginning(const TopicPartition& partition);
  Result<void> seek_to_end(const TopicPartition& partition);
  /// No records of a paused partition are handed out; its position stays.
  Result<void> pause(const std::vector<TopicPartition>& partitions);
  Result<void> resume(const std::vector<TopicPartition>& partitions);

  /// Batches that are here, else the first that come within `timeout`; empty if none came.
  ///
  /// Errors are of one partition, named in the message: authorization, offset_out_of_range (with
  /// OffsetReset::none, or if truncation() says so: until a seek), corrupt_message or
  /// invalid_record (the position stays before the batch: poll again, or seek past it).
  /// Errc::queue_full: the batches that the caller holds take all of `prefetch_bytes`. The other
  /// partitions go on with the next poll(). In a group also what ends the membership, from then on
  /// with each poll(): fenced_instance_id, group_authorization_failed, inconsistent_group_protocol,
  /// group_max_size_reached, ….
  Result<std::vector<Batch>> poll(std::chrono::milliseconds timeout);

  /// Commits the positions of all partitions: behind what poll() handed out, never what is only
  /// fetched. Errc::rebalance_in_progress, illegal_generation, unknown_member_id: other members may
  /// own some of it now; poll on, the group decides. invalid_argument: no group.
  Result<void> commit(std::chrono::milliseconds timeout = std::chrono::seconds(30));
  /// These offsets (of the next record to read). As a member: only of partitions that are owned,
  /// and only offsets that poll() came by since they are, else Errc::illegal_generation and nothing
  /// is sent: an offset kept from an earlier ownership would overwrite what the owners after us
  /// have done.
  Result<void> commit(const std::map<TopicPartition, OffsetAndMetadata>& offsets,
                      std::chrono::milliseconds timeout = std::chrono::seconds(30));
  /// Commits leave in the order of the calls, sync and async; at most 64 wait. Tried again for
  /// `request_timeout`, then `done` has the error. Not called if the consumer goes before.
  void commit_async(CommitCallback done = {});
  void commit_async(const std::map<TopicPartition, OffsetAndMetadata>& offsets,
                    CommitCallback done = {});
  /// The group's committed offsets; absent where there is none.
  Result<std::map<TopicPartition, std::optional<OffsetAndMetadata>>> committed(
      const std::vector<TopicPartition>& partitions, std::chrono::milliseconds timeout);
  GroupMetadata group_metadata() const;

  /// The offset of the next record that poll() would hand out. Waits if it must be asked for.
  Result<std::int64_t> position(const TopicPartition& partition, std::chrono::milliseconds timeout);
  /// Records between the position and the end as the last fetch saw it; absent before that.
  std::optional<std::int64_t> lag(const TopicPartition& partition) const;

  /// Whether poll() fails because the log has diverged from what it handed out. Whatever
  /// auto_offset_reset says, the application decides: usually to seek to the diverging offset.
  std::optional<LogTruncation> truncation(const TopicPartition& partition) const;

  /// The first offset whose timestamp is not before the given one; absent if there is none.
  Result<std::map<TopicPartition, std::optional<OffsetAndTimestamp>>> offsets_for_times(
      const std::map<TopicPartition, Timestamp>& times, std::chrono::milliseconds timeout);
  Result<std::map<TopicPartition, std::int64_t>> beginning_offsets(
      const std::vector<TopicPartition>& partitions, std::chrono::milliseconds timeout);
  /// High watermarks: the offset of the next record to be written, as far as it is durable; with
  /// Isolation::read_committed the last stable offsets.
  Result<std::map<TopicPartition, std::int64_t>> end_offsets(
      const std::vector<TopicPartition>& partitions, std::chrono::milliseconds timeout);

 private:
  friend class Client;
  friend class TransactionalProducer;
  struct Impl;
  friend struct Impl;
  /// What commit() would commit now, and for whom.
  Result<std::pair<std::map<TopicPartition, OffsetAndMetadata>, GroupMetadata>> to_commit() const;
  explicit Consumer(std::unique_ptr<Impl> impl);
  static Result<Consumer> open(std::shared_ptr<client::Session> session, ConsumerOptions options);
  std::unique_ptr<Impl> impl_;
};

}  // namespace v1
}  // namespace weir
