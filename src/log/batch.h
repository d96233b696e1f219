// The header fields of a record batch (format v2) that the log reads and writes, in place.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/ids.h"

namespace weir::log {

inline constexpr std::size_t batch_header_bytes = 61;

/// A view of a batch's header; `bytes` holds at least batch_header_bytes.
class BatchHeader {
 public:
  explicit BatchHeader(std::string_view bytes) : p_(bytes.data()) {}
  Offset base_offset() const { return Offset(load_be<std::int64_t>(p_)); }
  /// Of the whole batch, from what it says of itself; at least 12, may be nonsense.
  std::int64_t total_bytes() const { return std::int64_t{12} + load_be<std::int32_t>(p_ + 8); }
  LeaderEpoch leader_epoch() const { return LeaderEpoch(load_be<std::int32_t>(p_ + 12)); }
  std::int8_t magic() const { return static_cast<std::int8_t>(p_[16]); }
  std::uint32_t crc() const { return load_be<std::uint32_t>(p_ + 17); }
  std::int16_t attributes() const { return load_be<std::int16_t>(p_ + 21); }
  std::int32_t last_offset_delta() const { return load_be<std::int32_t>(p_ + 23); }
  Offset last_offset() const { return base_offset() + last_offset_delta(); }
  std::int64_t base_timestamp() const { return load_be<std::int64_t>(p_ + 27); }
  std::int64_t max_timestamp() const { return load_be<std::int64_t>(p_ + 35); }
  ProducerId producer_id() const { return ProducerId(load_be<std::int64_t>(p_ + 43)); }
  ProducerEpoch producer_epoch() const { return ProducerEpoch(load_be<std::int16_t>(p_ + 51)); }
  std::int32_t base_sequence() const { return load_be<std::int32_t>(p_ + 53); }
  std::int32_t record_count() const { return load_be<std::int32_t>(p_ + 57); }
  bool is_log_append_time() const { return (attributes() & 0x08) != 0; }

 private:
  const char* p_;
};

/// The batch at the front of `bytes` if it is whole and its checksum holds, else an empty view.
inline std::string_view whole_batch(std::string_view bytes) {
  if (bytes.size() < batch_header_bytes) return {};
  const BatchHeader header(bytes);
  const std::int64_t size = header.total_bytes();
  if (header.magic() != 2 || size < static_cast<std::int64_t>(batch_header_bytes) ||
      static_cast<std::uint64_t>(size) > bytes.size() || header.last_offset_delta() < 0)
    return {};
  const std::string_view batch = bytes.substr(0, static_cast<std::size_t>(size));
  if (crc32c(batch.substr(21)) != header.crc()) return {};
  return batch;
}

}  // namespace weir::log
