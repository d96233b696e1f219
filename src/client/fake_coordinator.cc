#include "client/fake_coordinator.h"

#include <algorithm>
#include <set>

namespace weir::client {
namespace {

std::int16_t wire(Errc code) { return static_cast<std::int16_t>(code); }

std::optional<std::string> owned(const std::optional<std::string_view>& text) {
  if (!text) return std::nullopt;
  return std::string(*text);
}

}  // namespace

std::vector<std::string> FakeGroup::member_ids() const {
  std::vector<std::string> out;
  for (const auto& [id, member] : members_) out.push_back(id);
  return out;
}

void FakeGroup::join(const kafka::JoinGroupRequest& request, std::int16_t version,
                     JoinReply reply) {
  if (request.reason) reasons.emplace_back(*request.reason);
  kafka::JoinGroupResponse refused;
  const auto instance = owned(request.group_instance_id);
  std::string id(request.member_id);
  bool came_back = false;
  if (id.empty()) {
    id = "member-" + std::to_string(++last_id_);
    if (instance) {
      for (auto& [known, member] : members_) {
        if (member.instance != instance) continue;
        const std::string old = known;  // its place goes to the newcomer
        came_back = true;
        assignments_[id] = assignments_[old];
        if (leader == old) leader = id;
        members_[id] = std::move(member);
        loop_.cancel(members_[id].expiry);
        members_[id].join = nullptr;
        members_[id].sync = nullptr;
        members_.erase(old);
        break;
      }
    } else if (version >= 4) {
      pending_.push_back(id);
      refused.error_code = wire(Errc::member_id_required);
      refused.member_id = refused.keep(id);
      return reply(refused);
    }
  } else if (std::erase(pending_, id) == 0 && !members_.contains(id)) {
    refused.error_code = wire(instance ? Errc::fenced_instance_id : Errc::unknown_member_id);
    return reply(refused);
  }
  Member& member = members_[id];
  member.instance = instance;
  member.session = std::chrono::milliseconds(request.session_timeout_ms);
  member.rebalance = std::chrono::milliseconds(request.rebalance_timeout_ms);
  member.protocols.clear();
  for (const auto& offer : request.protocols)
    member.protocols.emplace_back(offer.name, offer.metadata);
  if (came_back && state == State::stable) return welcome_back(id, reply);
  member.join = std::move(reply);
  loop_.cancel(member.expiry);  // who is parked is alive
  prepare();
  complete_if_all_joined();
}

// KIP-345: the generation goes on; KIP-814: its leader may watch over it.
void FakeGroup::welcome_back(const std::string& id, const JoinReply& reply) {
  kafka::JoinGroupResponse response;
  response.generation_id = generation;
  response.protocol_type = "consumer";
  response.protocol_name = protocol;
  response.leader = leader;
  response.member_id = id;
  response.skip_assignment = leader == id;
  if (response.skip_assignment) {
    for (const auto& [name, member] : members_) {
      auto& told = response.members.emplace_back();
      told.member_id = name;
      told.metadata = member.protocols.front().second;
    }
  }
  beat(id);
  reply(response);
}

void FakeGroup::prepare() {
  if (members_.empty()) {
    state = State::empty;
    return;
  }
  if (state == State::preparing) return;
  const bool first = state == State::empty;
  state = State::preparing;
  kafka::SyncGroupResponse again;
  again.error_code = wire(Errc::rebalance_in_progress);
  Duration longest{};
  for (auto& [id, member] : members_) {
    longest = std::max(longest, member.rebalance);
    if (member.sync) std::exchange(member.sync, nullptr)(again);
  }
  loop_.cancel(deadline_);
  deadline_ = loop_.call_after(first ? initial_delay : longest, [this, alive = alive_, first] {
    if (!*alive) return;
    deadline_ = io::TimerId::none;
    if (!first) {
      std::vector<std::string> late;
      for (const auto& [id, member] : members_)
        if (!member.join && !member.instance) late.push_back(id);
      for (const std::string& id : late) members_.erase(id);
    }
    complete();
  });
}

void FakeGroup::complete_if_all_joined() {
  if (state != State::preparing || generation == 0) return;
  if (std::all_of(members_.begin(), members_.end(),
                  [](const auto& entry) { return entry.second.join != nullptr; }))
    complete();
}

void FakeGroup::complete() {
  loop_.cancel(std::exchange(deadline_, io::TimerId::none));
  if (members_.empty()) {
    state = State::empty;
    return;
  }
  state = State::completing;
  ++generation;
  assignments_.clear();
  if (!members_.contains(leader) || !members_[leader].join) {
    for (const auto& [id, member] : members_)
      if (member.join) leader = id;
  }
  // The first of the leader's that all have.
  for (const auto& [name, metadata] : members_[leader].protocols) {
    const bool all = std::all_of(members_.begin(), members_.end(), [&, &n = name](const auto& m) {
      return std::any_of(m.second.protocols.begin(), m.second.protocols.end(),
                         [&](const auto& offer) { return offer.first == n; });
    });
    if (!all) continue;
    protocol = name;
    break;
  }
  std::vector<std::pair<JoinReply, std::string>> replies;
  for (auto& [id, member] : members_)
    if (member.join) replies.emplace_back(std::exchange(member.join, nullptr), id);
  for (auto& [reply, id] : replies) {
    kafka::JoinGroupResponse answer;
    answer.generation_id = generation;
    answer.protocol_type = "consumer";
    answer.protocol_name = protocol;
    answer.leader = leader;
    answer.member_id = id;
    if (id == leader) {
      for (const auto& [other, member] : members_) {
        auto& told = answer.members.emplace_back();
        told.member_id = other;
        if (member.instance) told.group_instance_id = *member.instance;
        for (const auto& [name, metadata] : member.protocols)
          if (name == protocol) told.metadata = metadata;
      }
    }
    beat(id);
    reply(answer);
  }
}

void FakeGroup::sync(const kafka::SyncGroupRequest& request, SyncReply reply) {
  kafka::SyncGroupResponse answer;
  const std::string id(request.member_id);
  Errc code = check_member(id, owned(request.group_instance_id), request.generation_id);
  if (code == Errc::none && state == State::preparing) code = Errc::rebalance_in_progress;
  if (code != Errc::none) {
    answer.error_code = wire(code);
    return reply(answer);
  }
  beat(id);
  members_[id].sync = std::move(reply);
  if (id == leader && state == State::completing) {
    for (const auto& told : request.assignments)
      assignments_[std::string(told.member_id)] = std::string(told.assignment);
    state = State::stable;
  }
  if (state != State::stable) return;
  for (auto& [other, member] : members_) {
    if (!member.sync) continue;
    kafka::SyncGroupResponse given;
    given.protocol_type = "consumer";
    given.protocol_name = protocol;
    given.assignment = assignments_[other];
    std::exchange(member.sync, nullptr)(given);
  }
}

Errc FakeGroup::check_member(const std::string& id, const std::optional<std::string>& instance,
                             std::int32_t of_generation) const {
  const auto found = members_.find(id);
  if (found == members_.end()) {
    const bool replaced =
        instance && std::any_of(members_.begin(), members_.end(),
                                [&](const auto& m) { return m.second.instance == instance; });
    return replaced ? Errc::fenced_instance_id : Errc::unknown_member_id;
  }
  return of_generation == generation ? Errc::none : Errc::illegal_generation;
}

Errc FakeGroup::heartbeat(const kafka::HeartbeatRequest& request) {
  const std::string id(request.member_id);
  const Errc code = check_member(id, owned(request.group_instance_id), request.generation_id);
  if (code != Errc::none) return code;
  beat(id);
  return state == State::preparing ? Errc::rebalance_in_progress : Errc::none;
}

void FakeGroup::beat(const std::string& id) {
  Member& member = members_[id];
  loop_.cancel(member.expiry);
  member.expiry = loop_.call_after(member.session, [this, alive = alive_, id] {
    if (!*alive || !members_.contains(id)) return;
    if (members_[id].join || members_[id].sync) return;
    remove(id);
  });
}

void FakeGroup::leave(const std::string& member, const std::optional<std::string>& instance) {
  std::string id = member;
  for (const auto& [known, m] : members_)
    if (instance && m.instance == instance) id = known;
  if (members_.contains(id)) remove(id);
}

void FakeGroup::remove(const std::string& id) {
  loop_.cancel(members_[id].expiry);
  members_.erase(id);
  if (state == State::preparing) return complete_if_all_joined();
  prepare();
}

void FakeGroup::expel_all() {
  for (auto& [id, member] : members_) loop_.cancel(member.expiry);
  members_.clear();
  state = State::empty;
}

Errc FakeGroup::check_transaction(const kafka::TxnOffsetCommitRequest& request) const {
  if (request.generation_id < 0 && request.member_id.empty()) return Errc::none;
  return check_member(std::string(request.member_id), owned(request.group_instance_id),
                      request.generation_id);
}

Errc FakeGroup::commit(const kafka::OffsetCommitRequest& request) {
  const std::string id(request.member_id);
  if (request.generation_id_or_member_epoch >= 0) {
    const Errc code =
        check_member(id, owned(request.group_instance_id), request.generation_id_or_member_epoch);
    if (code != Errc::none) return code;
    if (state == State::completing) return Errc::rebalance_in_progress;
    beat(id);
  } else if (state != State::empty) {
    return Errc::unknown_member_id;
  }
  for (const auto& topic : request.topics) {
    for (const auto& partition : topic.partitions) {
      const TopicPartition key{std::string(topic.name), partition.partition_index};
      offsets[key] = partition.committed_offset;
      epochs[key] = partition.committed_leader_epoch;
      notes[key] = std::string(partition.committed_metadata.value_or(""));
    }
  }
  ++commits;
  return Errc::none;
}

}  // namespace weir::client
