#include "coordinator/group.h"

#include <algorithm>

#include "base/check.h"
#include "coordinator/subscription.h"

namespace weir::coordinator {
namespace {

constexpr std::size_t node_bytes = 64;  // of a map's node and its allocation

}  // namespace

std::string_view name_of(GroupState state) {
  switch (state) {
    case GroupState::empty: return "Empty";
    case GroupState::preparing_rebalance: return "PreparingRebalance";
    case GroupState::completing_rebalance: return "CompletingRebalance";
    case GroupState::stable: return "Stable";
  }
  check(false, "a state of a group");
  return {};
}

const std::string* Member::metadata_for(std::string_view protocol) const {
  const auto found = std::find_if(protocols.begin(), protocols.end(),
                                  [&](const Protocol& p) { return p.name == protocol; });
  return found == protocols.end() ? nullptr : &found->metadata;
}

std::size_t Member::bytes() const {
  std::size_t total = sizeof(Member) + 3 * node_bytes + 2 * id.size() + client_id.size() +
                      client_host.size() + assignment.size() +
                      (instance_id ? 2 * instance_id->size() : 0);
  for (const auto& p : protocols) total += sizeof(Protocol) + p.name.size() + p.metadata.size();
  return total;
}

std::size_t bytes_of(const StoredGroup& group) {
  std::size_t total = sizeof(StoredGroup);
  for (const auto& [id, member] : group.members)
    total += sizeof(StoredMember) + node_bytes + id.size() + member.client_id.size() +
             member.client_host.size() + member.subscription.size() + member.assignment.size();
  return total;
}

std::size_t bytes_of(const CommittedOffset& offset) {
  return sizeof(CommittedOffset) + node_bytes + offset.metadata.size();
}

Member* Group::find(std::string_view member_id) {
  const auto found = members.find(member_id);
  return found == members.end() ? nullptr : found->second.get();
}

const Member* Group::find(std::string_view member_id) const {
  const auto found = members.find(member_id);
  return found == members.end() ? nullptr : found->second.get();
}

bool Group::is_gone() const {
  return !stored && offsets.empty() && pending_offsets.empty() && members.empty() &&
         pending.empty() && state == GroupState::empty && writes_in_flight == 0;
}

bool Group::supports(std::string_view type, const std::vector<Protocol>& offered) const {
  if (state == GroupState::empty) return !type.empty() && !offered.empty();
  if (type != protocol_type) return false;
  return std::any_of(offered.begin(), offered.end(), [&](const Protocol& p) {
    const auto found = supported.find(p.name);
    return found != supported.end() ? found->second == members.size() : members.empty();
  });
}

Member& Group::add(std::unique_ptr<Member> member) {
  Member& added = *member;
  added.number = ++last_number;
  if (leader.empty()) leader = added.id;
  if (added.instance_id) instances.emplace(*added.instance_id, added.id);
  for (const auto& p : added.protocols) ++supported[p.name];
  members.emplace(added.id, std::move(member));
  return added;
}

void Group::remove(Member& member) {
  check(!member.timer && !member.sync && !member.join, "a member is parted with before it goes");
  for (const auto& p : member.protocols)
    if (auto found = supported.find(p.name); --found->second == 0) supported.erase(found);
  if (member.instance_id) instances.erase(*member.instance_id);
  pending_sync.erase(member.id);
  if (leader == member.id) {
    leader.clear();
    const Member* oldest = nullptr;
    for (const auto& [name, other] : members)
      if (other.get() != &member && (oldest == nullptr || other->number < oldest->number))
        oldest = other.get();
    if (oldest != nullptr) leader = oldest->id;
  }
  members.erase(members.find(member.id));
}

void Group::change_protocols(Member& member, std::vector<Protocol> protocols) {
  for (const auto& p : member.protocols)
    if (auto found = supported.find(p.name); --found->second == 0) supported.erase(found);
  member.protocols = std::move(protocols);
  for (const auto& p : member.protocols) ++supported[p.name];
}

void Group::rename(Member& member, const std::string& new_id) {
  auto node = members.extract(member.id);
  if (leader == member.id) leader = new_id;
  if (pending_sync.erase(member.id) > 0) pending_sync.insert(new_id);
  node.key() = new_id;
  member.id = new_id;
  instances[*member.instance_id] = new_id;
  members.insert(std::move(node));
}

std::string Group::vote() const {
  check(!members.empty(), "only members can vote");
  std::map<std::string_view, std::size_t> votes;
  for (const auto& [name, member] : members) {
    const auto liked = std::find_if(
        member->protocols.begin(), member->protocols.end(),
        [&](const Protocol& p) { return supported.find(p.name)->second == members.size(); });
    check(liked != member->protocols.end(), "members have a protocol in common");
    ++votes[liked->name];
  }
  const auto winner = std::max_element(
      votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return std::string(winner->first);
}

bool Group::elect_joined_leader() {
  if (const Member* present = find(leader); present != nullptr && present->join) return true;
  const Member* oldest = nullptr;
  for (const auto& [name, member] : members)
    if (member->join && (oldest == nullptr || member->number < oldest->number))
      oldest = member.get();
  if (oldest == nullptr) return false;
  leader = oldest->id;
  return true;
}

std::int32_t Group::rebalance_timeout_ms() const {
  std::int32_t longest = 0;
  for (const auto& [name, member] : members)
    longest = std::max(longest, member->rebalance_timeout_ms);
  return longest;
}

void Group::read_subscriptions() {
  subscribed.reset();
  if (!uses_consumer_protocol() || (!members.empty() && !protocol)) return;
  std::set<std::string, std::less<>> topics;
  for (const auto& [name, member] : members) {
    const std::string* metadata = member->metadata_for(*protocol);
    if (metadata == nullptr || !add_subscribed_topics(*metadata, topics)) return;
  }
  subscribed = std::move(topics);
}

bool Group::is_subscribed(std::string_view topic) const {
  if (!uses_consumer_protocol()) return false;
  return !subscribed || subscribed->contains(topic);
}

}  // namespace weir::coordinator
