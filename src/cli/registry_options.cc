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

io::ClientAuth client_auth_from(std::string_view text) {
  if (text == "required") return io::ClientAuth::required;
  return text == "requested" ? io::ClientAuth::requested : io::ClientAuth::none;
}

/// A file that an option names; "" without the option.
Result<std::string> file_of(const Arguments& arguments, const Option& option) {
  if (!arguments.given(option.name)) return std::string();
  auto text = read_secret_file(arguments.text(option.name));
  if (text && text->empty())
    return fail(Errc::usage,
                fmt::format("--{}: {} is empty", option.name, arguments.text(option.name)));
  return text;
}

std::string named(const Arguments& arguments, const Option& option) {
  return fmt::format("--{} {}", option.name, arguments.text(option.name));
}

/// What both sides have in common: a registry shows other registries the certificate that it shows
/// its clients.
Result<io::TlsOptions> tls_from(const Arguments& arguments) {
  io::TlsOptions tls;
  auto trust = file_of(arguments, tls_trust_option);
  if (!trust) return fail(trust.error());
  if (!trust->empty()) {
    tls.trust = std::move(*trust);
    tls.trust_origin = named(arguments, tls_trust_option);
  }
  auto keystore = file_of(arguments, tls_keystore_option);
  auto key = file_of(arguments, tls_key_option);
  auto password = file_of(arguments, tls_password_option);
  for (const auto* file : {&keystore, &key, &password})
    if (!*file) return fail(file->error());
  while (password->ends_with('\n') || password->ends_with('\r')) password->pop_back();
  if (!keystore->empty()) {
    tls.identity = io::TlsIdentity{.certificates = Secret(std::move(*keystore)),
                                   .key = Secret(std::move(*key)),
                                   .password = Secret(std::move(*password)),
                                   .origin = named(arguments, tls_keystore_option)};
  } else if (!key->empty() || !password->empty()) {
    return fail(Errc::usage, fmt::format("a key without --{}", tls_keystore_option.name));
  }
  return tls;
}

Result<void> add_tls(const Arguments& arguments, registry::ServiceOptions& options) {
  auto tls = tls_from(arguments);
  if (!tls) return fail(tls.error());
  const auto client_auth = client_auth_from(arguments.text(tls_client_auth_option.name));
  if (client_auth != io::ClientAuth::none && (!tls->identity || tls->trust.empty()))
    return fail(Errc::usage, fmt::format("--{} needs --{} and --{}", tls_client_auth_option.name,
                                         tls_keystore_option.name, tls_trust_option.name));
  if (tls->identity || !tls->trust.empty()) {
    auto context = io::TlsContext::client(*tls);
    if (!context) return fail(context.error());
    options.leader_tls = std::move(*context);
  }
  if (!tls->identity) return {};
  tls->client_auth = client_auth;
  auto context = io::TlsContext::server(*tls);
  if (!context) return fail(context.error());
  options.tls = std::move(*context);
  return {};
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
  if (auto r = add_tls(arguments, options); !r) return fail(r.error());
  const auto level = contract::parse_level(arguments.text("compatibility"));
  if (!level)
    return fail(Errc::usage,
                fmt::format("--compatibility {}: want NONE, BACKWARD, FORWARD or FULL, each also "
                            "with _TRANSITIVE",
                            escape_for_log(arguments.text("compatibility"), 64)));
  options.policy.compatibility = contract::name_of(*level);
  for (const auto host : arguments.all("host")) options.hosts.emplace_back(host);
  options.allow_remote = arguments.flag("allow-remote");
  const bool open = !options.users && arguments.text(tls_client_auth_option.name) != "required";
  if (options.allow_remote && open)
    log_warn("registry", "--allow-remote without --users: everybody who reaches it may write");
  if (options.allow_remote && options.users && options.tls == nullptr)
    log_warn("registry", "--allow-remote without TLS: passwords can be read on their way");
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
