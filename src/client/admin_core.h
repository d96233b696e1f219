// Administration as asynchronous calls; the public Admin waits for them.
#pragma once

#include <weir/admin.h>

#include <functional>
#include <vector>

#include "client/cluster.h"
#include "client/offset_query.h"

namespace weir::client {

template <class T>
using Done = std::move_only_function<void(Result<T>)>;

/// Each call tries retriable errors again until its deadline. Owner: an Admin, or a test. Threads:
/// the loop's.
class AdminCore {
 public:
  AdminCore(io::Loop& loop, Transport& transport, Rng& rng, ClusterOptions cluster)
      : cluster_(loop, transport, rng, std::move(cluster)) {}

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
  void list_offsets(std::map<TopicPartition, std::int64_t> timestamps, MonoTime deadline,
                    Done<ListedOffsets> done) {
    query_offsets(cluster_, std::move(timestamps), deadline, std::move(done));
  }

 private:
  void await_topics(const std::vector<std::string>& names, MonoTime deadline,
                    std::move_only_function<void()> done);

  Cluster cluster_;
};

}  // namespace weir::client
