// Topics as the commands of `weir topic` show and change them.
#pragma once

#include <weir/admin.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/plan.h"

namespace weir::cli {

/// The id as Kafka's tools write it: 22 characters of URL-safe base64.
std::string to_text(const TopicUuid& id);
/// Where the value of a setting comes from, from its number in DescribeConfigs.
std::string_view source_name(std::int8_t source);

/// A setting as Kafka wants it: "7d" of retention.ms becomes 604800000. A name that weir does not
/// know goes as it is, for the broker to judge. Errc::invalid_setting.
Result<std::string> setting_for_kafka(const std::string& name, const std::string& value);

/// What `weir topic alter` was asked for.
struct WantedTopic {
  std::optional<std::int32_t> partitions = {};
  std::vector<ConfigChange> changes = {};  // of Op::set and Op::remove
};
/// What of it is not so yet, and the plan that says it. Errc::invalid_partitions for fewer
/// partitions, invalid_setting for a name that is not among `settings`.
struct Alteration {
  std::optional<std::int32_t> partitions;
  std::vector<ConfigChange> changes;
  Plan plan;
};
Result<Alteration> alteration_of(const TopicDescription& topic,
                                 const std::vector<ConfigEntry>& settings,
                                 const WantedTopic& wanted);

}  // namespace weir::cli
