#include "streams/assignment/ownership.h"

#include <algorithm>

namespace weir::streams::assigning {

Ownership::Ownership(const std::vector<GroupMember>& members) {
  for (const GroupMember& member : members) {
    const GroupSubscription& subscription = member.subscription;
    generation_ = std::max(generation_, subscription.generation);
    for (const TopicPartition& partition : subscription.owned) {
      const auto [at, first] =
          claims_.try_emplace(partition, Claim{subscription.generation, &member});
      Claim& claim = at->second;
      if (first || claim.member == &member) continue;
      if (subscription.generation > claim.generation)
        claim = {subscription.generation, &member};
      else if (subscription.generation == claim.generation)
        claim.member = nullptr;
    }
  }
}

const GroupMember* Ownership::owner(const TopicPartition& partition) const {
  const auto at = claims_.find(partition);
  return at == claims_.end() ? nullptr : at->second.member;
}

}  // namespace weir::streams::assigning
