#include "broker/internal_streams.h"

#include <fmt/core.h>

#include "broker/metadata.h"
#include "log/log_store.h"

namespace weir::broker {

void ensure_stream(Metadata& metadata, std::string_view name, std::int32_t partitions,
                   std::string segment_bytes, std::move_only_function<void(Result<void>)> done) {
  if (metadata.find(name) != nullptr) return done({});
  metadata.mutate(
      [&metadata, name = std::string(name), partitions,
       segment_bytes = std::move(segment_bytes)]() -> std::vector<MetadataRecord> {
        if (metadata.find(name) != nullptr) return {};
        const TopicId id = metadata.new_topic_id();
        std::vector<MetadataRecord> records;
        records.push_back(Metadata::topic_record(id, name, partitions));
        records.push_back(Metadata::topic_setting(id, "cleanup.policy", "compact"));
        records.push_back(Metadata::topic_setting(id, "compression.type", "producer"));
        records.push_back(Metadata::topic_setting(id, "segment.bytes", segment_bytes));
        return records;
      },
      std::move(done));
}

Result<void> read_stream(log::LogStore& store, log::PartitionLog& partition,
                         const StreamReader& reader) {
  if (partition.fenced()) return fail(*partition.fenced());
  const auto at = [](const Error& error, std::int64_t offset) {
    return fail(error.code(), fmt::format("offset {}: {}", offset, error.message()));
  };
  return store.for_each_batch(partition, [&](std::string_view bytes) -> Result<void> {
    auto batch = kafka::BatchView::parse(bytes);
    if (!batch) return fail(batch.error());
    if (batch->is_control()) {
      if (reader.marker == nullptr) return {};
      auto r = reader.marker(bytes);
      return r ? Result<void>() : at(r.error(), batch->base_offset());
    }
    auto records = kafka::RecordReader::open(*batch);
    if (!records) return at(records.error(), batch->base_offset());
    kafka::RecordView record;
    while (records->next(record)) {
      if (!record.key) continue;
      if (auto r = reader.record(*batch, record); !r) return at(r.error(), record.offset);
    }
    if (records->error() != nullptr) return at(*records->error(), batch->base_offset());
    return {};
  });
}

}  // namespace weir::broker
