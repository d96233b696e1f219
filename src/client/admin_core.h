// Administration as asynchronous calls; the public Admin waits for them.
#pragma once

#include <weir/admin.h>

#include <functional>
#include <vector>

#include "client/cluster.h"
#include "client/coordinator.h"
#include "client/offset_query.h"

namespace weir::client {

template <class T>
using Done = std::move_only_function<void(Result<T>)>;
using ProducersByPartition = std::map<TopicPartition, std::vector<ProducerState>>;

/// Each call tries retriable errors again until its deadline. Owner: an Admin, or a test. Threads:
/// the loop's.
class AdminCore {
 public:
  AdminCore(io::Loop& loop, Transport& transport, Rng& rng, ClusterOptions cluster);
  ~AdminCore();
  AdminCore(const AdminCore&) = delete;

  using Results = std::vector<Result<void>>;
  /// A cluster spreads the news of a topic behind its answer: `done` is called when the metadata
  /// shows what was made, with its leaders, or at the deadline.
  void create_topics(const std::vector<NewTopic>& topics, bool validate_only, MonoTime deadline,
                     Done<Results> done);
  void delete_topics(const std::vector<std::string>& names, MonoTime deadline, Done<Results> done);
  void list_topics(bool with_internal, MonoTime deadline, Done<std::vector<std::string>> done);
  void describe_topic(const std::string& name, MonoTime deadline, Done<TopicDescription> done);
  void create_partitions(const std::string& topic, std::int32_t total, MonoTime deadline,
                         Done<void> done);
  void describe_configs(ConfigResource kind, const std::string& name, MonoTime deadline,
                        Done<std::vector<ConfigEntry>> done);
  void alter_configs(ConfigResource kind, const std::string& name,
                     const std::vector<ConfigChange>& changes, bool validate_only,
                     MonoTime deadline, Done<void> done);
  void describe_cluster(MonoTime deadline, Done<ClusterDescription> done);

  // Groups: admin_groups.cc.
  void list_groups(MonoTime deadline, Done<std::vector<GroupListing>> done);
  void describe_group(const std::string& group, MonoTime deadline, Done<GroupDescription> done);
  void delete_group(const std::string& group, MonoTime deadline, Done<void> done);
  void remove_group_members(const std::string& group, MonoTime deadline, Done<void> done);
  void list_group_offsets(const std::string& group, bool require_stable, MonoTime deadline,
                          Done<std::map<TopicPartition, OffsetAndMetadata>> done);
  void alter_group_offsets(const std::string& group,
                           const std::map<TopicPartition, OffsetAndMetadata>& offsets,
                           MonoTime deadline, Done<void> done);
  void delete_group_offsets(const std::string& group, const std::vector<TopicPartition>& partitions,
                            MonoTime deadline, Done<void> done);
  void delete_records(const std::map<TopicPartition, std::int64_t>& before, MonoTime deadline,
                      Done<std::map<TopicPartition, std::int64_t>> done);

  // Transactions: admin_transactions.cc.
  void list_transactions(const TransactionFilter& filter, MonoTime deadline,
                         Done<std::vector<TransactionListing>> done);
  void describe_transaction(const std::string& id, MonoTime deadline,
                            Done<TransactionDescription> done);
  void describe_producers(const std::vector<TopicPartition>& partitions,
                          std::optional<std::int32_t> broker, MonoTime deadline,
                          Done<ProducersByPartition> done);
  void abort_transaction(const AbortTransaction& transaction, MonoTime deadline, Done<void> done);
  void fence_producer(const std::string& id, MonoTime deadline, Done<FencedProducer> done);

  void list_offsets(std::map<TopicPartition, std::int64_t> timestamps, MonoTime deadline,
                    Done<ListedOffsets> done) {
    query_offsets(cluster_, std::move(timestamps), deadline, std::move(done));
  }

 private:
  struct GroupCall;
  GroupCall& begin_call(const std::string& group, std::uint64_t& id);
  void end_call(std::uint64_t id);
  void remove_members(const std::string& group, const std::vector<GroupMemberDescription>& members,
                      MonoTime deadline, Done<void> done);
  void delete_records_of(
      const std::map<std::int32_t, std::map<TopicPartition, std::int64_t>>& by_leader,
      MonoTime deadline, Done<std::map<TopicPartition, std::int64_t>> done);
  void list_groups_of(const std::vector<std::int32_t>& brokers, MonoTime deadline,
                      Done<std::vector<GroupListing>> done);
  void list_transactions_of(const std::vector<std::int32_t>& brokers,
                            const TransactionFilter& filter, MonoTime deadline,
                            Done<std::vector<TransactionListing>> done);
  void describe_producers_at(std::int32_t broker, const std::vector<TopicPartition>& partitions,
                             MonoTime deadline, Done<ProducersByPartition> done);
  Coordinator& begin_transaction_call(const std::string& id, std::uint64_t& call);
  void await_topics(const std::vector<std::string>& names, MonoTime deadline,
                    std::move_only_function<void()> done);

  Cluster cluster_;
  std::map<std::uint64_t, std::unique_ptr<GroupCall>> calls_;  // go before the cluster
  std::map<std::uint64_t, std::unique_ptr<Coordinator>> transaction_calls_;
  std::uint64_t last_call_ = 0;
};

}  // namespace weir::client
