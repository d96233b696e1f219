// What members of a consumer's group say to each other: between the bytes of the membership and
// the assignors. Pure: no time, no requests.
#pragma once

#include <weir/group.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace weir::client {

/// Owner: a GroupCore. Threads: the loop's.
class GroupProtocol {
 public:
  /// Empty: range and cooperative-sticky, as Kafka's clients.
  /// Errc::invalid_setting: two of one name, or of different protocol types.
  static Result<GroupProtocol> open(std::vector<std::shared_ptr<Assignor>> assignors,
                                    std::optional<std::string> rack);

  /// True if every assignor allows it: then nothing is given up before a join.
  bool cooperative() const { return cooperative_; }
  std::string type() const { return std::string(assignors_.front()->protocol_type()); }

  /// For JoinGroup: assignor and subscription, in the order of preference.
  Result<std::vector<std::pair<std::string, std::string>>> subscriptions(
      const std::vector<std::string>& topics, const std::vector<TopicPartition>& owned,
      std::int32_t generation) const;

  /// The leader's work in two steps, between which the topics' partitions are looked up.
  struct Members {
    std::string protocol;
    std::vector<GroupMember> members;
    std::set<std::string> topics;  // that anyone wants
  };
  /// A member whose subscription cannot be read wants nothing.
  static Members read(std::string protocol,
                      std::vector<std::pair<GroupMember, std::string>> members);
  /// By member, as bytes. What the assignor gave is checked first (check_assignments).
  Result<std::map<std::string, std::string>> share_out(
      const Members& members, const Assignor::PartitionCounts& counts) const;

  /// True if a partition that a member owns is given to nobody: it moves, and is shared out when it
  /// was given up.
  static bool is_moving(const Members& members, const std::map<std::string, std::string>& shares);

  /// Tells the assignor too.
  Result<GroupAssignment> accept(const std::string& protocol, std::string_view bytes,
                                 const GroupMetadata& member) const;

 private:
  GroupProtocol(std::vector<std::shared_ptr<Assignor>> assignors, std::optional<std::string> rack);
  Result<Assignor*> find(const std::string& protocol) const;

  std::vector<std::shared_ptr<Assignor>> assignors_;  // shared with the application
  std::optional<std::string> rack_;
  bool cooperative_;
};

}  // namespace weir::client
