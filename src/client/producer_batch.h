// A batch from its first record to its answer, and the queue of one partition.
#pragma once

#include <weir/producer.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "kafka/batch_builder.h"

namespace weir::client {

struct Delivery {
  std::int32_t index;  // of the record in its batch
  std::int64_t timestamp_ms;
  DeliveryCallback done;
};

/// Who writes a batch, as the broker tells repeated ones from new ones.
struct ProducerIdentity {
  std::int64_t id = -1;
  std::int16_t epoch = -1;
  bool operator==(const ProducerIdentity&) const = default;
};

/// The sequence `count` records behind `first`: 2^31 - 1 is followed by 0.
inline std::int32_t sequence_after(std::int32_t first, std::int32_t count) {
  return static_cast<std::int32_t>(
      (static_cast<std::uint32_t>(first) + static_cast<std::uint32_t>(count)) & 0x7fffffffU);
}

struct ProducerBatch {
  /// Batches that were one; what is done once for a batch is done by the last of them.
  struct Siblings {
    int untold = 1;
    int unsettled = 1;
  };

  explicit ProducerBatch(std::size_t capacity) : builder(capacity) {}

  std::uint64_t id = 0;  // rises in the order of records, within a partition too
  std::vector<std::uint64_t> inherited_ids;  // of records that waited for their topic
  kafka::BatchBuilder builder;               // until it is sealed
  Slice bytes;                               // after that
  std::size_t charge = 0;                    // of the buffer
  MonoTime created{};
  bool full = false;
  std::int32_t record_count = 0;
  std::vector<Delivery> deliveries;

  // Loop only.
  ProducerIdentity identity;
  std::int32_t base_sequence = -1;
  std::uint64_t ordinal = 0;  // how many batches of its partition were taken before it
  unsigned tries = 0;
  std::int32_t first_record = 0;       // of the batch that this was a part of
  std::shared_ptr<Siblings> siblings;  // absent: it was never split
  bool told = false;  // its callbacks were called (it expired); its request is still under way

  bool is_before(const ProducerBatch& other) const {
    return id != other.id ? id < other.id : first_record < other.first_record;
  }
  MonoTime deadline(Duration delivery_timeout) const { return created + delivery_timeout; }
};

/// A record that failed before it came into a batch.
struct FailedRecord {
  std::string topic;
  std::uint64_t id = 0;
  std::size_t charge = 0;
  DeliveryCallback done;
  Error error{Errc::none};
};

/// Everything of one partition. `batches` is under the lock of the Accumulator, `active` too; the
/// rest belongs to the loop.
struct PartitionQueue {
  std::string topic;
  std::int32_t partition = 0;
  std::deque<std::unique_ptr<ProducerBatch>> batches;
  bool active = false;

  std::deque<std::unique_ptr<ProducerBatch>> retries;  // in the order of their ids
  int in_flight = 0;
  std::uint64_t next_ordinal = 1;  // 0: not taken yet
  std::deque<std::uint64_t> open;  // ordinals of batches taken and not settled, ascending
  unsigned failures = 0;           // in a row
  MonoTime retry_at{};
  /// A batch failed: nothing is sent until all that are under way are answered, so that what is
  /// sent again comes before what was sent later.
  bool recovering = false;
  /// The sequence is broken: the next batches begin anew with the producer's newest epoch.
  bool restart = false;
  ProducerIdentity identity;
  std::int32_t next_sequence = 0;
  /// The producer id of which the leader has acknowledged a batch. One that it does not know may
  /// begin with any sequence: if two batches were under way and the first was refused, the second
  /// would come before it.
  std::int64_t known_id = -1;
  std::int32_t leader = -1;  // where the batches under way went
  /// The last transaction whose batches may be sent: see TransactionCore::number().
  std::uint64_t transaction = 0;
};

}  // namespace weir::client
