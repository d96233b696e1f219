// JoinGroup: who may join, under which id, and whether that begins a rebalance.
#include <fmt/core.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "coordinator/group_coordinator.h"

namespace weir::coordinator {
namespace {

/// A new member that waits for its first answer cannot heartbeat; a client that is gone would stay
/// for ever.
constexpr auto new_member_timeout = std::chrono::minutes(5);
constexpr std::int16_t first_version_with_ids = 4;   // KIP-394
constexpr std::int16_t first_version_with_skip = 9;  // KIP-814
constexpr std::int16_t first_version_with_null_protocol = 7;

std::string in_words(std::string what, std::string_view reason) {
  if (!reason.empty()) what.append(" (").append(reason).append(")");
  return what;
}

}  // namespace

std::size_t GroupCoordinator::JoiningMember::bytes() const {
  std::size_t total = sizeof(Member) + client_id.size() + client_host.size();
  for (const auto& p : protocols) total += sizeof(Protocol) + p.name.size() + p.metadata.size();
  return total;
}

std::string GroupCoordinator::new_member_id(std::string_view prefix) {
  const Uuid uuid = rng_.uuid();
  const std::string hex =
      to_hex({reinterpret_cast<const char*>(uuid.bytes.data()), uuid.bytes.size()});
  return fmt::format("{}-{}-{}-{}-{}-{}", prefix.substr(0, limits::member_id_prefix_bytes),
                     hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4), hex.substr(16, 4),
                     hex.substr(20));
}

Errc GroupCoordinator::join_fault(const kafka::JoinGroupRequest& request) const {
  if (request.group_id.empty() || request.group_id.size() > limits::name_bytes)
    return Errc::invalid_group_id;
  if (request.session_timeout_ms < options_.min_session_timeout_ms ||
      request.session_timeout_ms > options_.max_session_timeout_ms)
    return Errc::invalid_session_timeout;
  std::size_t metadata = 0;
  bool names_fit = request.protocol_type.size() <= limits::name_bytes &&
                   request.group_instance_id.value_or("").size() <= limits::name_bytes;
  for (const auto& p : request.protocols) {
    metadata += p.metadata.size();
    names_fit = names_fit && p.name.size() <= limits::name_bytes;
  }
  if (!names_fit || request.protocols.size() > limits::protocols_per_member ||
      metadata > limits::member_metadata_bytes)
    return Errc::invalid_request;
  return Errc::none;
}

void GroupCoordinator::refuse_join(const Parked& parked, Errc error, std::string_view member_id) {
  kafka::JoinGroupResponse response;
  response.error_code = wire_code(error);
  if (parked.version >= first_version_with_null_protocol) response.protocol_name.reset();
  response.member_id = response.keep(std::string(member_id));
  answer(parked.id, std::move(response));
}

Effects GroupCoordinator::join(const Caller& caller, const kafka::JoinGroupRequest& request,
                               Now now) {
  begin(now);
  const Parked parked{.id = caller.request, .version = caller.version};
  const auto refuse = [&](Errc error, std::string_view member_id) {
    refuse_join(parked, error, member_id);
    return finish();
  };
  if (const Errc fault = join_fault(request); fault != Errc::none)
    return refuse(fault, request.member_id);
  JoiningMember joining{
      .instance_id = std::optional<std::string>(request.group_instance_id),
      .client_id = std::string(caller.client_id),
      .client_host = std::string(caller.client_host),
      .session_timeout_ms = request.session_timeout_ms,
      .rebalance_timeout_ms = request.rebalance_timeout_ms,
      .protocol_type = std::string(request.protocol_type),
      .protocols = {},
      .reason = std::string(request.reason.value_or("").substr(0, limits::reason_bytes))};
  if (caller.version == 0 || joining.rebalance_timeout_ms < 0)
    joining.rebalance_timeout_ms = joining.session_timeout_ms;
  for (const auto& p : request.protocols) {
    const bool twice = std::any_of(joining.protocols.begin(), joining.protocols.end(),
                                   [&](const Protocol& other) { return other.name == p.name; });
    if (!twice) joining.protocols.push_back({std::string(p.name), std::string(p.metadata)});
  }
  Group* group = find_group(request.group_id);
  if (group == nullptr) {
    if (!request.member_id.empty()) return refuse(Errc::unknown_member_id, request.member_id);
    if (!has_room_for_group()) {
      ++counters_.refused_for_room;
      return refuse(Errc::group_max_size_reached, "");
    }
    group = &create(request.group_id);
  }
  if (!accepts(*group, request.member_id)) {
    if (Member* member = group->find(request.member_id)) {
      part_with(*group, *member, Errc::group_max_size_reached);
      member_gone(*group, "a member is more than group.max.size allows");
    }
    ++counters_.refused_for_room;
    refuse_join(parked, Errc::group_max_size_reached, "");
  } else if (request.member_id.empty()) {
    join_new(*group, parked, std::move(joining));
  } else {
    join_existing(*group, parked, request.member_id, std::move(joining));
  }
  remove_if_gone(*group);
  return finish();
}

bool GroupCoordinator::accepts(const Group& group, std::string_view member_id) const {
  const Member* member = group.find(member_id);
  switch (group.state) {
    case GroupState::empty: return true;
    case GroupState::preparing_rebalance:
      // Members that wait are counted, not members: there may be too many since group.max.size was
      // lowered, and then the last to rejoin must go. Members that are still to rejoin may keep
      // their places meanwhile, but no more than a group of them.
      if (member == nullptr && group.members.size() >= 2 * options_.max_group_size) return false;
      return (member != nullptr && member->join) || group.joins_parked < options_.max_group_size;
    case GroupState::completing_rebalance:
    case GroupState::stable:
      return member != nullptr || group.members.size() < options_.max_group_size;
  }
  return false;
}

void GroupCoordinator::join_new(Group& group, const Parked& parked, JoiningMember joining) {
  if (!group.supports(joining.protocol_type, joining.protocols))
    return refuse_join(parked, Errc::inconsistent_group_protocol, "");
  if (joining.instance_id) {
    const auto known = group.instances.find(*joining.instance_id);
    if (known != group.instances.end())
      return replace_static(group, parked, *group.find(known->second), std::move(joining));
    std::string id = new_member_id(*joining.instance_id);
    return add_member(group, parked, std::move(id), std::move(joining));
  }
  if (parked.version >= first_version_with_ids) return ask_for_member_id(group, parked, joining);
  std::string id = new_member_id(joining.client_id);
  add_member(group, parked, std::move(id), std::move(joining));
}

void GroupCoordinator::ask_for_member_id(Group& group, const Parked& parked,
                                         const JoiningMember& joining) {
  if (group.pending.size() >= limits::pending_members || !has_room(joining.client_id.size())) {
    ++counters_.refused_for_room;
    return refuse_join(parked, Errc::group_max_size_reached, "");
  }
  const auto at = group.pending.emplace(new_member_id(joining.client_id), PendingMember()).first;
  count_bytes(group, 0, sizeof(PendingMember) + at->first.size());
  deadlines_.set(at->second.timer,
                 now_.mono + std::chrono::milliseconds(joining.session_timeout_ms),
                 {.kind = Deadlines::Kind::pending, .group = &group, .pending = &at->first});
  refuse_join(parked, Errc::member_id_required, at->first);
}

void GroupCoordinator::join_existing(Group& group, const Parked& parked, std::string_view member_id,
                                     JoiningMember joining) {
  if (!group.supports(joining.protocol_type, joining.protocols))
    return refuse_join(parked, Errc::inconsistent_group_protocol, member_id);
  if (group.pending.contains(member_id)) {
    // An id was asked for without an instance; with one it is somebody else's.
    if (joining.instance_id) return refuse_join(parked, Errc::unknown_member_id, member_id);
    std::string id(member_id);
    forget_pending(group, id);
    return add_member(group, parked, std::move(id), std::move(joining));
  }
  const std::optional<std::string_view> instance(joining.instance_id);
  if (const Errc fault = member_fault(group, member_id, instance); fault != Errc::none)
    return refuse_join(parked, fault, member_id);
  join_known(group, parked, *group.find(member_id), std::move(joining));
}

void GroupCoordinator::join_known(Group& group, const Parked& parked, Member& member,
                                  JoiningMember joining) {
  const bool unchanged = member.protocols == joining.protocols;
  const bool leads = group.leader == member.id;
  switch (group.state) {
    case GroupState::empty: return refuse_join(parked, Errc::unknown_member_id, member.id);
    case GroupState::preparing_rebalance: break;
    case GroupState::completing_rebalance:
      // It may have missed the answer: the same again. Other metadata needs another assignment.
      if (!unchanged) break;
      touch(group, member);
      return answer_join(group, parked, member, leads);
    case GroupState::stable:
      // A leader joins when something outside the metadata has changed: the partitions of a topic.
      if (leads || !unchanged) break;
      touch(group, member);
      return answer_join(group, parked, member, false);
  }
  rejoin(group, parked, member, std::move(joining));
}

void GroupCoordinator::add_member(Group& group, const Parked& parked, std::string id,
                                  JoiningMember joining) {
  if (!has_room(joining.bytes())) {
    ++counters_.refused_for_room;
    return refuse_join(parked, Errc::group_max_size_reached, "");
  }
  auto member = std::make_unique<Member>();
  member->id = std::move(id);
  member->instance_id = std::move(joining.instance_id);
  member->client_id = std::move(joining.client_id);
  member->client_host = std::move(joining.client_host);
  member->rebalance_timeout_ms = joining.rebalance_timeout_ms;
  member->session_timeout_ms = joining.session_timeout_ms;
  member->protocols = std::move(joining.protocols);
  member->is_new = true;
  if (group.members.empty()) group.protocol_type = std::move(joining.protocol_type);
  if (group.initial_delay) group.newcomer = true;
  Member& added = group.add(std::move(member));
  count_bytes(group, 0, added.bytes());
  park_join(group, added, parked);
  set_deadline(group, added, new_member_timeout);
  if (group.in(GroupState::preparing_rebalance)) return try_complete_join(group);
  rebalance(group, in_words(fmt::format("member {} joins", added.id), joining.reason));
}

void GroupCoordinator::rejoin(Group& group, const Parked& parked, Member& member,
                              JoiningMember joining) {
  const std::string why = in_words(fmt::format("member {} joins again", member.id), joining.reason);
  update(group, member, std::move(joining));
  park_join(group, member, parked);
  if (group.in(GroupState::preparing_rebalance)) return try_complete_join(group);
  rebalance(group, why);
}

void GroupCoordinator::update(Group& group, Member& member, JoiningMember joining) {
  const std::size_t before = member.bytes();
  member.client_id = std::move(joining.client_id);
  member.client_host = std::move(joining.client_host);
  member.session_timeout_ms = joining.session_timeout_ms;
  member.rebalance_timeout_ms = joining.rebalance_timeout_ms;
  group.change_protocols(member, std::move(joining.protocols));
  count_bytes(group, before, member.bytes());
  touch(group, member);
}

void GroupCoordinator::replace_static(Group& group, const Parked& parked, Member& member,
                                      JoiningMember joining) {
  const std::string old_id = member.id;
  const std::string new_id = new_member_id(*joining.instance_id);
  if (member.join) {
    --group.joins_parked;
    refuse_join(*std::exchange(member.join, std::nullopt), Errc::fenced_instance_id, old_id);
  }
  if (member.sync) refuse_sync(*std::exchange(member.sync, std::nullopt), Errc::fenced_instance_id);
  JoiningMember before{.instance_id = member.instance_id,
                       .client_id = member.client_id,
                       .client_host = member.client_host,
                       .session_timeout_ms = member.session_timeout_ms,
                       .rebalance_timeout_ms = member.rebalance_timeout_ms,
                       .protocol_type = group.protocol_type,
                       .protocols = member.protocols,
                       .reason = {}};
  group.rename(member, new_id);
  update(group, member, std::move(joining));
  // Only a stable group whose protocol stays can keep its assignment. In CompletingRebalance the
  // leader may be assigning to the old id already.
  if (group.in(GroupState::stable) && group.vote() == group.protocol)
    return store_replaced(group, parked, new_id, old_id, std::move(before));
  park_join(group, member, parked);
  if (group.in(GroupState::preparing_rebalance)) return try_complete_join(group);
  rebalance(group, fmt::format("static member {} is replaced by {}", old_id, new_id));
}

void GroupCoordinator::store_replaced(Group& group, const Parked& parked, const std::string& new_id,
                                      const std::string& old_id, JoiningMember before) {
  auto record = group_record(group);
  if (!record) return refuse_join(parked, Errc::unknown_server_error, "");
  std::vector<Record> records;
  records.push_back(std::move(*record));
  write(group, std::move(records),
        [this, &group, parked, new_id, old_id, generation = group.generation,
         before = std::move(before)](bool durable) mutable {
          if (durable) return replaced_stored(group, parked, new_id, old_id, generation);
          // As if it had not come: the old process is the member again.
          if (Member* member = group.find(new_id)) {
            group.rename(*member, old_id);
            update(group, *member, std::move(before));
          }
          refuse_join(parked, Errc::coordinator_not_available, "");
        });
}

void GroupCoordinator::replaced_stored(Group& group, const Parked& parked,
                                       const std::string& new_id, const std::string& old_id,
                                       std::int32_t generation) {
  const Member* member = group.find(new_id);
  if (member == nullptr) return refuse_join(parked, Errc::unknown_member_id, "");
  if (!group.in(GroupState::stable) || group.generation != generation)
    return refuse_join(parked, Errc::rebalance_in_progress, "");
  const bool leads = group.leader == new_id;
  if (parked.version >= first_version_with_skip || !leads)
    return answer_join(group, parked, *member, leads);
  // Older clients cannot be told to skip the assignment: they are told that another one leads.
  answer_join(group, parked, *member, false);
  auto& response = std::get<kafka::JoinGroupResponse>(effects_.answers.back().answer);
  response.leader = response.keep(old_id);
}

void GroupCoordinator::answer_join(const Group& group, const Parked& parked, const Member& member,
                                   bool with_members) {
  kafka::JoinGroupResponse response;
  response.generation_id = group.generation;
  response.protocol_type = response.keep(group.protocol_type);
  response.protocol_name = response.keep(group.protocol.value_or(""));
  response.leader = response.keep(group.leader);
  response.member_id = response.keep(member.id);
  // Only a leader that finds the group stable is here with members: its assignment stands.
  response.skip_assignment = with_members && group.in(GroupState::stable);
  if (with_members) {
    for (const auto& [id, other] : group.members) {
      auto& out = response.members.emplace_back();
      out.member_id = response.keep(id);
      if (other->instance_id) out.group_instance_id = response.keep(*other->instance_id);
      const std::string* metadata = other->metadata_for(group.protocol.value_or(""));
      if (metadata != nullptr) out.metadata = response.keep(*metadata);
    }
  }
  answer(parked.id, std::move(response));
}

}  // namespace weir::coordinator
