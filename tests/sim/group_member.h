// A scripted member of a classic group: it joins, assigns if it leads, and keeps itself alive.
#pragma once

#include <map>
#include <optional>

#include "actor.h"
#include "group_history.h"
#include "kafka/messages/join_group.h"

namespace weir::tests {

/// What a member does with what it owns is up to the class that derives from it.
class GroupMember : public Actor {
 public:
  struct Options {
    std::string group;
    int number = 0;
    std::optional<std::string> instance{};  // of a static member
    std::int16_t join_version = 5;
    std::int32_t partitions = 4;  // that are shared out, from 0
    std::int32_t session_ms = 500;
    std::int32_t rebalance_ms = 700;
  };
  GroupMember(World& world, GroupHistory& history, Options options)
      : Actor(world, options.group + " member " + std::to_string(options.number)),
        history_(history),
        options_(std::move(options)) {}
  bool owns_something() const { return in_ && !owned_.empty(); }

 protected:
  /// It has been told what it owns.
  virtual void on_assigned() = 0;
  /// It goes on in its generation after a new connection, perhaps to a broker that was restarted.
  virtual void on_resumed() = 0;
  /// It hears of a rebalance. False: it is not ready to join again, and will do so by itself.
  virtual bool on_rebalance() = 0;

  void join();
  void rejoin(Duration pause);
  void leave(Duration pause);
  /// A new process, which knows nothing of the old one, takes its place.
  void die(Duration pause);
  void heartbeat();
  void forget() { member_.clear(); }

  GroupHistory& history_;
  const Options options_;
  std::string member_;
  std::int32_t generation_ = -1;
  bool in_ = false;
  std::vector<std::int32_t> owned_;

 private:
  void on_connected() override;
  void sync(const kafka::JoinGroupResponse& joined);
  void joined(const kafka::JoinGroupResponse& answer);
  bool is_unknown(Errc error);

  bool resuming_ = false;
};

}  // namespace weir::tests
