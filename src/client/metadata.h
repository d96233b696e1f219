// What a client knows of its cluster: brokers, topics, leaders.
#pragma once

#include <weir/error.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "io/net.h"
#include "kafka/messages/metadata.h"

namespace weir::client {

struct BrokerInfo {
  io::Endpoint endpoint;
  std::optional<std::string> rack;
};

struct PartitionInfo {
  std::int32_t leader = -1;  // -1: none now
  std::int32_t leader_epoch = -1;
  std::vector<std::int32_t> replicas;
  std::vector<std::int32_t> in_sync;
};

struct TopicInfo {
  TopicId id;  // zero: the broker speaks an old version
  bool internal = false;
  /// Why the broker could not tell; `partitions` is then what was known before.
  Errc error = Errc::none;
  std::vector<PartitionInfo> partitions;  // by number
};

/// A value. Owner: a Cluster.
class Metadata {
 public:
  void apply(const kafka::MetadataResponse& response);

  const std::map<std::int32_t, BrokerInfo>& brokers() const { return brokers_; }
  const std::map<std::string, TopicInfo, std::less<>>& topics() const { return topics_; }
  const std::string& cluster_id() const { return cluster_id_; }
  std::int32_t controller() const { return controller_; }
  /// nullptr until the broker has said something about it.
  const TopicInfo* topic(std::string_view name) const;
  /// The leader, if topic, partition and broker are known.
  std::optional<std::int32_t> leader(std::string_view topic, std::int32_t partition) const;
  void forget(std::string_view topic);
  /// Of an answer about all topics: those that it lacks are gone.
  void forget_others(const kafka::MetadataResponse& response);

 private:
  std::map<std::int32_t, BrokerInfo> brokers_;
  std::map<std::string, TopicInfo, std::less<>> topics_;
  std::string cluster_id_;
  std::int32_t controller_ = -1;
};

}  // namespace weir::client
