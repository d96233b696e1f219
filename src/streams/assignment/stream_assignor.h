// StreamAssignor: a thread of a stream processing application as a member of its group.
//
//   before a join      MemberState::report() --> user data of the subscription
//   in the leader      subscriptions, plan, ends of changelogs --assign()--> assignments
//   in every member    user data of the assignment --> MemberState::assigned()
//
// A leader and its members may be of different versions: see docs/formats/streams-group.md.
#pragma once

#include <weir/group.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "streams/assignment/assign.h"
#include "streams/assignment/payload.h"
#include "streams/plan.h"

namespace weir::streams {

/// What a member says of itself.
struct MemberReport {
  /// Kept on disk, so that state is found again. All threads of a process say the same.
  Uuid process;
  std::string endpoint = {};
  /// So that others can fence it when it is gone; empty: it has none.
  std::string transactional_id = {};
  /// What it runs, and state that it alone of its process speaks for. In any order, each once.
  std::vector<TaskReport> tasks = {};
  std::map<std::string, std::string> tags = {};
  /// All members are to stop.
  bool shutdown = false;
};

/// What a member is to do from now on.
struct StreamShare {
  /// missing_source, assignment, shutdown: it stops; nothing else is said then.
  GroupCode code = GroupCode::none;
  /// The leader could not read what it sent: it goes on with all that it has, and joins again.
  bool keep = false;
  std::int32_t generation = -1;
  /// What the consumer was assigned: inputs of `active`.
  std::vector<TopicPartition> partitions = {};
  std::vector<TaskId> active = {};
  std::vector<TaskId> standby = {};
  /// To come, once others have given them up.
  std::vector<TaskId> awaited = {};
  /// InitProducerId for each, before a task begins: whatever its last owner left open is ended, and
  /// if it still lives, it cannot commit any more.
  std::set<std::string> fence = {};
  /// Then it joins again, however the tasks have changed meanwhile.
  std::optional<std::chrono::milliseconds> next_rebalance = std::nullopt;
  /// Of the whole group. What is to be given up by one member first is with nobody.
  std::vector<ProcessTasks> processes = {};
};

/// The stream thread that the member is. Called on the client's thread, so it must not block.
class MemberState {
 public:
  virtual ~MemberState() = default;
  virtual MemberReport report() = 0;
  virtual void assigned(const StreamShare& share) = 0;
};

struct StreamAssignorOptions {
  AssignOptions assign = {};
  /// While something warms up.
  std::chrono::milliseconds probing_interval = std::chrono::minutes(10);
  /// While ends of changelogs are not known, or a stream between sub-topologies is not there yet.
  std::chrono::milliseconds retry_interval = std::chrono::seconds(5);
  /// The tag that says a client's slot, of Strategy::fixed.
  std::string slot_tag = "slot";
};

/// Owner and thread: as Assignor.
class StreamAssignor final : public Assignor {
 public:
  /// What the application is on this cluster; asked in the leader at each rebalance.
  /// Errc::unknown_topic_or_partition: a stream that it reads is missing.
  using PlanFor = std::function<Result<Plan>(const PartitionCounts&)>;
  /// The sum of the end offsets of a task's changelogs, uncommitted records included; of a
  /// changelog that is a source stream, the committed offset. Absent: not known now.
  using EndSum = std::function<std::optional<std::int64_t>(TaskId)>;

  /// `state` outlives it.
  StreamAssignor(MemberState& state, PlanFor plan, EndSum end_sum,
                 StreamAssignorOptions options = {});

  std::string_view name() const override { return "weir-stream"; }
  bool cooperative() const override { return true; }
  std::optional<std::string> user_data(const std::vector<std::string>& topics) override;
  Result<Assignments> assign(const PartitionCounts& partitions,
                             const std::vector<GroupMember>& members) override;
  void on_assignment(const GroupAssignment& assignment, const GroupMetadata& member) override;

 private:
  MemberState& state_;
  const PlanFor plan_;
  const EndSum end_sum_;
  const StreamAssignorOptions options_;
  std::int8_t version_ = stream_payload_version;  // that is written
  std::int32_t joins_ = 0;
  Uuid process_;
  /// Of the last assignment, and its generation.
  std::map<std::string, std::set<TaskId>> ran_;  // by transactional id
  std::int32_t generation_ = -1;
  std::vector<TaskId> awaited_;
};

}  // namespace weir::streams
