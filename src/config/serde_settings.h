// The settings of serialisers and of their schema registry, by the names of Confluent's.
#pragma once

#include "config/setting.h"

namespace weir::config {

const SettingsTable& serde_settings();
/// One of the table, or one with `schema.registry.` in front: not for a Kafka client.
bool is_serde_setting(std::string_view name);

}  // namespace weir::config
