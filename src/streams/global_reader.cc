#include "streams/global_reader.h"

#include <utility>

#include "base/log.h"

namespace weir::streams {
namespace {

constexpr Duration poll_wait = std::chrono::milliseconds(100);
constexpr Duration retry_pause = std::chrono::milliseconds(200);
constexpr Duration tell_interval = std::chrono::seconds(10);

}  // namespace

GlobalReader::GlobalReader(const World& world, Globals& globals, Isolation isolation)
    : world_(world),
      globals_(globals),
      consumer_(world.loop, world.transport, world.rng, world.cluster,
                {.auto_offset_reset = OffsetReset::earliest, .isolation = isolation}) {}

GlobalReader::~GlobalReader() { *alive_ = false; }

void GlobalReader::start(const PartitionCounts& partitions, Ready ready, Died died) {
  ready_ = std::move(ready);
  died_ = std::move(died);
  tell_at_ = world_.loop.now() + tell_interval;
  std::vector<TopicPartition> all;
  for (const auto& [store, table] : globals_.tables()) {
    if (world_.readable != nullptr) world_.readable->publish_global(store, *table->database);
    const std::string& topic = table->spec.source_topic;
    stores_[topic] = store;
    for (std::int32_t p = 0; p < partitions.at(topic); ++p) all.push_back({topic, p});
  }
  partitions_ = all;
  behind_ = {all.begin(), all.end()};
  for (const TopicPartition& fresh : consumer_.own(all))
    consumer_.begin(fresh, OffsetAndMetadata{.offset = 0});
  poll();
}

void GlobalReader::poll() {
  consumer_.poll(world_.loop.now() + poll_wait,
                 [this, alive = alive_](Result<std::vector<client::RawBatch>> raws) {
                   if (!*alive) return;
                   // Not inside the consumer's callback; after a failure not at once.
                   const Duration pause = raws ? Duration::zero() : retry_pause;
                   auto told =
                       std::make_shared<Result<std::vector<client::RawBatch>>>(std::move(raws));
                   world_.loop.call_after(pause, [this, alive, told] {
                     if (*alive) on_polled(std::move(*told));
                   });
                 });
}

void GlobalReader::on_polled(Result<std::vector<client::RawBatch>> raws) {
  const Result<void> taken = raws ? take(*std::move(raws)) : fail(raws.error());
  if (refused_ || (!taken && ready_ != nullptr)) return end(taken.error());
  if (!taken) {
    log_warn("streams", "global tables: " + taken.error().message() + "; tried again");
    return static_cast<void>(world_.loop.call_after(retry_pause, [this, alive = alive_] {
      if (*alive) poll();
    }));
  }
  look_at_ends();
  poll();
}

void GlobalReader::end(const Error& why) {
  const Error told(why.code(), "global tables: " + why.message());
  if (ready_ != nullptr) return std::exchange(ready_, nullptr)(fail(told));
  if (died_ != nullptr) std::exchange(died_, nullptr)(told);
}

Result<void> GlobalReader::take(std::vector<client::RawBatch> raws) {
  auto opened = client::open_batches(std::move(raws), true);
  if (!opened.undone.empty()) consumer_.give_back(opened.undone);
  for (const Batch& batch : opened.batches) {
    std::vector<ChangelogRecord> records;
    for (const RecordView& record : batch)
      if (record.key())
        records.push_back(
            {.key = *record.key(), .value = record.value(), .timestamp_ms = record.timestamp_ms()});
    records_ += records.size();
    const std::string& store = stores_.at(batch.topic_partition().topic);
    if (auto applied = globals_.apply(store, records); !applied) {
      refused_ = applied.error();
      return applied;
    }
    if (world_.readable != nullptr)
      world_.readable->advance_global(store, batch.topic_partition(), batch.next_offset());
  }
  if (opened.error) return fail(*opened.error);
  return {};
}

void GlobalReader::note_lags() {
  for (const auto& [store, table] : globals_.tables()) {
    std::int64_t lag = 0;
    bool known = true;
    for (const TopicPartition& partition : partitions_) {
      if (partition.topic != table->spec.source_topic) continue;
      const auto behind = consumer_.lag(partition);
      known = known && behind;
      lag += behind.value_or(0);
    }
    table->lag = known ? lag : -1;
    if (known && lag == 0) table->is_read = true;
  }
}

void GlobalReader::look_at_ends() {
  note_lags();
  if (ready_ == nullptr) return;
  std::erase_if(behind_, [&](const TopicPartition& partition) {
    return consumer_.lag(partition) == std::int64_t{0};
  });
  if (behind_.empty()) return std::exchange(ready_, nullptr)({});
  if (world_.loop.now() < tell_at_) return;
  tell_at_ = world_.loop.now() + tell_interval;
  std::int64_t left = 0;
  for (const TopicPartition& partition : behind_) left += consumer_.lag(partition).value_or(0);
  log_info("streams", "global tables: " + std::to_string(records_) + " records are read, " +
                          std::to_string(left) + " are left");
}

}  // namespace weir::streams
