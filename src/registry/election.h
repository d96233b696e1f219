// Who of the nodes writes: a Kafka group of protocol type "sr", whose one partition belongs to the
// leader.
#pragma once

#include <weir/client.h>

#include <functional>
#include <memory>
#include <string>

#include "io/runtime.h"

namespace weir::registry {

struct ElectionOptions {
  std::string group = "schema-registry";
  std::string topic = "_schemas";
  std::string url;       // where the others reach this node
  bool eligible = true;  // for leader
};

struct Leadership {
  bool ours = false;
  std::string url;  // of the leader; empty: nobody is known
  bool operator==(const Leadership&) const = default;
};

/// Threads: the loop's; what blocks is done on a worker.
class Election {
 public:
  using Changed = std::function<void(const Leadership&)>;

  /// `changed` is told on the loop, whenever it has changed.
  Election(io::Runtime& runtime, Client& client, ElectionOptions options, Changed changed);
  /// Leaves the group, so that another leads soon.
  ~Election();

 private:
  struct State;
  void poll_on();
  void tell();

  io::Runtime& runtime_;
  Changed changed_;
  std::string own_url_;
  Leadership known_;
  std::shared_ptr<State> state_;
  std::unique_ptr<io::Worker> worker_;
};

/// The assignor of these groups. `assigned` hears each assignment, on the client's thread.
std::shared_ptr<Assignor> leader_assignor(std::string url, bool eligible,
                                          std::function<void(std::string leader_url)> assigned);

}  // namespace weir::registry
