#include "streams/global_reader.h"

#include <chrono>

#include "base/log.h"

namespace weir::streams {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds poll_timeout(200);
constexpr milliseconds look_timeout(30'000);
constexpr std::chrono::seconds tell_interval(10);
/// Between two tries to read what cannot be read.
constexpr milliseconds pause_after_error(1'000);

}  // namespace

Result<std::unique_ptr<GlobalReader>> GlobalReader::start(Client client, Globals& globals,
                                                          const PartitionCounts& partitions,
                                                          Isolation isolation) {
  auto consumer =
      client.consumer({.auto_offset_reset = OffsetReset::earliest, .isolation = isolation});
  if (!consumer) return fail(consumer.error());
  std::unique_ptr<GlobalReader> out(
      new GlobalReader(std::move(client), *std::move(consumer), globals));
  std::vector<TopicPartition> all;
  for (const auto& [store, table] : globals.tables()) {
    const std::string& topic = table->spec.source_topic;
    out->stores_[topic] = store;
    for (std::int32_t p = 0; p < partitions.at(topic); ++p) all.push_back({topic, p});
  }
  if (auto assigned = out->consumer_->assign(all); !assigned) return fail(assigned.error());
  if (auto read = out->read_to_the_ends(all); !read) return fail(read.error());
  out->thread_ = std::thread([reader = out.get()] { reader->follow(); });
  return out;
}

GlobalReader::~GlobalReader() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  consumer_.reset();  // before its client
}

Result<void> GlobalReader::read_to_the_ends(const std::vector<TopicPartition>& all) {
  const auto ends = consumer_->end_offsets(all, look_timeout);
  if (!ends) return fail(ends.error());
  std::size_t records = 0;
  auto told = steady_clock::now();
  for (const auto& [partition, end] : *ends) {
    while (true) {
      const auto position = consumer_->position(partition, look_timeout);
      if (!position) return fail(position.error());
      if (*position >= end) break;
      const auto read = read_once(poll_timeout);
      if (!read) return fail(read.error());
      records += *read;
      if (steady_clock::now() < told + tell_interval) continue;
      told = steady_clock::now();
      log_info("streams", "global tables: " + std::to_string(records) + " records are read, " +
                              partition.topic + "-" + std::to_string(partition.partition) +
                              " is at offset " + std::to_string(*position) + " of " +
                              std::to_string(end));
    }
  }
  return {};
}

Result<std::size_t> GlobalReader::read_once(milliseconds timeout) {
  auto batches = consumer_->poll(timeout);
  if (!batches) return fail(batches.error());
  std::size_t count = 0;
  for (const Batch& batch : *batches) {
    std::vector<ChangelogRecord> records;
    for (const RecordView& record : batch)
      if (record.key())
        records.push_back(
            {.key = *record.key(), .value = record.value(), .timestamp_ms = record.timestamp_ms()});
    if (records.empty()) continue;
    count += records.size();
    const auto applied = globals_.apply(stores_.at(batch.topic_partition().topic), records);
    if (!applied) return fail(applied.error());
  }
  return count;
}

void GlobalReader::follow() {
  while (!stopping_) {
    const auto read = read_once(poll_timeout);
    if (read) continue;
    log_warn("streams", "global tables: " + read.error().message() + "; tried again");
    const auto until = steady_clock::now() + pause_after_error;
    while (!stopping_ && steady_clock::now() < until) std::this_thread::sleep_for(poll_timeout);
  }
}

}  // namespace weir::streams
