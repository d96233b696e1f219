// Makes record batches, format 2, in one buffer: each record is copied once, into its place.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>

#include "kafka/record_batch.h"

namespace weir::kafka {

struct BatchOptions {
  compress::Codec codec = compress::Codec::none;
  int level = compress::default_level;
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;
  std::int32_t base_sequence = -1;
  bool transactional = false;
  bool control = false;
  std::int64_t base_offset = 0;
  std::int32_t leader_epoch = -1;
};

/// One batch in the making. Threads: its owner's.
class BatchBuilder {
 public:
  /// Room for `capacity` bytes at once; more grows the buffer.
  explicit BatchBuilder(std::size_t capacity = 16U * 1024);

  /// Copies a record in. Timestamps are stored against the first record's. The record must fit:
  /// ask size_with() before, which says what the batch would take uncompressed.
  void append(std::int64_t timestamp, std::optional<std::string_view> key,
              std::optional<std::string_view> value, std::span<const Header> headers = {});

  bool empty() const { return count_ == 0; }
  std::int32_t record_count() const { return count_; }
  /// Bytes of the batch as it stands, uncompressed, with its header.
  std::size_t size() const { return size_; }
  std::size_t size_with(std::int64_t timestamp, std::optional<std::string_view> key,
                        std::optional<std::string_view> value,
                        std::span<const Header> headers = {}) const;

  /// The finished batch with its CRC. Uncompressed it is the buffer itself; the builder is empty
  /// afterwards and starts a new buffer with the next record.
  Result<Slice> finish(const BatchOptions& options);

 private:
  void reserve(std::size_t more);

  Slice buffer_;
  std::size_t capacity_;
  std::size_t size_ = batch_header_bytes;
  std::int32_t count_ = 0;
  std::int64_t base_timestamp_ = 0;
  std::int64_t max_timestamp_ = std::numeric_limits<std::int64_t>::min();
};

/// A control batch of one record that ends a transaction of (producer_id, producer_epoch).
struct EndMarkerBatch {
  EndMarker marker;
  std::int64_t base_offset = 0;
  std::int64_t timestamp = 0;
  std::int32_t leader_epoch = 0;
  std::int64_t producer_id = 0;
  std::int16_t producer_epoch = 0;
};
Slice make_end_marker(const EndMarkerBatch& batch);

}  // namespace weir::kafka
