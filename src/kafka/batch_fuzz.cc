// Hostile record batches: the judgement of a broker, and the reader of a consumer. Byte 0 seals the
// batch (length and CRC made right) so that the records behind them are reached; byte 1 sets the
// checks.
#include <cstdint>

#include "base/check.h"
#include "base/crc32c.h"
#include "kafka/batch_check.h"

namespace {

constexpr std::int64_t now = 1'700'000'000'000;

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
bool read_all(const weir::kafka::BatchView& batch, weir::compress::Caps caps) {
  auto reader = weir::kafka::RecordReader::open(batch, caps);
  if (!reader) return false;
  weir::kafka::RecordView record;
  std::size_t bytes = 0;
  while (reader->next(record)) {
    bytes += record.key.value_or("").size() + record.value.value_or("").size();
    for (const auto header : record.headers) bytes += header.key.size();
  }
  weir::check(bytes <= caps.output, "more bytes in records than in the batch");
  if (batch.is_control()) static_cast<void>(weir::kafka::parse_end_marker(record));
  return reader->error() == nullptr;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir::kafka;
  if (size < 2) return 0;
  std::string bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  if ((data[0] & 1U) != 0) seal(bytes);
  const ProduceChecks checks{.compacted = (data[1] & 1U) != 0,
                             .check_timestamps = (data[1] & 2U) != 0,
                             .now_ms = now,
                             .zstd_allowed = (data[1] & 4U) == 0,
                             .caps = {.output = 4U << 20U}};
  const auto judged = validate_produced(bytes, checks);

  BatchCursor cursor(bytes);
  BatchView batch;
  for (;;) {
    const auto more = cursor.next(batch);
    if (!more || !*more) break;
    const bool whole = read_all(batch, checks.caps);
    weir::check(whole || !judged, "a batch was accepted whose records cannot be read");
  }
  return 0;
}
