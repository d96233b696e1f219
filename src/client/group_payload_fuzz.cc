// Whatever another member of a group sends: its subscription and assignment are read or refused,
// what was read is written and read again as the same, and all assignors keep their rules with it.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>

#include "base/check.h"
#include "client/assignors.h"
#include "client/group_payload.h"

namespace {

using namespace weir;

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

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto subscription = client::decode_subscription(bytes)) {
    const auto written = client::encode_subscription(*subscription);
    check(written.has_value(), "what was read cannot be written");
    const auto again = client::decode_subscription(*written);
    check(again.has_value() && again->topics.size() == subscription->topics.size() &&
              again->user_data == subscription->user_data &&
              again->generation == subscription->generation && again->rack == subscription->rack,
          "a subscription changed on its way");
    if (size < 1000) share_out_with(*subscription);
  }
  if (const auto assignment = client::decode_assignment(bytes)) {
    const auto again = client::decode_assignment(*client::encode_assignment(*assignment));
    check(again.has_value() && again->user_data == assignment->user_data &&
              std::is_permutation(again->partitions.begin(), again->partitions.end(),
                                  assignment->partitions.begin(), assignment->partitions.end()),
          "an assignment changed on its way");
  }
  return 0;
}
