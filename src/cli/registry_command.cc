// weir registry.
#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/connect.h"
#include "cli/lines.h"
#include "cli/registry_options.h"
#include "registry/password.h"

namespace weir::cli {
namespace {

constexpr std::size_t longest_password = 1024;

Result<Exit> run(Context& context) {
  const Arguments& arguments = context.arguments;
  auto options = registry_options(arguments, "listen");
  if (!options) return fail(options.error());
  options->advertised = std::string(arguments.text("advertise"));
  options->journal.topic = std::string(arguments.text("topic"));
  options->journal.changes_topic = std::string(arguments.text("changes-topic"));
  options->group = std::string(arguments.text("group"));
  options->eligible = !arguments.flag("follower");
  options->policy.mode_mutability = !arguments.flag("fixed-mode");
  const std::int64_t replicas = arguments.number("replication-factor");
  if (replicas < -1 || replicas == 0 || replicas > 100)
    return fail(Errc::usage, "--replication-factor: want 1 or more, or -1");
  options->journal.replication_factor = static_cast<std::int16_t>(replicas);
  auto client = connect(context);
  if (!client) return fail(client.error());
  const auto served =
      run_registry(*client, std::move(*options), [&](const registry::Service& service) {
        context.console.out(fmt::format("listening on {}\n", service.url()));
        context.console.flush_out();
      });
  if (!served) return fail(served.error());
  return Exit::ok;
}

Result<Exit> hash(Context& context) {
  auto lines = Lines::open("", longest_password);
  if (!lines) return fail(lines.error());
  const auto line = lines->next();
  if (!line) return fail(line.error());
  if (!*line || (*line)->empty())
    return fail(Errc::usage, "the password comes as a line of standard input");
  const std::string_view user = context.arguments.words().front();
  if (user.find(':') != std::string_view::npos)
    return fail(Errc::usage, "a user's name has no colon");
  context.console.out(fmt::format("{}:{}\n", user, registry::hash_password(**line)));
  return Exit::ok;
}

constexpr Option options[] = {
    {.name = "listen",
     .value = "HOST:PORT",
     .default_value = "127.0.0.1:8081",
     .doc = "Where to serve the REST API; port 0 picks one."},
    {.name = "advertise",
     .value = "URL",
     .doc = "Where other registries reach this one; the default is where it listens."},
    {.name = "allow-remote",
     .kind = OptionKind::flag,
     .doc = "Answer peers of other machines; without it they get 403."},
    {.name = "host",
     .value = "NAME",
     .doc = "A name by which clients call this machine.",
     .repeated = true},
    {.name = "users",
     .value = "FILE",
     .doc = "Lines of USER:HASH, as weir registry hash-password prints them; others get 401."},
    {.name = "auth",
     .value = "USER:FILE",
     .doc = "A user, and a file with the password; beside --users.",
     .repeated = true},
    tls_keystore_option,
    tls_key_option,
    tls_password_option,
    tls_trust_option,
    tls_client_auth_option,
    {.name = "compatibility",
     .value = "LEVEL",
     .default_value = "BACKWARD",
     .doc = "What new versions have to keep where nothing else is configured."},
    {.name = "topic",
     .value = "TOPIC",
     .default_value = "_schemas",
     .doc = "The compacted topic that is the registry's state; made if it is missing."},
    {.name = "changes-topic",
     .value = "TOPIC",
     .default_value = "_weir.schema-changes",
     .doc = "Where every change is told."},
    {.name = "replication-factor",
     .kind = OptionKind::integer,
     .value = "N",
     .default_value = "-1",
     .doc = "Of topics that have to be made; -1 is the brokers' default."},
    {.name = "group",
     .value = "GROUP",
     .default_value = "schema-registry",
     .doc = "The group in which the registries of one topic elect their leader."},
    {.name = "follower",
     .kind = OptionKind::flag,
     .doc = "Never lead: answer reads, and forward writes."},
    {.name = "fixed-mode", .kind = OptionKind::flag, .doc = "Refuse to change any mode."},
};

constexpr Positional hash_positionals[] = {{.name = "USER", .doc = "The name to print it with."}};

}  // namespace

const Command registry_command = {
    .noun = "registry",
    .summary = "Run the schema registry",
    .help =
        "Serves the REST API of the Confluent schema registry from the records of a compacted "
        "topic,\n"
        "on weir's broker or on Apache Kafka. Once it has read the topic to its end it prints "
        "one line,\n"
        "`listening on http://HOST:PORT`, or https.\n"
        "\n"
        "Several registries of one topic elect a leader, which writes; the others forward to "
        "it. A write\n"
        "is answered when it is committed and has been read back. Every change is told in a "
        "topic of its\n"
        "own. It answers this machine only, unless --allow-remote; then give --users and\n"
        "--ssl-keystore-location.",
    .example =
        "weir registry --bootstrap 127.0.0.1:9092\n"
        "weir registry --listen 0.0.0.0:8081 --allow-remote --host schemas.example --users "
        "users.txt\n"
        "weir registry --ssl-keystore-location registry.pem --ssl-truststore-location "
        "authority.pem",
    .options = options,
    .common = common_connection,
    .run = run,
};

const Command registry_hash_command = {
    .noun = "registry",
    .verb = "hash-password",
    .summary = "Print a line for a registry's file of users",
    .help =
        "Reads the password from standard input and prints USER:HASH. The hash is salted and slow\n"
        "(PBKDF2): who reads the file does not have the password.",
    .example = "weir registry hash-password ann",
    .positionals = hash_positionals,
    .run = hash,
};

}  // namespace weir::cli
