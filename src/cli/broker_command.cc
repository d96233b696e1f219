// weir broker.
#include <fmt/core.h>
#include <unistd.h>

#include <csignal>

#include "base/log.h"
#include "broker/broker.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "io/process.h"

namespace weir::cli {
namespace {

constexpr std::size_t largest_settings_file = 1024U * 1024;
/// Variables of the program that are no settings of the broker.
constexpr std::string_view other_variables[] = {"WEIR_BOOTSTRAP", "WEIR_COMMAND_CONFIG"};

Result<config::Settings> read_settings(const Arguments& arguments) {
  config::SettingsSources sources;
  std::string text;
  if (arguments.given("config")) {
    const auto files = io::make_real_file_system();
    auto read = io::read_file(*files, std::string(arguments.text("config")), largest_settings_file);
    if (!read) return fail(read.error());
    text = std::move(*read);
    sources.file_text = text;
    sources.file_name = arguments.text("config");
  }
  sources.environment = config::weir_environment(environ, other_variables);
  for (const auto pair : arguments.all("set")) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0)
      return fail(Errc::usage, fmt::format("--set {}: want NAME=VALUE", escape_for_log(pair, 64)));
    sources.flags.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
  }
  if (arguments.given("listen"))
    sources.flags.emplace_back("listeners",
                               fmt::format("PLAINTEXT://{}", arguments.text("listen")));
  if (arguments.given("metrics"))
    sources.flags.emplace_back("weir.metrics.listener", std::string(arguments.text("metrics")));
  return config::load_settings(config::broker_settings(), sources);
}

Result<broker::BrokerOptions> read_options(const Arguments& arguments) {
  auto settings = read_settings(arguments);
  if (!settings) return fail(settings.error());
  broker::BrokerOptions options;
  options.settings = std::move(*settings);
  options.log.folder = std::string(arguments.text("data"));
  if (options.log.folder.empty()) {
    const auto folders = options.settings.get_list("log.dirs");
    if (folders.size() != 1)
      return fail(Errc::usage,
                  "where is the data? give --data DIR, or one folder as log.dirs in --config FILE");
    options.log.folder = folders.front();
  }
  auto listeners = broker::listeners_from(options.settings);
  if (!listeners) return fail(listeners.error());
  options.listeners = std::move(*listeners);
  const BuildText build = build_text();
  options.build = {.version = std::string(build.version),
                   .build = std::string(build.build),
                   .compiler = std::string(build.compiler),
                   .kafka = std::string(build.kafka)};
  return options;
}

Result<Exit> run_broker(Context& context) {
  auto options = read_options(context.arguments);
  if (!options) return fail(options.error());
  io::raise_descriptor_limit();
  io::tune_allocator_for_server();
  const auto runtime = io::RealRuntime::create();
  auto started = broker::Broker::start(*runtime, std::move(*options));
  if (!started) return fail(started.error());
  auto broker = std::move(*started);

  Result<void> outcome;
  bool stopping = false;
  const auto stop = [&] {
    if (std::exchange(stopping, true)) return;
    log_info("broker", "stopping: what is under way is answered first");
    io::notify_supervisor("STOPPING=1");
    broker->stop([&](Result<void> result) {
      outcome = std::move(result);
      runtime->stop();
    });
  };
  // Before anybody learns that there is a broker: from then on a signal means an orderly end.
  runtime->on_signal(SIGTERM, stop);
  runtime->on_signal(SIGINT, stop);

  std::string where;
  for (const auto& address : broker->addresses())
    where += (where.empty() ? "" : ", ") + address.to_string();
  context.console.out(fmt::format("listening on {}\n", where));
  if (const auto monitor = broker->monitor_addresses(); !monitor.empty())
    context.console.out(fmt::format("metrics on http://{}/metrics\n", monitor.front().to_string()));
  context.console.flush_out();
  io::notify_supervisor("READY=1");
  runtime->run();
  broker.reset();
  if (!outcome) return fail(outcome.error());
  log_info("broker", "stopped");
  return Exit::ok;
}

constexpr Option options[] = {
    {.name = "data", .value = "DIR", .doc = "The data folder; made if it is missing."},
    {.name = "listen",
     .value = "HOST:PORT",
     .doc = "Where to accept connections; port 0 picks one. The default is 127.0.0.1:9092."},
    {.name = "metrics",
     .value = "HOST:PORT",
     .doc = "Where to serve /metrics, /livez, /readyz and /version; the default is nowhere."},
    {.name = "config", .value = "FILE", .doc = "A settings file in Kafka's form, key=value."},
    {.name = "set",
     .letter = 'X',
     .value = "NAME=VALUE",
     .doc = "A setting, stronger than file and environment.",
     .repeated = true},
};

}  // namespace

const Command broker_command = {
    .noun = "broker",
    .summary = "Run the event broker",
    .help =
        "Serves Kafka's protocol from one data folder. An event that is acknowledged is on the "
        "disk:\n"
        "it survives kill -9 and a power cut. Once the broker listens, it prints one line,\n"
        "`listening on HOST:PORT`; everything else it says goes to standard error.\n"
        "\n"
        "A listener without authentication answers this machine only, unless\n"
        "weir.allow.unauthenticated.remote.peers=true says otherwise. SIGTERM and SIGINT stop the\n"
        "broker after answering what is under way. Settings have Kafka's names; they come from\n"
        "--config, then WEIR_* variables (WEIR_NUM_PARTITIONS=6), then --set, the last the "
        "strongest.\n"
        "\n"
        "With --metrics it is watched over HTTP, by peers on this machine unless\n"
        "weir.metrics.allow.remote.peers=true: metrics for Prometheus, and whether it is alive "
        "and\n"
        "ready. A request that takes longer than weir.slow.request.ms gets a line on standard "
        "error.",
    .example =
        "weir broker --data ./data --listen 127.0.0.1:9092\nweir broker --config broker.properties "
        "--set num.partitions=6\n"
        "weir broker --data ./data --metrics 127.0.0.1:9644",
    .options = options,
    .run = run_broker,
};

}  // namespace weir::cli
