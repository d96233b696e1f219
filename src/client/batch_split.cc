#include "client/batch_split.h"

#include <algorithm>

#include "base/check.h"

namespace weir::client {
namespace {

using Parts = std::vector<std::unique_ptr<ProducerBatch>>;

std::unique_ptr<ProducerBatch> begin_part(const ProducerBatch& whole, std::int32_t first,
                                          std::size_t capacity) {
  auto part = std::make_unique<ProducerBatch>(capacity);
  part->id = whole.id;
  part->first_record = whole.first_record + first;
  part->inherited_ids = whole.inherited_ids;
  part->charge = whole.charge;
  part->created = whole.created;
  part->full = true;
  part->identity = whole.identity;
  part->ordinal = whole.ordinal;
  part->tries = whole.tries;
  if (whole.base_sequence >= 0) part->base_sequence = sequence_after(whole.base_sequence, first);
  return part;
}

}  // namespace

Result<Parts> split(ProducerBatch& batch, kafka::BatchOptions options) {
  check(batch.record_count > 1, "split: a batch of one record");
  auto view = kafka::BatchView::parse(batch.bytes.view());
  if (!view) return fail(view.error());
  auto reader = kafka::RecordReader::open(*view);
  if (!reader) return fail(reader.error());
  const std::size_t records =
      reader->decompressed().empty() ? view->payload().size() : reader->decompressed().size();
  const std::size_t target = (kafka::batch_header_bytes + records) / 2;
  Parts parts;
  std::vector<kafka::Header> headers;
  kafka::RecordView record;
  for (std::int32_t index = 0; reader->next(record); ++index) {
    headers.clear();
    for (const kafka::Header header : record.headers) headers.push_back(header);
    const auto fits = [&](const ProducerBatch& part) {
      return part.builder.size_with(record.timestamp, record.key, record.value, headers) <= target;
    };
    if (parts.empty() || !fits(*parts.back())) parts.push_back(begin_part(batch, index, target));
    ProducerBatch& part = *parts.back();
    part.builder.append(record.timestamp, record.key, record.value, headers);
    ++part.record_count;
  }
  if (reader->error() != nullptr) return fail(*reader->error());

  auto siblings = batch.siblings;  // shared by all parts: the last one ends the whole
  if (siblings == nullptr) siblings = std::make_shared<ProducerBatch::Siblings>();
  siblings->untold += static_cast<int>(parts.size()) - 1;
  siblings->unsettled += static_cast<int>(parts.size()) - 1;
  auto delivery = batch.deliveries.begin();
  for (auto& part : parts) {
    part->siblings = siblings;
    const std::int32_t first = part->first_record - batch.first_record;
    for (; delivery != batch.deliveries.end() && delivery->index < first + part->record_count;
         ++delivery)
      part->deliveries.push_back(
          {delivery->index - first, delivery->timestamp_ms, std::move(delivery->done)});
    options.producer_id = part->identity.id;
    options.producer_epoch = part->identity.epoch;
    options.base_sequence = part->base_sequence;
    auto bytes = part->builder.finish(options);
    if (!bytes) return fail(bytes.error());
    part->bytes = std::move(*bytes);
  }
  return parts;
}

}  // namespace weir::client
