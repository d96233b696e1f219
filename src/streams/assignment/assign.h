// Who gets which task: processes and their threads, active tasks, standbys and warm-ups.
//
// Rules: KIP-441 with one difference. Its ideal is dealt out anew each time, so a member that dies
// moves tasks of all others; ours begins with what each client runs and moves as little as balance
// takes. Pure and deterministic: the order of what is given does not matter.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "streams/plan.h"

namespace weir::streams {

/// | strategy          | an active task is where                                                 |
/// |-------------------|-------------------------------------------------------------------------|
/// | high_availability | the balance wants it, once that client has caught up; until then where  |
/// |                   | it runs or the least is missing, while the other client warms up        |
/// | sticky            | it ran, else where state of it is, else the load is least; within the   |
/// |                   | balance. Never looks at lag: for work without state, or state in memory |
/// | round_robin       | its turn comes among all threads                                        |
/// | fixed             | its partition modulo the number of slots says, among the clients of     |
/// |                   | that slot; it waits while there is none                                 |
enum class Strategy : std::uint8_t { high_availability, sticky, round_robin, fixed };

struct AssignOptions {
  Strategy strategy = Strategy::high_availability;
  /// Of each task with state, as far as there are clients.
  std::int32_t standby_replicas = 0;
  /// A client that lacks at most so many records of a task's changelogs may run it at once.
  std::int64_t acceptable_recovery_lag = 10'000;
  /// In the whole group at a time.
  std::int32_t max_warmup_replicas = 2;
  /// Replicas of a task go to clients with different values of these, as far as there are.
  std::vector<std::string> spread_tags = {};
  /// Of Strategy::fixed; at least 1.
  std::int32_t fixed_slots = 1;
};

struct TaskSpec {
  TaskId id;
  bool stateful = false;
  /// Sum of the end offsets of its changelogs. Absent: not known now; then the task stays where it
  /// is, or goes where the most of it is, and Shares::unknown_ends says so.
  std::optional<std::int64_t> end_sum = std::nullopt;
};

struct ThreadSpec {
  /// Sorts: the threads of a client in a stable order.
  std::string id;
  std::set<TaskId> runs = {};
  std::set<TaskId> standbys = {};
};

struct ClientSpec {
  Uuid process;
  std::vector<ThreadSpec> threads = {};  // its capacity; a client without any gets nothing
  /// Of state that lies there, of standbys too; what its threads run counts as complete.
  std::map<TaskId, std::int64_t> offset_sums = {};
  std::map<std::string, std::string> tags = {};
  /// Tasks that it cannot take.
  std::set<TaskId> excluded = {};
  /// Of Strategy::fixed.
  std::optional<std::int32_t> slot = std::nullopt;
};

struct ThreadShare {
  std::set<TaskId> active;
  /// Warm-ups are among them.
  std::set<TaskId> standby;
  bool operator==(const ThreadShare&) const = default;
};
struct ClientShare {
  std::set<TaskId> active;
  std::set<TaskId> standby;
  std::set<TaskId> warm_up;
  std::map<std::string, ThreadShare> threads;  // by ThreadSpec::id
  bool operator==(const ClientShare&) const = default;
};
struct Shares {
  std::map<Uuid, ClientShare> clients;
  /// Something is not yet where it is to be: rebalance again after a while.
  bool probing = false;
  /// Rebalance again soon.
  bool unknown_ends = false;
  /// Tasks that no client can take.
  std::set<TaskId> waiting;
  bool operator==(const Shares&) const = default;
};

Shares assign(std::vector<TaskSpec> tasks, std::vector<ClientSpec> clients,
              const AssignOptions& options);

/// What a client with `offset_sum` (absent: without state) lacks of a task whose changelogs end at
/// `end_sum`. More than there is means that the changelog was made anew: all of it.
std::int64_t lag_of(std::optional<std::int64_t> offset_sum, std::int64_t end_sum);

}  // namespace weir::streams
