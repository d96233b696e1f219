#include "coordinator/group_coordinator.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "base/mutant.h"

namespace weir::coordinator {

GroupCoordinator::GroupCoordinator(GroupOptions options, Rng& rng, TopicExists topic_exists)
    : options_(options), rng_(rng), topic_exists_(std::move(topic_exists)) {}

GroupCoordinator::~GroupCoordinator() = default;

Group* GroupCoordinator::find_group(std::string_view id) {
  const auto found = groups_.find(id);
  return found == groups_.end() ? nullptr : found->second.get();
}

const Group* GroupCoordinator::find(std::string_view group) const {
  const auto found = groups_.find(group);
  return found == groups_.end() ? nullptr : found->second.get();
}

std::vector<const Group*> GroupCoordinator::groups() const {
  std::vector<const Group*> all;
  all.reserve(groups_.size());
  for (const auto& [id, group] : groups_) all.push_back(group.get());
  std::sort(all.begin(), all.end(), [](const Group* a, const Group* b) { return a->id < b->id; });
  return all;
}

std::size_t GroupCoordinator::offset_count() const {
  std::size_t total = 0;
  for (const auto& [id, group] : groups_) total += group->offset_count;
  return total;
}

Group& GroupCoordinator::create(std::string_view id) {
  auto made = std::make_unique<Group>(std::string(id));
  Group& group = *made;
  group.empty_since = now_.mono;
  groups_.emplace(group.id, std::move(made));
  count_bytes(group, 0, group_overhead_bytes + 2 * group.id.size());
  return group;
}

void GroupCoordinator::count_bytes(Group& group, std::size_t before, std::size_t after) {
  group.bytes = group.bytes - before + after;
  state_bytes_ = state_bytes_ - before + after;
}

void GroupCoordinator::remove_if_gone(Group& group) {
  if (!group.is_gone()) return;
  deadlines_.clear(group.phase_timer);
  state_bytes_ -= group.bytes;
  groups_.erase(groups_.find(group.id));
}

WriteId GroupCoordinator::write(Group& group, std::vector<Record> records, Completion done,
                                WriteOwner owner) {
  ++group.writes_in_flight;
  writes_.push_back(
      {.group = &group, .records = std::move(records), .done = std::move(done), .owner = owner});
  const WriteId id = first_write_ + writes_.size() - 1;
  effects_.writes.push_back(id);
  return id;
}

const std::vector<Record>& GroupCoordinator::records_of(WriteId write) const {
  check(write >= first_write_ && write < first_write_ + writes_.size(), "a write in flight");
  return writes_[write - first_write_].records;
}

WriteOwner GroupCoordinator::owner_of(WriteId write) const {
  check(write >= first_write_ && write < first_write_ + writes_.size(), "a write in flight");
  return writes_[write - first_write_].owner;
}

Effects GroupCoordinator::complete(WriteId write, bool durable) {
  check(write == first_write_ && !writes_.empty(), "writes end in their order");
  Write ended = std::move(writes_.front());
  writes_.pop_front();
  ++first_write_;
  if (durable) {
    for (const auto& record : ended.records) {
      const auto applied = apply(record.key, record.value, ended.owner.producer);
      check(applied.has_value(), "a record made here can be applied");
    }
  } else {
    ++counters_.failed_writes;
  }
  ended.done(durable);
  --ended.group->writes_in_flight;
  remove_if_gone(*ended.group);
  return finish();
}

Effects GroupCoordinator::written(WriteId write, Now now) {
  begin(now);
  return complete(write, true);
}

Effects GroupCoordinator::failed(WriteId write, Now now) {
  begin(now);
  return complete(write, false);
}

Result<void> GroupCoordinator::load(std::string_view key, std::optional<std::string_view> value,
                                    Now now, ProducerId producer) {
  begin(now);
  return apply(key, value, producer);
}

Result<void> GroupCoordinator::apply(std::string_view key, std::optional<std::string_view> value,
                                     ProducerId producer) {
  const auto record = decode_record(key, value);
  if (!record) return fail(record.error());
  if (const auto* offset = std::get_if<OffsetRecord>(&*record)) {
    apply_offset(*offset, producer);
  } else if (const auto* group = std::get_if<GroupRecord>(&*record)) {
    apply_group(*group);
  } else {
    const auto& unknown = std::get<UnknownRecord>(*record);
    ++unknown_[{unknown.key_type, unknown.value_version.value_or(-1)}];
    ++counters_.unknown_records;
  }
  return {};
}

void GroupCoordinator::put_offset(Group& group, Offsets& offsets, const OffsetKey& key,
                                  CommittedOffset offset) {
  auto topic = offsets.find(key.topic);
  if (topic == offsets.end()) topic = offsets.emplace(std::string(key.topic), TopicOffsets()).first;
  const auto [at, is_new] = topic->second.try_emplace(key.partition);
  const std::size_t before = is_new ? 0 : bytes_of(at->second);
  if (is_new && &offsets == &group.offsets) ++group.offset_count;
  at->second = std::move(offset);
  count_bytes(group, before, bytes_of(at->second));
}

void GroupCoordinator::apply_offset(const OffsetRecord& record, ProducerId producer) {
  Group* group = find_group(record.key.group);
  if (group == nullptr) {
    if (!record.value) return;
    group = &create(record.key.group);
  }
  if (!record.value) return apply_tombstone(*group, record.key);
  CommittedOffset offset{.offset = record.value->offset,
                         .leader_epoch = record.value->leader_epoch,
                         .metadata = std::string(record.value->metadata),
                         .topic_id = record.value->topic_id,
                         .since = now_.mono};
  if (producer.value < 0) return put_offset(*group, group->offsets, record.key, std::move(offset));
  put_offset(*group, group->pending_offsets[producer], record.key, std::move(offset));
  in_transaction_[producer].insert(group);
}

// What a transaction has not decided yet goes, too: it would come back with its commit.
void GroupCoordinator::apply_tombstone(Group& group, const OffsetKey& key) {
  const auto erase_from = [&](Offsets& offsets) {
    const auto topic = offsets.find(key.topic);
    if (topic == offsets.end()) return false;
    const auto at = topic->second.find(key.partition);
    if (at == topic->second.end()) return false;
    count_bytes(group, bytes_of(at->second), 0);
    topic->second.erase(at);
    if (topic->second.empty()) offsets.erase(topic);
    return true;
  };
  if (erase_from(group.offsets)) --group.offset_count;
  for (auto it = group.pending_offsets.begin(); it != group.pending_offsets.end();) {
    erase_from(it->second);
    if (!it->second.empty()) {
      ++it;
      continue;
    }
    const auto of_producer = in_transaction_.find(it->first);
    of_producer->second.erase(&group);
    if (of_producer->second.empty()) in_transaction_.erase(of_producer);
    it = group.pending_offsets.erase(it);
  }
  remove_if_gone(group);
}

void GroupCoordinator::transaction_ended(ProducerId producer, bool commit, Now now) {
  begin(now);
  const auto found = in_transaction_.find(producer);
  if (found == in_transaction_.end()) return;
  const std::set<Group*> groups = std::move(found->second);
  in_transaction_.erase(found);
  for (Group* group : groups) {
    auto pending = group->pending_offsets.extract(producer);
    for (auto& [topic, partitions] : pending.mapped())
      for (auto& [partition, offset] : partitions) {
        count_bytes(*group, bytes_of(offset), 0);
        if (!commit || mutant(Mutant::pending_offset_lost)) continue;
        ++counters_.offset_commits;
        put_offset(*group, group->offsets,
                   {.group = group->id, .topic = topic, .partition = partition}, std::move(offset));
      }
    remove_if_gone(*group);
  }
}

void GroupCoordinator::apply_group(const GroupRecord& record) {
  Group* group = find_group(record.group);
  if (group == nullptr) {
    if (!record.value) return;
    group = &create(record.group);
  }
  const std::size_t before = group->stored ? bytes_of(*group->stored) : 0;
  if (!record.value) {
    count_bytes(*group, before, 0);
    group->stored.reset();
    return remove_if_gone(*group);
  }
  const auto& value = *record.value;
  StoredGroup stored{.protocol_type = std::string(value.protocol_type),
                     .generation = value.generation,
                     .protocol = std::optional<std::string>(value.protocol),
                     .leader = std::optional<std::string>(value.leader),
                     .members = {},
                     .since = now_.mono};
  for (const auto& m : value.members)
    stored.members.emplace(
        std::string(m.member_id),
        StoredMember{.instance_id = std::optional<std::string>(m.group_instance_id),
                     .client_id = std::string(m.client_id),
                     .client_host = std::string(m.client_host),
                     .rebalance_timeout_ms =
                         m.rebalance_timeout < 0 ? m.session_timeout : m.rebalance_timeout,
                     .session_timeout_ms = m.session_timeout,
                     .subscription = std::string(m.subscription),
                     .assignment = std::string(m.assignment)});
  group->stored = std::move(stored);
  count_bytes(*group, before, bytes_of(*group->stored));
}

// The membership of a group as its newest record has it.
void GroupCoordinator::restore_members(Group& group) {
  if (!group.stored) return;
  const StoredGroup& stored = *group.stored;
  group.protocol_type = stored.protocol_type;
  group.generation = stored.generation;
  group.protocol = stored.protocol;
  for (const auto& [id, from] : stored.members) {
    auto member = std::make_unique<Member>();
    member->id = id;
    member->instance_id = from.instance_id;
    member->client_id = from.client_id;
    member->client_host = from.client_host;
    member->rebalance_timeout_ms = from.rebalance_timeout_ms;
    member->session_timeout_ms = from.session_timeout_ms;
    member->protocols.push_back({stored.protocol.value_or(""), from.subscription});
    member->assignment = from.assignment;
    Member& added = group.add(std::move(member));
    count_bytes(group, 0, added.bytes());
    touch(group, added);
  }
  if (stored.leader && group.members.contains(*stored.leader)) group.leader = *stored.leader;
  group.state = group.members.empty() ? GroupState::empty : GroupState::stable;
  group.read_subscriptions();
}

Effects GroupCoordinator::loaded(Now now) {
  begin(now);
  for (const auto& [what, count] : unknown_) {
    const auto [type, version] = what;
    log_warn("groups", version < 0
                           ? fmt::format("{} records of key type {} are left alone: this program "
                                         "does not know it",
                                         count, type)
                           : fmt::format("{} records of key type {} with values of version {} are "
                                         "left alone: this program reads older ones only",
                                         count, type, version));
  }
  for (const auto& [id, group] : groups_) restore_members(*group);
  // In the order of their names, so that equal runs write equal records.
  for (const Group* found : groups()) {
    Group& group = *find_group(found->id);
    std::vector<Record> gone;
    for (const auto& [topic, partitions] : group.offsets)
      for (const auto& [partition, offset] : partitions)
        if (!topic_exists_(topic, offset.topic_id))
          gone.push_back(
              make_offset_tombstone({.group = group.id, .topic = topic, .partition = partition}));
    const std::size_t count = gone.size();
    if (count > 0)
      write(group, std::move(gone), [this, count](bool durable) {
        if (durable) counters_.deleted_offsets += count;
      });
    if (group.members.size() > options_.max_group_size)
      rebalance(group, "it has more members than group.max.size");
  }
  next_expiry_ = now_.mono + options_.expiry_interval;
  return finish();
}

MonoTime GroupCoordinator::next_deadline() const {
  return std::min(deadlines_.next().value_or(MonoTime::max()), next_expiry_);
}

Effects GroupCoordinator::on_timer(Now now) {
  begin(now);
  while (const auto due = deadlines_.take_due(now_.mono)) {
    Group& group = *due->group;
    switch (due->kind) {
      case Deadlines::Kind::session:
        due->member->timer.reset();
        on_session(group, *due->member);
        break;
      case Deadlines::Kind::pending: {
        const std::string id = *due->pending;
        group.pending.find(id)->second.timer.reset();
        ++counters_.expired_pending;
        forget_pending(group, id);
        try_complete_join(group);
        break;
      }
      case Deadlines::Kind::phase:
        group.phase_timer.reset();
        on_phase(group);
        break;
    }
    remove_if_gone(group);
  }
  if (next_expiry_ <= now_.mono) expire_step();
  return finish();
}

Effects GroupCoordinator::answer_parked() {
  for (const auto& [id, group] : groups_)
    for (const auto& [name, member] : group->members) {
      if (member->join) {
        --group->joins_parked;
        refuse_join(*std::exchange(member->join, std::nullopt), Errc::coordinator_not_available,
                    member->id);
      }
      if (member->sync)
        refuse_sync(*std::exchange(member->sync, std::nullopt), Errc::coordinator_not_available);
    }
  return finish();
}

}  // namespace weir::coordinator
