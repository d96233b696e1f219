#include "kafka/batch_rewrite.h"

#include <algorithm>
#include <limits>

#include "base/crc32c.h"
#include "base/varint.h"
#include "kafka/record_encoding.h"

namespace weir::kafka {
namespace {

void append_run(std::string& out, const std::optional<std::string_view>& run) {
  if (!run) return append_uvarint(out, zigzag(std::int32_t{-1}));
  append_uvarint(out, zigzag(static_cast<std::int64_t>(run->size())));
  out += *run;
}

/// A batch with the header of `from` and this payload, still without lengths and CRC.
Slice with_header_of(const BatchView& from, std::string_view payload) {
  Slice out = Slice::allocate(batch_header_bytes + payload.size());
  from.bytes().copy(out.mutable_data(), batch_header_bytes);
  payload.copy(out.mutable_data() + batch_header_bytes, payload.size());
  return out;
}

void seal(Slice& batch) {
  char* p = batch.mutable_data();
  store_be(p + batch_at::length, static_cast<std::int32_t>(batch.size() - batch_prefix_bytes));
  store_be(p + batch_at::crc, crc32c(batch.view().substr(batch_at::attributes)));
}

Result<Slice> packed(const BatchView& from, compress::Codec codec, int level,
                     std::string_view records) {
  if (codec == compress::Codec::none) return with_header_of(from, records);
  std::string out;
  if (auto r = compress::compress(codec, level, records, out); !r)
    return fail(std::move(r.error()));
  return with_header_of(from, out);
}

Result<void> check_size(const Slice& batch) {
  if (batch.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
    return fail(Errc::limit_exceeded, "a batch that was written anew takes over 2 GiB");
  return {};
}

}  // namespace

BatchRewriter::BatchRewriter(const BatchView& batch, std::optional<std::int64_t> delete_horizon)
    : batch_(batch),
      base_timestamp_(delete_horizon.value_or(batch.base_timestamp())),
      has_horizon_(delete_horizon || batch.has_delete_horizon()) {}

void BatchRewriter::keep(const RecordView& record) {
  const std::int64_t delta = wrapping_subtract(record.timestamp, base_timestamp_);
  const auto offset_delta = static_cast<std::int32_t>(record.offset - batch_.base_offset());
  const auto headers = static_cast<std::int64_t>(record.headers.size());
  const std::size_t body = 1 + uvarint_size(zigzag(delta)) + uvarint_size(zigzag(offset_delta)) +
                           run_size(record.key) + run_size(record.value) +
                           uvarint_size(zigzag(headers)) + record.headers.bytes().size();
  append_uvarint(records_, zigzag(static_cast<std::int64_t>(body)));
  records_ += '\0';
  append_uvarint(records_, zigzag(delta));
  append_uvarint(records_, zigzag(offset_delta));
  append_run(records_, record.key);
  append_run(records_, record.value);
  append_uvarint(records_, zigzag(headers));
  records_ += record.headers.bytes();
  max_timestamp_ = std::max(max_timestamp_, record.timestamp);
  ++count_;
}

Result<Slice> BatchRewriter::finish() {
  auto codec = batch_.has_codec() ? batch_.codec() : compress::Codec::none;
  std::int16_t attributes = batch_.attributes();
  if (has_horizon_) attributes |= batch_bits::delete_horizon;
  if (count_ == 0) {
    // Nothing to compress, and no codec's notion of an empty stream to keep.
    codec = compress::Codec::none;
    attributes &= static_cast<std::int16_t>(~batch_bits::codec);
  }
  auto made = packed(batch_, codec, compress::default_level, records_);
  if (!made) return made;
  if (auto r = check_size(*made); !r) return fail(std::move(r.error()));
  char* p = made->mutable_data();
  store_be(p + batch_at::attributes, attributes);
  store_be(p + batch_at::base_timestamp, base_timestamp_);
  // Of an empty batch, and under LogAppendTime, the largest timestamp stays what it was.
  if (count_ > 0 && !batch_.is_log_append_time())
    store_be(p + batch_at::max_timestamp, max_timestamp_);
  store_be(p + batch_at::record_count, count_);
  seal(*made);
  return made;
}

Result<Slice> recompress(const BatchView& batch, compress::Codec codec, int level,
                         compress::Caps caps) {
  Slice content;
  std::string_view records = batch.payload();
  if (batch.codec() != compress::Codec::none) {
    auto plain = compress::decompress(batch.codec(), batch.payload(), caps);
    if (!plain) return fail(std::move(plain.error()));
    content = std::move(*plain);
    records = content.view();
  }
  auto made = packed(batch, codec, level, records);
  if (!made) return made;
  if (auto r = check_size(*made); !r) return fail(std::move(r.error()));
  const auto attributes = static_cast<std::int16_t>((batch.attributes() & ~batch_bits::codec) |
                                                    static_cast<std::int16_t>(codec));
  store_be(made->mutable_data() + batch_at::attributes, attributes);
  seal(*made);
  return made;
}

}  // namespace weir::kafka
