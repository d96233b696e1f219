#include "streams/internal_topics.h"

#include "base/mutant.h"

namespace weir::streams {

namespace {

constexpr std::int64_t day_ms = 86'400'000;

}  // namespace

std::vector<NewTopic> internal_topics(const Plan& plan, std::int16_t replication_factor) {
  std::vector<NewTopic> out;
  for (const auto& [name, partitions] : plan.repartitions)
    out.push_back({.name = name,
                   .partitions = partitions,
                   .replication_factor = replication_factor,
                   .cleanup = Cleanup::remove,
                   .settings = {{"retention.ms", "-1"},
                                {"segment.bytes", "52428800"},
                                {"message.timestamp.type", "CreateTime"}}});
  for (const auto& [name, partitions] : plan.changelogs) {
    NewTopic& topic = out.emplace_back(NewTopic{.name = name,
                                                .partitions = partitions,
                                                .replication_factor = replication_factor,
                                                .cleanup = Cleanup::compact});
    topic.settings = {{"message.timestamp.type", "CreateTime"}};
    // A compacted topic has the last version of each key; the others must stay for so long.
    if (const auto history = plan.histories.find(name); history != plan.histories.end())
      topic.settings["min.compaction.lag.ms"] = std::to_string(history->second + day_ms);
    if (mutant(Mutant::changelog_expires)) {
      topic.settings["cleanup.policy"] = "compact,delete";
      topic.settings["retention.ms"] = "1000";
    }
  }
  return out;
}

}  // namespace weir::streams
