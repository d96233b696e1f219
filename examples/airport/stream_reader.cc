#include "stream_reader.h"

namespace airport {

using namespace std::chrono_literals;

namespace {
constexpr auto patience = 30s;  // without anything new
constexpr auto poll_timeout = 100ms;

weir::Result<std::vector<weir::TopicPartition>> partitions_of(weir::Client& client,
                                                              const std::string& topic) {
  auto described = client.admin().describe_topic(topic);
  if (!described) return weir::fail(described.error());
  std::vector<weir::TopicPartition> out;
  for (const auto& partition : described->partitions) out.push_back({topic, partition.partition});
  return out;
}

}  // namespace

weir::Result<Offsets> ends_of(weir::Client& client, const std::vector<std::string>& topics) {
  std::map<weir::TopicPartition, weir::OffsetSpec> wanted;
  for (const std::string& topic : topics) {
    auto partitions = partitions_of(client, topic);
    if (!partitions) return weir::fail(partitions.error());
    for (const auto& partition : *partitions)
      wanted[partition] = {.timestamp_ms = weir::OffsetSpec::latest};
  }
  auto found = client.admin().list_offsets(wanted);
  if (!found) return weir::fail(found.error());
  Offsets ends;
  for (const auto& [partition, end] : *found) ends[partition] = end ? end->offset : 0;
  return ends;
}

weir::Result<void> read_to_end(weir::Client& client, const std::string& topic,
                               const std::function<weir::Result<void>(const weir::Batch&)>& each,
                               weir::Isolation isolation) {
  auto partitions = partitions_of(client, topic);
  if (!partitions) return weir::fail(partitions.error());
  // A fetch that waits for partitions whose end is reached holds up the others.
  auto consumer = client.consumer({.auto_offset_reset = weir::OffsetReset::earliest,
                                   .isolation = isolation,
                                   .fetch_max_wait = 10ms});
  if (!consumer) return weir::fail(consumer.error());
  // One that reads what is committed would be told the end of that.
  auto ends = isolation == weir::Isolation::read_committed
                  ? ends_of(client, {topic})
                  : consumer->end_offsets(*partitions, patience);
  if (!ends) return weir::fail(ends.error());
  std::erase_if(*ends, [](const auto& end) { return end.second == 0; });
  std::erase_if(*partitions, [&](const auto& partition) { return !ends->contains(partition); });
  if (auto r = consumer->assign(*partitions); !r) return r;
  // The last offsets may be of markers, which no batch has: the position comes by them.
  const auto finished = [&]() -> weir::Result<bool> {
    for (auto at = ends->begin(); at != ends->end(); at = ends->erase(at)) {
      auto position = consumer->position(at->first, patience);
      if (!position) return weir::fail(position.error());
      if (*position < at->second) return false;
    }
    return true;
  };
  std::chrono::milliseconds waited{0};
  while (true) {
    auto over = finished();
    if (!over) return weir::fail(over.error());
    if (*over) return {};
    auto batches = consumer->poll(poll_timeout);
    if (!batches) return weir::fail(batches.error());
    waited = batches->empty() ? waited + poll_timeout : 0ms;
    if (waited >= patience)
      return weir::fail(weir::Errc::timed_out,
                        topic + ": no events within 30 s, though there are some");
    for (const weir::Batch& batch : *batches)
      if (auto r = each(batch); !r) return r;
  }
}

}  // namespace airport
