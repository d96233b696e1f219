// The settings of a broker: those of Kafka's that tools read or people set, and weir's own.
#pragma once

#include "config/setting.h"

namespace weir::config {

const SettingsTable& broker_settings();

}  // namespace weir::config
