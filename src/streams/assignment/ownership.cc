#include "streams/assignment/ownership.h"

#include <algorithm>

namespace weir::streams::assigning {

Ownership::Ownership(const std::vector<GroupMember>& members) {
  for (const GroupMember& member : members) {
    const GroupSubscription& subscription = member.subscription;
    generation_ = std::max(generation_, subscription.generation);
    for (const TopicPartition& partition : subscription.owned) {
      Claim& claim = claims_[partition];
      if (!claim.all.empty() && claim.all.back() == &member) continue;
      claim.all.push_back(&member);
      if (claim.all.size() == 1 || subscription.generation > claim.generation) {
        claim.generation = subscription.generation;
        claim.member = &member;
      } else if (subscription.generation == claim.generation) {
        claim.member = nullptr;
      }
    }
  }
}

const GroupMember* Ownership::owner(const TopicPartition& partition) const {
  const auto at = claims_.find(partition);
  return at == claims_.end() ? nullptr : at->second.member;
}

const std::vector<const GroupMember*>& Ownership::claimants(const TopicPartition& partition) const {
  static const std::vector<const GroupMember*> none;
  const auto at = claims_.find(partition);
  return at == claims_.end() ? none : at->second.all;
}

}  // namespace weir::streams::assigning
