// Who owns which partition as the members join, and so who may get it now.
//
// Cooperative rebalances (KIP-429): what one member owns, another gets only in the rebalance after
// it was given up.
#pragma once

#include <weir/group.h>

#include <map>
#include <vector>

namespace weir::streams::assigning {

class Ownership {
 public:
  /// `members` outlive it and stay where they are.
  explicit Ownership(const std::vector<GroupMember>& members);

  /// Who claims it in the highest generation. Null: nobody does, or two in the same one.
  const GroupMember* owner(const TopicPartition& partition) const;
  /// All who say that they own it, of whatever generation.
  const std::vector<const GroupMember*>& claimants(const TopicPartition& partition) const;
  bool claimed(const TopicPartition& partition) const { return claims_.contains(partition); }
  /// True if the member owns it, or nobody claims it.
  bool may_get(const GroupMember& member, const TopicPartition& partition) const {
    return !claimed(partition) || owner(partition) == &member;
  }
  /// The highest in which a member came to own what it owns; -1: none says.
  std::int32_t generation() const { return generation_; }

 private:
  struct Claim {
    std::int32_t generation = -1;
    const GroupMember* member = nullptr;
    std::vector<const GroupMember*> all = {};
  };
  std::map<TopicPartition, Claim> claims_;
  std::int32_t generation_ = -1;
};

}  // namespace weir::streams::assigning
