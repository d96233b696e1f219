#include "cli/connect.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>

#include "base/log.h"
#include "cli/progress.h"
#include "client/client_settings.h"
#include "config/client_settings.h"
#include "config/serde_settings.h"
#include "config/suggest.h"
#include "io/file.h"
#include "io/runtime.h"

namespace weir::cli {

namespace {

constexpr std::size_t largest_settings_file = 1024U * 1024;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

/// Those of -X over those of the file.
Result<config::Settings> client_settings_of(const Arguments& arguments) {
  config::SettingsSources sources;
  sources.is_foreign = config::is_serde_setting;
  std::string file(arguments.given("command-config") ? arguments.text("command-config")
                                                     : variable("WEIR_COMMAND_CONFIG"));
  std::string text;
  if (!file.empty()) {
    auto read = io::read_file(*io::make_real_file_system(), file, largest_settings_file);
    if (!read) return fail(read.error());
    text = std::move(*read);
    sources.file_text = text;
    sources.file_name = file;
  }
  for (const std::string_view pair : arguments.all("client")) {
    const std::size_t equals = pair.find('=');
    // What stands there may hold a secret, so it is not shown.
    if (equals == std::string_view::npos || equals == 0)
      return fail(Errc::usage, "-X: want NAME=VALUE, such as -X security.protocol=SSL");
    sources.flags.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
  }
  auto settings = config::load_settings(config::client_settings(), sources);
  wipe(text);
  return settings;
}

}  // namespace

std::string bootstrap_of(const Arguments& arguments, std::string_view from_settings) {
  if (arguments.given("bootstrap")) return std::string(arguments.text("bootstrap"));
  if (std::string from_environment = variable("WEIR_BOOTSTRAP"); !from_environment.empty())
    return from_environment;
  return std::string(from_settings.empty() ? arguments.text("bootstrap") : from_settings);
}

std::chrono::milliseconds timeout_of(const Arguments& arguments) {
  return std::chrono::milliseconds(std::max<std::int64_t>(arguments.number("timeout"), 1));
}

Result<Client> connect(const Context& context) {
  const auto settings = client_settings_of(context.arguments);
  if (!settings) return fail(settings.error());
  auto options = client::options_from(*settings);
  if (!options) return fail(options.error());
  if (!settings->is_set("client.id")) options->client_id = "weir-cli";
  if (!settings->is_set("socket.connection.setup.timeout.ms"))
    options->connect_timeout = timeout_of(context.arguments);
  auto client =
      Client::connect(bootstrap_of(context.arguments, client::bootstrap_from(*settings)), *options);
  if (client) client->admin().set_timeout(timeout_of(context.arguments));
  return client;
}

Result<TopicDescription> find_topic(Admin& admin, const std::string& name) {
  auto found = admin.describe_topic(name);
  if (found || found.error().code() != Errc::unknown_topic_or_partition) return found;
  std::string suggestion;
  if (const auto names = admin.list_topics(true)) {
    const std::vector<std::string_view> known(names->begin(), names->end());
    suggestion = config::did_you_mean(name, known);
  }
  return fail(Errc::unknown_topic_or_partition,
              fmt::format("{}: no such topic{}", escape_for_log(name, 249), suggestion));
}

std::string counted(std::uint64_t count, std::string_view singular) {
  return fmt::format("{} {}{}", with_thousands(count), singular, count == 1 ? "" : "s");
}

Result<std::pair<std::string, std::string>> name_and_value(std::string_view option,
                                                           std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0)
    return fail(Errc::usage,
                fmt::format("--{} {}: want NAME=VALUE", option, escape_for_log(text, 64)));
  return std::pair(std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)));
}

}  // namespace weir::cli
