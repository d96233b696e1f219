#include "kafka/batch_check.h"

#include <fmt/core.h>

#include <algorithm>

namespace weir::kafka {
namespace {

constexpr std::int64_t no_timestamp = -1;

tl::unexpected<ProduceRefusal> refuse(Errc code, std::string why) {
  return tl::unexpected<ProduceRefusal>(
      ProduceRefusal{Error(code, "record batch: " + std::move(why)), {}});
}

/// The bytes of a batch's records: all at once, or decompressed piece by piece.
class RecordSource {
 public:
  explicit RecordSource(std::string_view bytes)
      : begin_(bytes.data()), p_(begin_), end_(begin_ + bytes.size()) {}
  explicit RecordSource(compress::Decompressor& pieces) : pieces_(&pieces) {}

  /// Bytes taken so far.
  std::int64_t position() const { return before_ + (p_ - begin_); }
  bool at_end() { return p_ == end_ && !refill(); }
  /// Why there were no more bytes, if decompression failed.
  const std::string& error() const { return error_; }

  bool skip(std::int64_t count) {
    while (count > end_ - p_) [[unlikely]] {
      count -= end_ - p_;
      p_ = end_;
      if (!refill()) return false;
    }
    p_ += count;
    return true;
  }

  /// What lies ready, for a reader that needs no more than this.
  std::string_view ready() const { return {p_, static_cast<std::size_t>(end_ - p_)}; }
  /// Takes everything up to `p`, which lies in ready().
  void advance_to(const char* p) { p_ = p; }

  bool take(std::int32_t& out) {
    std::uint64_t v = 0;
    if (!take_bits(v, 5)) return false;
    if (v > std::numeric_limits<std::uint32_t>::max()) return false;
    out = unzigzag(static_cast<std::uint32_t>(v));
    return true;
  }
  bool take(std::int64_t& out) {
    std::uint64_t v = 0;
    if (!take_bits(v, 10)) return false;
    out = unzigzag(v);
    return true;
  }

 private:
  /// An unsigned varint of at most `most` bytes.
  bool take_bits(std::uint64_t& out, unsigned most) {
    if (p_ != end_ && static_cast<unsigned char>(*p_) < 0x80U) [[likely]] {
      out = static_cast<unsigned char>(*p_++);
      return true;
    }
    return take_long(out, most);
  }
  bool take_long(std::uint64_t& out, unsigned most) {
    out = 0;
    for (unsigned i = 0; i < most; ++i) {
      if (p_ == end_ && !refill()) return false;
      const auto byte = static_cast<unsigned char>(*p_++);
      if (i == 9 && byte > 1) return false;
      out |= static_cast<std::uint64_t>(byte & 0x7fU) << (7 * i);
      if (byte < 0x80U) return true;
    }
    return false;
  }
  bool refill();

  const char* begin_ = nullptr;
  const char* p_ = nullptr;
  const char* end_ = nullptr;
  std::int64_t before_ = 0;  // bytes of earlier pieces
  compress::Decompressor* pieces_ = nullptr;
  std::string error_;
};

bool RecordSource::refill() {
  if (pieces_ == nullptr) return false;
  const auto piece = pieces_->next();
  if (!piece) {
    error_ = piece.error().message();
    pieces_ = nullptr;
    return false;
  }
  before_ += end_ - begin_;
  begin_ = p_ = piece->data();
  end_ = begin_ + piece->size();
  if (piece->empty()) pieces_ = nullptr;
  return !piece->empty();
}

/// What the checks ask of one record, as far as it is well formed.
struct Shape {
  std::int64_t timestamp_delta = 0;
  std::int32_t offset_delta = 0;
  bool has_key = false;
};

/// A varint that certainly fits in one or two bytes; false means: look closer.
inline bool take_short(const char*& p, const char* end, std::int32_t& out) {
  if (end - p < 2) return false;
  const auto low = static_cast<unsigned char>(p[0]);
  if (low < 0x80U) {
    out = unzigzag(std::uint32_t{low});
    ++p;
    return true;
  }
  const auto high = static_cast<unsigned char>(p[1]);
  if (high >= 0x80U) return false;
  out = unzigzag(std::uint32_t{low & 0x7fU} | std::uint32_t{high} << 7U);
  p += 2;
  return true;
}

inline bool skip_short_run(const char*& p, const char* end, bool& present) {
  std::int32_t size = 0;
  if (!take_short(p, end, size) || size < -1) return false;
  present = size >= 0;
  if (size > end - p) return false;
  p += present ? size : 0;
  return true;
}

/// The usual record: whole in `bytes`, lengths and deltas of at most two bytes, no headers, more
/// bytes behind it. nullptr means nothing but that it is not of this kind.
const char* take_usual_record(std::string_view bytes, Shape& shape) {
  const char* p = bytes.data();
  const char* const limit = p + bytes.size();
  std::int32_t length = 0;
  if (!take_short(p, limit, length) || length < 1 || length >= limit - p) return nullptr;
  const char* const end = p + length;
  ++p;  // attributes
  std::int32_t timestamp_delta = 0;
  bool has_value = false;
  if (!take_short(p, end, timestamp_delta) || !take_short(p, end, shape.offset_delta) ||
      !skip_short_run(p, end, shape.has_key) || !skip_short_run(p, end, has_value))
    return nullptr;
  shape.timestamp_delta = timestamp_delta;
  return end - p == 1 && *p == 0 ? end : nullptr;
}

bool skip_run(RecordSource& source, bool may_be_null, bool& present) {
  std::int32_t size = 0;
  if (!source.take(size) || size < (may_be_null ? -1 : 0)) return false;
  present = size >= 0;
  return size <= 0 || source.skip(size);
}

/// nullptr, or what is wrong with the form of the record that the source stands at.
const char* take_record(RecordSource& source, Shape& shape) {
  if (const char* end = take_usual_record(source.ready(), shape)) [[likely]] {
    source.advance_to(end);
    return nullptr;
  }
  std::int32_t length = 0;
  if (!source.take(length) || length < 1) return "has a wrong length";
  const std::int64_t end = source.position() + length;
  bool has_value = false;
  std::int32_t headers = 0;
  // Runs over the record's end show in its position below; the source bounds them.
  if (!source.skip(1) || !source.take(shape.timestamp_delta) || !source.take(shape.offset_delta) ||
      !skip_run(source, true, shape.has_key) || !skip_run(source, true, has_value) ||
      !source.take(headers) || headers < 0)
    return "is malformed or cut short";
  for (std::int32_t i = 0; i < headers; ++i) {
    bool present = false;
    if (!skip_run(source, false, present) || !skip_run(source, true, present))
      return "has malformed headers";
  }
  return source.position() == end ? nullptr : "is not as long as its length says";
}

std::int64_t saturating_add(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b > 0 ? std::numeric_limits<std::int64_t>::max()
               : std::numeric_limits<std::int64_t>::min();
}

/// Walks the records of a batch whose header has passed.
class RecordWalk {
 public:
  RecordWalk(const BatchView& batch, const ProduceChecks& checks)
      : checks_(checks),
        base_timestamp_(batch.base_timestamp()),
        earliest_(saturating_add(checks.now_ms, -checks.timestamp_before_max_ms)),
        latest_(saturating_add(checks.now_ms, checks.timestamp_after_max_ms)) {
    produced_.batch = batch;
    produced_.record_count = batch.record_count();
  }

  tl::expected<ProducedBatch, ProduceRefusal> run(RecordSource& source) {
    Shape shape;
    for (std::int32_t i = 0; i < produced_.record_count; ++i) {
      if (const char* why = take_record(source, shape)) [[unlikely]] {
        broken(i, source.error().empty() ? std::string(why) : source.error());
        return result();
      }
      judge(i, shape);
      if (faults_.size() >= max_record_faults) [[unlikely]]
        return result();
    }
    if (!source.at_end()) {
      broken(produced_.record_count - 1, "is followed by bytes that no record counts");
    } else if (!source.error().empty()) {
      broken(produced_.record_count - 1, source.error());
    }
    return result();
  }

 private:
  void judge(std::int32_t index, const Shape& shape) {
    if (shape.offset_delta != index) [[unlikely]]
      broken(index, fmt::format("has offset delta {}", shape.offset_delta));
    if (checks_.compacted && !shape.has_key) [[unlikely]]
      broken(index, "has no key, which a compacted topic needs");
    std::int64_t timestamp = 0;
    if (__builtin_add_overflow(base_timestamp_, shape.timestamp_delta, &timestamp)) [[unlikely]] {
      wrong_time(index, "has a timestamp that overflows");
      return;
    }
    if (checks_.check_timestamps && (timestamp < earliest_ || timestamp > latest_) &&
        timestamp != no_timestamp) [[unlikely]]
      wrong_time(index, fmt::format("has timestamp {}, allowed are {} to {}", timestamp, earliest_,
                                    latest_));
    if (timestamp > produced_.max_timestamp) {
      produced_.max_timestamp = timestamp;
      produced_.max_timestamp_delta = index;
    }
  }

  void broken(std::int32_t index, std::string_view what) {
    faults_.push_back({index, fmt::format("record {} {}", index, what)});
  }
  void wrong_time(std::int32_t index, std::string_view what) {
    timestamps_wrong_ = true;
    broken(index, what);
  }

  tl::expected<ProducedBatch, ProduceRefusal> result() {
    if (faults_.empty()) [[likely]]
      return produced_;
    const Errc code = timestamps_wrong_ ? Errc::invalid_timestamp : Errc::invalid_record;
    auto refusal = refuse(code, fmt::format("{} of {} records refused; {}", faults_.size(),
                                            produced_.record_count, faults_.front().message));
    refusal.value().records = std::move(faults_);
    return refusal;
  }

  const ProduceChecks& checks_;
  ProducedBatch produced_;
  std::int64_t base_timestamp_;
  std::int64_t earliest_;
  std::int64_t latest_;
  bool timestamps_wrong_ = false;
  std::vector<RecordFault> faults_;
};

/// The one whole batch that `bytes` must be.
tl::expected<BatchView, ProduceRefusal> only_batch(std::string_view bytes,
                                                   const ProduceChecks& checks) {
  if (bytes.size() < batch_header_bytes)
    return refuse(Errc::invalid_record, fmt::format("{} bytes are no batch", bytes.size()));
  const auto magic = static_cast<std::int8_t>(bytes[batch_at::magic]);
  if (magic != batch_magic)
    return refuse(Errc::invalid_record,
                  fmt::format("magic {}, only {} is supported", magic, batch_magic));
  const auto attributes = load_be<std::int16_t>(bytes.data() + batch_at::attributes);
  if (!checks.zstd_allowed &&
      (attributes & batch_bits::codec) == static_cast<std::int16_t>(compress::Codec::zstd))
    return refuse(Errc::unsupported_compression_type, "zstd needs Produce 7 or later");
  const auto length = load_be<std::int32_t>(bytes.data() + batch_at::length);
  if (length < static_cast<std::int32_t>(batch_header_bytes - batch_prefix_bytes))
    return refuse(Errc::corrupt_message, fmt::format("length {} is below a header's", length));
  const std::size_t size = static_cast<std::size_t>(length) + batch_prefix_bytes;
  if (size > bytes.size())
    return refuse(Errc::invalid_record,
                  fmt::format("cut short: {} of {} bytes", bytes.size(), size));
  if (size < bytes.size())
    return refuse(Errc::invalid_record, "one partition takes exactly one batch in a request");
  if (size > checks.max_batch_bytes)
    return refuse(Errc::message_too_large, fmt::format("{} bytes, the topic takes at most {}", size,
                                                       checks.max_batch_bytes));
  if (size > checks.segment_bytes)
    return refuse(
        Errc::record_list_too_large,
        fmt::format("{} bytes, a segment of the topic takes {}", size, checks.segment_bytes));
  return *BatchView::parse(bytes);
}

/// What the header says, the CRC first: before it nothing else is worth a look.
tl::expected<void, ProduceRefusal> judge_header(const BatchView& batch) {
  const std::uint32_t crc = batch.compute_crc();
  if (crc != batch.crc())
    return refuse(Errc::corrupt_message,
                  fmt::format("crc is {:08x}, want {:08x}", batch.crc(), crc));
  if (batch.record_count() <= 0 || batch.last_offset_delta() != batch.record_count() - 1)
    return refuse(Errc::invalid_record,
                  fmt::format("{} records with a last offset delta of {}", batch.record_count(),
                              batch.last_offset_delta()));
  if (batch.is_control())
    return refuse(Errc::invalid_record, "a client may not write control batches");
  if (batch.has_producer() && (batch.base_sequence() < 0 || batch.producer_epoch() < 0))
    return refuse(Errc::invalid_record,
                  fmt::format("producer {} with epoch {} and sequence {}", batch.producer_id(),
                              batch.producer_epoch(), batch.base_sequence()));
  if (batch.is_transactional() && !batch.has_producer())
    return refuse(Errc::invalid_record, "transactional without a producer id");
  if ((batch.attributes() & ~batch_bits::all) != 0 || batch.has_delete_horizon())
    return refuse(Errc::invalid_record,
                  fmt::format("attributes {:#06x} hold bits that a producer may not set",
                              static_cast<std::uint16_t>(batch.attributes())));
  if (!batch.has_codec())
    return refuse(Errc::unsupported_compression_type,
                  fmt::format("no codec has number {}", batch.codec_bits()));
  if (batch.is_log_append_time())
    return refuse(Errc::invalid_timestamp, "only a broker may set LogAppendTime");
  return {};
}

}  // namespace

tl::expected<ProducedBatch, ProduceRefusal> validate_produced(std::string_view bytes,
                                                              const ProduceChecks& checks) {
  auto batch = only_batch(bytes, checks);
  if (!batch) return tl::unexpected<ProduceRefusal>(std::move(batch.error()));
  if (auto header = judge_header(*batch); !header)
    return tl::unexpected<ProduceRefusal>(std::move(header.error()));
  RecordWalk walk(*batch, checks);
  if (batch->codec() == compress::Codec::none) {
    RecordSource source(batch->payload());
    return walk.run(source);
  }
  compress::Decompressor& pieces = compress::thread_decompressor();
  pieces.start(batch->codec(), batch->payload(), checks.caps);
  RecordSource source(pieces);
  return walk.run(source);
}

}  // namespace weir::kafka
