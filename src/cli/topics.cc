#include "cli/topics.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/log.h"
#include "config/suggest.h"
#include "config/topic_settings.h"

namespace weir::cli {
namespace {

Result<const ConfigEntry*> find_setting(const std::vector<ConfigEntry>& settings,
                                        const std::string& topic, const std::string& name) {
  const auto at = std::ranges::find(settings, name, &ConfigEntry::name);
  if (at != settings.end()) return &*at;
  std::vector<std::string_view> known;
  for (const ConfigEntry& entry : settings) known.push_back(entry.name);
  return fail(Errc::invalid_setting,
              fmt::format("{}: a topic has no setting {}{}", topic, escape_for_log(name, 64),
                          config::did_you_mean(name, known)));
}

std::string shown(const ConfigEntry& entry) { return entry.value.value_or("null"); }

/// A line of the plan, or "" if the change would change nothing.
std::string line_of(const ConfigEntry& now, const ConfigChange& change) {
  const bool own = now.source == 1;
  if (change.op == ConfigChange::Op::remove)
    return own ? fmt::format("{} {} -> default", now.name, shown(now)) : "";
  if (own && now.value == change.value) return "";
  return fmt::format("{} {} -> {}", now.name, shown(now), change.value);
}

}  // namespace

Result<std::string> setting_for_kafka(const std::string& name, const std::string& value) {
  const config::Setting* known = config::topic_settings().find(name);
  if (known == nullptr) return value;
  const auto parsed = config::parse_value(*known, value, config::Notation::human);
  if (!parsed) return fail(parsed.error());
  return config::to_text(*parsed);
}

Result<Alteration> alteration_of(const TopicDescription& topic,
                                 const std::vector<ConfigEntry>& settings,
                                 const WantedTopic& wanted) {
  Alteration out;
  const auto say = [&](std::string detail) {
    out.plan.steps.push_back({Change::alter, "topic " + topic.name, std::move(detail)});
  };
  if (wanted.partitions) {
    const auto now = static_cast<std::int32_t>(topic.partitions.size());
    if (*wanted.partitions < now)
      return fail(Errc::invalid_partitions,
                  fmt::format("{}: has {} partitions, and they can only become more, not {}",
                              topic.name, now, *wanted.partitions));
    if (*wanted.partitions > now) {
      out.partitions = wanted.partitions;
      say(fmt::format("partitions {} -> {}; keys move to other partitions", now,
                      *wanted.partitions));
    }
  }
  for (const ConfigChange& change : wanted.changes) {
    const auto now = find_setting(settings, topic.name, change.name);
    if (!now) return fail(now.error());
    std::string line = line_of(**now, change);
    if (line.empty()) continue;
    out.changes.push_back(change);
    say(std::move(line));
  }
  return out;
}

}  // namespace weir::cli
