// The settings of a client, by Kafka's names: how it reaches brokers and proves who it is.
#pragma once

#include "config/setting.h"

namespace weir::config {

const SettingsTable& client_settings();

}  // namespace weir::config
