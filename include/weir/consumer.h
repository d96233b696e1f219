// Consumer: reads assigned partitions from chosen offsets, in batches of record views.
//
// Settings have the names and, where not said, the defaults of Apache Kafka.
#pragma once

#include <weir/record.h>

#include <chrono>
#include <cstdint>
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

/// Where to go on when a partition has no position, or one that the broker no longer has.
enum class OffsetReset : std::uint8_t {
  earliest,
  latest,
  none,  // poll() gives Errc::offset_out_of_range
};

struct ConsumerOptions {
  OffsetReset auto_offset_reset = OffsetReset::latest;
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
};

struct OffsetAndTimestamp {
  std::int64_t offset = -1;
  Timestamp timestamp{};
  std::int32_t leader_epoch = -1;
};

/// Threads: one at a time. Every call that waits has a deadline.
class Consumer {
 public:
  Consumer(Consumer&&) noexcept;
  Consumer& operator=(Consumer&&) noexcept;
  /// Batches handed out stay valid.
  ~Consumer();

  /// Reads these partitions and no others; those that were assigned before keep their position.
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
  /// OffsetReset::none), corrupt_message or invalid_record (the position stays before the batch:
  /// poll again, or seek past it). Errc::queue_full: the batches that the caller holds take all of
  /// `prefetch_bytes`. The other partitions go on with the next poll().
  Result<std::vector<Batch>> poll(std::chrono::milliseconds timeout);

  /// The offset of the next record that poll() would hand out. Waits if it must be asked for.
  Result<std::int64_t> position(const TopicPartition& partition, std::chrono::milliseconds timeout);
  /// Records between the position and the end as the last fetch saw it; absent before that.
  std::optional<std::int64_t> lag(const TopicPartition& partition) const;

  /// The first offset whose timestamp is not before the given one; absent if there is none.
  Result<std::map<TopicPartition, std::optional<OffsetAndTimestamp>>> offsets_for_times(
      const std::map<TopicPartition, Timestamp>& times, std::chrono::milliseconds timeout);
  Result<std::map<TopicPartition, std::int64_t>> beginning_offsets(
      const std::vector<TopicPartition>& partitions, std::chrono::milliseconds timeout);
  /// High watermarks: the offset of the next record to be written, as far as it is durable.
  Result<std::map<TopicPartition, std::int64_t>> end_offsets(
      const std::vector<TopicPartition>& partitions, std::chrono::milliseconds timeout);

 private:
  friend class Client;
  struct Impl;
  explicit Consumer(std::unique_ptr<Impl> impl);
  static Result<Consumer> open(std::shared_ptr<client::Session> session, ConsumerOptions options);
  std::unique_ptr<Impl> impl_;
};

}  // namespace v1
}  // namespace weir
