// Hostile record batches: the judgement of a broker, and the reader of a consumer. Byte 0 seals the
// batch (length and CRC made right) so that the records behind them are reached; byte 1 sets the
// checks.
#include <cstdint>

#include "base/check.h"
#include "base/crc32c.h"
#include "fuzz/harness.h"
#include "kafka/batch_check.h"

namespace {

constexpr std::int64_t now = 1'700'000'000'000;
constexpr weir::compress::Caps caps{.output = 1U << 20U};
// Of a compressed batch; see decompress_fuzz.cc.
constexpr std::size_t codec_memory = (10U << 20U) + 2 * caps.output;

std::size_t bound_of(std::string_view batches) {
  bool compressed = false;
  weir::kafka::BatchView batch;
  for (weir::kafka::BatchCursor cursor(batches); cursor.next(batch).value_or(false);)
    compressed |= batch.codec_bits() != 0;
  return weir::fuzz::allocation_bound(batches.size()) + (compressed ? codec_memory : 0);
}

void seal(std::string& batch) {
  using namespace weir;
  if (batch.size() < kafka::batch_header_bytes) return;
  char* p = batch.data();
  store_be(p + kafka::batch_at::length,
           static_cast<std::int32_t>(batch.size() - kafka::batch_prefix_bytes));
  store_be(p + kafka::batch_at::magic, kafka::batch_magic);
  store_be(p + kafka::batch_at::crc,
           crc32c(std::string_view(batch).substr(kafka::batch_at::attributes)));
}

/// True if every record was read.
bool read_all(const weir::kafka::BatchView& batch) {
  auto reader = weir::kafka::RecordReader::open(batch, caps);
  if (!reader) return false;
  weir::kafka::RecordView record;
  std::size_t bytes = 0;
  while (reader->next(record)) {
    bytes += record.key.value_or("").size() + record.value.value_or("").size();
    for (const auto header : record.headers) bytes += header.key.size();
    weir::fuzz::canary(record.headers.size() == 1 && batch.record_count() == 3 &&
                       reader->records_left() == 0);
  }
  weir::check(bytes <= caps.output, "more bytes in records than in the batch");
  if (batch.is_control()) static_cast<void>(weir::kafka::parse_end_marker(record));
  return reader->error() == nullptr;
}

}  // namespace

void weir::fuzz::input(std::string_view in) {
  using namespace weir::kafka;
  if (in.size() < 2) return;
  std::string bytes(in.substr(2));
  const auto options = static_cast<unsigned char>(in[1]);
  if ((in[0] & 1) != 0) seal(bytes);
  const ProduceChecks checks{.max_batch_bytes = (options & 8U) != 0 ? 100U : SIZE_MAX,
                             .compacted = (options & 1U) != 0,
                             .check_timestamps = (options & 2U) != 0,
                             .now_ms = now,
                             .zstd_allowed = (options & 4U) == 0,
                             .caps = caps};
  const std::size_t bound = bound_of(bytes);
  const auto judged = bounded_by(bound, [&] { return validate_produced(bytes, checks); });

  BatchCursor cursor(bytes);
  BatchView batch;
  for (;;) {
    const auto more = cursor.next(batch);
    if (!more || !*more) break;
    const bool whole = bounded_by(bound, [&] { return read_all(batch); });
    weir::check(whole || !judged, "a batch was accepted whose records cannot be read");
  }
}
