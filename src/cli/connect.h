// The cluster that a command talks to, and what several commands ask it.
#pragma once

#include <weir/client.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "cli/positions.h"

namespace weir::cli {

/// The address that --bootstrap says, else WEIR_BOOTSTRAP, else the settings, else the default.
std::string bootstrap_of(const Arguments& arguments, std::string_view from_settings = {});
/// --timeout, at least a millisecond.
std::chrono::milliseconds timeout_of(const Arguments& arguments);

/// The command has common_connection; --command-config and -X give TLS and SASL. What it asks of
/// admin() has its --timeout as well.
Result<Client> connect(const Context& context);

/// Errc::unknown_topic_or_partition suggests the nearest name that there is.
Result<TopicDescription> find_topic(Admin& admin, const std::string& name);

using client::find_bounds;

/// "1 partition", "1,234 records".
std::string counted(std::uint64_t count, std::string_view singular);

/// `name=value` apart. Errc::usage names the option; the value may be empty, the name not.
Result<std::pair<std::string, std::string>> name_and_value(std::string_view option,
                                                           std::string_view text);

}  // namespace weir::cli
