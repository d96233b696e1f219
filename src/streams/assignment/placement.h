// What the algorithm of assign.h thinks with: what is (Facts), and who is to have what (Placement).
// Tasks and clients are indices in the order of their ids. Internal to assignment/.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <vector>

#include "streams/assignment/assign.h"

namespace weir::streams::assigning {

using TaskIndex = std::size_t;
using ClientIndex = std::size_t;
inline constexpr std::size_t nobody = std::numeric_limits<std::size_t>::max();

/// What clients run and have. Does not change.
class Facts {
 public:
  /// Of two clients that say that they run a task, the first by id does.
  Facts(std::vector<TaskSpec> tasks, std::vector<ClientSpec> clients, const AssignOptions& options);

  const std::vector<TaskSpec>& tasks() const { return tasks_; }
  const std::vector<ClientSpec>& clients() const { return clients_; }
  const AssignOptions& options() const { return options_; }
  std::size_t capacity(ClientIndex client) const { return clients_[client].threads.size(); }

  bool may(ClientIndex client, TaskIndex task) const;
  /// nobody: none of these clients runs it.
  ClientIndex runner(TaskIndex task) const { return runner_[task]; }
  /// It may not move: its end is not known, and somebody runs it or has some of it.
  bool pinned(TaskIndex task) const;
  bool holds(ClientIndex client, TaskIndex task) const;
  bool is_standby(ClientIndex client, TaskIndex task) const;
  /// runs_it, or the lag; for strategies that are blind to lag, small for more state.
  std::int64_t lag(ClientIndex client, TaskIndex task) const;
  bool caught_up(ClientIndex client, TaskIndex task) const;

 private:
  struct Holder {
    ClientIndex client = nobody;
    std::int64_t offset_sum = 0;
    bool standby = false;
  };
  const Holder* find(ClientIndex client, TaskIndex task) const;
  void note(ClientIndex client);

  std::vector<TaskSpec> tasks_;
  std::vector<ClientSpec> clients_;
  AssignOptions options_;
  bool blind_;
  std::map<TaskId, TaskIndex> index_;
  std::vector<ClientIndex> runner_;
  std::vector<std::vector<Holder>> holders_;  // ascending by client
  std::vector<std::int64_t> end_;
};

/// An assignment that is being made. `facts` outlives it.
class Placement {
 public:
  explicit Placement(const Facts& facts);

  ClientIndex active(TaskIndex task) const { return active_[task]; }
  const std::set<ClientIndex>& standbys(TaskIndex task) const { return standbys_[task]; }
  const std::set<TaskIndex>& actives_of(ClientIndex client) const { return actives_of_[client]; }
  const std::set<TaskIndex>& standbys_of(ClientIndex client) const { return standbys_of_[client]; }
  bool has(ClientIndex client, TaskIndex task) const {
    return active_[task] == client || standbys_[task].contains(client);
  }
  /// nobody: takes it away.
  void set_active(TaskIndex task, ClientIndex client);
  void add_standby(TaskIndex task, ClientIndex client);
  void remove_standby(TaskIndex task, ClientIndex client);

  /// Active tasks a thread: whether a has less. Equal loads are not less.
  bool less_active(ClientIndex a, ClientIndex b) const;
  /// The client of `among` with the least active load; the first of equal ones, nobody of none.
  ClientIndex least_active(const std::vector<ClientIndex>& among) const;

  /// Where tasks are to run: with who runs them, else with who has the most of them, then as few
  /// are moved as balance takes: first of tasks with state alone, then of all, by moving tasks
  /// without. Tasks that nobody may take stay with nobody.
  void place_actives();
  /// Replicas of all tasks with state that have an active.
  void place_standbys();

 private:
  enum class Kind : std::uint8_t { stateful, stateless, standby };
  void place_left(bool stateful);
  std::size_t count(ClientIndex client, Kind kind) const;
  bool less(ClientIndex a, ClientIndex b, Kind kind) const;
  /// Whether one task fewer there and one more here leaves the former with at least as much load.
  bool gains(ClientIndex from, ClientIndex to, Kind kind) const;
  bool move_one(Kind kind);
  TaskIndex to_move(ClientIndex from, ClientIndex to, Kind kind) const;
  bool movable(TaskIndex task, ClientIndex from, ClientIndex to, Kind kind) const;
  ClientIndex place_for(TaskIndex task) const;
  ClientIndex replica_for(TaskIndex task) const;
  /// How many tags the client would share with other replicas of the task; `without` does not
  /// count.
  std::size_t clashes(TaskIndex task, ClientIndex client, ClientIndex without) const;
  /// How many of the task's sub-topology more it has than the other.
  std::int64_t surplus(TaskIndex task, ClientIndex client, ClientIndex other) const;

  const Facts& facts_;
  std::vector<ClientIndex> active_;
  std::vector<std::set<ClientIndex>> standbys_;
  std::vector<std::set<TaskIndex>> actives_of_;
  std::vector<std::set<TaskIndex>> standbys_of_;
  std::vector<std::size_t> stateful_;                         // of its active tasks
  std::vector<std::map<std::int32_t, std::int64_t>> by_sub_;  // client: sub-topology: active tasks
};

}  // namespace weir::streams::assigning
