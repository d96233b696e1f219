// Admin: topics, their settings, offsets, groups, transactions and the cluster.
#pragma once

#include <weir/consumer.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir {
inline namespace v1 {

/// `cleanup.policy`: what happens to old records.
enum class Cleanup : std::uint8_t { remove, compact, compact_and_remove };

struct NewTopic {
  std::string name;
  /// -1: the broker's default, as for the replicas.
  std::int32_t partitions = -1;
  std::int16_t replication_factor = -1;
  std::optional<Cleanup> cleanup = std::nullopt;
  /// Further settings by Kafka's names; `cleanup.policy` here is stronger than `cleanup`.
  std::map<std::string, std::string> settings = {};
};

/// 16 bytes; all zero means none.
using TopicUuid = std::array<std::uint8_t, 16>;

struct PartitionDescription {
  std::int32_t partition = 0;
  std::int32_t leader = -1;  // -1: none now
  std::int32_t leader_epoch = -1;
  std::vector<std::int32_t> replicas;
  std::vector<std::int32_t> in_sync;
};
struct TopicDescription {
  std::string name;
  TopicUuid id{};
  bool internal = false;
  std::vector<PartitionDescription> partitions;  // in ascending order
};

struct BrokerDescription {
  std::int32_t id = -1;
  std::string host;
  std::uint16_t port = 0;
  std::optional<std::string> rack;
};
struct ClusterDescription {
  std::string cluster_id;
  std::int32_t controller = -1;
  std::vector<BrokerDescription> brokers;
};

/// Kafka's kinds of things that have settings.
enum class ConfigResource : std::int8_t { topic = 2, broker = 4, broker_logger = 8, group = 32 };

struct ConfigEntry {
  std::string name;
  /// Absent if null or sensitive.
  std::optional<std::string> value;
  /// Kafka's DescribeConfigs source: 1 topic, 2 dynamic broker, 3 dynamic default, 4 static, 5
  /// default.
  std::int8_t source = 0;
  bool read_only = false;
  bool sensitive = false;
  bool is_default() const { return source == 5; }
};

/// One change of IncrementalAlterConfigs.
struct ConfigChange {
  enum class Op : std::int8_t { set = 0, remove = 1, append = 2, subtract = 3 };
  std::string name;
  Op op = Op::set;
  std::string value = {};
};

/// Which offset to ask for.
struct OffsetSpec {
  static constexpr std::int64_t latest = -1, earliest = -2, max_timestamp = -3;
  /// One of the above, or milliseconds since 1970: the first record not before them.
  std::int64_t timestamp_ms = latest;
};

struct GroupListing {
  std::string id;
  std::string protocol_type;  // "consumer" of consumers; empty: has only offsets
  std::string state;          // Kafka's names: Empty, Stable, …; empty from brokers before 2.6
  std::string type;           // classic, consumer, share, streams; empty from brokers before 3.8
};
struct GroupMemberDescription {
  std::string id;
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string host;
  std::vector<std::string> topics;  // subscribed to
  std::vector<TopicPartition> assignment;
};
struct GroupDescription {
  std::string id;
  std::string state;
  std::string protocol_type;
  std::string assignor;  // chosen by the broker; empty in a rebalance
  std::vector<GroupMemberDescription> members;
};

/// Which transactional ids to list: what is empty or absent wants all. A broker that is too old for
/// a filter is Errc::unsupported_version.
struct TransactionFilter {
  /// Kafka's names: Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit, CompleteAbort, ….
  std::vector<std::string> states = {};
  std::vector<std::int64_t> producer_ids = {};
  /// Only transactions that are open for longer (KIP-994).
  std::optional<std::chrono::milliseconds> open_longer_than = std::nullopt;
  /// A regular expression of RE2 for the whole id (KIP-1152).
  std::string id_pattern = {};
};
struct TransactionListing {
  std::string id;  // the transactional id
  std::string state;
  std::int64_t producer_id = -1;
  std::int32_t coordinator = -1;  // the broker that answers for it
};
struct TransactionDescription {
  std::string id;
  std::string state;
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;
  /// After this time the coordinator aborts it.
  std::chrono::milliseconds timeout{};
  std::optional<Timestamp> started;        // absent: none is open
  std::vector<TopicPartition> partitions;  // that are in it and wait for their markers; in order
};

/// What a partition remembers of a producer (KIP-664).
struct ProducerState {
  std::int64_t producer_id = -1;
  std::int32_t producer_epoch = -1;
  std::int32_t last_sequence = -1;  // -1: only a marker is left of it
  std::optional<Timestamp> last_write;
  std::int32_t coordinator_epoch = -1;
  /// The first offset of the transaction that it has open here.
  std::optional<std::int64_t> transaction_start;
};

/// A transaction to end in one partition, as ProducerState told it.
struct AbortTransaction {
  TopicPartition partition;
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;
  std::int32_t coordinator_epoch = 0;
};
struct FencedProducer {
  std::int64_t producer_id = -1;
  std::int16_t producer_epoch = -1;
};

/// Every call waits for the cluster's answer, tries retriable errors again until its deadline, and
/// then gives the last one. Threads: any but the client's.
class Admin {
 public:
  Admin(Admin&&) noexcept;
  Admin& operator=(Admin&&) noexcept;
  ~Admin();

  /// For all calls from now on; 30 s at the start.
  void set_timeout(std::chrono::milliseconds timeout);

  /// Errc::topic_already_exists, invalid_topic_exception, invalid_partitions, invalid_config, ….
  /// Returns when the cluster's metadata shows the topic, so that it can be used at once.
  Result<void> create_topic(const NewTopic& topic);
  /// One result a topic, in their order.
  Result<std::vector<Result<void>>> create_topics(const std::vector<NewTopic>& topics);
  /// Checks everything and makes nothing.
  Result<void> validate_topic(const NewTopic& topic);
  Result<void> delete_topic(const std::string& name);
  /// Names in order; Kafka's internal topics only if asked for.
  Result<std::vector<std::string>> list_topics(bool with_internal = false);
  /// Errc::unknown_topic_or_partition if it does not exist; never makes it.
  Result<TopicDescription> describe_topic(const std::string& name);
  /// `total` partitions from now on; it can only grow.
  Result<void> create_partitions(const std::string& topic, std::int32_t total);

  Result<std::vector<ConfigEntry>> describe_configs(ConfigResource kind, const std::string& name);
  Result<void> alter_configs(ConfigResource kind, const std::string& name,
                             const std::vector<ConfigChange>& changes, bool validate_only = false);

  /// Of all brokers, in order of their ids.
  Result<std::vector<GroupListing>> list_groups();
  /// Of classic groups. Errc::group_id_not_found.
  Result<GroupDescription> describe_group(const std::string& group);
  /// With its offsets. Errc::non_empty_group if it has members, group_id_not_found.
  Result<void> delete_group(const std::string& group);
  /// Removes every member of a classic group, with its instance id if it has one; whoever lives
  /// comes back by itself. A group that does not exist, or has no members, is no error.
  Result<void> remove_group_members(const std::string& group);
  /// Every committed offset; of a group that does not exist none. `require_stable` (KIP-447): waits
  /// for transactions that replace some; Kafka leaves out what only they commit. See committed().
  Result<std::map<TopicPartition, OffsetAndMetadata>> list_group_offsets(
      const std::string& group, bool require_stable = false);
  /// Makes the group if it does not exist. Errc::unknown_member_id if it has members.
  Result<void> alter_group_offsets(const std::string& group,
                                   const std::map<TopicPartition, OffsetAndMetadata>& offsets);
  /// Errc::group_subscribed_to_topic of the first partition whose topic is being read.
  Result<void> delete_group_offsets(const std::string& group,
                                    const std::vector<TopicPartition>& partitions);
  /// Deletes what is before these offsets (-1: before the high watermark), and gives the first
  /// offset that is left of each partition.
  Result<std::map<TopicPartition, std::int64_t>> delete_records(
      const std::map<TopicPartition, std::int64_t>& before);

  /// Of all brokers, in order of their ids.
  Result<std::vector<TransactionListing>> list_transactions(const TransactionFilter& filter = {});
  /// Errc::transactional_id_not_found.
  Result<TransactionDescription> describe_transaction(const std::string& transactional_id);
  /// Of each partition the producers that it remembers, in order of their ids: as its leader knows
  /// them, or as `broker` does, which must have a replica.
  Result<std::map<TopicPartition, std::vector<ProducerState>>> describe_producers(
      const std::vector<TopicPartition>& partitions,
      std::optional<std::int32_t> broker = std::nullopt);
  /// Writes an abort marker into one partition. It is for transactions that hang: those that no
  /// coordinator knows. Of one that is known it would abort a part: fence_producer() ends that.
  /// Errc::invalid_producer_epoch, transaction_coordinator_fenced.
  Result<void> abort_transaction(const AbortTransaction& transaction);
  /// Aborts what is open under this id and fences its owner; returns when the markers are written.
  /// Makes the id if it does not exist.
  Result<FencedProducer> fence_producer(const std::string& transactional_id);

  Result<ClusterDescription> describe_cluster();
  /// Absent: no record is so young.
  Result<std::map<TopicPartition, std::optional<OffsetAndTimestamp>>> list_offsets(
      const std::map<TopicPartition, OffsetSpec>& wanted);

 private:
  friend class Client;
  struct Impl;
  explicit Admin(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace v1
}  // namespace weir
