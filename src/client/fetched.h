// Fetched bytes: counted against the consumer's budget while anybody holds them, and opened into
// batches of checked records.
#pragma once

#include <weir/record.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "kafka/record_batch.h"

namespace weir::client {

/// Bytes that are fetched and not yet let go. Threads: any; batches may outlive the consumer.
class FetchBudget {
 public:
  FetchBudget(std::size_t limit, std::function<void()> wake)
      : limit_(limit), wake_(std::move(wake)) {}
  std::size_t limit() const { return limit_; }
  std::size_t used() const { return used_.load(std::memory_order_relaxed); }
  void take(std::size_t bytes) { used_.fetch_add(bytes, std::memory_order_relaxed); }
  void give_back(std::size_t bytes);
  /// The next give_back() wakes the loop.
  void want_wake() { wake_wanted_ = true; }
  /// The consumer is gone: nobody is woken any more.
  void detach();

 private:
  const std::size_t limit_;
  std::atomic<std::size_t> used_{0};
  std::atomic<bool> wake_wanted_{false};
  std::mutex mutex_;
  std::function<void()> wake_;  // under the mutex
};

/// A frame, or what was decompressed from a batch of it.
class FetchedBytes {
 public:
  FetchedBytes(Slice bytes, std::shared_ptr<FetchBudget> budget)
      : bytes_(std::move(bytes)), budget_(std::move(budget)) {
    budget_->take(bytes_.held_bytes());
  }
  ~FetchedBytes() { budget_->give_back(bytes_.held_bytes()); }
  FetchedBytes(const FetchedBytes&) = delete;
  const Slice& slice() const { return bytes_; }
  const std::shared_ptr<FetchBudget>& budget() const { return budget_; }

 private:
  Slice bytes_;
  std::shared_ptr<FetchBudget> budget_;  // shared with every batch and the consumer
};

/// A batch as it came. Shared ownership: batches of one frame are let go one by one.
struct RawBatch {
  std::shared_ptr<const TopicPartition> partition;
  std::shared_ptr<const FetchedBytes> frame;
  kafka::BatchView view;
  std::int64_t from = 0;         // records before this offset are not asked for
  std::int32_t from_epoch = -1;  // of the record before it
  std::uint64_t generation = 0;
  bool aborted = false;  // of a transaction that was: only its offsets count
};

/// Checks (CRC if `check_crc`), decompresses, and looks at every record. Nothing if there is no
/// record to hand out. Errc::corrupt_message, invalid_record, unsupported_compression_type, with
/// the place in the message.
Result<std::optional<Batch>> open_batch(const RawBatch& raw, bool check_crc);

struct OpenedBatches {
  std::vector<Batch> batches;
  /// From the first that could not be opened on: give them back to the consumer.
  std::vector<RawBatch> undone;
  std::optional<Error> error;
};
OpenedBatches open_batches(std::vector<RawBatch> raws, bool check_crc);

}  // namespace weir::client
