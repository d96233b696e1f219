// A batch's header as the log sees it: kafka's layout (kafka/record_batch.h) with the log's types,
// over bytes that may hold no more than the header.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/ids.h"
#include "kafka/record_batch.h"

namespace weir::log {

using kafka::batch_header_bytes;
namespace at = kafka::batch_at;

/// A view of a batch's header; `bytes` holds at least batch_header_bytes.
class BatchHeader {
 public:
  explicit BatchHeader(std::string_view bytes) : p_(bytes.data()) {}
  Offset base_offset() const { return Offset(load_be<std::int64_t>(p_)); }
  /// Of the whole batch, from what it says of itself; at least 12, may be nonsense.
  std::int64_t total_bytes() const {
    return std::int64_t{kafka::batch_prefix_bytes} + load_be<std::int32_t>(p_ + at::length);
  }
  LeaderEpoch leader_epoch() const {
    return LeaderEpoch(load_be<std::int32_t>(p_ + at::leader_epoch));
  }
  std::int8_t magic() const { return static_cast<std::int8_t>(p_[at::magic]); }
  std::uint32_t crc() const { return load_be<std::uint32_t>(p_ + at::crc); }
  std::int16_t attributes() const { return load_be<std::int16_t>(p_ + at::attributes); }
  std::int32_t last_offset_delta() const {
    return load_be<std::int32_t>(p_ + at::last_offset_delta);
  }
  /// Only if its offsets are possible.
  Offset last_offset() const { return base_offset() + last_offset_delta(); }
  /// No negative ones, and none behind the last that can be counted: the base offset is outside
  /// the checksum, so a disk may have made it anything.
  bool offsets_are_possible() const {
    return counts_records() && base_offset() >= Offset(0) &&
           base_offset() < Offset(INT64_MAX) - last_offset_delta();
  }
  /// The same of its records alone, wherever they stand.
  bool counts_records() const {
    return last_offset_delta() >= 0 && last_offset_delta() < INT32_MAX;
  }
  std::int64_t base_timestamp() const { return load_be<std::int64_t>(p_ + at::base_timestamp); }
  std::int64_t max_timestamp() const { return load_be<std::int64_t>(p_ + at::max_timestamp); }
  ProducerId producer_id() const { return ProducerId(load_be<std::int64_t>(p_ + at::producer_id)); }
  ProducerEpoch producer_epoch() const {
    return ProducerEpoch(load_be<std::int16_t>(p_ + at::producer_epoch));
  }
  std::int32_t base_sequence() const { return load_be<std::int32_t>(p_ + at::base_sequence); }
  std::int32_t record_count() const { return load_be<std::int32_t>(p_ + at::record_count); }
  bool is_transactional() const { return (attributes() & kafka::batch_bits::transactional) != 0; }
  bool is_control() const { return (attributes() & kafka::batch_bits::control) != 0; }
  bool is_log_append_time() const {
    return (attributes() & kafka::batch_bits::log_append_time) != 0;
  }

 private:
  const char* p_;
};

/// The batch at the front of `bytes` if it is whole and its checksum holds, else an empty view.
inline std::string_view whole_batch(std::string_view bytes) {
  if (bytes.size() < batch_header_bytes) return {};
  const BatchHeader header(bytes);
  const std::int64_t size = header.total_bytes();
  if (header.magic() != kafka::batch_magic ||
      size < static_cast<std::int64_t>(batch_header_bytes) ||
      static_cast<std::uint64_t>(size) > bytes.size() || !header.counts_records())
    return {};
  const std::string_view batch = bytes.substr(0, static_cast<std::size_t>(size));
  if (crc32c(batch.substr(at::attributes)) != header.crc()) return {};
  return batch;
}

}  // namespace weir::log
