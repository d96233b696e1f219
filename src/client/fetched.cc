#include "client/fetched.h"

#include <fmt/core.h>

#include "client/record_check.h"

namespace weir {
inline namespace v1 {
namespace detail {

/// The one place that fills a public Batch.
struct BatchAccess {
  static Batch make(const client::RawBatch& raw, std::shared_ptr<const void> bytes,
                    std::string_view records) {
    const kafka::BatchView& view = raw.view;
    Batch batch;
    batch.partition_ = raw.partition;
    batch.bytes_ = std::move(bytes);
    batch.first_ = records.data();
    batch.size_bytes_ = records.size();
    batch.base_offset_ = view.base_offset();
    batch.append_time_ = view.is_log_append_time();
    batch.base_timestamp_ = batch.append_time_ ? view.max_timestamp() : view.base_timestamp();
    batch.next_offset_ = view.next_offset();
    batch.count_ = view.record_count();
    batch.leader_epoch_ = view.leader_epoch();
    return batch;
  }
  /// Leaves out the records before `from`.
  static void skip_to(Batch& batch, std::int64_t from) {
    RecordView record;
    while (batch.count_ > 0) {
      const char* p = batch.first_;
      batch.read(p, record);
      if (record.offset() >= from) return;
      batch.first_ = p;
      --batch.count_;
    }
  }
};

}  // namespace detail
}  // namespace v1

namespace client {

void FetchBudget::give_back(std::size_t bytes) {
  used_.fetch_sub(bytes, std::memory_order_relaxed);
  if (!wake_wanted_.exchange(false)) return;
  const std::lock_guard lock(mutex_);
  if (wake_) wake_();
}

void FetchBudget::detach() {
  const std::lock_guard lock(mutex_);
  wake_ = nullptr;
}

Result<std::optional<Batch>> open_batch(const RawBatch& raw, bool check_crc) {
  const kafka::BatchView& view = raw.view;
  const auto wrong = [&](Errc code, std::string_view why) {
    return fail(code, fmt::format("{}-{}: batch at offset {}: {}", raw.partition->topic,
                                  raw.partition->partition, view.base_offset(), why));
  };
  if (check_crc && !view.crc_is_right())
    return wrong(Errc::corrupt_message,
                 fmt::format("has crc {:08x}, want {:08x}", view.crc(), view.compute_crc()));
  if (view.is_control() || view.record_count() == 0) return std::nullopt;
  auto reader = kafka::RecordReader::open(view);
  if (!reader) return wrong(reader.error().code(), reader.error().message());
  std::shared_ptr<const void> bytes = raw.frame;
  std::string_view records = view.payload();
  const bool compressed = !reader->decompressed().empty();
  if (compressed) records = reader->decompressed().view();
  // Every record is looked at once here, so that walking a Batch needs no checks. What is wrong
  // with one, the reader says.
  if (!records_are_well_formed(records, view.record_count())) {
    kafka::RecordView record;
    while (reader->next(record)) {
    }
    return wrong(Errc::invalid_record,
                 reader->error() != nullptr ? reader->error()->message() : "a record is malformed");
  }
  if (compressed) {
    bytes = std::make_shared<FetchedBytes>(reader->decompressed(), raw.frame->budget());
  }
  Batch batch = detail::BatchAccess::make(raw, std::move(bytes), records);
  if (raw.from > view.base_offset()) detail::BatchAccess::skip_to(batch, raw.from);
  if (batch.size() == 0) return std::nullopt;
  return batch;
}

OpenedBatches open_batches(std::vector<RawBatch> raws, bool check_crc) {
  OpenedBatches out;
  for (std::size_t i = 0; i < raws.size(); ++i) {
    auto batch = open_batch(raws[i], check_crc);
    if (!batch) {
      out.error = batch.error();
      out.undone.assign(std::make_move_iterator(raws.begin() + static_cast<std::ptrdiff_t>(i)),
                        std::make_move_iterator(raws.end()));
      break;
    }
    if (*batch) out.batches.push_back(std::move(**batch));
  }
  return out;
}

}  // namespace client
}  // namespace weir
