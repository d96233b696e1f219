#include "client/epoch_query.h"

#include "kafka/messages/offset_for_leader_epoch.h"

namespace weir::client {

void query_epochs(Cluster& cluster, std::int32_t node,
                  const std::map<TopicPartition, EpochQuestion>& questions,
                  std::move_only_function<void(Result<std::map<TopicPartition, EpochEnd>>)> done) {
  using Request = kafka::OffsetForLeaderEpochRequest;
  using Response = kafka::OffsetForLeaderEpochResponse;
  auto request = std::make_shared<Request>();
  request->replica_id = -1;  // a consumer
  std::map<TopicPartition, EpochEnd> ends;
  for (const auto& [partition, question] : questions) {
    if (request->topics.empty() || request->topics.back().topic != partition.topic)
      request->topics.emplace_back().topic = request->keep(partition.topic);
    auto& asked = request->topics.back().partitions.emplace_back();
    asked.partition = partition.partition;
    asked.current_leader_epoch = question.leader_epoch;
    asked.leader_epoch = question.epoch;
    ends[partition].error = Errc::protocol_error;
  }
  cluster.node(node, Lane::control)
      ->send(make_call<Request, Response>(
          std::move(request), cluster.options().request_timeout,
          [ends = std::move(ends), done = std::move(done)](Result<Reply<Response>> reply) mutable {
            if (!reply) return done(fail(reply.error()));
            for (const auto& topic : reply->message.topics) {
              for (const auto& told : topic.partitions) {
                const auto found = ends.find({std::string(topic.topic), told.partition});
                if (found == ends.end()) continue;
                found->second = {errc_from_wire(told.error_code), told.leader_epoch,
                                 told.end_offset};
              }
            }
            done(std::move(ends));
          }));
}

}  // namespace weir::client
