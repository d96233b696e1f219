#include "kafka/batch_builder.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/crc32c.h"
#include "kafka/record_encoding.h"

namespace weir::kafka {
namespace {

/// Bytes of a record behind its length.
std::size_t body_size(std::int64_t timestamp_delta, std::int32_t offset_delta,
                      std::optional<std::string_view> key, std::optional<std::string_view> value,
                      std::span<const Header> headers) {
  std::size_t size = 1 + uvarint_size(zigzag(timestamp_delta)) +
                     uvarint_size(zigzag(offset_delta)) + run_size(key) + run_size(value) +
                     uvarint_size(zigzag(static_cast<std::int64_t>(headers.size())));
  for (const Header& header : headers) size += run_size(header.key) + run_size(header.value);
  return size;
}

std::size_t record_size(std::size_t body) {
  return uvarint_size(zigzag(static_cast<std::int64_t>(body))) + body;
}

char* put_run(char* p, std::optional<std::string_view> run) {
  if (!run) return put_uvarint(p, zigzag(std::int32_t{-1}));
  p = put_uvarint(p, zigzag(static_cast<std::int64_t>(run->size())));
  return p + run->copy(p, run->size());
}

}  // namespace

BatchBuilder::BatchBuilder(std::size_t capacity)
    : capacity_(std::max(capacity, batch_header_bytes)) {}

void BatchBuilder::reserve(std::size_t more) {
  if (buffer_.size() >= size_ + more) return;
  Slice larger = Slice::allocate(std::max({capacity_, size_ + more, buffer_.size() * 2}));
  if (count_ != 0) std::memcpy(larger.mutable_data(), buffer_.data(), size_);
  buffer_ = std::move(larger);
}

std::size_t BatchBuilder::size_with(std::int64_t timestamp, std::optional<std::string_view> key,
                                    std::optional<std::string_view> value,
                                    std::span<const Header> headers) const {
  const auto delta = count_ == 0 ? 0 : wrapping_subtract(timestamp, base_timestamp_);
  return size_ + record_size(body_size(delta, count_, key, value, headers));
}

void BatchBuilder::append(std::int64_t timestamp, std::optional<std::string_view> key,
                          std::optional<std::string_view> value, std::span<const Header> headers) {
  if (count_ == 0) base_timestamp_ = timestamp;
  const auto delta = wrapping_subtract(timestamp, base_timestamp_);
  const std::size_t body = body_size(delta, count_, key, value, headers);
  const std::size_t whole = record_size(body);
  check(whole < std::numeric_limits<std::int32_t>::max() - size_ &&
            count_ < std::numeric_limits<std::int32_t>::max(),
        "batch builder: a batch over 2 GiB");
  reserve(whole);
  char* p = buffer_.mutable_data() + size_;
  p = put_uvarint(p, zigzag(static_cast<std::int64_t>(body)));
  *p++ = '\0';
  p = put_uvarint(p, zigzag(delta));
  p = put_uvarint(p, zigzag(count_));
  p = put_run(p, key);
  p = put_run(p, value);
  p = put_uvarint(p, zigzag(static_cast<std::int64_t>(headers.size())));
  for (const Header& header : headers) p = put_run(put_run(p, header.key), header.value);
  size_ += whole;
  check(p == buffer_.data() + size_, "batch builder: a record is not as long as reckoned");
  ++count_;
  max_timestamp_ = std::max(max_timestamp_, timestamp);
}

Result<Slice> BatchBuilder::finish(const BatchOptions& options) {
  check(count_ > 0, "batch builder: finish without a record");
  Slice batch = std::move(buffer_);
  if (options.codec == compress::Codec::none) {
    batch = batch.sub(0, size_);
  } else {
    std::string packed;
    const auto payload = batch.view().substr(batch_header_bytes, size_ - batch_header_bytes);
    if (auto r = compress::compress(options.codec, options.level, payload, packed); !r)
      return fail(std::move(r.error()));
    batch = Slice::allocate(batch_header_bytes + packed.size());
    packed.copy(batch.mutable_data() + batch_header_bytes, packed.size());
  }
  std::int16_t attributes = static_cast<std::int16_t>(options.codec);
  if (options.transactional) attributes |= batch_bits::transactional;
  if (options.control) attributes |= batch_bits::control;

  char* p = batch.mutable_data();
  store_be(p + batch_at::base_offset, options.base_offset);
  store_be(p + batch_at::length, static_cast<std::int32_t>(batch.size() - batch_prefix_bytes));
  store_be(p + batch_at::leader_epoch, options.leader_epoch);
  store_be(p + batch_at::magic, batch_magic);
  store_be(p + batch_at::attributes, attributes);
  store_be(p + batch_at::last_offset_delta, count_ - 1);
  store_be(p + batch_at::base_timestamp, base_timestamp_);
  store_be(p + batch_at::max_timestamp, max_timestamp_);
  store_be(p + batch_at::producer_id, options.producer_id);
  store_be(p + batch_at::producer_epoch, options.producer_epoch);
  store_be(p + batch_at::base_sequence, options.base_sequence);
  store_be(p + batch_at::record_count, count_);
  store_be(p + batch_at::crc, crc32c(batch.view().substr(batch_at::attributes)));
  *this = BatchBuilder(capacity_);
  return batch;
}

Slice make_end_marker(const EndMarkerBatch& batch) {
  char key[4];
  store_be(key, std::int16_t{0});
  store_be(key + 2, static_cast<std::int16_t>(batch.marker.commit ? ControlType::commit
                                                                  : ControlType::abort));
  char value[6];
  store_be(value, std::int16_t{0});
  store_be(value + 2, batch.marker.coordinator_epoch);
  BatchBuilder builder(128);
  builder.append(batch.timestamp, std::string_view(key, sizeof key),
                 std::string_view(value, sizeof value));
  auto made = builder.finish({.producer_id = batch.producer_id,
                              .producer_epoch = batch.producer_epoch,
                              .transactional = true,
                              .control = true,
                              .base_offset = batch.base_offset,
                              .leader_epoch = batch.leader_epoch});
  check(made.has_value(), "an end marker is not compressed");
  return std::move(*made);
}

}  // namespace weir::kafka
