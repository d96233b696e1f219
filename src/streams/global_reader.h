// GlobalReader: brings the global tables of a process up to the end of their topics, and keeps them
// there.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/rng.h"
#include "client/consumer_core.h"
#include "client/transport.h"
#include "io/loop.h"
#include "streams/globals.h"
#include "streams/plan.h"

namespace weir::streams {

/// Owner: the application, on a loop of its own. `globals` outlives it. Threads: the loop's.
class GlobalReader {
 public:
  struct World {
    io::Loop& loop;
    client::Transport& transport;
    Rng& rng;
    client::ClusterOptions cluster;
  };
  GlobalReader(const World& world, Globals& globals, Isolation isolation);
  ~GlobalReader();
  GlobalReader(const GlobalReader&) = delete;

  using Ready = std::function<void(Result<void>)>;
  /// `ready` is called once: when every table has had all that its topic had then, or with the
  /// error if one cannot be read; it says every ten seconds how far it is. What cannot be read
  /// after that is tried again.
  void start(const PartitionCounts& partitions, Ready ready);

 private:
  void poll();
  void on_polled(Result<std::vector<client::RawBatch>> raws);
  Result<void> take(std::vector<client::RawBatch> raws);
  void look_at_ends();

  const World world_;
  Globals& globals_;
  client::ConsumerCore consumer_;
  std::map<std::string, std::string> stores_;  // by topic
  std::set<TopicPartition> behind_;            // partitions that were never at their end
  Ready ready_;
  std::uint64_t records_ = 0;
  MonoTime tell_at_{};
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace weir::streams
