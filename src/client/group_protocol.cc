#include "client/group_protocol.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/log.h"
#include "client/assignors.h"
#include "client/group_payload.h"

namespace weir::client {

GroupProtocol::GroupProtocol(std::vector<std::shared_ptr<Assignor>> assignors,
                             std::optional<std::string> rack)
    : assignors_(std::move(assignors)),
      rack_(std::move(rack)),
      cooperative_(std::all_of(assignors_.begin(), assignors_.end(),
                               [](const auto& assignor) { return assignor->cooperative(); })) {}

Result<GroupProtocol> GroupProtocol::open(std::vector<std::shared_ptr<Assignor>> assignors,
                                          std::optional<std::string> rack) {
  if (assignors.empty()) assignors = {range_assignor(), cooperative_sticky_assignor()};
  std::set<std::string_view> names;
  for (const auto& assignor : assignors) {
    if (assignor == nullptr) return fail(Errc::invalid_setting, "assignors: one of them is null");
    if (!names.insert(assignor->name()).second)
      return fail(Errc::invalid_setting,
                  fmt::format("assignors: {} is there twice", assignor->name()));
    if (assignor->protocol_type() != assignors.front()->protocol_type())
      return fail(Errc::invalid_setting,
                  fmt::format("assignors: {} is for groups of type {}, {} for {}",
                              assignors.front()->name(), assignors.front()->protocol_type(),
                              assignor->name(), assignor->protocol_type()));
  }
  return GroupProtocol(std::move(assignors), std::move(rack));
}

Result<std::vector<std::pair<std::string, std::string>>> GroupProtocol::subscriptions(
    const std::vector<std::string>& topics, const std::vector<TopicPartition>& owned,
    std::int32_t generation) const {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& assignor : assignors_) {
    auto bytes = encode_subscription({.topics = topics,
                                      .user_data = assignor->user_data(topics),
                                      .owned = owned,
                                      .generation = generation,
                                      .rack = rack_});
    if (!bytes) return fail(bytes.error());
    out.emplace_back(assignor->name(), std::move(*bytes));
  }
  return out;
}

GroupProtocol::Members GroupProtocol::read(
    std::string protocol, std::vector<std::pair<GroupMember, std::string>> members) {
  Members out;
  out.protocol = std::move(protocol);
  for (auto& [member, bytes] : members) {
    auto subscription = decode_subscription(bytes);
    if (subscription) {
      member.subscription = std::move(*subscription);
      out.topics.insert(member.subscription.topics.begin(), member.subscription.topics.end());
    } else {
      log_warn("client", fmt::format("group member {}: {}; it gets nothing", member.id,
                                     subscription.error().message()));
    }
    out.members.push_back(std::move(member));
  }
  return out;
}

Result<std::map<std::string, std::string>> GroupProtocol::share_out(
    const Members& members, const Assignor::PartitionCounts& counts) const {
  const auto assignor = find(members.protocol);
  if (!assignor) return fail(assignor.error());
  auto assignments = (*assignor)->assign(counts, members.members);
  if (!assignments) return fail(assignments.error());
  if (auto ok = check_assignments(**assignor, counts, members.members, *assignments); !ok)
    return fail(ok.error());
  std::map<std::string, std::string> out;
  for (const GroupMember& member : members.members) {
    auto bytes = encode_assignment((*assignments)[member.id]);
    if (!bytes) return fail(bytes.error());
    out[member.id] = std::move(*bytes);
  }
  return out;
}

bool GroupProtocol::is_moving(const Members& members,
                              const std::map<std::string, std::string>& shares) {
  std::set<TopicPartition> given;
  for (const auto& [member, bytes] : shares) {
    const auto assignment = decode_assignment(bytes);
    if (assignment) given.insert(assignment->partitions.begin(), assignment->partitions.end());
  }
  for (const GroupMember& member : members.members)
    for (const TopicPartition& partition : member.subscription.owned)
      if (members.topics.contains(partition.topic) && !given.contains(partition)) return true;
  return false;
}

Result<GroupAssignment> GroupProtocol::accept(const std::string& protocol, std::string_view bytes,
                                              const GroupMetadata& member) const {
  const auto assignor = find(protocol);
  if (!assignor) return fail(assignor.error());
  auto assignment = decode_assignment(bytes);
  if (assignment) (*assignor)->on_assignment(*assignment, member);
  return assignment;
}

Result<Assignor*> GroupProtocol::find(const std::string& protocol) const {
  for (const auto& assignor : assignors_)
    if (assignor->name() == protocol) return assignor.get();
  return fail(Errc::inconsistent_group_protocol,
              fmt::format("the broker chose the assignor {}, which this member did not offer",
                          escape_for_log(protocol, 64)));
}

}  // namespace weir::client
