// From one generation to the next: waiting for members, electing, and members that are lost.
#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "base/mutant.h"
#include "coordinator/group_coordinator.h"

namespace weir::coordinator {
namespace {

/// A member may ask for a rebalance timeout of nothing; waiting for it again takes a moment.
constexpr Duration shortest_retry = std::chrono::seconds(1);

}  // namespace

void GroupCoordinator::set_phase(Group& group, Duration after) {
  deadlines_.set(group.phase_timer, now_.mono + after,
                 {.kind = Deadlines::Kind::phase, .group = &group});
}

void GroupCoordinator::set_deadline(Group& group, Member& member, Duration after) {
  member.deadline = now_.mono + after;
  // A timer that comes early looks at the deadline and is set again: a heartbeat costs nothing.
  if (member.timer && (*member.timer)->first <= member.deadline) return;
  deadlines_.set(member.timer, member.deadline,
                 {.kind = Deadlines::Kind::session, .group = &group, .member = &member});
}

void GroupCoordinator::touch(Group& group, Member& member) {
  set_deadline(group, member, std::chrono::milliseconds(member.session_timeout_ms));
}

void GroupCoordinator::park_join(Group& group, Member& member, const Parked& parked) {
  if (member.join) {
    // It has asked again and waits for this answer only.
    refuse_join(*member.join, Errc::rebalance_in_progress, member.id);
  } else {
    ++group.joins_parked;
  }
  member.join = parked;
}

void GroupCoordinator::forget_pending(Group& group, const std::string& id) {
  const auto at = group.pending.find(id);
  deadlines_.clear(at->second.timer);
  count_bytes(group, sizeof(PendingMember) + at->first.size(), 0);
  group.pending.erase(at);
}

void GroupCoordinator::refuse_waiting_syncs(Group& group, Errc error) {
  for (const auto& [id, member] : group.members)
    if (member->sync) refuse_sync(*std::exchange(member->sync, std::nullopt), error);
}

void GroupCoordinator::rebalance(Group& group, std::string_view why) {
  refuse_waiting_syncs(group, Errc::rebalance_in_progress);
  group.pending_sync.clear();
  group.assignment_write = 0;
  deadlines_.clear(group.phase_timer);
  const bool initial = group.in(GroupState::empty);
  group.state = GroupState::preparing_rebalance;
  group.reason = why;
  if (initial && options_.initial_rebalance_delay > Duration{}) {
    const Duration longest = std::chrono::milliseconds(group.rebalance_timeout_ms());
    group.initial_delay = true;
    group.newcomer = false;
    group.delay_left = longest - std::min(longest, options_.initial_rebalance_delay);
    return set_phase(group, options_.initial_rebalance_delay);
  }
  if (group.all_joined()) return complete_join(group);
  set_phase(group, std::chrono::milliseconds(group.rebalance_timeout_ms()));
}

void GroupCoordinator::try_complete_join(Group& group) {
  if (group.in(GroupState::preparing_rebalance) && !group.initial_delay && group.all_joined())
    complete_join(group);
}

void GroupCoordinator::complete_join(Group& group) {
  deadlines_.clear(group.phase_timer);
  group.initial_delay = false;
  std::vector<Member*> absent;
  for (const auto& [id, member] : group.members)
    if (!member->join && !member->is_static()) absent.push_back(member.get());
  for (Member* member : absent) part_with(group, *member, Errc::unknown_member_id);
  if (!group.members.empty() && !group.elect_joined_leader()) {
    // Static members alone, and none has come: until one does, or their sessions end.
    const Duration timeout = std::chrono::milliseconds(group.rebalance_timeout_ms());
    return set_phase(group, std::max(timeout, shortest_retry));
  }
  next_generation(group);
}

void GroupCoordinator::next_generation(Group& group) {
  // The record that a group was loaded from may have the last one that there is.
  if (!mutant(Mutant::generation_not_raised) || group.generation == 0)
    group.generation = group.generation == INT32_MAX ? 1 : group.generation + 1;
  ++counters_.rebalances;
  if (group.members.empty()) return become_empty(group);
  group.protocol = group.vote();
  group.read_subscriptions();
  group.state = GroupState::completing_rebalance;
  group.pending_sync.clear();
  for (const auto& [id, member] : group.members) {
    if (!member->join) continue;  // static and absent: its session runs on
    const Parked parked = *std::exchange(member->join, std::nullopt);
    --group.joins_parked;
    member->is_new = false;
    group.pending_sync.insert(id);
    touch(group, *member);
    answer_join(group, parked, *member, id == group.leader);
  }
  set_phase(group, std::chrono::milliseconds(group.rebalance_timeout_ms()));
  log_info("groups", fmt::format("group {}: generation {}, {} members, protocol {}; {}",
                                 escape_for_log(group.id), group.generation, group.members.size(),
                                 escape_for_log(*group.protocol), escape_for_log(group.reason)));
}

void GroupCoordinator::become_empty(Group& group) {
  ++counters_.emptied;
  group.state = GroupState::empty;
  group.protocol.reset();
  group.leader.clear();
  group.read_subscriptions();
  group.empty_since = now_.mono;
  log_info("groups",
           fmt::format("group {}: generation {}, no members; {}", escape_for_log(group.id),
                       group.generation, escape_for_log(group.reason)));
  auto record = group_record(group);
  check(record.has_value(), "a group without members fits a record");
  std::vector<Record> records;
  records.push_back(std::move(*record));
  // If it is lost, a restart finds the members of before, whose sessions then end.
  write(group, std::move(records), [](bool) {});
}

void GroupCoordinator::on_phase(Group& group) {
  if (group.in(GroupState::preparing_rebalance)) {
    if (group.initial_delay && group.newcomer && group.delay_left > Duration{}) {
      const Duration more = std::min(options_.initial_rebalance_delay, group.delay_left);
      group.newcomer = false;
      group.delay_left -= more;
      return set_phase(group, more);
    }
    return complete_join(group);
  }
  if (group.in(GroupState::empty) || group.pending_sync.empty()) return;
  const auto missing = std::exchange(group.pending_sync, {});
  for (const auto& id : missing) {
    log_info("groups", fmt::format("group {}: member {} is removed: it never asked for its "
                                   "assignment",
                                   escape_for_log(group.id), escape_for_log(id)));
    ++counters_.missing_syncs;
    part_with(group, *group.find(id), Errc::unknown_member_id);
  }
  rebalance(group, "members did not ask for their assignments");
}

void GroupCoordinator::on_session(Group& group, Member& member) {
  if (member.deadline > now_.mono) {
    deadlines_.set(member.timer, member.deadline,
                   {.kind = Deadlines::Kind::session, .group = &group, .member = &member});
    return;
  }
  // Whoever waits for an answer of ours cannot heartbeat.
  if (!member.is_new && (member.join || member.sync)) return touch(group, member);
  ++counters_.expired_members;
  log_info(
      "groups",
      fmt::format("group {}: member {} is removed: nothing was heard of it for {} ms",
                  escape_for_log(group.id), escape_for_log(member.id), member.session_timeout_ms));
  part_with(group, member, Errc::unknown_member_id);
  member_gone(group, "the session of a member ended");
}

// Answers what waits, and takes the member out; what follows for the group is the caller's.
void GroupCoordinator::part_with(Group& group, Member& member, Errc error) {
  if (member.join) {
    --group.joins_parked;
    refuse_join(*std::exchange(member.join, std::nullopt), error, member.id);
  }
  if (member.sync) refuse_sync(*std::exchange(member.sync, std::nullopt), error);
  deadlines_.clear(member.timer);
  count_bytes(group, member.bytes(), 0);
  group.remove(member);
}

void GroupCoordinator::member_gone(Group& group, std::string_view why) {
  switch (group.state) {
    case GroupState::empty: return;
    case GroupState::preparing_rebalance: return try_complete_join(group);
    case GroupState::completing_rebalance:
    case GroupState::stable: return rebalance(group, why);
  }
}

void GroupCoordinator::synced(Group& group, Member& member) {
  group.pending_sync.erase(member.id);
  if (group.pending_sync.empty()) deadlines_.clear(group.phase_timer);
}

}  // namespace weir::coordinator
