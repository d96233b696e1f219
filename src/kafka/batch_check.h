// The judgement of what a producer sends for one partition, in the order in which Kafka judges.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/record_batch.h"

namespace weir::kafka {

/// Faults of single records that one refusal names; further ones are not looked for.
inline constexpr std::size_t max_record_faults = 100;

/// What the topic and the request ask of a batch.
struct ProduceChecks {
  /// max.message.bytes and segment.bytes; the whole batch with its header counts.
  std::size_t max_batch_bytes = std::numeric_limits<std::size_t>::max();
  std::size_t segment_bytes = std::numeric_limits<std::size_t>::max();
  /// cleanup.policy has compact: every record needs a key.
  bool compacted = false;
  /// Timestamps are of the client (CreateTime) and must lie in [now - before, now + after].
  bool check_timestamps = true;
  std::int64_t now_ms = 0;
  std::int64_t timestamp_before_max_ms = std::numeric_limits<std::int64_t>::max();
  std::int64_t timestamp_after_max_ms = 3'600'000;
  /// False below Produce 7.
  bool zstd_allowed = true;
  compress::Caps caps = {};
};

/// A batch that may be appended, and what walking its records told.
struct ProducedBatch {
  BatchView batch;
  std::int32_t record_count = 0;
  /// The largest timestamp of its records, -1 if none has one; the header may claim another.
  std::int64_t max_timestamp = -1;
  /// Offset delta of the first record with that timestamp.
  std::int32_t max_timestamp_delta = 0;

  bool max_timestamp_is_right() const { return batch.max_timestamp() == max_timestamp; }
};

/// A fault of one record, as RecordErrors of a Produce response carries it.
struct RecordFault {
  std::int32_t index = 0;
  std::string message;
};

struct ProduceRefusal {
  Error error;
  std::vector<RecordFault> records;  // empty if the batch as a whole is at fault
};

/// Judges `bytes`, the records field of one partition of a Produce request: exactly one batch.
///
/// | fault | code |
/// |---|---|
/// | no whole batch, several batches, magic not 2 | INVALID_RECORD |
/// | a length below that of a header, a wrong CRC | CORRUPT_MESSAGE |
/// | zstd below Produce 7, a number that is no codec | UNSUPPORTED_COMPRESSION_TYPE |
/// | larger than max_batch_bytes | MESSAGE_TOO_LARGE |
/// | counts that do not agree, control batch, producer fields, unknown attributes | INVALID_RECORD
/// | | timestamp type LogAppendTime, a timestamp out of its limits | INVALID_TIMESTAMP | | records
/// that are malformed, lack a key, do not decompress | INVALID_RECORD |
///
/// Reads every record as a stream with bounded memory; allocates only to refuse.
tl::expected<ProducedBatch, ProduceRefusal> validate_produced(std::string_view bytes,
                                                              const ProduceChecks& checks);

}  // namespace weir::kafka
