// The one place that fills in a public Batch.
#pragma once

#include <weir/record.h>

namespace weir {
inline namespace v1 {
namespace detail {

struct BatchAccess {
  static Batch make(std::shared_ptr<const TopicPartition> partition,
                    std::shared_ptr<const void> bytes, const char* first, std::size_t size_bytes,
                    std::int32_t count) {
    Batch batch;
    batch.partition_ = std::move(partition);
    batch.bytes_ = std::move(bytes);
    batch.first_ = first;
    batch.size_bytes_ = size_bytes;
    batch.count_ = count;
    return batch;
  }
  static void set_base(Batch& batch, std::int64_t offset, std::int64_t timestamp,
                       bool append_time) {
    batch.base_offset_ = offset;
    batch.base_timestamp_ = timestamp;
    batch.append_time_ = append_time;
  }
  static void set_end(Batch& batch, std::int64_t next_offset, std::int32_t leader_epoch) {
    batch.next_offset_ = next_offset;
    batch.leader_epoch_ = leader_epoch;
  }
};

}  // namespace detail
}  // namespace v1
}  // namespace weir
