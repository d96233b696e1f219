// weir up.
#include <weir/embed.h>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/connect.h"
#include "cli/output.h"
#include "cli/registry_options.h"

namespace weir::cli {
namespace {

constexpr Column columns[] = {
    {.name = "service", .doc = "broker or registry."},
    {.name = "address", .doc = "HOST:PORT of the broker, the URL of the registry."},
};

Result<embed::BrokerOptions> broker_options(const Arguments& arguments) {
  embed::BrokerOptions options{.data = std::string(arguments.text("data")),
                               .listen = std::string(arguments.text("broker"))};
  for (const auto text : arguments.all("set")) {
    auto pair = name_and_value("set", text);
    if (!pair) return fail(pair.error());
    options.settings.insert(std::move(*pair));
  }
  return options;
}

Result<Exit> run(Context& context) {
  auto output = Output::open(context, columns);
  if (!output) return fail(output.error());
  if (output->only_help()) return Exit::ok;
  auto options = registry_options(context.arguments, "registry");
  if (!options) return fail(options.error());
  auto of_broker = broker_options(context.arguments);
  if (!of_broker) return fail(of_broker.error());
  auto broker = embed::Broker::open(std::move(*of_broker));
  if (!broker) return fail(broker.error());
  Result<void> served;
  {
    auto client = Client::connect(broker->local(), {.client_id = "weir-registry"});
    if (!client) return fail(client.error());
    served = run_registry(*client, std::move(*options), [&](const registry::Service& service) {
      for (const std::string& address : broker->addresses()) output->row({"broker", address});
      output->row({"registry", service.url()});
      output->end();
      context.console.flush_out();
    });
  }
  const auto stopped = broker->stop();
  if (!served) return fail(served.error());
  if (!stopped) return fail(stopped.error());
  log_info("up", "stopped");
  return Exit::ok;
}

constexpr Option options[] = {
    {.name = "data",
     .value = "DIR",
     .doc = "The broker's data folder; made if it is missing.",
     .required = true},
    {.name = "broker",
     .value = "HOST:PORT",
     .default_value = "127.0.0.1:9092",
     .doc = "Where the broker listens; port 0 picks one."},
    {.name = "registry",
     .value = "HOST:PORT",
     .default_value = "127.0.0.1:8081",
     .doc = "Where the registry serves its REST API; port 0 picks one."},
    {.name = "set",
     .letter = 'X',
     .value = "NAME=VALUE",
     .doc = "A setting of the broker.",
     .repeated = true},
    {.name = "compatibility",
     .value = "LEVEL",
     .default_value = "BACKWARD",
     .doc = "What new versions of a schema have to keep where nothing else is configured."},
    {.name = "allow-remote",
     .kind = OptionKind::flag,
     .doc = "The registry answers peers of other machines; without it they get 403."},
    {.name = "host",
     .value = "NAME",
     .doc = "A name by which clients of the registry call this machine.",
     .repeated = true},
    {.name = "users",
     .value = "FILE",
     .doc = "The registry's users, lines of USER:HASH; see weir registry hash-password."},
    {.name = "auth",
     .value = "USER:FILE",
     .doc = "A user of the registry, and a file with the password.",
     .repeated = true},
    tls_keystore_option,
    tls_key_option,
    tls_password_option,
    tls_trust_option,
    tls_client_auth_option,
};

}  // namespace

const Command up_command = {
    .noun = "up",
    .summary = "Run broker and schema registry in one process",
    .help =
        "For a laptop, a test, a small machine: an event broker over one data folder, and a "
        "schema\n"
        "registry whose state is a stream of that broker. Once both listen it prints where. "
        "SIGTERM and\n"
        "SIGINT stop both after answering what is under way.",
    .example =
        "weir up --data ./data\n"
        "weir up --data ./data --broker 127.0.0.1:0 --registry 127.0.0.1:0 -o json",
    .options = options,
    .common = common_output,
    .run = run,
};

}  // namespace weir::cli
