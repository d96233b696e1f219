// The streams that a broker keeps its own state in: made on demand, read back at a start.
#pragma once

#include <weir/result.h>

#include <functional>
#include <string>
#include <string_view>

#include "kafka/record_batch.h"

namespace weir::log {
class LogStore;
class PartitionLog;
}  // namespace weir::log

namespace weir::broker {

class Metadata;

/// Makes the stream if it is missing, as Kafka makes it: compacted, `partitions` of them.
void ensure_stream(Metadata& metadata, std::string_view name, std::int32_t partitions,
                   std::string segment_bytes, std::move_only_function<void(Result<void>)> done);

struct StreamReader {
  /// Each record that has a key; without one it says nothing, and compaction would drop it.
  std::function<Result<void>(const kafka::BatchView& batch, const kafka::RecordView& record)>
      record;
  /// Each control batch; may be absent.
  std::function<Result<void>(std::string_view batch)> marker;
};
/// Blocks; at a start. Errors say at which offset.
Result<void> read_stream(log::LogStore& store, log::PartitionLog& partition,
                         const StreamReader& reader);

}  // namespace weir::broker
