// Random groups and what our range and roundrobin assignors make of them, for assignors_test.py,
// which has Kafka's own assignors (java/AssignorProbe.java) do the same.
//
//   assignor_probe SEED GROUPS
//
// A group is one line: TOPIC=COUNT,… MEMBER[/INSTANCE]=TOPIC+TOPIC,… and behind each blank the
// assignments, range then roundrobin: MEMBER=TOPIC-N+TOPIC-N,…
#include <fmt/core.h>
#include <weir/group.h>

#include <cstdlib>
#include <string>

#include "base/rng.h"

namespace {

using Counts = weir::Assignor::PartitionCounts;

std::string joined(std::string text, const std::string& more, char between) {
  return text.empty() ? more : text + between + more;
}

std::string text_of(const weir::Assignor::Assignments& given,
                    const std::vector<weir::GroupMember>& members) {
  std::string out;
  for (const auto& member : members) {
    std::string partitions;
    const auto found = given.find(member.id);
    if (found != given.end())
      for (const auto& partition : found->second.partitions)
        partitions =
            joined(partitions, fmt::format("{}-{}", partition.topic, partition.partition), '+');
    out = joined(out, fmt::format("{}={}", member.id, partitions), ',');
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  weir::Rng rng(std::strtoull(argv[1], nullptr, 10));
  for (auto i = std::strtoull(argv[2], nullptr, 10); i > 0; --i) {
    Counts counts;
    std::string line;
    for (std::int64_t t = rng.between(1, 5); t > 0; --t)
      counts["t" + std::to_string(t)] = static_cast<std::int32_t>(rng.between(1, 9));
    for (const auto& [topic, count] : counts)
      line = joined(line, fmt::format("{}={}", topic, count), ',');
    std::vector<weir::GroupMember> members;
    std::string listed;
    for (std::int64_t m = rng.between(1, 6); m > 0; --m) {
      weir::GroupMember member{.id = fmt::format("m{}x{}", rng.below(1000), m)};
      if (rng.one_in(3)) member.instance_id = fmt::format("i{}", rng.below(1'000'000));
      std::string topics;
      for (const auto& [topic, count] : counts) {
        if (rng.one_in(3)) continue;
        member.subscription.topics.push_back(topic);
        topics = joined(topics, topic, '+');
      }
      const std::string instance = member.instance_id ? "/" + *member.instance_id : "";
      listed = joined(listed, fmt::format("{}{}={}", member.id, instance, topics), ',');
      members.push_back(std::move(member));
    }
    line += " " + listed;
    for (const auto& assignor : {weir::range_assignor(), weir::round_robin_assignor()})
      line += " " + text_of(*assignor->assign(counts, members), members);
    fmt::print("{}\n", line);
  }
  return 0;
}
