#include "client/metadata.h"

#include <set>

namespace weir::client {
namespace {

/// A leader of an older epoch than the one we know comes from a broker that is behind.
void apply_partitions(const kafka::MetadataResponse::MetadataResponseTopic& told, bool same_topic,
                      TopicInfo& topic) {
  std::vector<PartitionInfo> fresh(told.partitions.size());
  for (const auto& partition : told.partitions) {
    const auto index = static_cast<std::size_t>(partition.partition_index);
    if (partition.partition_index < 0 || index >= fresh.size()) continue;
    const bool older = same_topic && index < topic.partitions.size() &&
                       partition.leader_epoch >= 0 &&
                       topic.partitions[index].leader_epoch > partition.leader_epoch;
    fresh[index] = older ? topic.partitions[index]
                         : PartitionInfo{.leader = partition.leader_id,
                                         .leader_epoch = partition.leader_epoch,
                                         .replicas = partition.replica_nodes,
                                         .in_sync = partition.isr_nodes};
  }
  topic.partitions = std::move(fresh);
}

}  // namespace

void Metadata::apply(const kafka::MetadataResponse& response) {
  if (!response.brokers.empty()) brokers_.clear();
  for (const auto& broker : response.brokers) {
    BrokerInfo& info = brokers_[broker.node_id];
    info.endpoint = {std::string(broker.host), static_cast<std::uint16_t>(broker.port)};
    if (broker.rack) info.rack = std::string(*broker.rack);
  }
  if (response.cluster_id) cluster_id_ = std::string(*response.cluster_id);
  controller_ = response.controller_id;
  for (const auto& told : response.topics) {
    if (!told.name) continue;
    TopicInfo& topic = topics_[std::string(*told.name)];
    topic.error = errc_from_wire(told.error_code);
    // Some partitions without a leader: the list is complete nevertheless.
    const bool complete = topic.error == Errc::none ||
                          (topic.error == Errc::leader_not_available && !told.partitions.empty());
    if (!complete) continue;
    topic.error = Errc::none;
    const bool same_topic = topic.id == told.topic_id;
    topic.id = told.topic_id;
    topic.internal = told.is_internal;
    apply_partitions(told, same_topic, topic);
  }
}

const TopicInfo* Metadata::topic(std::string_view name) const {
  const auto found = topics_.find(name);
  return found == topics_.end() ? nullptr : &found->second;
}

std::optional<std::int32_t> Metadata::leader(std::string_view name, std::int32_t partition) const {
  const TopicInfo* info = topic(name);
  if (info == nullptr || partition < 0 ||
      static_cast<std::size_t>(partition) >= info->partitions.size())
    return std::nullopt;
  const std::int32_t node = info->partitions[static_cast<std::size_t>(partition)].leader;
  if (!brokers_.contains(node)) return std::nullopt;
  return node;
}

void Metadata::forget(std::string_view name) {
  const auto found = topics_.find(name);
  if (found != topics_.end()) topics_.erase(found);
}

void Metadata::forget_others(const kafka::MetadataResponse& response) {
  std::set<std::string_view> told;
  for (const auto& topic : response.topics)
    if (topic.name) told.insert(*topic.name);
  std::erase_if(topics_, [&](const auto& known) { return !told.contains(known.first); });
}

}  // namespace weir::client
