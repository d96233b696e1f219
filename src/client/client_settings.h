// From settings by Kafka's names to the options of a client.
#pragma once

#include <weir/client.h>

#include <string>

#include "config/settings.h"

namespace weir::client {

/// `settings` are of config::client_settings(). Errc::invalid_setting.
Result<ClientOptions> options_from(const config::Settings& settings);
/// bootstrap.servers as connect() takes it; empty if it is not set.
std::string bootstrap_from(const config::Settings& settings);
/// PEM as it is left when a settings file has joined its lines: made whole again.
std::string whole_pem(std::string_view text);

}  // namespace weir::client
