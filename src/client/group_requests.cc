// GroupCore's requests: what the membership wants sent, and what the answers say.
#include <fmt/core.h>

#include <algorithm>

#include "base/log.h"
#include "client/group_core.h"
#include "kafka/messages/heartbeat.h"
#include "kafka/messages/join_group.h"
#include "kafka/messages/leave_group.h"
#include "kafka/messages/sync_group.h"

namespace weir::client {
namespace {

std::string string_of(const std::optional<std::string_view>& text) {
  return std::string(text.value_or(""));
}
std::optional<std::string> optional_of(const std::optional<std::string_view>& text) {
  if (!text) return std::nullopt;
  return std::string(*text);
}

JoinAnswer answer_of(const kafka::JoinGroupResponse& response, std::int16_t version) {
  JoinAnswer out{.code = errc_from_wire(response.error_code),
                 .generation = response.generation_id,
                 .protocol_type = version >= 7 ? optional_of(response.protocol_type) : std::nullopt,
                 .protocol = string_of(response.protocol_name),
                 .leader = std::string(response.leader),
                 .member_id = std::string(response.member_id),
                 .skip_assignment = response.skip_assignment};
  for (const auto& member : response.members)
    out.members.emplace_back(GroupMember{.id = std::string(member.member_id),
                                         .instance_id = optional_of(member.group_instance_id)},
                             std::string(member.metadata));
  return out;
}

}  // namespace

void GroupCore::act(MembershipActions actions) {
  const auto alive = alive_;
  for (MembershipAction& action : actions) {
    std::visit([this](auto& a) { on(a); }, action);
    if (!*alive) return;
  }
  plan_timer();
}

void GroupCore::plan_timer() {
  loop_.cancel(std::exchange(timer_, io::TimerId::none));
  const MonoTime next = std::min(membership_.next_timer(), moved_by_);
  if (next == MonoTime::max()) return;
  timer_ = loop_.call_at(next, [this] {
    timer_ = io::TimerId::none;
    on_timer();
  });
}

void GroupCore::on(const FindCoordinator& action) { coordinator_.find(action.lost); }

void GroupCore::on(const Prepare& action) {
  if (action.lost) {
    // What was not told yet is not so any more. If the application is being told, that ends first.
    const bool told = event_ && event_told_;
    if (!told) event_.reset();
    steps_.resize(told ? 1 : 0, Step{Step::Kind::lose});
    // Its end does not mean any more that we are ready to join.
    if (told && steps_.front().kind == Step::Kind::prepare)
      steps_.front().kind = Step::Kind::revoke;
  }
  sharing_.reset();
  counts_wanted_ = false;
  moved_by_ = MonoTime::max();
  steps_.push_back({action.lost ? Step::Kind::lose : Step::Kind::prepare});
  advance();
}

void GroupCore::on(const SendJoin& action) {
  using Request = kafka::JoinGroupRequest;
  using Response = kafka::JoinGroupResponse;
  const auto done = [this, alive = alive_, attempt = action.attempt](Result<JoinAnswer> answer) {
    if (*alive) act(membership_.on_join(now(), attempt, std::move(answer)));
  };
  auto offers = protocol_.subscriptions(topics_, core_.assignment(), owned_generation_);
  Connection* to = coordinator_.connection(Lane::rebalance);
  if (!offers || to == nullptr) {
    Error why = offers ? Error(Errc::network_exception, "the coordinator is not known")
                       : std::move(offers.error());
    return core_.cluster().later(Duration(0), [done, why] { done(fail(why)); });
  }
  auto request = std::make_shared<Request>();
  request->group_id = request->keep(options_.group);
  request->session_timeout_ms = static_cast<std::int32_t>(options_.session_timeout.count());
  request->rebalance_timeout_ms = static_cast<std::int32_t>(options_.max_poll_interval.count());
  request->member_id = request->keep(action.member_id);
  if (options_.group_instance_id)
    request->group_instance_id = request->keep(*options_.group_instance_id);
  request->protocol_type = request->keep(protocol_.type());
  for (auto& [name, metadata] : *offers) {
    auto& offer = request->protocols.emplace_back();
    offer.name = request->keep(name);
    offer.metadata = request->keep(std::move(metadata));
  }
  request->reason = request->keep(action.reason);
  to->send(make_call<Request, Response>(std::move(request), action.timeout,
                                        [done](Result<Reply<Response>> reply) {
                                          if (!reply) return done(fail(reply.error()));
                                          done(answer_of(reply->message, reply->version));
                                        }));
}

void GroupCore::on(ShareOut& action) {
  sharing_ = Sharing{action.attempt,
                     GroupProtocol::read(std::move(action.protocol), std::move(action.members))};
  watch_group(sharing_->members.topics);
  // Later: metadata that is here already would answer inside this action.
  core_.cluster().later(Duration(0), [this, alive = alive_] {
    if (*alive && sharing_) share_out();
  });
}

// What the one before us has shared out is not known, nor whether all of it has come.
void GroupCore::on(WatchOver& action) {
  watch_group(GroupProtocol::read(std::move(action.protocol), std::move(action.members)).topics);
  counts_wanted_ = true;
  if (protocol_.cooperative()) await_moves();
  core_.cluster().refresh();
}

void GroupCore::on(const SendSync& action) {
  using Request = kafka::SyncGroupRequest;
  using Response = kafka::SyncGroupResponse;
  const auto done = [this, alive = alive_, attempt = action.attempt](Result<SyncAnswer> answer) {
    if (*alive) act(membership_.on_sync(now(), attempt, std::move(answer)));
  };
  if (!membership_.is_leader()) watch_group({});
  Connection* to = coordinator_.connection(Lane::rebalance);
  if (to == nullptr)
    return core_.cluster().later(Duration(0), [done] {
      done(fail(Errc::network_exception, "the coordinator is not known"));
    });
  auto request = std::make_shared<Request>();
  request->group_id = request->keep(options_.group);
  request->generation_id = action.member.generation;
  request->member_id = request->keep(action.member.member_id);
  if (action.member.instance_id)
    request->group_instance_id = request->keep(*action.member.instance_id);
  request->protocol_type = request->keep(protocol_.type());
  request->protocol_name = request->keep(action.protocol);
  for (const auto& [member, assignment] : action.assignments) {
    auto& told = request->assignments.emplace_back();
    told.member_id = request->keep(member);
    told.assignment = request->keep(assignment);
  }
  to->send(make_call<Request, Response>(
      std::move(request), action.timeout, [done](Result<Reply<Response>> reply) {
        if (!reply) return done(fail(reply.error()));
        const Response& told = reply->message;
        const bool named = reply->version >= 5;
        done(SyncAnswer{.code = errc_from_wire(told.error_code),
                        .protocol_type = named ? optional_of(told.protocol_type) : std::nullopt,
                        .protocol = named ? optional_of(told.protocol_name) : std::nullopt,
                        .assignment = std::string(told.assignment)});
      }));
}

void GroupCore::on(const SendHeartbeat& action) {
  using Request = kafka::HeartbeatRequest;
  using Response = kafka::HeartbeatResponse;
  const auto done = [this, alive = alive_, member = action.member](Result<void> answer) {
    if (*alive) act(membership_.on_heartbeat(now(), member, std::move(answer)));
  };
  Connection* to = coordinator_.connection(Lane::coordinator);
  if (to == nullptr)
    return core_.cluster().later(Duration(0), [done] {
      done(fail(Errc::network_exception, "the coordinator is not known"));
    });
  auto request = std::make_shared<Request>();
  request->group_id = request->keep(options_.group);
  request->generation_id = action.member.generation;
  request->member_id = request->keep(action.member.member_id);
  if (action.member.instance_id)
    request->group_instance_id = request->keep(*action.member.instance_id);
  to->send(make_call<Request, Response>(
      std::move(request), action.timeout, [done](Result<Reply<Response>> reply) {
        if (!reply) return done(fail(reply.error()));
        const Errc code = errc_from_wire(reply->message.error_code);
        if (code != Errc::none) return done(fail(code, std::string(name_of(code))));
        done({});
      }));
}

void GroupCore::on(const SendLeave& action) {
  using Request = kafka::LeaveGroupRequest;
  using Response = kafka::LeaveGroupResponse;
  Connection* to = coordinator_.connection(Lane::coordinator);
  if (to == nullptr) return;
  auto request = std::make_shared<Request>();
  request->group_id = request->keep(options_.group);
  request->member_id = request->keep(action.member_id);  // versions 0 to 2
  auto& member = request->members.emplace_back();
  member.member_id = request->member_id;
  member.reason = request->keep(action.reason);
  to->send(make_call<Request, Response>(
      std::move(request), core_.cluster().options().request_timeout,
      [this, alive = alive_](const Result<Reply<Response>>& reply) {
        if (!*alive) return;
        if (!reply) log_debug("client", "LeaveGroup: " + reply.error().message());
        if (left_) std::exchange(left_, nullptr)({});
      }));
}

void GroupCore::on(Deliver& action) {
  core_.cluster().telemetry().rebalances.add();
  auto assignment = protocol_.accept(action.protocol, action.assignment, action.member);
  if (!assignment) {
    Fatal end{assignment.error()};
    return on(end);
  }
  // A topic that we do not want any more comes only until the others have heard of it.
  std::erase_if(assignment->partitions, [this](const TopicPartition& partition) {
    return !std::binary_search(topics_.begin(), topics_.end(), partition.topic);
  });
  std::sort(assignment->partitions.begin(), assignment->partitions.end());
  steps_.push_back({Step::Kind::revoke, assignment->partitions, action.member.generation});
  steps_.push_back(
      {Step::Kind::assign, std::move(assignment->partitions), action.member.generation});
  advance();
}

void GroupCore::on(Fatal& action) {
  fatal_ = std::move(action.error);
  log_error("client", fatal_->message());
  if (poll_) core_.wake();
}

}  // namespace weir::client
