// What a FakeCluster answers for groups and transactions.
#include "client/fake_cluster.h"
#include "client/fake_messages.h"
#include "kafka/batch_builder.h"
#include "kafka/messages/find_coordinator.h"

namespace weir::client {

void FakeCluster::write_marker(const TopicPartition& name,
                               const FakeTransactions::Transaction& transaction) {
  FakePartition& p = partition(name.topic, name.partition);
  const auto open = p.open.find(transaction.producer_id);
  if (open != p.open.end() && !transaction.committed)
    p.aborted.push_back({transaction.producer_id, open->second, p.next_offset});
  if (open != p.open.end()) p.open.erase(open);
  // A marker carries its epoch: what comes later with an older one is refused.
  auto& producer = p.producers[transaction.producer_id];
  if (transaction.epoch > producer.epoch) {
    producer.epoch = transaction.epoch;
    producer.last.clear();
  }
  append(name.topic, name.partition,
         kafka::make_end_marker({.marker = {.commit = transaction.committed},
                                 .producer_id = transaction.producer_id,
                                 .producer_epoch = transaction.epoch}));
}
std::string FakeCluster::transaction_request(int node, const Request& request) {
  const std::int16_t version = request.header.api_version;
  Errc code = node == coordinator ? Errc::none : Errc::not_coordinator;
  if (request.fault.kind == Fault::Kind::error) code = request.fault.code;
  const bool refused = code != Errc::none;
  const auto number = [&code] { return static_cast<std::int16_t>(code); };
  switch (request.key()) {
    case kafka::ApiKey::add_partitions_to_txn: {
      const auto asked = read<kafka::AddPartitionsToTxnRequest>(request.body, version);
      if (!refused) code = transactions_->add_partitions(asked);
      kafka::AddPartitionsToTxnResponse response;
      for (const auto& topic : asked.v3_and_below_topics) {
        auto& told = response.results_by_topic_v3_and_below.emplace_back();
        told.name = topic.name;
        for (const std::int32_t index : topic.partitions) {
          auto& p = told.results_by_partition.emplace_back();
          p.partition_index = index;
          p.partition_error_code = number();
        }
      }
      return written(response, version);
    }
    case kafka::ApiKey::add_offsets_to_txn: {
      if (!refused)
        code =
            transactions_->add_offsets(read<kafka::AddOffsetsToTxnRequest>(request.body, version));
      kafka::AddOffsetsToTxnResponse response;
      response.error_code = number();
      return written(response, version);
    }
    case kafka::ApiKey::end_txn: {
      kafka::EndTxnResponse response;
      if (!refused)
        code = transactions_->end(read<kafka::EndTxnRequest>(request.body, version), version,
                                  response);
      response.error_code = number();
      return written(response, version);
    }
    default: break;
  }
  const auto asked = read<kafka::TxnOffsetCommitRequest>(request.body, version);
  if (!refused) code = group(std::string(asked.group_id)).check_transaction(asked);
  if (code == Errc::none)
    code = transactions_->commit_offsets(asked, transaction_version >= 2 && version >= 5);
  kafka::TxnOffsetCommitResponse response;
  for (const auto& topic : asked.topics) {
    auto& told = response.topics.emplace_back();
    told.name = topic.name;
    for (const auto& partition : topic.partitions) {
      auto& p = told.partitions.emplace_back();
      p.partition_index = partition.partition_index;
      p.error_code = number();
    }
  }
  return written(response, version);
}

FakeGroup& FakeCluster::group(const std::string& name) {
  auto& group = groups_[name];
  if (group == nullptr) group = std::make_unique<FakeGroup>(process_->loop());
  return *group;
}

std::string FakeCluster::find_coordinator(const Request& request) {
  const auto asked = read<kafka::FindCoordinatorRequest>(request.body, request.header.api_version);
  kafka::FindCoordinatorResponse response;
  auto& told = response.coordinators.emplace_back();
  told.key = asked.coordinator_keys.empty() ? asked.key : asked.coordinator_keys.front();
  if (request.fault.kind == Fault::Kind::error) {
    told.error_code = response.error_code = static_cast<std::int16_t>(request.fault.code);
  } else {
    told.node_id = response.node_id = coordinator;
    told.host = response.host = "127.0.0.1";
    told.port = response.port = address(coordinator).port;
  }
  return written(response, request.header.api_version);
}

std::optional<std::string> FakeCluster::group_request(int node, const Request& request,
                                                      const ReplyLater& reply) {
  Errc refused = node == coordinator ? Errc::none : Errc::not_coordinator;
  if (request.fault.kind == Fault::Kind::error) refused = request.fault.code;
  const std::int16_t version = request.header.api_version;
  const auto later = [reply, version](const auto& response) { reply(written(response, version)); };
  switch (request.key()) {
    case kafka::ApiKey::join_group: {
      const auto asked = read<kafka::JoinGroupRequest>(request.body, version);
      if (refused == Errc::none) {
        group(std::string(asked.group_id)).join(asked, version, later);
        return std::nullopt;
      }
      kafka::JoinGroupResponse response;
      response.error_code = static_cast<std::int16_t>(refused);
      return written(response, version);
    }
    case kafka::ApiKey::sync_group: {
      const auto asked = read<kafka::SyncGroupRequest>(request.body, version);
      if (refused == Errc::none) {
        group(std::string(asked.group_id)).sync(asked, later);
        return std::nullopt;
      }
      kafka::SyncGroupResponse response;
      response.error_code = static_cast<std::int16_t>(refused);
      return written(response, version);
    }
    case kafka::ApiKey::heartbeat: {
      const auto asked = read<kafka::HeartbeatRequest>(request.body, version);
      kafka::HeartbeatResponse response;
      response.error_code = static_cast<std::int16_t>(
          refused != Errc::none ? refused : group(std::string(asked.group_id)).heartbeat(asked));
      return written(response, version);
    }
    case kafka::ApiKey::leave_group: {
      const auto asked = read<kafka::LeaveGroupRequest>(request.body, version);
      FakeGroup& of = group(std::string(asked.group_id));
      for (const auto& member : asked.members) {
        if (member.reason) of.reasons.emplace_back(*member.reason);
        of.leave(std::string(member.member_id), {});
      }
      if (asked.members.empty()) of.leave(std::string(asked.member_id), {});
      return written(kafka::LeaveGroupResponse{}, version);
    }
    case kafka::ApiKey::offset_commit: return offset_commit(refused, request);
    default: return offset_fetch(refused, request);
  }
}

std::string FakeCluster::offset_commit(Errc refused, const Request& request) {
  const auto asked = read<kafka::OffsetCommitRequest>(request.body, request.header.api_version);
  if (refused == Errc::none) refused = group(std::string(asked.group_id)).commit(asked);
  kafka::OffsetCommitResponse response;
  for (const auto& topic : asked.topics) {
    auto& told = response.topics.emplace_back();
    told.name = topic.name;
    for (const auto& partition : topic.partitions) {
      auto& p = told.partitions.emplace_back();
      p.partition_index = partition.partition_index;
      p.error_code = static_cast<std::int16_t>(refused);
    }
  }
  return written(response, request.header.api_version);
}

std::string FakeCluster::offset_fetch(Errc refused, const Request& request) {
  const std::int16_t version = request.header.api_version;
  const auto asked = read<kafka::OffsetFetchRequest>(request.body, version);
  const bool by_group = version >= 8;
  FakeGroup& of = group(std::string(by_group ? asked.groups.front().group_id : asked.group_id));
  of.asked_for_stable = asked.require_stable;
  kafka::OffsetFetchResponse response;
  response.error_code = static_cast<std::int16_t>(refused);
  auto& of_group = response.groups.emplace_back();
  of_group.error_code = response.error_code;
  const auto add = [&](auto& topics, std::string_view name, std::int32_t index) {
    if (topics.empty() || topics.back().name != name) topics.emplace_back().name = name;
    auto& told = topics.back().partitions.emplace_back();
    const TopicPartition key{std::string(name), index};
    const auto found = of.offsets.find(key);
    told.partition_index = index;
    told.committed_offset = found == of.offsets.end() ? -1 : found->second;
    told.committed_leader_epoch = found == of.offsets.end() ? -1 : of.epochs[key];
  };
  if (by_group && asked.groups.front().topics) {
    for (const auto& topic : *asked.groups.front().topics)
      for (const std::int32_t index : topic.partition_indexes)
        add(of_group.topics, topic.name, index);
  } else if (!by_group && asked.topics) {
    for (const auto& topic : *asked.topics)
      for (const std::int32_t index : topic.partition_indexes)
        add(response.topics, topic.name, index);
  } else {
    for (const auto& [place, offset] : of.offsets) {
      if (by_group)
        add(of_group.topics, place.topic, place.partition);
      else
        add(response.topics, place.topic, place.partition);
    }
  }
  return written(response, version);
}

}  // namespace weir::client
