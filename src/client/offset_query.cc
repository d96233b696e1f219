#include "client/offset_query.h"

#include "client/leader_query.h"
#include "kafka/messages/list_offsets.h"

namespace weir::client {
namespace {

using Request = kafka::ListOffsetsRequest;
using Response = kafka::ListOffsetsResponse;

std::set<TopicPartition> keys_of(const std::map<TopicPartition, std::int64_t>& timestamps) {
  std::set<TopicPartition> out;
  for (const auto& [partition, timestamp] : timestamps) out.insert(partition);
  return out;
}

class Query final : public LeaderQuery {
 public:
  Query(Cluster& cluster, std::map<TopicPartition, std::int64_t> timestamps, MonoTime deadline,
        Isolation isolation, std::move_only_function<void(Result<ListedOffsets>)> done)
      : LeaderQuery(cluster, keys_of(timestamps), deadline, "offsets"),
        isolation_(isolation),
        timestamps_(std::move(timestamps)),
        done_(std::move(done)) {}

 private:
  void ask_leader(std::int32_t node, const std::vector<TopicPartition>& partitions) override {
    auto request = std::make_shared<Request>();
    request->replica_id = -1;
    request->isolation_level = static_cast<std::int8_t>(isolation_);
    for (const TopicPartition& partition : partitions) {
      if (request->topics.empty() || request->topics.back().name != partition.topic)
        request->topics.emplace_back().name = request->keep(partition.topic);
      auto& asked = request->topics.back().partitions.emplace_back();
      asked.partition_index = partition.partition;
      asked.timestamp = timestamps_.at(partition);
    }
    request->timeout_ms = static_cast<std::int32_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(request_timeout()).count());
    send<Request, Response>(node, std::move(request), [this](const Response& response) {
      for (const auto& topic : response.topics)
        for (const auto& told : topic.partitions) {
          const TopicPartition partition{std::string(topic.name), told.partition_index};
          if (answered(partition, told.error_code))
            found_[partition] = {told.offset, told.timestamp, told.leader_epoch};
        }
    });
  }

  void finished(Result<void> outcome) override {
    if (!outcome) return done_(fail(outcome.error()));
    done_(std::move(found_));
  }

  const Isolation isolation_;
  const std::map<TopicPartition, std::int64_t> timestamps_;
  std::move_only_function<void(Result<ListedOffsets>)> done_;
  ListedOffsets found_;
};

}  // namespace

std::map<TopicPartition, std::optional<OffsetAndTimestamp>> to_public(const ListedOffsets& found) {
  std::map<TopicPartition, std::optional<OffsetAndTimestamp>> out;
  for (const auto& [partition, at] : found) {
    auto& told = out[partition];
    if (at.offset >= 0)
      told = {at.offset, Timestamp(std::chrono::milliseconds(at.timestamp_ms)), at.leader_epoch};
  }
  return out;
}

void query_offsets(Cluster& cluster, std::map<TopicPartition, std::int64_t> timestamps,
                   MonoTime deadline, std::move_only_function<void(Result<ListedOffsets>)> done,
                   Isolation isolation) {
  LeaderQuery::start(std::make_shared<Query>(cluster, std::move(timestamps), deadline, isolation,
                                             std::move(done)));
}

}  // namespace weir::client
