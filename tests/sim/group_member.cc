#include "group_member.h"

#include <fmt/core.h>

#include "kafka/messages/heartbeat.h"
#include "kafka/messages/leave_group.h"
#include "kafka/messages/sync_group.h"

namespace weir::tests {

void GroupMember::on_connected() {
  if (!in_) return join();
  resuming_ = true;
  heartbeat();
}

void GroupMember::rejoin(Duration pause) {
  in_ = false;
  begin_anew();
  later(pause, [this] { join(); });
}

/// Then it has to come as a new one.
bool GroupMember::is_unknown(Errc error) {
  if (error != Errc::unknown_member_id && error != Errc::fenced_instance_id) return false;
  forget();
  return true;
}

void GroupMember::join() {
  in_ = false;
  kafka::JoinGroupRequest request;
  request.group_id = options_.group;
  request.member_id = member_;
  request.session_timeout_ms = options_.session_ms;
  request.rebalance_timeout_ms = options_.rebalance_ms;
  if (options_.instance) request.group_instance_id = *options_.instance;
  request.protocol_type = "consumer";
  auto& protocol = request.protocols.emplace_back();
  protocol.name = "p";
  // Other metadata now and then, so that followers begin rebalances too.
  const std::string metadata = fmt::format("{}-{}", options_.number, world_.rng.below(3));
  protocol.metadata = metadata;
  ask<kafka::JoinGroupResponse>(request, options_.join_version,
                                [this](const auto& answer) { joined(answer); });
}

void GroupMember::joined(const kafka::JoinGroupResponse& answer) {
  const Errc error = errc_from_wire(answer.error_code);
  if (error == Errc::member_id_required) {
    member_ = std::string(answer.member_id);
    return join();
  }
  is_unknown(error);
  if (error != Errc::none) return rejoin(between_ms(1, 20));
  const bool known = member_ == answer.member_id;
  member_ = std::string(answer.member_id);
  if (options_.instance && !known && answer.generation_id == generation_)
    ++world_.counters[Count::kept_generations];
  generation_ = answer.generation_id;
  sync(answer);
}

void GroupMember::sync(const kafka::JoinGroupResponse& joined) {
  auto request = std::make_shared<kafka::SyncGroupRequest>();
  request->group_id = options_.group;
  request->generation_id = generation_;
  request->member_id = request->keep(member_);
  if (options_.instance) request->group_instance_id = *options_.instance;
  if (!joined.members.empty() && !joined.skip_assignment) {
    std::vector<std::string> shares(joined.members.size());
    const auto first = world_.rng.below(shares.size());
    for (std::int32_t p = 0; p < options_.partitions; ++p)
      shares[(first + static_cast<std::size_t>(p)) % shares.size()] += static_cast<char>('0' + p);
    for (std::size_t i = 0; i < shares.size(); ++i) {
      auto& share = request->assignments.emplace_back();
      share.member_id = request->keep(std::string(joined.members[i].member_id));
      share.assignment = request->keep(shares[i]);
    }
  }
  const auto delay = world_.rng.one_in(8) ? between_ms(1, 200) : Duration(1);
  later(delay, [this, request] {
    ask<kafka::SyncGroupResponse>(*request, 3, [this](const auto& answer) {
      const Errc error = errc_from_wire(answer.error_code);
      is_unknown(error);
      if (error != Errc::none) return rejoin(between_ms(1, 10));
      in_ = true;
      ++world_.counters[Count::assignments];
      owned_.clear();
      for (const char c : answer.assignment) {
        owned_.push_back(c - '0');
        history_.owned(options_.group, generation_, owned_.back(),
                       options_.instance.value_or(member_));
      }
      if (world_.traced())
        trace(fmt::format("owns {} partitions in generation {}", owned_.size(), generation_));
      on_assigned();
    });
  });
}

void GroupMember::heartbeat() {
  kafka::HeartbeatRequest request;
  request.group_id = options_.group;
  request.generation_id = generation_;
  request.member_id = member_;
  if (options_.instance) request.group_instance_id = *options_.instance;
  ask<kafka::HeartbeatResponse>(request, 3, [this](const auto& answer) {
    const Errc error = errc_from_wire(answer.error_code);
    const bool resumed = std::exchange(resuming_, false);
    is_unknown(error);
    if (error == Errc::coordinator_not_available || error == Errc::none) {
      if (resumed && error == Errc::none) {
        ++world_.counters[Count::resumed];
        on_resumed();
      }
      return later(between_ms(50, 150), [this] { heartbeat(); });
    }
    if (error == Errc::rebalance_in_progress && !on_rebalance()) {
      if (resumed) on_resumed();
      return;
    }
    rejoin(between_ms(0, 30));
  });
}

void GroupMember::leave(Duration pause) {
  ++world_.counters[Count::leaves];
  kafka::LeaveGroupRequest request;
  request.group_id = options_.group;
  auto& leaver = request.members.emplace_back();
  leaver.member_id = member_;
  if (options_.instance) leaver.group_instance_id = *options_.instance;
  ask<kafka::LeaveGroupResponse>(request, 3, [this, pause](const auto&) {
    forget();
    rejoin(pause);
  });
}

void GroupMember::die(Duration pause) {
  if (options_.instance) ++world_.counters[Count::static_returns];
  in_ = false;
  forget();
  drop(pause);
}

}  // namespace weir::tests
