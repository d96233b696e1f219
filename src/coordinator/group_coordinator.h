// The coordinator of classic consumer groups: a state machine without clock, socket or disk.
//
//              first join                     everybody joined, or time is up
//   Empty ------------------> PreparingRebalance -----------------> CompletingRebalance
//     ^                        ^            |                         |  leader's assignment
//     |   nobody is left       | join,      | join, leave,            |  is durable
//     +------------------------+ leave      | expiry, missing sync    v
//                                           +---------------------- Stable
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "coordinator/deadlines.h"
#include "coordinator/effects.h"
#include "coordinator/group.h"
#include "coordinator/limits.h"
#include "coordinator/record.h"

namespace weir::coordinator {

struct GroupOptions {
  std::int32_t min_session_timeout_ms = 6'000;
  std::int32_t max_session_timeout_ms = 1'800'000;
  Duration initial_rebalance_delay{};
  std::size_t max_group_size = INT32_MAX;
  std::size_t offset_metadata_bytes = 4096;
  Duration offset_retention = std::chrono::hours(24 * 7);
  Duration expiry_interval = std::chrono::minutes(10);
  std::size_t max_groups = limits::groups;
  std::size_t state_bytes = limits::state_bytes;
};

/// Whether there is a topic of this name and id. A zero id asks for the name alone.
using TopicExists = std::function<bool(std::string_view name, const TopicId& id)>;

struct CommitItem {
  std::string_view topic{};
  TopicId topic_id{};
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int32_t leader_epoch = -1;
  std::string_view metadata{};
};
struct CommitRequest {
  std::string_view group{};
  std::int32_t generation = -1;
  std::string_view member{};
  std::optional<std::string_view> instance{};
  std::vector<CommitItem> items{};
  /// Of a commit within a transaction (KIP-98, KIP-447): it counts once the transaction is
  /// committed. Absent: -1.
  ProducerId producer{-1};
  ProducerEpoch producer_epoch{-1};

  bool is_transactional() const { return producer.value >= 0; }
};
struct DeleteOffsetsRequest {
  struct Item {
    std::string_view topic;
    std::int32_t partition = 0;
  };
  std::string_view group;
  std::vector<Item> items;
};

/// What happened since the start, for metrics.
struct GroupCounters {
  std::uint64_t rebalances = 0;  // completed joins
  std::uint64_t emptied = 0;     // of them, with nobody left
  std::uint64_t expired_members = 0;
  std::uint64_t expired_pending = 0;
  std::uint64_t missing_syncs = 0;
  std::uint64_t offset_commits = 0;  // offsets that were made durable
  std::uint64_t expired_offsets = 0;
  std::uint64_t deleted_offsets = 0;
  std::uint64_t deleted_groups = 0;
  std::uint64_t failed_writes = 0;
  std::uint64_t refused_for_room = 0;  // members and offsets, by a bound
  std::uint64_t unknown_records = 0;   // found at load and left alone
};

/// Owner: a broker. Threads: its loop.
///
/// Every call answers with what is to be done; views in a request need to live for the call only.
/// Durable state changes in apply() alone, which runs when a write is reported as written, and at
/// load: the one function for both. What was not reported is never answered.
class GroupCoordinator {
 public:
  GroupCoordinator(GroupOptions options, Rng& rng, TopicExists topic_exists);
  ~GroupCoordinator();

  // Life: load every record, then loaded(), then requests.
  /// One record of the stream, in its order. Errc::malformed: the stream cannot be trusted.
  /// `producer`: of a transactional batch, else -1.
  Result<void> load(std::string_view key, std::optional<std::string_view> value, Now now,
                    ProducerId producer = ProducerId(-1));
  /// Members go on where they were, with a whole session timeout; offsets of topics that are gone
  /// are deleted. Names in the log what was left alone.
  Effects loaded(Now now);

  // Membership. Errors as of Kafka 4.3.1; docs/decisions/0011-groups.md has the table.
  Effects join(const Caller& caller, const kafka::JoinGroupRequest& request, Now now);
  Effects sync(const Caller& caller, const kafka::SyncGroupRequest& request, Now now);
  Effects heartbeat(const Caller& caller, const kafka::HeartbeatRequest& request, Now now);
  Effects leave(const Caller& caller, const kafka::LeaveGroupRequest& request, Now now);

  // Offsets.
  Effects commit(const Caller& caller, const CommitRequest& request, Now now);
  Effects delete_offsets(const Caller& caller, const DeleteOffsetsRequest& request, Now now);
  Effects delete_groups(const Caller& caller, std::span<const std::string_view> groups, Now now);
  /// The marker of the producer's transaction is durable; also while loading.
  void transaction_ended(ProducerId producer, bool commit, Now now);
  /// The topic is gone for good: so are its offsets.
  Effects topic_deleted(std::string_view name, const TopicId& id, Now now);

  /// The durable offset of one partition; nullptr: none, or one of an earlier topic of that name.
  const CommittedOffset* offset_of(std::string_view group, std::string_view topic,
                                   const TopicId& id, std::int32_t partition) const;
  /// Whether a transaction holds an offset of the partition that is not decided yet.
  bool is_unstable(std::string_view group, std::string_view topic, std::int32_t partition) const;

  /// nullptr: no such group.
  const Group* find(std::string_view group) const;
  /// In the order of their ids.
  std::vector<const Group*> groups() const;

  // Time: on_timer() at next_deadline() or later.
  MonoTime next_deadline() const;
  Effects on_timer(Now now);

  // Writes.
  const std::vector<Record>& records_of(WriteId write) const;
  WriteOwner owner_of(WriteId write) const;
  Effects written(WriteId write, Now now);
  Effects failed(WriteId write, Now now);
  /// The broker stops: everybody who waits is told to look for a coordinator.
  Effects answer_parked();

  const GroupCounters& counters() const { return counters_; }
  std::size_t state_bytes() const { return state_bytes_; }
  std::size_t group_count() const { return groups_.size(); }
  std::size_t offset_count() const;

 private:
  using Completion = std::move_only_function<void(bool durable)>;
  struct Write {
    Group* group = nullptr;  // stays while it has writes in flight
    std::vector<Record> records;
    Completion done;
    WriteOwner owner;
  };
  struct JoiningMember {
    std::optional<std::string> instance_id;
    std::string client_id;
    std::string client_host;
    std::int32_t session_timeout_ms = 0;
    std::int32_t rebalance_timeout_ms = 0;
    std::string protocol_type;
    std::vector<Protocol> protocols;
    std::string reason;  // KIP-800: the member's own words, for the log
    std::size_t bytes() const;
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };

  // group_coordinator.cc
  void begin(Now now) { now_ = now; }
  Effects finish() { return std::exchange(effects_, {}); }
  Group* find_group(std::string_view id);
  Group& create(std::string_view id);
  bool has_room_for_group() const { return groups_.size() < options_.max_groups && has_room(0); }
  bool has_room(std::size_t bytes) const { return state_bytes_ + bytes <= options_.state_bytes; }
  void count_bytes(Group& group, std::size_t before, std::size_t after);
  void remove_if_gone(Group& group);
  WriteId write(Group& group, std::vector<Record> records, Completion done, WriteOwner owner = {});
  Effects complete(WriteId write, bool durable);
  Result<void> apply(std::string_view key, std::optional<std::string_view> value,
                     ProducerId producer = ProducerId(-1));
  void apply_offset(const OffsetRecord& record, ProducerId producer);
  void apply_tombstone(Group& group, const OffsetKey& key);
  void put_offset(Group& group, Offsets& offsets, const OffsetKey& key, CommittedOffset offset);
  void apply_group(const GroupRecord& record);
  void restore_members(Group& group);
  template <class Response>
  void answer(RequestId request, Response response) {
    effects_.answers.push_back({request, std::move(response)});
  }

  // join.cc
  Errc join_fault(const kafka::JoinGroupRequest& request) const;
  void refuse_join(const Parked& parked, Errc error, std::string_view member_id);
  bool accepts(const Group& group, std::string_view member_id) const;
  void join_new(Group& group, const Parked& parked, JoiningMember joining);
  void join_existing(Group& group, const Parked& parked, std::string_view member_id,
                     JoiningMember joining);
  void join_known(Group& group, const Parked& parked, Member& member, JoiningMember joining);
  void ask_for_member_id(Group& group, const Parked& parked, const JoiningMember& joining);
  void add_member(Group& group, const Parked& parked, std::string id, JoiningMember joining);
  void rejoin(Group& group, const Parked& parked, Member& member, JoiningMember joining);
  void update(Group& group, Member& member, JoiningMember joining);
  void replace_static(Group& group, const Parked& parked, Member& member, JoiningMember joining);
  void store_replaced(Group& group, const Parked& parked, const std::string& new_id,
                      const std::string& old_id, JoiningMember before);
  void replaced_stored(Group& group, const Parked& parked, const std::string& new_id,
                       const std::string& old_id, std::int32_t generation);
  void answer_join(const Group& group, const Parked& parked, const Member& member,
                   bool with_members);
  std::string new_member_id(std::string_view prefix);

  // rebalance.cc
  void rebalance(Group& group, std::string_view why);
  void try_complete_join(Group& group);
  void complete_join(Group& group);
  void next_generation(Group& group);
  void become_empty(Group& group);
  void on_phase(Group& group);
  void on_session(Group& group, Member& member);
  void part_with(Group& group, Member& member, Errc error);
  void member_gone(Group& group, std::string_view why);
  void refuse_waiting_syncs(Group& group, Errc error);
  void synced(Group& group, Member& member);
  void set_deadline(Group& group, Member& member, Duration after);
  void touch(Group& group, Member& member);
  void park_join(Group& group, Member& member, const Parked& parked);
  void forget_pending(Group& group, const std::string& id);
  void set_phase(Group& group, Duration after);

  // sync.cc
  Errc member_fault(const Group& group, std::string_view member,
                    const std::optional<std::string_view>& instance) const;
  Errc sync_fault(const Group* group, const kafka::SyncGroupRequest& request) const;
  void store_assignment(Group& group, const kafka::SyncGroupRequest& request);
  void assignment_stored(Group& group, WriteId write, bool durable);
  Result<Record> group_record(const Group& group) const;
  Result<Record> group_record(
      const Group& group, const std::map<std::string_view, std::string_view>& assignments) const;
  void answer_sync(const Parked& parked, const Group& group, const Member& member);
  void refuse_sync(const Parked& parked, Errc error);
  Errc leave_one(Group& group, std::string_view member,
                 const std::optional<std::string_view>& instance, bool& left);

  // offsets.cc
  Errc commit_fault(const Group* group, const CommitRequest& request) const;
  std::vector<Record> commit_records(const Group* group, const CommitRequest& request,
                                     CommitAnswer& verdict);
  static Errc delete_fault(const Group* group);
  using OffsetNames = std::map<std::string, std::set<std::int32_t>, std::less<>>;
  /// Offsets that are, or are about to be, durable.
  OffsetNames offsets_to_come(const Group& group) const;
  void expire_step();
  void expire_group(Group& group);
  bool is_expired(const Group& group, std::string_view topic, const CommittedOffset& offset) const;

  GroupOptions options_;
  Rng& rng_;
  TopicExists topic_exists_;
  Now now_{};
  Effects effects_;
  std::unordered_map<std::string, std::unique_ptr<Group>, TextHash, std::equal_to<>> groups_;
  Deadlines deadlines_;
  std::unordered_map<ProducerId, std::set<Group*>> in_transaction_;  // with pending offsets of it
  std::deque<Write> writes_;  // in flight; the first is first_write_
  WriteId first_write_ = 1;
  std::size_t state_bytes_ = 0;
  GroupCounters counters_;
  /// Found at load and left alone: (key type, value version or -1) -> how many.
  std::map<std::pair<std::int16_t, std::int16_t>, std::uint64_t> unknown_;
  MonoTime next_expiry_ = MonoTime::max();
  std::vector<std::string> expiry_round_;  // groups still to be looked at
};

}  // namespace weir::coordinator
