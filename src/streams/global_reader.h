// GlobalReader: brings the global tables of a process up to the end of their topics, and keeps them
// there.
//
//   start() reads up to the ends ──> follows on a thread of its own ──> goes with its destructor
#pragma once

#include <weir/client.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include "streams/globals.h"
#include "streams/plan.h"

namespace weir::streams {

/// Owner: the application. `globals` outlives it.
class GlobalReader {
 public:
  /// Waits until every table holds what its topic had when this was called; it says every ten
  /// seconds how far it is. Errors are the client's.
  static Result<std::unique_ptr<GlobalReader>> start(Client client, Globals& globals,
                                                     const PartitionCounts& partitions,
                                                     Isolation isolation);
  ~GlobalReader();

 private:
  GlobalReader(Client client, Consumer consumer, Globals& globals)
      : client_(std::move(client)), consumer_(std::move(consumer)), globals_(globals) {}
  Result<void> read_to_the_ends(const std::vector<TopicPartition>& all);
  /// The number of records.
  Result<std::size_t> read_once(std::chrono::milliseconds timeout);
  void follow();

  Client client_;
  std::optional<Consumer> consumer_;
  Globals& globals_;
  std::map<std::string, std::string> stores_;  // by topic
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace weir::streams
