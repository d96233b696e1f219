// Whatever another member of a group sends: its subscription and assignment are read or refused,
// what was read is written and read again as the same, and all assignors keep their rules with it.
#include <algorithm>
#include <cstddef>
#include <set>

#include "base/check.h"
#include "client/assignors.h"
#include "client/group_payload.h"
#include "fuzz/harness.h"

namespace {

using namespace weir;

// A partition is four bytes and becomes a TopicPartition with a copy of its topic's name, which may
// be as long as the rest of the payload; group_payload_memory bounds it. The vector of them
// doubles.
constexpr std::size_t bound = 3 * client::group_payload_memory + fuzz::allocation_bound(0);

void share_out_with(const GroupSubscription& subscription) {
  Assignor::PartitionCounts counts;
  for (const std::string& topic : subscription.topics)
    if (counts.size() < 8) counts[topic] = static_cast<std::int32_t>(topic.size() % 5);
  std::vector<GroupMember> members{{.id = "a", .subscription = subscription},
                                   {.id = "b", .subscription = subscription}};
  members.back().subscription.generation = 7;
  for (const auto& assignor : {range_assignor(), round_robin_assignor(), sticky_assignor(),
                               cooperative_sticky_assignor()}) {
    const auto given = assignor->assign(counts, members);
    check(given.has_value(), "an assignor failed");
    check(client::check_assignments(*assignor, counts, members, *given).has_value(),
          "an assignor broke a rule");
  }
}

}  // namespace

void weir::fuzz::input(std::string_view bytes) {
  const auto subscription = bounded_by(bound, [&] { return client::decode_subscription(bytes); });
  if (subscription) {
    canary(subscription->topics.size() == 2 && !subscription->owned.empty() && subscription->rack);
    const auto written = client::encode_subscription(*subscription);
    check(written.has_value(), "what was read cannot be written");
    const auto again = client::decode_subscription(*written);
    check(again.has_value() && again->topics.size() == subscription->topics.size() &&
              again->user_data == subscription->user_data &&
              again->generation == subscription->generation && again->rack == subscription->rack,
          "a subscription changed on its way");
    if (bytes.size() < 1000) share_out_with(*subscription);
  }
  const auto assignment = bounded_by(bound, [&] { return client::decode_assignment(bytes); });
  if (assignment) {
    const auto again = client::decode_assignment(*client::encode_assignment(*assignment));
    check(again.has_value() && again->user_data == assignment->user_data &&
              std::is_permutation(again->partitions.begin(), again->partitions.end(),
                                  assignment->partitions.begin(), assignment->partitions.end()),
          "an assignment changed on its way");
  }
}
