#include "kafka/record_batch.h"

#include <fmt/core.h>

#include <limits>

#include "base/crc32c.h"

namespace weir::kafka {
namespace {

/// Adds as Java does: a hostile header must not make the sum undefined.
std::int64_t wrapping_add(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

void seal(char* batch, std::size_t size) {
  store_be(batch + batch_at::crc,
           crc32c({batch + batch_at::attributes, size - batch_at::attributes}));
}

/// Takes a length and that many bytes; -1 is null. False if they are not there.
bool take_run(std::string_view& in, std::optional<std::string_view>& out) {
  std::int32_t size = 0;
  if (!take_varint(in, size) || size < -1) return false;
  if (size == -1) {
    out.reset();
    return true;
  }
  const auto n = static_cast<std::size_t>(size);
  if (n > in.size()) return false;
  out = in.substr(0, n);
  in.remove_prefix(n);
  return true;
}

bool take_header(std::string_view& in, Header& out) {
  std::optional<std::string_view> key;
  if (!take_run(in, key) || !key) return false;
  out.key = *key;
  return take_run(in, out.value);
}

/// Leaves `body` behind the headers, if they are well formed.
bool take_headers(std::string_view& body, HeaderRange& out) {
  std::int32_t count = 0;
  if (!take_varint(body, count) || count < 0) return false;
  const std::string_view start = body;
  Header header;
  for (std::int32_t i = 0; i < count; ++i)
    if (!take_header(body, header)) return false;
  out = HeaderRange(start.substr(0, start.size() - body.size()), static_cast<std::uint32_t>(count));
  return true;
}

}  // namespace

Result<BatchView> BatchView::parse(std::string_view bytes) {
  const auto corrupt = [](std::string why) {
    return fail(Errc::corrupt_message, "record batch: " + std::move(why));
  };
  if (bytes.size() < batch_header_bytes)
    return corrupt(fmt::format("{} bytes are no header", bytes.size()));
  const auto magic = static_cast<std::int8_t>(bytes[batch_at::magic]);
  if (magic != batch_magic) return corrupt(fmt::format("magic {}, want {}", magic, batch_magic));
  const auto length = load_be<std::int32_t>(bytes.data() + batch_at::length);
  if (length < static_cast<std::int32_t>(batch_header_bytes - batch_prefix_bytes))
    return corrupt(fmt::format("length {} is below that of a header", length));
  const std::size_t size = static_cast<std::size_t>(length) + batch_prefix_bytes;
  if (size > bytes.size())
    return corrupt(fmt::format("cut short: {} of {} bytes", bytes.size(), size));
  return BatchView(bytes.substr(0, size));
}

std::int32_t BatchView::last_sequence() const {
  if (base_sequence() < 0) return -1;
  const auto sum =
      static_cast<std::uint32_t>(base_sequence()) + static_cast<std::uint32_t>(last_offset_delta());
  return static_cast<std::int32_t>(sum & 0x7fffffffU);
}

std::uint32_t BatchView::compute_crc() const { return crc32c(bytes_.substr(batch_at::attributes)); }

Result<bool> BatchCursor::next(BatchView& batch) {
  if (rest_.size() < batch_header_bytes) return false;
  const auto length = load_be<std::int32_t>(rest_.data() + batch_at::length);
  const bool is_cut =
      length >= 0 && static_cast<std::size_t>(length) + batch_prefix_bytes > rest_.size();
  if (is_cut && static_cast<std::int8_t>(rest_[batch_at::magic]) == batch_magic) return false;
  auto parsed = BatchView::parse(rest_);
  if (!parsed) return fail(std::move(parsed.error()));
  batch = *parsed;
  rest_.remove_prefix(batch.size());
  return true;
}

void set_base_offset(char* batch, std::int64_t offset) {
  store_be(batch + batch_at::base_offset, offset);
}
void set_leader_epoch(char* batch, std::int32_t epoch) {
  store_be(batch + batch_at::leader_epoch, epoch);
}
void rewrite_max_timestamp(char* batch, std::size_t size, std::int64_t max_timestamp) {
  store_be(batch + batch_at::max_timestamp, max_timestamp);
  seal(batch, size);
}
void rewrite_log_append_time(char* batch, std::size_t size, std::int64_t now_ms) {
  const auto attributes = load_be<std::int16_t>(batch + batch_at::attributes);
  store_be(batch + batch_at::attributes,
           static_cast<std::int16_t>(attributes | batch_bits::log_append_time));
  rewrite_max_timestamp(batch, size, now_ms);
}
void rewrite_producer(char* batch, std::size_t size, std::int64_t producer_id,
                      std::int16_t producer_epoch, std::int32_t base_sequence) {
  store_be(batch + batch_at::producer_id, producer_id);
  store_be(batch + batch_at::producer_epoch, producer_epoch);
  store_be(batch + batch_at::base_sequence, base_sequence);
  seal(batch, size);
}

Header HeaderRange::Iterator::operator*() const {
  std::string_view rest = rest_;
  Header header;
  take_header(rest, header);
  return header;
}

HeaderRange::Iterator& HeaderRange::Iterator::operator++() {
  Header header;
  take_header(rest_, header);
  --left_;
  return *this;
}

Result<RecordReader> RecordReader::open(const BatchView& batch, compress::Caps caps) {
  if (!batch.has_codec())
    return fail(Errc::invalid_record,
                fmt::format("record batch at offset {}: no codec has number {}",
                            batch.base_offset(), batch.codec_bits()));
  RecordReader reader;
  reader.rest_ = batch.payload();
  reader.base_offset_ = batch.base_offset();
  reader.base_timestamp_ = batch.base_timestamp();
  reader.append_time_ = batch.max_timestamp();
  reader.is_append_time_ = batch.is_log_append_time();
  reader.left_ = batch.record_count();
  if (reader.left_ < 0)
    return fail(Errc::invalid_record, fmt::format("record batch at offset {}: {} records",
                                                  batch.base_offset(), reader.left_));
  if (batch.codec() != compress::Codec::none) {
    auto content = compress::decompress(batch.codec(), batch.payload(), caps);
    if (!content)
      return fail(Errc::invalid_record,
                  fmt::format("record batch at offset {}: {}", batch.base_offset(),
                              content.error().message()));
    reader.decompressed_ = std::move(*content);
    reader.rest_ = reader.decompressed_.view();
  }
  return reader;
}

bool RecordReader::stop(std::string why) {
  error_ = Error(Errc::invalid_record,
                 fmt::format("record batch at offset {}: {}, {} records from its end", base_offset_,
                             why, left_));
  left_ = 0;
  return false;
}

bool RecordReader::next(RecordView& record) {
  if (left_ == 0) {
    if (!rest_.empty() && !error_) return stop("bytes left over");
    return false;
  }
  std::int32_t length = 0;
  if (!take_varint(rest_, length) || length < 1 || static_cast<std::size_t>(length) > rest_.size())
    return stop("a record has a wrong length");
  std::string_view body = rest_.substr(0, static_cast<std::size_t>(length));
  rest_.remove_prefix(body.size());
  body.remove_prefix(1);  // attributes, of which none is defined
  std::int64_t timestamp_delta = 0;
  std::int32_t offset_delta = 0;
  if (!take_varint(body, timestamp_delta) || !take_varint(body, offset_delta) ||
      !take_run(body, record.key) || !take_run(body, record.value) ||
      !take_headers(body, record.headers) || !body.empty())
    return stop("a record is malformed");
  --left_;
  record.offset = wrapping_add(base_offset_, offset_delta);
  record.timestamp =
      is_append_time_ ? append_time_ : wrapping_add(base_timestamp_, timestamp_delta);
  return true;
}

Result<EndMarker> parse_end_marker(const RecordView& record) {
  constexpr std::size_t key_bytes = 4;
  constexpr std::size_t value_bytes = 6;
  const std::string_view key = record.key.value_or(std::string_view{});
  const std::string_view value = record.value.value_or(std::string_view{});
  const auto bad = [&](std::string_view why) {
    return fail(Errc::invalid_record,
                fmt::format("control record at offset {}: {}", record.offset, why));
  };
  // Later versions may add fields behind these, never change them.
  if (key.size() < key_bytes || load_be<std::int16_t>(key.data()) < 0) return bad("malformed key");
  const auto type = load_be<std::int16_t>(key.data() + 2);
  const bool commit = type == static_cast<std::int16_t>(ControlType::commit);
  if (!commit && type != static_cast<std::int16_t>(ControlType::abort))
    return bad("no end-of-transaction marker");
  if (value.size() < value_bytes || load_be<std::int16_t>(value.data()) < 0)
    return bad("malformed value");
  return EndMarker{commit, load_be<std::int32_t>(value.data() + 2)};
}

}  // namespace weir::kafka
