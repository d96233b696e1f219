// range and roundrobin, which look at nothing but the members and the partitions.
#include "client/assignors.h"

#include <algorithm>
#include <set>

namespace weir {
namespace client {

std::vector<const GroupMember*> in_order(const std::vector<GroupMember>& members) {
  std::vector<const GroupMember*> out;
  for (const GroupMember& member : members) out.push_back(&member);
  // Static members first, by their instance ids: their places outlive a restart.
  std::sort(out.begin(), out.end(), [](const GroupMember* a, const GroupMember* b) {
    if (a->instance_id.has_value() != b->instance_id.has_value()) return a->instance_id.has_value();
    if (a->instance_id && *a->instance_id != *b->instance_id)
      return *a->instance_id < *b->instance_id;
    return a->id < b->id;
  });
  return out;
}

bool wants(const GroupMember& member, const std::string& topic) {
  const auto& topics = member.subscription.topics;
  return std::find(topics.begin(), topics.end(), topic) != topics.end();
}

namespace {

class RangeAssignor final : public Assignor {
 public:
  std::string_view name() const override { return "range"; }

  Result<Assignments> assign(const PartitionCounts& partitions,
                             const std::vector<GroupMember>& members) override {
    const auto ordered = in_order(members);
    Assignments out;
    for (const auto& [topic, count] : partitions) {
      std::vector<const GroupMember*> readers;
      for (const GroupMember* member : ordered)
        if (wants(*member, topic)) readers.push_back(member);
      if (readers.empty()) continue;
      const auto size = static_cast<std::int32_t>(readers.size());
      std::int32_t next = 0;
      for (std::int32_t i = 0; i < size; ++i) {
        const std::int32_t run = count / size + (i < count % size ? 1 : 0);
        auto& mine = out[readers[static_cast<std::size_t>(i)]->id].partitions;
        for (std::int32_t end = next + run; next < end; ++next) mine.push_back({topic, next});
      }
    }
    return out;
  }
};

class RoundRobinAssignor final : public Assignor {
 public:
  std::string_view name() const override { return "roundrobin"; }

  Result<Assignments> assign(const PartitionCounts& partitions,
                             const std::vector<GroupMember>& members) override {
    const auto ordered = in_order(members);
    Assignments out;
    std::size_t turn = 0;
    for (const auto& [topic, count] : partitions) {
      const auto reads = [&name = topic](const GroupMember* m) { return wants(*m, name); };
      if (std::none_of(ordered.begin(), ordered.end(), reads)) continue;
      for (std::int32_t i = 0; i < count; ++i) {
        while (!reads(ordered[turn % ordered.size()])) ++turn;
        out[ordered[turn % ordered.size()]->id].partitions.push_back({topic, i});
        ++turn;
      }
    }
    return out;
  }
};

}  // namespace
}  // namespace client

inline namespace v1 {

std::shared_ptr<Assignor> range_assignor() { return std::make_shared<client::RangeAssignor>(); }
std::shared_ptr<Assignor> round_robin_assignor() {
  return std::make_shared<client::RoundRobinAssignor>();
}

}  // namespace v1
}  // namespace weir
