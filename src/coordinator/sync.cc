// SyncGroup, Heartbeat, LeaveGroup: what members do between two joins.
#include "base/check.h"
#include "coordinator/group_coordinator.h"

namespace weir::coordinator {
namespace {

constexpr std::int16_t first_version_with_many_leavers = 3;

}  // namespace

Errc GroupCoordinator::member_fault(const Group& group, std::string_view member,
                                    const std::optional<std::string_view>& instance) const {
  if (instance) {
    const auto known = group.instances.find(*instance);
    if (known == group.instances.end()) return Errc::unknown_member_id;
    if (known->second != member) return Errc::fenced_instance_id;
  }
  return group.find(member) == nullptr ? Errc::unknown_member_id : Errc::none;
}

Errc GroupCoordinator::sync_fault(const Group* group,
                                  const kafka::SyncGroupRequest& request) const {
  if (request.group_id.empty()) return Errc::invalid_group_id;
  if (group == nullptr) return Errc::unknown_member_id;
  if (const Errc fault = member_fault(*group, request.member_id, request.group_instance_id);
      fault != Errc::none)
    return fault;
  if (request.generation_id != group->generation) return Errc::illegal_generation;
  if (request.protocol_type && *request.protocol_type != group->protocol_type)
    return Errc::inconsistent_group_protocol;
  if (request.protocol_name && *request.protocol_name != group->protocol.value_or(""))
    return Errc::inconsistent_group_protocol;
  if (group->in(GroupState::empty)) return Errc::unknown_member_id;
  if (group->in(GroupState::preparing_rebalance)) return Errc::rebalance_in_progress;
  return Errc::none;
}

void GroupCoordinator::refuse_sync(const Parked& parked, Errc error) {
  kafka::SyncGroupResponse response;
  response.error_code = wire_code(error);
  answer(parked.id, std::move(response));
}

void GroupCoordinator::answer_sync(const Parked& parked, const Group& group, const Member& member) {
  kafka::SyncGroupResponse response;
  response.protocol_type = response.keep(group.protocol_type);
  response.protocol_name = response.keep(group.protocol.value_or(""));
  response.assignment = response.keep(member.assignment);
  answer(parked.id, std::move(response));
}

Effects GroupCoordinator::sync(const Caller& caller, const kafka::SyncGroupRequest& request,
                               Now now) {
  begin(now);
  const Parked parked{.id = caller.request, .version = caller.version};
  Group* group = find_group(request.group_id);
  if (const Errc fault = sync_fault(group, request); fault != Errc::none) {
    refuse_sync(parked, fault);
    return finish();
  }
  Member& member = *group->find(request.member_id);
  synced(*group, member);
  touch(*group, member);
  if (group->in(GroupState::stable)) {
    answer_sync(parked, *group, member);
    return finish();
  }
  // Asked twice: the answer to the second is waited for.
  if (member.sync) refuse_sync(*member.sync, Errc::rebalance_in_progress);
  member.sync = parked;
  if (group->leader == member.id && group->assignment_write == 0) store_assignment(*group, request);
  return finish();
}

Result<Record> GroupCoordinator::group_record(const Group& group) const {
  std::map<std::string_view, std::string_view> assignments;
  for (const auto& [id, member] : group.members) assignments.emplace(id, member->assignment);
  return group_record(group, assignments);
}

Result<Record> GroupCoordinator::group_record(
    const Group& group, const std::map<std::string_view, std::string_view>& assignments) const {
  kafka::GroupMetadataValue value;
  value.protocol_type = group.protocol_type;
  value.generation = group.generation;
  value.protocol.reset();
  value.leader.reset();
  if (group.protocol) value.protocol = *group.protocol;
  if (!group.leader.empty()) value.leader = group.leader;
  value.current_state_timestamp = now_.wall_ms;
  std::size_t size = 0;
  for (const auto& [id, member] : group.members) {
    auto& out = value.members.emplace_back();
    out.member_id = id;
    if (member->instance_id) out.group_instance_id = *member->instance_id;
    out.client_id = member->client_id;
    out.client_host = member->client_host;
    out.rebalance_timeout = member->rebalance_timeout_ms;
    out.session_timeout = member->session_timeout_ms;
    if (const std::string* metadata = member->metadata_for(group.protocol.value_or("")))
      out.subscription = *metadata;
    const auto assigned = assignments.find(id);
    if (assigned != assignments.end()) out.assignment = assigned->second;
    size += out.subscription.size() + out.assignment.size();
  }
  if (size > limits::group_record_bytes)
    return fail(Errc::record_list_too_large, "the record of the group is too large");
  return make_group_record(group.id, value);
}

void GroupCoordinator::store_assignment(Group& group, const kafka::SyncGroupRequest& request) {
  std::map<std::string_view, std::string_view> assignments;
  for (const auto& a : request.assignments) assignments.emplace(a.member_id, a.assignment);
  auto record = group_record(group, assignments);
  if (!record) {
    refuse_waiting_syncs(group, Errc::unknown_server_error);
    return rebalance(group, "its assignment cannot be stored: " + record.error().message());
  }
  std::vector<Record> records;
  records.push_back(std::move(*record));
  group.assignment_write = write(group, std::move(records), [this, &group](bool durable) {
    // Completions run in the order of the writes: this one's is the last that ended.
    assignment_stored(group, first_write_ - 1, durable);
  });
}

void GroupCoordinator::assignment_stored(Group& group, WriteId write, bool durable) {
  // Something else has begun a rebalance meanwhile: the members have been told.
  if (group.assignment_write != write) return;
  group.assignment_write = 0;
  if (!durable) {
    refuse_waiting_syncs(group, Errc::coordinator_not_available);
    return rebalance(group, "its assignment could not be stored");
  }
  group.state = GroupState::stable;
  for (const auto& [id, member] : group.members) {
    const auto stored = group.stored->members.find(id);
    check(stored != group.stored->members.end(), "a stable group is the one that was stored");
    const std::size_t before = member->bytes();
    member->assignment = stored->second.assignment;
    count_bytes(group, before, member->bytes());
    if (!member->sync) continue;
    touch(group, *member);
    answer_sync(*std::exchange(member->sync, std::nullopt), group, *member);
  }
}

Effects GroupCoordinator::heartbeat(const Caller& caller, const kafka::HeartbeatRequest& request,
                                    Now now) {
  begin(now);
  kafka::HeartbeatResponse response;
  Group* group = find_group(request.group_id);
  Errc error = Errc::unknown_member_id;
  if (request.group_id.empty()) {
    error = Errc::invalid_group_id;
  } else if (group != nullptr) {
    error = member_fault(*group, request.member_id, request.group_instance_id);
    if (error == Errc::none && request.generation_id != group->generation)
      error = Errc::illegal_generation;
    if (error == Errc::none) {
      touch(*group, *group->find(request.member_id));
      if (group->in(GroupState::preparing_rebalance)) error = Errc::rebalance_in_progress;
    }
  }
  response.error_code = wire_code(error);
  answer(caller.request, std::move(response));
  return finish();
}

Errc GroupCoordinator::leave_one(Group& group, std::string_view member,
                                 const std::optional<std::string_view>& instance, bool& left) {
  if (group.pending.contains(member)) {
    if (instance) return Errc::unknown_member_id;
    forget_pending(group, std::string(member));
    left = true;
    return Errc::none;
  }
  if (member.empty() && instance) {
    // A person removes a static member, whatever its id is now.
    const auto known = group.instances.find(*instance);
    if (known == group.instances.end()) return Errc::unknown_member_id;
    member = known->second;
  } else if (const Errc fault = member_fault(group, member, instance); fault != Errc::none) {
    return fault;
  }
  part_with(group, *group.find(member), Errc::unknown_member_id);
  left = true;
  return Errc::none;
}

Effects GroupCoordinator::leave(const Caller& caller, const kafka::LeaveGroupRequest& request,
                                Now now) {
  begin(now);
  kafka::LeaveGroupResponse response;
  Group* group = find_group(request.group_id);
  bool left = false;
  const auto leave_this = [&](std::string_view member,
                              const std::optional<std::string_view>& instance) {
    return group == nullptr ? Errc::unknown_member_id : leave_one(*group, member, instance, left);
  };
  if (request.group_id.empty()) {
    response.error_code = wire_code(Errc::invalid_group_id);
  } else if (caller.version < first_version_with_many_leavers) {
    response.error_code = wire_code(leave_this(request.member_id, std::nullopt));
  } else {
    for (const auto& leaver : request.members) {
      auto& out = response.members.emplace_back();
      out.member_id = response.keep(std::string(leaver.member_id));
      out.group_instance_id.reset();
      if (leaver.group_instance_id)
        out.group_instance_id = response.keep(std::string(*leaver.group_instance_id));
      out.error_code = wire_code(leave_this(leaver.member_id, leaver.group_instance_id));
    }
  }
  answer(caller.request, std::move(response));
  if (left) {
    std::string why = "members leave";
    if (!request.members.empty() && request.members[0].reason)
      why.append(" (")
          .append(request.members[0].reason->substr(0, limits::reason_bytes))
          .append(")");
    member_gone(*group, why);
    remove_if_gone(*group);
  }
  return finish();
}

}  // namespace weir::coordinator
