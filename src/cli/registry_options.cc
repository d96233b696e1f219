#include "cli/registry_options.h"

#include <fmt/core.h>

#include <csignal>

#include "base/log.h"
#include "cli/help.h"
#include "contract/avro/compatibility.h"
#include "io/process.h"
#include "io/runtime.h"
#include "registry/limits.h"
#include "registry/password.h"

namespace weir::cli {
namespace {

Result<std::string> read_secret_file(std::string_view path) {
  const auto files = io::make_real_file_system();
  return io::read_file(*files, std::string(path), registry::limits::users_file_bytes);
}

/// --auth USER:PASSWORD-FILE.
Result<void> add_user(std::string_view text, registry::Users& users) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0)
    return fail(Errc::usage, "--auth: want USER:PASSWORD-FILE");
  auto password = read_secret_file(text.substr(colon + 1));
  if (!password) return fail(password.error());
  while (password->ends_with('\n') || password->ends_with('\r')) password->pop_back();
  if (password->empty())
    return fail(Errc::usage, fmt::format("--auth: {} is empty", text.substr(colon + 1)));
  users[std::string(text.substr(0, colon))] = registry::hash_password(*password);
  return {};
}

Result<std::optional<registry::Users>> users_from(const Arguments& arguments) {
  registry::Users users;
  if (arguments.given("users")) {
    const auto text = read_secret_file(arguments.text("users"));
    if (!text) return fail(text.error());
    auto read = registry::parse_users(*text);
    if (!read)
      return fail(read.error().code(),
                  fmt::format("--users {}: {}", arguments.text("users"), read.error().message()));
    users = std::move(*read);
  }
  for (const auto one : arguments.all("auth"))
    if (auto r = add_user(one, users); !r) return fail(r.error());
  return users.empty() ? std::nullopt : std::optional(std::move(users));
}

}  // namespace

Result<registry::ServiceOptions> registry_options(const Arguments& arguments,
                                                  std::string_view listen) {
  registry::ServiceOptions options;
  auto at = io::Endpoint::parse(arguments.text(listen));
  if (!at) return fail(Errc::usage, fmt::format("--{}: {}", listen, at.error().message()));
  options.at = std::move(*at);
  auto users = users_from(arguments);
  if (!users) return fail(users.error());
  options.users = std::move(*users);
  const auto level = contract::avro::parse_level(arguments.text("compatibility"));
  if (!level)
    return fail(Errc::usage,
                fmt::format("--compatibility {}: want NONE, BACKWARD, FORWARD or FULL, each also "
                            "with _TRANSITIVE",
                            escape_for_log(arguments.text("compatibility"), 64)));
  options.policy.compatibility = contract::avro::name_of(*level);
  for (const auto host : arguments.all("host")) options.hosts.emplace_back(host);
  options.allow_remote = arguments.flag("allow-remote");
  if (options.allow_remote && !options.users)
    log_warn("registry", "--allow-remote without --users: everybody who reaches it may write");
  const BuildText build = build_text();
  options.version = build.version;
  options.build = build.build;
  return options;
}

Result<void> run_registry(Client& client, registry::ServiceOptions options,
                          const std::function<void(const registry::Service&)>& ready) {
  io::raise_descriptor_limit();
  io::tune_allocator_for_server();
  const auto runtime = io::RealRuntime::create();
  Result<void> outcome;
  const auto stop = [&] {
    log_info("registry", "stopping");
    io::notify_supervisor("STOPPING=1");
    runtime->stop();
  };
  runtime->on_signal(SIGTERM, stop);
  runtime->on_signal(SIGINT, stop);
  registry::Service service(*runtime, client, std::move(options));
  const auto fail_with = [&](Error why) {
    outcome = fail(std::move(why));
    runtime->stop();
  };
  service.start(
      [&](Result<void> started) {
        if (!started) return fail_with(started.error());
        ready(service);
        io::notify_supervisor("READY=1");
      },
      fail_with);
  runtime->run();
  return outcome;
}

}  // namespace weir::cli
