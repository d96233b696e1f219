#include "stream_reader.h"

namespace airport {

using namespace std::chrono_literals;

namespace {
constexpr auto patience = 30s;  // without a single batch
}

weir::Result<std::map<weir::TopicPartition, std::int64_t>> read_to_end(
    weir::Client& client, const std::string& topic,
    const std::function<weir::Result<void>(const weir::Batch&)>& each,
    const std::map<weir::TopicPartition, std::int64_t>& from) {
  auto described = client.admin().describe_topic(topic);
  if (!described) return weir::fail(described.error());
  std::vector<weir::TopicPartition> partitions;
  for (const auto& partition : described->partitions)
    partitions.push_back({topic, partition.partition});
  auto consumer = client.consumer({.auto_offset_reset = weir::OffsetReset::earliest});
  if (!consumer) return weir::fail(consumer.error());
  auto ends = consumer->end_offsets(partitions, patience);
  if (!ends) return weir::fail(ends.error());
  if (auto r = consumer->assign(partitions); !r) return weir::fail(r.error());
  std::map<weir::TopicPartition, std::int64_t> at;
  for (const auto& partition : partitions) {
    const auto start = from.find(partition);
    at[partition] = start == from.end() ? 0 : start->second;
    if (auto r = consumer->seek(partition, at[partition]); !r) return weir::fail(r.error());
  }
  const auto finished = [&] {
    for (const auto& [partition, end] : *ends)
      if (at[partition] < end) return false;
    return true;
  };
  while (!finished()) {
    auto batches = consumer->poll(patience);
    if (!batches) return weir::fail(batches.error());
    if (batches->empty())
      return weir::fail(weir::Errc::timed_out,
                        topic + ": no events within 30 s, though there are some");
    for (const weir::Batch& batch : *batches) {
      at[batch.topic_partition()] = batch.next_offset();
      if (auto r = each(batch); !r) return weir::fail(r.error());
    }
  }
  return *ends;
}

}  // namespace airport
