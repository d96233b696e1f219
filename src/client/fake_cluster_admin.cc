// What a FakeCluster answers to administrators of transactions.
#include "client/fake_cluster.h"
#include "client/fake_messages.h"
#include "kafka/messages/describe_producers.h"
#include "kafka/messages/write_txn_markers.h"

namespace weir::client {

std::string FakeCluster::transaction_admin_request(int node, const Request& request) {
  const std::int16_t version = request.header.api_version;
  const Errc refused = request.fault.kind == Fault::Kind::error ? request.fault.code : Errc::none;
  switch (request.key()) {
    case kafka::ApiKey::list_transactions: {
      // Each broker lists those that it coordinates.
      const auto asked = read<kafka::ListTransactionsRequest>(request.body, version);
      kafka::ListTransactionsResponse response;
      if (node == coordinator) response = transactions_->list(asked);
      response.error_code = static_cast<std::int16_t>(refused);
      return written(response, version);
    }
    case kafka::ApiKey::describe_transactions: {
      const auto asked = read<kafka::DescribeTransactionsRequest>(request.body, version);
      auto response = transactions_->describe(asked);
      const Errc code = node == coordinator ? refused : Errc::not_coordinator;
      if (code != Errc::none)
        for (auto& told : response.transaction_states)
          told.error_code = static_cast<std::int16_t>(code);
      return written(response, version);
    }
    case kafka::ApiKey::describe_producers: return describe_producers(node, request);
    default: return write_markers(node, request);
  }
}

std::string FakeCluster::describe_producers(int node, const Request& request) {
  const auto asked =
      read<kafka::DescribeProducersRequest>(request.body, request.header.api_version);
  kafka::DescribeProducersResponse response;
  for (const auto& topic : asked.topics) {
    auto& of_topic = response.topics.emplace_back();
    of_topic.name = topic.name;
    for (const std::int32_t index : topic.partition_indexes) {
      auto& told = of_topic.partitions.emplace_back();
      told.partition_index = index;
      const FakePartition& p = partition(std::string(topic.name), index);
      if (p.leader != node) {
        told.error_code = static_cast<std::int16_t>(Errc::not_leader_or_follower);
        continue;
      }
      for (const auto& [id, known] : p.producers) {
        auto& producer = told.active_producers.emplace_back();
        producer.producer_id = id;
        producer.producer_epoch = known.epoch;
        const auto open = p.open.find(id);
        producer.current_txn_start_offset = open == p.open.end() ? -1 : open->second;
      }
    }
  }
  return written(response, request.header.api_version);
}

std::string FakeCluster::write_markers(int node, const Request& request) {
  const auto asked = read<kafka::WriteTxnMarkersRequest>(request.body, request.header.api_version);
  kafka::WriteTxnMarkersResponse response;
  for (const auto& marker : asked.markers) {
    auto& of_marker = response.markers.emplace_back();
    of_marker.producer_id = marker.producer_id;
    for (const auto& topic : marker.topics) {
      auto& of_topic = of_marker.topics.emplace_back();
      of_topic.name = topic.name;
      for (const std::int32_t index : topic.partition_indexes) {
        auto& told = of_topic.partitions.emplace_back();
        told.partition_index = index;
        const TopicPartition name{std::string(topic.name), index};
        FakePartition& p = partition(name.topic, index);
        const auto known = p.producers.find(marker.producer_id);
        if (p.leader != node) {
          told.error_code = static_cast<std::int16_t>(Errc::not_leader_or_follower);
        } else if (known != p.producers.end() && marker.producer_epoch < known->second.epoch) {
          told.error_code = static_cast<std::int16_t>(Errc::invalid_producer_epoch);
        } else {
          write_marker(name, {.producer_id = marker.producer_id,
                              .epoch = marker.producer_epoch,
                              .committed = marker.transaction_result,
                              .partitions = {},
                              .offsets = {}});
        }
      }
    }
  }
  return written(response, request.header.api_version);
}

}  // namespace weir::client
