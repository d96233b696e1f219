// What the built-in assignors share, and the rules that hold for what any assignor gives.
#pragma once

#include <weir/group.h>

#include <set>
#include <vector>

namespace weir::client {

/// As Kafka's assignors see them: static members by instance id, then the others by member id.
std::vector<const GroupMember*> in_order(const std::vector<GroupMember>& members);
bool wants(const GroupMember& member, const std::string& topic);

/// (Σ added) ∩ (Σ revoked): what would go from one member to another in a single rebalance.
std::set<TopicPartition> transferred(const std::vector<GroupMember>& members,
                                     const Assignor::Assignments& assignments);

/// Errc::invalid_argument names the rule that is broken:
/// - a partition has one owner, exists, and its topic is wanted by the owner;
/// - everyone that is named is a member;
/// - nothing is transferred, if the assignor is cooperative.
Result<void> check_assignments(const Assignor& assignor, const Assignor::PartitionCounts& counts,
                               const std::vector<GroupMember>& members,
                               const Assignor::Assignments& assignments);

}  // namespace weir::client
