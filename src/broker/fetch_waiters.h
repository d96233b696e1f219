// Fetches that wait for bytes: woken by high watermarks, ended by their time-out.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "io/loop.h"

namespace weir::log {
class PartitionLog;
}

namespace weir::broker {

class Broker;
class PendingFetch;

/// Owner: the broker. Threads: its loop.
class FetchWaiters {
 public:
  explicit FetchWaiters(Broker& broker) : broker_(broker) {}
  ~FetchWaiters();

  /// Answers at once if it can, else when it can or its time is up.
  void start(std::shared_ptr<PendingFetch> fetch);
  void on_change(log::PartitionLog& partition);
  /// Answers everybody with what there is: the broker stops.
  void answer_all();

 private:
  void answer(const std::shared_ptr<PendingFetch>& fetch);

  Broker& broker_;
  std::unordered_map<PartitionId, std::vector<std::weak_ptr<PendingFetch>>> waiting_;
};

}  // namespace weir::broker
