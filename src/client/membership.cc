#include "client/membership.h"

#include <fmt/core.h>

namespace weir::client {
namespace {

/// A parked answer comes this much after the rebalance timeout at the latest.
constexpr Duration join_grace = std::chrono::seconds(5);
/// KIP-800.
constexpr std::size_t reason_chars = 255;

bool is_about_coordinator(Errc code) {
  return code == Errc::not_coordinator || code == Errc::coordinator_not_available;
}

}  // namespace

Membership::Membership(MembershipOptions options, Rng& rng)
    : options_(std::move(options)), rng_(rng) {
  member_.group = options_.group;
  member_.instance_id = options_.instance_id;
}

bool Membership::beats() const {
  return member_.generation >= 0 && phase_ != Phase::joining && phase_ != Phase::out &&
         phase_ != Phase::failed;
}

bool Membership::watched() const {
  return !polling_ && !silent_ && phase_ != Phase::out && phase_ != Phase::failed;
}

void Membership::prepare(Actions& out, bool lost) {
  phase_ = Phase::preparing;
  join_again_ = false;
  leader_ = false;
  ++attempt_;
  out.emplace_back(Prepare{lost});
}

void Membership::pause(MonoTime now) {
  not_before_ = now + backoff(options_.retry, ++failures_, rng_);
}

void Membership::lose_coordinator(Actions& out) {
  coordinator_ = false;
  beating_ = false;
  out.emplace_back(FindCoordinator{true});
}

void Membership::fatal(Actions& out, Error error) {
  phase_ = Phase::failed;
  ++attempt_;
  reset_generation();
  out.emplace_back(Fatal{std::move(error)});
}

void Membership::fatal(Actions& out, std::string_view request, Errc code) {
  fatal(out, Error(code, fmt::format("group {}: {}: {}", options_.group, request, name_of(code))));
}

MembershipActions Membership::join(MonoTime now, std::string reason) {
  Actions out;
  reason.resize(std::min(reason.size(), reason_chars));
  switch (phase_) {
    case Phase::failed: return out;
    case Phase::out:
      reason_ = std::move(reason);
      last_poll_ = now;
      failures_ = 0;
      prepare(out, false);
      return out;
    case Phase::stable:
    case Phase::ready:
      reason_ = std::move(reason);
      prepare(out, false);
      return out;
    case Phase::preparing: return out;
    case Phase::joining:
    case Phase::sharing:
    case Phase::syncing:
      reason_ = std::move(reason);
      join_again_ = true;
      return out;
  }
  return out;
}

MembershipActions Membership::leave(MonoTime, std::string reason) {
  Actions out;
  reason.resize(std::min(reason.size(), reason_chars));
  if (phase_ != Phase::out && phase_ != Phase::failed && !is_static() && !member_.member_id.empty())
    out.emplace_back(SendLeave{member_.member_id, std::move(reason)});
  if (phase_ != Phase::failed) phase_ = Phase::out;
  ++attempt_;
  leader_ = false;
  beating_ = false;
  silent_ = false;
  reset_member();
  return out;
}

MembershipActions Membership::poll_began(MonoTime now) {
  Actions out;
  polling_ = true;
  if (std::exchange(silent_, false)) try_join(out, now);
  return out;
}

MembershipActions Membership::prepared(MonoTime now) {
  Actions out;
  if (phase_ != Phase::preparing) return out;
  phase_ = Phase::ready;
  try_join(out, now);
  return out;
}

void Membership::try_join(Actions& out, MonoTime now) {
  if (phase_ != Phase::ready || silent_) return;
  if (!coordinator_) {
    out.emplace_back(FindCoordinator{false});
    return;
  }
  if (now < not_before_) return;
  phase_ = Phase::joining;
  ++attempt_;
  out.emplace_back(
      SendJoin{attempt_, member_.member_id, reason_, options_.max_poll_interval + join_grace});
}

MembershipActions Membership::on_coordinator(MonoTime now) {
  Actions out;
  coordinator_ = true;
  last_answer_ = now;
  next_beat_ = now;  // whoever is the coordinator now hears of us at once
  try_join(out, now);
  return out;
}

MembershipActions Membership::on_no_coordinator(Error why) {
  Actions out;
  if (phase_ != Phase::out && phase_ != Phase::failed) fatal(out, std::move(why));
  return out;
}

void Membership::expelled(Actions& out, Errc code) {
  reset_generation();
  if (code == Errc::unknown_member_id) member_.member_id.clear();
  prepare(out, true);
}

MembershipActions Membership::on_join(MonoTime now, std::uint64_t attempt,
                                      Result<JoinAnswer> answer) {
  Actions out;
  if (attempt != attempt_ || phase_ != Phase::joining) return out;
  phase_ = Phase::ready;
  const Errc code = answer ? answer->code : Errc::network_exception;
  switch (code) {
    case Errc::none: joined(out, now, *answer); return out;
    case Errc::member_id_required:
      member_.member_id = std::move(answer->member_id);
      try_join(out, now);
      return out;
    case Errc::unknown_member_id:
    case Errc::illegal_generation: expelled(out, code); return out;
    case Errc::network_exception:
    case Errc::not_coordinator:
    case Errc::coordinator_not_available:
      if (!answer && !is_retriable(answer.error().code()) &&
          answer.error().code() != Errc::not_found) {
        fatal(out, answer.error());
        return out;
      }
      pause(now);
      lose_coordinator(out);
      return out;
    case Errc::rebalance_in_progress: pause(now); return out;
    default: break;
  }
  if (is_retriable(code)) {
    pause(now);
  } else {
    fatal(out, "JoinGroup", code);
  }
  return out;
}

void Membership::joined(Actions& out, MonoTime now, JoinAnswer& answer) {
  if (answer.protocol_type && *answer.protocol_type != options_.protocol_type)
    return fatal(out, Error(Errc::inconsistent_group_protocol,
                            fmt::format("group {}: is of type {}, not {}", options_.group,
                                        *answer.protocol_type, options_.protocol_type)));
  failures_ = 0;
  not_before_ = {};
  member_.generation = answer.generation;
  member_.member_id = std::move(answer.member_id);
  protocol_ = std::move(answer.protocol);
  leader_ = answer.leader == member_.member_id;
  // Before SyncGroup: sharing out may take long.
  last_answer_ = now;
  next_beat_ = now + options_.heartbeat_interval;
  beating_ = false;
  if (leader_ && answer.skip_assignment)
    out.emplace_back(WatchOver{protocol_, std::move(answer.members)});
  if (!leader_ || answer.skip_assignment) return send_sync(out, {});
  phase_ = Phase::sharing;
  out.emplace_back(ShareOut{attempt_, protocol_, std::move(answer.members)});
}

void Membership::send_sync(Actions& out, std::map<std::string, std::string> assignments) {
  phase_ = Phase::syncing;
  out.emplace_back(SendSync{attempt_, member_, protocol_, std::move(assignments),
                            options_.max_poll_interval + join_grace});
}

MembershipActions Membership::share_out(MonoTime, std::uint64_t attempt,
                                        Result<std::map<std::string, std::string>> assignments) {
  Actions out;
  if (attempt != attempt_ || phase_ != Phase::sharing) return out;
  if (!assignments) {
    fatal(out, std::move(assignments.error()));
  } else {
    send_sync(out, std::move(*assignments));
  }
  return out;
}

MembershipActions Membership::on_sync(MonoTime now, std::uint64_t attempt,
                                      Result<SyncAnswer> answer) {
  Actions out;
  if (attempt != attempt_ || phase_ != Phase::syncing) return out;
  const Errc code = answer ? answer->code : Errc::network_exception;
  if (code == Errc::none) {
    if ((answer->protocol_type && *answer->protocol_type != options_.protocol_type) ||
        (answer->protocol && *answer->protocol != protocol_)) {
      fatal(out, "SyncGroup", Errc::inconsistent_group_protocol);
      return out;
    }
    phase_ = Phase::stable;
    failures_ = 0;
    out.emplace_back(Deliver{member_, protocol_, std::move(answer->assignment)});
    if (join_again_) prepare(out, false);
    return out;
  }
  if (code == Errc::unknown_member_id || code == Errc::illegal_generation) {
    expelled(out, code);
    return out;
  }
  const bool mends = code == Errc::rebalance_in_progress || is_retriable(code);
  if (!mends) {
    fatal(out, "SyncGroup", code);
    return out;
  }
  // The generation goes on without us: whatever it gives us we take only from the next.
  reason_ = fmt::format("SyncGroup: {}", name_of(code));
  if (code != Errc::rebalance_in_progress) pause(now);
  if (!answer || is_about_coordinator(code)) lose_coordinator(out);
  prepare(out, false);
  return out;
}

MembershipActions Membership::on_heartbeat(MonoTime now, const GroupMetadata& asked,
                                           Result<void> answer) {
  Actions out;
  if (phase_ == Phase::out || phase_ == Phase::failed) return out;
  const bool current =
      asked.generation == member_.generation && asked.member_id == member_.member_id;
  if (!current) return out;
  beating_ = false;
  if (answer) {
    last_answer_ = now;
    return out;
  }
  const Errc code = answer.error().code();
  if (phase_ == Phase::joining) return out;  // the join tells, or has told, what is so
  switch (code) {
    case Errc::rebalance_in_progress:
      last_answer_ = now;
      if (phase_ != Phase::stable) return out;
      reason_ = "the group is rebalancing";
      prepare(out, false);
      return out;
    case Errc::illegal_generation:
    case Errc::unknown_member_id: expelled(out, code); return out;
    case Errc::coordinator_load_in_progress: return out;
    default: break;
  }
  if (is_about_coordinator(code) || code == Errc::connection_closed ||
      code == Errc::connection_refused || code == Errc::timed_out ||
      code == Errc::network_exception || code == Errc::not_found) {
    if (coordinator_) lose_coordinator(out);
  } else if (!is_retriable(code)) {
    fatal(out, "Heartbeat", code);
  }
  return out;
}

MembershipActions Membership::on_commit_error(MonoTime, const GroupMetadata& asked, Errc code) {
  Actions out;
  if (phase_ == Phase::out || phase_ == Phase::failed || asked.generation < 0) return out;
  if (asked.generation != member_.generation || asked.member_id != member_.member_id) return out;
  switch (code) {
    case Errc::rebalance_in_progress:
      if (phase_ != Phase::stable) return out;
      reason_ = "the group is rebalancing";
      prepare(out, false);
      return out;
    case Errc::illegal_generation:
    case Errc::unknown_member_id:
      // While the join is parked its answer says who we are.
      if (phase_ != Phase::joining) expelled(out, code);
      return out;
    case Errc::fenced_instance_id:
    case Errc::group_authorization_failed: fatal(out, "OffsetCommit", code); return out;
    default: return out;
  }
}

MonoTime Membership::next_timer() const {
  MonoTime next = MonoTime::max();
  if (phase_ == Phase::out || phase_ == Phase::failed) return next;
  if (phase_ == Phase::ready && coordinator_ && !silent_) next = std::min(next, not_before_);
  if (beats() && coordinator_) {
    if (!beating_) next = std::min(next, next_beat_);
    next = std::min(next, last_answer_ + options_.session_timeout);
  }
  if (watched()) next = std::min(next, last_poll_ + options_.max_poll_interval);
  return next;
}

MembershipActions Membership::on_timer(MonoTime now) {
  Actions out;
  if (phase_ == Phase::out || phase_ == Phase::failed) return out;
  if (watched() && now >= last_poll_ + options_.max_poll_interval) {
    if (!is_static() && !member_.member_id.empty())
      out.emplace_back(SendLeave{member_.member_id, "no poll within max_poll_interval"});
    reset_member();
    silent_ = true;
    reason_ = "polls again after it was silent for longer than max_poll_interval";
    prepare(out, true);
    return out;
  }
  if (beats() && coordinator_ && now >= last_answer_ + options_.session_timeout)
    lose_coordinator(out);
  if (beats() && coordinator_ && !beating_ && now >= next_beat_) {
    beating_ = true;
    next_beat_ = now + options_.heartbeat_interval;
    out.emplace_back(SendHeartbeat{member_, options_.session_timeout});
  }
  if (coordinator_) try_join(out, now);
  return out;
}

}  // namespace weir::client
