// One rebalance in the leader: from subscriptions to assignments. Internal to assignment/.
#pragma once

#include <weir/group.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "streams/assignment/ownership.h"
#include "streams/assignment/stream_assignor.h"

namespace weir::streams::assigning {

/// What the leader knows beside the subscriptions.
struct LeaderView {
  /// A member of this process is told to come back when something is pending.
  Uuid process;
  /// By transactional id, what ran in this generation.
  const std::map<std::string, std::set<TaskId>>& ran;
  std::int32_t generation = -1;
};

class Round {
 public:
  /// All outlive it.
  Round(const Assignor::PartitionCounts& counts, const std::vector<GroupMember>& members,
        const StreamAssignorOptions& options, const LeaderView& leader);

  /// False: a member asks for the end, or no plan can be made; then assignments() says so.
  bool may_go_on() const { return verdict_ == GroupCode::none; }
  /// All are to stop with it.
  void stop_with(GroupCode code) { verdict_ = code; }
  void share_out(const Plan& plan, const StreamAssignor::EndSum& end_sum);
  Result<Assignor::Assignments> assignments() const;

 private:
  enum class Reading : std::uint8_t { good, newer, bad };
  struct Member {
    const GroupMember* group = nullptr;
    Reading reading = Reading::bad;
    StreamSubscription said;
    std::string thread;  // sorts as Kafka sorts members
    StreamAssignment told;
    std::vector<TopicPartition> partitions;
  };
  struct Work {
    TaskSpec spec;
    std::vector<TopicPartition> inputs;
  };

  void read(const GroupMember& member, std::size_t place);
  void keep_what_newer_members_own();
  bool form_tasks(const Plan& plan, const StreamAssignor::EndSum& end_sum);
  std::set<TaskId> excluded_by(const Member& member) const;
  bool is_free(const Work& work) const;
  bool somebody_else_owns(const Member& member, const Work& work) const;
  std::vector<ClientSpec> clients() const;
  void report_tasks(const Member& member, ClientSpec& client, ThreadSpec& thread) const;
  void give(const Shares& shares);
  void give_to(Member& member, const ThreadShare& share);
  void withhold(const Work& work);
  void fence();
  void introduce();
  void come_back(Member& member, std::chrono::milliseconds after);
  void come_back(std::chrono::milliseconds after);

  const Assignor::PartitionCounts& counts_;
  const StreamAssignorOptions& options_;
  const LeaderView& leader_;
  const Ownership ownership_;
  std::vector<Member> members_;  // in_order
  std::map<const GroupMember*, std::size_t> places_;
  std::map<TaskId, Work> works_;
  GroupCode verdict_ = GroupCode::none;
  std::int8_t common_ = stream_payload_version;
  bool held_back_ = false;  // a task whose streams are not there yet
};

}  // namespace weir::streams::assigning
