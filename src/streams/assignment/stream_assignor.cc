#include "streams/assignment/stream_assignor.h"

#include <algorithm>

#include "base/log.h"
#include "streams/assignment/round.h"

namespace weir::streams {

StreamAssignor::StreamAssignor(MemberState& state, PlanFor plan, EndSum end_sum,
                               StreamAssignorOptions options)
    : state_(state),
      plan_(std::move(plan)),
      end_sum_(std::move(end_sum)),
      options_(std::move(options)) {}

std::optional<std::string> StreamAssignor::user_data(const std::vector<std::string>&) {
  MemberReport report = state_.report();
  process_ = report.process;
  joins_ = static_cast<std::int32_t>((static_cast<std::uint32_t>(joins_) + 1) & 0x7fffffffU);
  std::ranges::sort(report.tasks, {}, &TaskReport::task);
  StreamSubscription subscription{.version = version_,
                                  .code = report.shutdown ? GroupCode::shutdown : GroupCode::none,
                                  .unique = joins_,
                                  .process = report.process,
                                  .endpoint = std::move(report.endpoint),
                                  .transactional_id = std::move(report.transactional_id),
                                  .tasks = std::move(report.tasks),
                                  .awaited = awaited_,
                                  .tags = std::move(report.tags)};
  for (const auto& [id, tasks] : ran_) subscription.peers.insert(id);
  auto bytes = encode(subscription);
  if (bytes) return *std::move(bytes);
  // The leader tells a member without user data to stop.
  log_error("streams", "cannot tell the group what this member has: " + bytes.error().message());
  return std::nullopt;
}

Result<Assignor::Assignments> StreamAssignor::assign(const PartitionCounts& partitions,
                                                     const std::vector<GroupMember>& members) {
  const assigning::LeaderView leader{.process = process_, .ran = ran_, .generation = generation_};
  assigning::Round round(partitions, members, options_, leader);
  if (round.may_go_on()) {
    if (const auto plan = plan_(partitions)) {
      round.share_out(*plan, end_sum_);
    } else {
      log_error("streams", plan.error().message() + "; the group is told to stop");
      round.stop_with(plan.error().code() == Errc::unknown_topic_or_partition
                          ? GroupCode::missing_source
                          : GroupCode::assignment);
    }
  }
  return round.assignments();
}

void StreamAssignor::on_assignment(const GroupAssignment& assignment, const GroupMetadata& member) {
  awaited_.clear();
  StreamShare share{.generation = member.generation, .partitions = assignment.partitions};
  if (!assignment.user_data && assignment.partitions.empty()) {
    state_.assigned(share);  // the leader did not name this member
    return;
  }
  auto told = decode_stream_assignment(assignment.user_data.value_or(std::string()));
  if (!told) {
    log_error("streams", told.error().message());
    share.code = GroupCode::assignment;
    share.partitions.clear();
    state_.assigned(share);
    return;
  }
  share.keep = told->code == GroupCode::lower_version;
  if (!share.keep) share.code = told->code;
  version_ = std::min(share.keep ? told->version : told->common, stream_payload_version);
  if (share.code == GroupCode::none) {
    share.active = std::move(told->active);
    share.standby = std::move(told->standby);
    share.awaited = awaited_ = std::move(told->awaited);
    share.fence = std::move(told->fence);
    share.next_rebalance = told->next_rebalance;
    share.processes = std::move(told->processes);
    ran_.clear();
    for (const ProcessTasks& process : share.processes)
      for (const PeerTasks& peer : process.members)
        if (!peer.transactional_id.empty())
          ran_[peer.transactional_id].insert(peer.active.begin(), peer.active.end());
    generation_ = member.generation;
  }
  state_.assigned(share);
}

}  // namespace weir::streams
