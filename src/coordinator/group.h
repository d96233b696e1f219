// One classic group: what its records say, and the membership that lives on top of them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "coordinator/deadlines.h"
#include "kafka/records/group_metadata_value.h"

namespace weir::coordinator {

/// A request that waits for its answer.
enum class RequestId : std::uint64_t {};
struct Parked {
  RequestId id{};
  std::int16_t version = 0;
};

/// What an offset record says of one partition, and when this process learned it.
struct CommittedOffset {
  std::int64_t offset = -1;
  std::int32_t leader_epoch = -1;
  std::string metadata;
  TopicId topic_id;  // zero in records older than version 4
  MonoTime since{};
};
using TopicOffsets = std::map<std::int32_t, CommittedOffset>;
/// By topic, then partition.
using Offsets = std::map<std::string, TopicOffsets, std::less<>>;

/// What the newest group record says. Changed by GroupCoordinator::apply() alone.
struct StoredMember {
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string client_host;
  std::int32_t rebalance_timeout_ms = 0;
  std::int32_t session_timeout_ms = 0;
  std::string subscription;
  std::string assignment;
};
struct StoredGroup {
  std::string protocol_type;
  std::int32_t generation = 0;
  std::optional<std::string> protocol;
  std::optional<std::string> leader;
  std::map<std::string, StoredMember, std::less<>> members;
  MonoTime since{};  // when this process learned it
};

struct Protocol {
  std::string name;
  std::string metadata;
  bool operator==(const Protocol&) const = default;
};

struct Member {
  std::string id;
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string client_host;
  std::int32_t rebalance_timeout_ms = 0;
  std::int32_t session_timeout_ms = 0;
  std::vector<Protocol> protocols;  // in order of preference
  std::uint64_t number = 0;         // members are older the lower it is
  /// Its first JoinGroup is parked: it does not know its id, so it cannot heartbeat.
  bool is_new = false;
  std::optional<Parked> join;
  std::optional<Parked> sync;
  std::string assignment;  // the durable one
  /// The timer may stand earlier than the deadline: a heartbeat moves the deadline alone.
  MonoTime deadline{};
  Deadlines::Handle timer;

  bool is_static() const { return instance_id.has_value(); }
  const std::string* metadata_for(std::string_view protocol) const;
  std::size_t bytes() const;
};

/// A member that was given an id and has not joined with it yet (KIP-394).
struct PendingMember {
  Deadlines::Handle timer;
};

enum class GroupState : std::uint8_t {
  empty,                 // no members; perhaps offsets
  preparing_rebalance,   // waits for members to join
  completing_rebalance,  // waits for the leader's assignment to be durable
  stable,                // every member can have its assignment
};
/// "PreparingRebalance", as Kafka writes it.
std::string_view name_of(GroupState state);

/// The consumer protocol type: only of these groups does anybody know what they subscribe to.
inline constexpr std::string_view consumer_protocol_type = "consumer";

/// Owner: GroupCoordinator, which does everything that needs timers, records or answers.
struct Group {
  explicit Group(std::string name) : id(std::move(name)) {}

  const std::string id;

  // Durable: changed by apply() alone.
  std::optional<StoredGroup> stored;
  Offsets offsets;
  std::size_t offset_count = 0;
  /// Offsets in transactions that have not ended, by producer; see docs/decisions/0011-groups.md.
  std::map<ProducerId, Offsets> pending_offsets;

  // Membership.
  GroupState state = GroupState::empty;
  std::string protocol_type;
  std::int32_t generation = 0;
  std::optional<std::string> protocol;
  std::string leader;
  std::map<std::string, std::unique_ptr<Member>, std::less<>> members;
  std::map<std::string, std::string, std::less<>> instances;  // instance id -> member id
  std::map<std::string, PendingMember, std::less<>> pending;
  std::map<std::string, std::size_t, std::less<>> supported;  // protocol -> members that offer it
  std::set<std::string, std::less<>> pending_sync;            // have not sent SyncGroup
  /// Of a consumer group with a chosen protocol, if every member's metadata can be read.
  std::optional<std::set<std::string, std::less<>>> subscribed;
  std::size_t joins_parked = 0;
  std::uint64_t last_number = 0;
  bool initial_delay = false;          // PreparingRebalance from Empty: more members are waited for
  bool newcomer = false;               // one came since the delay was last extended
  Duration delay_left{};               // how far the delay may still be extended
  std::string reason;                  // of the rebalance under way, for the log
  std::uint64_t assignment_write = 0;  // the write of the assignment that is waited for, or 0
  Deadlines::Handle phase_timer;       // of the join, or of missing syncs
  MonoTime empty_since{};
  std::size_t writes_in_flight = 0;
  std::size_t bytes = 0;  // counted against limits::state_bytes

  Member* find(std::string_view member_id);
  const Member* find(std::string_view member_id) const;
  bool uses_consumer_protocol() const { return protocol_type == consumer_protocol_type; }
  bool in(GroupState a) const { return state == a; }
  /// Nothing is left that a record or a client would miss.
  bool is_gone() const;

  /// Whether a member with these protocols could join now.
  bool supports(std::string_view type, const std::vector<Protocol>& offered) const;
  /// Takes the member in; the first one is the leader.
  Member& add(std::unique_ptr<Member> member);
  void remove(Member& member);
  void change_protocols(Member& member, std::vector<Protocol> protocols);
  /// Gives a static member another id. No answer and no timer is touched.
  void rename(Member& member, const std::string& new_id);
  /// The protocol that most members like best among those that all offer. Members must exist.
  std::string vote() const;
  /// The leader if it has joined, else the oldest member that has: false if none has.
  bool elect_joined_leader();
  bool all_joined() const { return joins_parked == members.size() && pending.empty(); }
  std::int32_t rebalance_timeout_ms() const;
  /// Reads `subscribed` from the members' metadata.
  void read_subscriptions();
  /// Whether offsets of `topic` are in use: also true when nobody can know.
  bool is_subscribed(std::string_view topic) const;
};

/// What a durable group takes in memory; an estimate.
std::size_t bytes_of(const StoredGroup& group);
std::size_t bytes_of(const CommittedOffset& offset);
inline constexpr std::size_t group_overhead_bytes = 1024;

}  // namespace weir::coordinator
