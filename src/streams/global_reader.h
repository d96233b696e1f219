// GlobalReader: brings the global tables of a process up to the end of their topics, and keeps them
// there.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/rng.h"
#include "client/consumer_core.h"
#include "client/transport.h"
#include "io/loop.h"
#include "streams/globals.h"
#include "streams/plan.h"
#include "streams/readable_state.h"

namespace weir::streams {

/// Owner: the application, on a loop of its own. `globals` outlives it. Threads: the loop's.
class GlobalReader {
 public:
  struct World {
    io::Loop& loop;
    client::Transport& transport;
    Rng& rng;
    client::ClusterOptions cluster;
    ReadableState* readable = nullptr;  // is told how far the tables are
  };
  GlobalReader(const World& world, Globals& globals, Isolation isolation);
  ~GlobalReader();
  GlobalReader(const GlobalReader&) = delete;

  using Ready = std::function<void(Result<void>)>;
  using Died = std::function<void(const Error&)>;
  /// `ready` is called once: when every table has had all that its topic had then, or with the
  /// error if one cannot be read; it says every ten seconds how far it is. After that what cannot
  /// be fetched is tried again; what a table cannot take ends the reading, with `died`.
  void start(const PartitionCounts& partitions, Ready ready, Died died);

 private:
  void poll();
  void on_polled(Result<std::vector<client::RawBatch>> raws);
  Result<void> take(std::vector<client::RawBatch> raws);
  void end(const Error& why);
  void look_at_ends();
  void note_lags();

  const World world_;
  Globals& globals_;
  client::ConsumerCore consumer_;
  std::map<std::string, std::string> stores_;  // by topic
  std::vector<TopicPartition> partitions_;     // of all tables
  std::set<TopicPartition> behind_;            // partitions that were never at their end
  Ready ready_;
  Died died_;
  std::optional<Error> refused_;  // a table could not take a record
  std::uint64_t records_ = 0;
  MonoTime tell_at_{};
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace weir::streams
