// Who is in a group: JoinGroup, SyncGroup, Heartbeat, LeaveGroup, and what admins ask of groups.
#include <fmt/core.h>

#include <algorithm>

#include "broker/broker.h"
#include "broker/group_service.h"
#include "broker/handlers.h"

namespace weir::broker {
namespace {

using coordinator::Group;
using coordinator::GroupCoordinator;
using coordinator::GroupState;

// Read, delete, describe, describe configs, alter configs: everything, while nothing authorises.
constexpr std::int32_t all_group_operations = 0x0d48;
constexpr std::string_view classic_type = "classic";

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return lower(x) == lower(y);
  });
}

bool is_among(std::string_view word, const std::vector<std::string_view>& words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view other) { return same_word(word, other); });
}

/// True if the request was answered: groups cannot be served.
template <class Response>
bool refuse_if_unavailable(Broker& broker, Reply<Response>& reply) {
  if (!broker.groups().unavailable()) return false;
  Response response;
  response.error_code = wire_code(Errc::coordinator_not_available);
  reply(response);
  return true;
}

/// The coordinator copies what it keeps: an answer that waits does not hold its request's memory.
template <class Response, class Ask>
void ask_coordinator(Broker& broker, const RequestInfo& info, Reply<Response> reply, Ask ask) {
  if (refuse_if_unavailable(broker, reply)) return;
  reply.release_request();
  broker.groups().request<Response>(
      info, std::move(ask),
      [reply = std::move(reply)](const Response& response) mutable { reply(response); });
}

void describe_members(const Group& group, kafka::DescribeGroupsResponse& response,
                      kafka::DescribeGroupsResponse::DescribedGroup& out) {
  const bool stable = group.in(GroupState::stable);
  if (stable) out.protocol_data = response.keep(group.protocol.value_or(""));
  for (const auto& [id, member] : group.members) {
    auto& row = out.members.emplace_back();
    row.member_id = response.keep(id);
    if (member->instance_id) row.group_instance_id = response.keep(*member->instance_id);
    row.client_id = response.keep(member->client_id);
    row.client_host = response.keep(member->client_host);
    if (!stable) continue;
    if (const std::string* metadata = member->metadata_for(group.protocol.value_or("")))
      row.member_metadata = response.keep(*metadata);
    row.member_assignment = response.keep(member->assignment);
  }
}

}  // namespace

void handle_join_group(Broker& broker, RequestInfo info, kafka::JoinGroupRequest request,
                       Reply<kafka::JoinGroupResponse> reply) {
  reply.wait_for_others(broker.now());
  ask_coordinator(broker, info, std::move(reply),
                  [&](GroupCoordinator& groups, const auto& caller, const auto& now) {
                    return groups.join(caller, request, now);
                  });
}

void handle_sync_group(Broker& broker, RequestInfo info, kafka::SyncGroupRequest request,
                       Reply<kafka::SyncGroupResponse> reply) {
  reply.wait_for_others(broker.now());
  ask_coordinator(broker, info, std::move(reply),
                  [&](GroupCoordinator& groups, const auto& caller, const auto& now) {
                    return groups.sync(caller, request, now);
                  });
}

void handle_heartbeat(Broker& broker, RequestInfo info, kafka::HeartbeatRequest request,
                      Reply<kafka::HeartbeatResponse> reply) {
  ask_coordinator(broker, info, std::move(reply),
                  [&](GroupCoordinator& groups, const auto& caller, const auto& now) {
                    return groups.heartbeat(caller, request, now);
                  });
}

void handle_leave_group(Broker& broker, RequestInfo info, kafka::LeaveGroupRequest request,
                        Reply<kafka::LeaveGroupResponse> reply) {
  ask_coordinator(broker, info, std::move(reply),
                  [&](GroupCoordinator& groups, const auto& caller, const auto& now) {
                    return groups.leave(caller, request, now);
                  });
}

void handle_list_groups(Broker& broker, RequestInfo, kafka::ListGroupsRequest request,
                        Reply<kafka::ListGroupsResponse> reply) {
  if (refuse_if_unavailable(broker, reply)) return;
  kafka::ListGroupsResponse response;
  const bool classic_asked =
      request.types_filter.empty() || is_among(classic_type, request.types_filter);
  if (classic_asked) {
    for (const Group* group : broker.groups().state().groups()) {
      const auto state = coordinator::name_of(group->state);
      if (!request.states_filter.empty() && !is_among(state, request.states_filter)) continue;
      auto& out = response.groups.emplace_back();
      out.group_id = response.keep(group->id);
      out.protocol_type = response.keep(group->protocol_type);
      out.group_state = state;
      out.group_type = classic_type;
    }
  }
  reply(response);
}

void handle_describe_groups(Broker& broker, RequestInfo info, kafka::DescribeGroupsRequest request,
                            Reply<kafka::DescribeGroupsResponse> reply) {
  kafka::DescribeGroupsResponse response;
  for (const auto id : request.groups) {
    auto& out = response.groups.emplace_back();
    out.group_id = id;
    if (request.include_authorized_operations) out.authorized_operations = all_group_operations;
    if (broker.groups().unavailable()) {
      out.error_code = wire_code(Errc::coordinator_not_available);
      continue;
    }
    const Group* group = broker.groups().state().find(id);
    if (id.empty()) {
      out.error_code = wire_code(Errc::invalid_group_id);
    } else if (group == nullptr) {
      out.group_state = "Dead";
      if (info.api_version >= 6) {
        out.error_code = wire_code(Errc::group_id_not_found);
        out.error_message = response.keep(fmt::format("Group {} not found.", id));
      }
    } else {
      out.group_state = coordinator::name_of(group->state);
      out.protocol_type = response.keep(group->protocol_type);
      describe_members(*group, response, out);
    }
  }
  reply(response);
}

void handle_delete_groups(Broker& broker, RequestInfo info, kafka::DeleteGroupsRequest request,
                          Reply<kafka::DeleteGroupsResponse> reply) {
  std::vector<std::string> names(request.groups_names.begin(), request.groups_names.end());
  auto send = [reply = std::move(reply), names](const std::vector<Errc>& errors) mutable {
    kafka::DeleteGroupsResponse response;
    for (std::size_t i = 0; i < names.size(); ++i) {
      auto& out = response.results.emplace_back();
      out.group_id = names[i];
      out.error_code = wire_code(errors[i]);
    }
    reply(response);
  };
  if (broker.groups().unavailable()) {
    return send(std::vector(names.size(), Errc::coordinator_not_available));
  }
  broker.groups().request<coordinator::DeleteGroupsAnswer>(
      info,
      [&](GroupCoordinator& groups, const auto& caller, const auto& now) {
        return groups.delete_groups(caller, request.groups_names, now);
      },
      [send = std::move(send)](const coordinator::DeleteGroupsAnswer& answer) mutable {
        send(answer.groups);
      });
}

}  // namespace weir::broker
