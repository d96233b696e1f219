// Offsets: committed, looked up, deleted, expired; and groups that are deleted with them.
#include <fmt/core.h>

#include <algorithm>
#include <memory>

#include "base/log.h"
#include "base/mutant.h"
#include "coordinator/group_coordinator.h"

namespace weir::coordinator {
namespace {

/// Between two steps of one round of expiry.
constexpr auto expiry_step_pause = std::chrono::milliseconds(10);

}  // namespace

Errc GroupCoordinator::commit_fault(const Group* group, const CommitRequest& request) const {
  if (request.group.size() > limits::name_bytes) return Errc::invalid_group_id;
  const bool transactional = request.is_transactional();
  if (group == nullptr) {
    if (request.generation >= 0) return Errc::illegal_generation;
    return has_room_for_group() ? Errc::none : Errc::invalid_commit_offset_size;
  }
  // An admin, or a consumer that assigns its partitions itself.
  if (request.generation < 0 && group->in(GroupState::empty)) return Errc::none;
  // In a transaction it need not be said who commits, before KIP-447: the producer is fenced.
  if (request.generation < 0 && request.member.empty() && !request.instance)
    return transactional ? Errc::none : Errc::unknown_member_id;
  if (transactional && mutant(Mutant::member_not_checked)) return Errc::none;
  if (const Errc fault = member_fault(*group, request.member, request.instance);
      fault != Errc::none)
    return fault;
  if (request.generation != group->generation) return Errc::illegal_generation;
  // The member has not its assignment yet: what it commits is of the generation before.
  if (!transactional && group->in(GroupState::completing_rebalance))
    return Errc::rebalance_in_progress;
  return Errc::none;
}

std::vector<Record> GroupCoordinator::commit_records(const Group* group,
                                                     const CommitRequest& request,
                                                     CommitAnswer& verdict) {
  std::vector<Record> records;
  records.reserve(request.items.size());
  std::size_t more = 0;
  for (std::size_t i = 0; i < request.items.size(); ++i) {
    const CommitItem& item = request.items[i];
    if (item.metadata.size() > options_.offset_metadata_bytes) {
      verdict.items[i] = Errc::offset_metadata_too_large;
      continue;
    }
    const bool known = group != nullptr &&
                       offset_of(group->id, item.topic, item.topic_id, item.partition) != nullptr;
    if (!known) more += sizeof(CommittedOffset) + item.metadata.size();
    kafka::OffsetCommitValue value;
    value.offset = item.offset;
    value.leader_epoch = item.leader_epoch;
    value.metadata = item.metadata;
    value.commit_timestamp = now_.wall_ms;
    value.topic_id = item.topic_id;
    auto record = make_offset_record(
        {.group = request.group, .topic = item.topic, .partition = item.partition}, value);
    if (!known && !has_room(more)) ++counters_.refused_for_room;
    if (!record || (!known && !has_room(more))) {
      verdict.items[i] = Errc::invalid_commit_offset_size;
      continue;
    }
    records.push_back(std::move(*record));
  }
  return records;
}

Effects GroupCoordinator::commit(const Caller& caller, const CommitRequest& request, Now now) {
  begin(now);
  CommitAnswer verdict;
  verdict.items.resize(request.items.size(), Errc::none);
  Group* group = find_group(request.group);
  verdict.whole = commit_fault(group, request);
  if (verdict.whole != Errc::none) {
    answer(caller.request, std::move(verdict));
    return finish();
  }
  std::vector<Record> records = commit_records(group, request, verdict);
  if (group != nullptr)
    if (Member* member = group->find(request.member)) touch(*group, *member);
  if (records.empty()) {
    answer(caller.request, std::move(verdict));
    return finish();
  }
  if (group == nullptr) group = &create(request.group);
  if (mutant(Mutant::offsets_before_durable))
    for (const auto& record : records) (void)apply(record.key, record.value, request.producer);
  const std::size_t count = records.size();
  write(*group, std::move(records),
        [this, group, count, transactional = request.is_transactional(),
         generation = request.generation, request_id = caller.request,
         verdict = std::move(verdict)](bool durable) mutable {
          if (durable && !transactional) counters_.offset_commits += count;
          if (!durable) verdict.whole = Errc::coordinator_not_available;
          if (mutant(Mutant::commit_checked_again) && generation >= 0 &&
              (generation != group->generation || !group->in(GroupState::stable)))
            verdict.whole = Errc::illegal_generation;
          answer(request_id, std::move(verdict));
        },
        {.producer = request.producer, .epoch = request.producer_epoch});
  return finish();
}

const CommittedOffset* GroupCoordinator::offset_of(std::string_view id, std::string_view topic,
                                                   const TopicId& topic_id,
                                                   std::int32_t partition) const {
  const Group* group = find(id);
  if (group == nullptr) return nullptr;
  const auto partitions = group->offsets.find(topic);
  if (partitions == group->offsets.end()) return nullptr;
  const auto at = partitions->second.find(partition);
  if (at == partitions->second.end()) return nullptr;
  // Of a topic that was deleted and made again under its name.
  if (!at->second.topic_id.is_zero() && at->second.topic_id != topic_id) return nullptr;
  return &at->second;
}

bool GroupCoordinator::is_unstable(std::string_view id, std::string_view topic,
                                   std::int32_t partition) const {
  const Group* group = find(id);
  if (group == nullptr) return false;
  return std::any_of(
      group->pending_offsets.begin(), group->pending_offsets.end(), [&](const auto& of_producer) {
        const auto found = of_producer.second.find(topic);
        return found != of_producer.second.end() && found->second.contains(partition);
      });
}

// Deleting must reach what is on its way to the disk: it would be there after the deletion.
GroupCoordinator::OffsetNames GroupCoordinator::offsets_to_come(const Group& group) const {
  OffsetNames names;
  for (const auto& [topic, partitions] : group.offsets)
    for (const auto& [partition, offset] : partitions) names[topic].insert(partition);
  for (const auto& [producer, offsets] : group.pending_offsets)
    for (const auto& [topic, partitions] : offsets)
      for (const auto& [partition, offset] : partitions) names[topic].insert(partition);
  if (group.writes_in_flight == 0) return names;
  for (const auto& write : writes_) {
    if (write.group != &group) continue;
    for (const auto& record : write.records) {
      const auto decoded = decode_record(record.key, record.value);
      const auto* offset = decoded ? std::get_if<OffsetRecord>(&*decoded) : nullptr;
      if (offset == nullptr) continue;
      if (offset->value)
        names[std::string(offset->key.topic)].insert(offset->key.partition);
      else if (const auto at = names.find(offset->key.topic); at != names.end())
        at->second.erase(offset->key.partition);
    }
  }
  return names;
}

Errc GroupCoordinator::delete_fault(const Group* group) {
  if (group == nullptr) return Errc::group_id_not_found;
  return group->in(GroupState::empty) ? Errc::none : Errc::non_empty_group;
}

Effects GroupCoordinator::delete_groups(const Caller& caller,
                                        std::span<const std::string_view> groups, Now now) {
  begin(now);
  struct Deleting {
    RequestId request{};
    DeleteGroupsAnswer verdict;
    std::size_t waiting = 1;
  };
  auto deleting = std::make_shared<Deleting>();
  deleting->request = caller.request;
  deleting->verdict.groups.resize(groups.size(), Errc::none);
  const auto finish_one = [this, deleting] {
    if (--deleting->waiting == 0) answer(deleting->request, std::move(deleting->verdict));
  };
  for (std::size_t i = 0; i < groups.size(); ++i) {
    Group* group = find_group(groups[i]);
    deleting->verdict.groups[i] = delete_fault(group);
    if (deleting->verdict.groups[i] != Errc::none) continue;
    std::vector<Record> records;
    std::size_t offsets = 0;
    for (const auto& [topic, partitions] : offsets_to_come(*group)) {
      offsets += partitions.size();
      for (const auto partition : partitions)
        records.push_back(
            make_offset_tombstone({.group = group->id, .topic = topic, .partition = partition}));
    }
    records.push_back(make_group_tombstone(group->id));
    ++deleting->waiting;
    write(*group, std::move(records),
          [this, group, deleting, i, offsets, finish_one](bool durable) {
            if (durable) {
              ++counters_.deleted_groups;
              counters_.deleted_offsets += offsets;
              // Members that were asked to come back find the group gone.
              if (group->in(GroupState::empty))
                while (!group->pending.empty())
                  forget_pending(*group, group->pending.begin()->first);
            } else {
              deleting->verdict.groups[i] = Errc::coordinator_not_available;
            }
            finish_one();
          });
  }
  finish_one();
  return finish();
}

Effects GroupCoordinator::delete_offsets(const Caller& caller, const DeleteOffsetsRequest& request,
                                         Now now) {
  begin(now);
  DeleteOffsetsAnswer verdict;
  verdict.items.resize(request.items.size(), Errc::none);
  Group* group = find_group(request.group);
  verdict.whole = request.group.empty() ? Errc::invalid_group_id : delete_fault(group);
  // A consumer group says which topics it uses: others may go while it runs.
  if (verdict.whole == Errc::non_empty_group && group->uses_consumer_protocol())
    verdict.whole = Errc::none;
  std::vector<Record> records;
  if (verdict.whole == Errc::none) {
    const OffsetNames names = offsets_to_come(*group);
    for (std::size_t i = 0; i < request.items.size(); ++i) {
      const auto& item = request.items[i];
      if (group->is_subscribed(item.topic)) {
        verdict.items[i] = Errc::group_subscribed_to_topic;
        continue;
      }
      const auto at = names.find(item.topic);
      if (at != names.end() && at->second.contains(item.partition))
        records.push_back(make_offset_tombstone(
            {.group = request.group, .topic = item.topic, .partition = item.partition}));
    }
  }
  if (records.empty()) {
    answer(caller.request, std::move(verdict));
    return finish();
  }
  const std::size_t count = records.size();
  write(*group, std::move(records),
        [this, count, request_id = caller.request,
         verdict = std::move(verdict)](bool durable) mutable {
          if (durable) counters_.deleted_offsets += count;
          if (!durable) verdict.whole = Errc::coordinator_not_available;
          answer(request_id, std::move(verdict));
        });
  return finish();
}

Effects GroupCoordinator::topic_deleted(std::string_view name, const TopicId& id, Now now) {
  begin(now);
  for (const Group* found : groups()) {
    const auto at = found->offsets.find(name);
    if (at == found->offsets.end()) continue;
    std::vector<Record> records;
    for (const auto& [partition, offset] : at->second)
      if (offset.topic_id.is_zero() || offset.topic_id == id)
        records.push_back(
            make_offset_tombstone({.group = found->id, .topic = name, .partition = partition}));
    const std::size_t count = records.size();
    // What is on its way now names an id that is gone: it is never answered, and expires.
    if (count > 0)
      write(*find_group(found->id), std::move(records), [this, count](bool durable) {
        if (durable) counters_.deleted_offsets += count;
      });
  }
  return finish();
}

void GroupCoordinator::expire_step() {
  if (expiry_round_.empty()) {
    for (const Group* group : groups()) expiry_round_.push_back(group->id);
    std::reverse(expiry_round_.begin(), expiry_round_.end());
  }
  std::size_t looked_at = 0;
  while (!expiry_round_.empty() && looked_at < limits::offsets_per_expiry_step) {
    const std::string id = std::move(expiry_round_.back());
    expiry_round_.pop_back();
    Group* group = find_group(id);
    if (group == nullptr) continue;
    looked_at += 1 + group->offset_count;
    expire_group(*group);
  }
  next_expiry_ =
      now_.mono + (expiry_round_.empty() ? options_.expiry_interval : Duration(expiry_step_pause));
}

bool GroupCoordinator::is_expired(const Group& group, std::string_view topic,
                                  const CommittedOffset& offset) const {
  if (!topic_exists_(topic, offset.topic_id)) return true;
  MonoTime base = offset.since;
  if (!group.protocol_type.empty()) {
    if (group.in(GroupState::empty)) {
      base = std::max(base, group.empty_since);
    } else if (!group.in(GroupState::stable) || !group.uses_consumer_protocol() ||
               group.is_subscribed(topic)) {
      return false;
    }
  }
  return now_.mono - base >= options_.offset_retention;
}

void GroupCoordinator::expire_group(Group& group) {
  // What is on its way may renew what would go: the next round will see.
  if (group.writes_in_flight > 0) return;
  std::vector<Record> records;
  for (const auto& [topic, partitions] : group.offsets)
    for (const auto& [partition, offset] : partitions)
      if (is_expired(group, topic, offset) && !is_unstable(group.id, topic, partition))
        records.push_back(
            make_offset_tombstone({.group = group.id, .topic = topic, .partition = partition}));
  const std::size_t count = records.size();
  if (count == group.offset_count && group.stored && group.in(GroupState::empty) &&
      group.pending.empty() && group.pending_offsets.empty())
    records.push_back(make_group_tombstone(group.id));
  if (records.empty()) return;
  if (count > 0)
    log_info("groups", fmt::format("group {}: {} offsets are past offsets.retention.minutes, or of "
                                   "topics that are gone",
                                   escape_for_log(group.id), count));
  write(group, std::move(records), [this, count](bool durable) {
    if (durable) counters_.expired_offsets += count;
  });
}

}  // namespace weir::coordinator
