// The settings of a topic: Kafka's names, types, defaults and ranges, and how far weir honours
// them.
#pragma once

#include "config/setting.h"

namespace weir::config {

const SettingsTable& topic_settings();

}  // namespace weir::config
