// Consumer groups: what members tell each other, how partitions are shared out, who is told of it.
//
// Rules: Apache Kafka's classic group protocol; KIP-345 (static members), KIP-429 (cooperative
// rebalances), KIP-792 (generation in the subscription).
#pragma once

#include <weir/record.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir {
inline namespace v1 {

class Consumer;

/// Who a member is, for transactions that commit its offsets (KIP-447).
struct GroupMetadata {
  std::string group;
  std::int32_t generation = -1;  // -1: not a member now
  std::string member_id = {};
  std::optional<std::string> instance_id = std::nullopt;
};

/// A committed offset: the next record to read, and what the committer noted with it.
struct OffsetAndMetadata {
  std::int64_t offset = -1;
  std::int32_t leader_epoch = -1;  // of the record before; -1: not known
  std::string metadata = {};       // at most 4,096 bytes with the brokers' defaults
  bool operator==(const OffsetAndMetadata&) const = default;
};

/// What a member says of itself when it joins.
struct GroupSubscription {
  std::vector<std::string> topics;
  /// Bytes of the assignor; absent is null on the wire.
  std::optional<std::string> user_data = std::nullopt;
  /// What it owns as it joins: nothing in the eager protocol.
  std::vector<TopicPartition> owned = {};
  /// In which it came to own that; -1: not told.
  std::int32_t generation = -1;
  std::optional<std::string> rack = std::nullopt;
};

struct GroupMember {
  std::string id;
  std::optional<std::string> instance_id = std::nullopt;
  GroupSubscription subscription = {};
};

struct GroupAssignment {
  std::vector<TopicPartition> partitions;
  std::optional<std::string> user_data = std::nullopt;
};

/// Shares the partitions out; what it does in the leader is done for all members. Owner: one
/// consumer (it may keep what it was assigned). Threads: called on the client's thread alone, so it
/// must not block.
///
/// A name stands for one algorithm and one meaning of the user data in the whole group, whatever
/// the members' language; the broker chooses a name that all members offer.
class Assignor {
 public:
  /// By topic; a topic that does not exist is absent.
  using PartitionCounts = std::map<std::string, std::int32_t>;
  /// By member id; a member that is absent gets nothing.
  using Assignments = std::map<std::string, GroupAssignment>;

  virtual ~Assignor() = default;
  /// "range": as it goes over the wire.
  virtual std::string_view name() const = 0;
  /// What kind of group this is to the broker, which looks into "consumer" alone. All assignors of
  /// a consumer say the same.
  virtual std::string_view protocol_type() const { return "consumer"; }
  /// True if members may keep what they own while they rejoin. Then assign() must not give a
  /// partition to one member while another still owns it; that is checked.
  virtual bool cooperative() const { return false; }
  /// Asked before each join.
  virtual std::optional<std::string> user_data(const std::vector<std::string>& topics) {
    static_cast<void>(topics);
    return std::nullopt;
  }
  /// In the leader alone. An error ends the membership with it.
  virtual Result<Assignments> assign(const PartitionCounts& partitions,
                                     const std::vector<GroupMember>& members) = 0;
  /// In every member, before it acts on it.
  virtual void on_assignment(const GroupAssignment& assignment, const GroupMetadata& member) {
    static_cast<void>(assignment);
    static_cast<void>(member);
  }
};

/// The four of Apache Kafka, wire and user data alike, so that groups may mix with its clients.
///
/// | name               | a member gets                            | while it rebalances       |
/// |--------------------|------------------------------------------|---------------------------|
/// | range              | of each topic a run of partitions: equal | nobody owns anything      |
/// |                    | numbers of several topics meet in one    |                           |
/// | roundrobin         | one after another of all topics          | nobody owns anything      |
/// | sticky             | what it had, as far as that is balanced  | nobody owns anything      |
/// | cooperative-sticky | the same                                 | all but what moves stays  |
std::shared_ptr<Assignor> range_assignor();
std::shared_ptr<Assignor> round_robin_assignor();
std::shared_ptr<Assignor> sticky_assignor();
std::shared_ptr<Assignor> cooperative_sticky_assignor();

/// Told when partitions come and go. Called inside poll(), close() and unsubscribe() on the thread
/// that calls them, so nothing is being processed meanwhile; the time it takes counts against
/// `max_poll_interval`. It may call the consumer (commit, seek, pause), but not poll, subscribe,
/// unsubscribe or close.
class RebalanceObserver {
 public:
  virtual ~RebalanceObserver() = default;
  /// They are assigned already; seek() here is stronger than the committed offset.
  virtual void on_assigned(Consumer& consumer, const std::vector<TopicPartition>& partitions) {
    static_cast<void>(consumer);
    static_cast<void>(partitions);
  }
  /// They are about to go to somebody else and still ours: the last chance to commit. Comes after
  /// the auto-commit.
  virtual void on_revoked(Consumer& consumer, const std::vector<TopicPartition>& partitions) {
    static_cast<void>(consumer);
    static_cast<void>(partitions);
  }
  /// Somebody else may own them already: nothing can be committed for them.
  virtual void on_lost(Consumer& consumer, const std::vector<TopicPartition>& partitions) {
    static_cast<void>(consumer);
    static_cast<void>(partitions);
  }
};

}  // namespace v1
}  // namespace weir
