#include "broker/monitor.h"

#include "base/log.h"
#include "broker/broker.h"
#include "broker/telemetry.h"
#include "http/readiness.h"
#include "json/json.h"

namespace weir::broker {
namespace {

constexpr std::size_t most_connections = 32;

}  // namespace

Result<std::optional<http::ServerOptions>> Monitor::options_from(const config::Settings& settings) {
  const std::string where = settings.get_string("weir.metrics.listener");
  if (where.empty()) return std::nullopt;
  auto at = io::Endpoint::parse(where);
  if (!at) return fail(Errc::invalid_setting, "weir.metrics.listener: " + at.error().message());
  http::ServerOptions options;
  options.at = std::move(*at);
  for (const std::string& host : settings.get_list("weir.metrics.hosts")) {
    if (http::host_of(host).empty())
      return fail(Errc::invalid_setting,
                  "weir.metrics.hosts: '" + escape_for_log(host, 64) + "' is no host name");
    options.hosts.push_back(host);
  }
  options.allow_remote = settings.get_bool("weir.metrics.allow.remote.peers");
  options.limits.connections = most_connections;
  return options;
}

Result<std::unique_ptr<Monitor>> Monitor::start(Broker& broker, http::ServerOptions options) {
  std::unique_ptr<Monitor> monitor(new Monitor(broker));
  if (broker.request_log().access())
    options.on_answered = [](const http::Answered& answered) {
      log_warn("access", answered.request.peer.to_string() + " " + answered.request.method + " " +
                             answered.request.path + " " + std::to_string(answered.status) + ", " +
                             std::to_string(answered.bytes) + " bytes out");
    };
  auto server = http::Server::start(broker.runtime(), std::move(options), monitor->routes());
  if (!server)
    return fail(server.error().code(), "weir.metrics.listener: " + server.error().message());
  monitor->server_ = std::move(*server);
  return monitor;
}

http::Router Monitor::routes() {
  http::Router router;
  router.add("GET", "/metrics", [this](const http::Request& request, http::Reply reply) {
    const auto format = metrics::format_for(request.headers.value_or("accept", ""));
    reply(http::uncached({.content_type = std::string(metrics::content_type(format)),
                          .body = expose(broker_, server_.get(), format),
                          .headers = {}}));
  });
  // Answered in a turn of its own: the loop has gone round since the question.
  router.add("GET", "/livez",
             [this](const http::Request&, http::Reply reply) {
               broker_.loop().post([reply = std::move(reply)]() mutable {
                 reply(http::uncached(http::Response::text(200, "live\n")));
               });
             },
             {.open = true});
  router.add("GET", "/readyz",
             [this](const http::Request& request, http::Reply reply) {
               reply(http::readiness(request, broker_.not_ready()));
             },
             {.open = true});
  router.add("GET", "/version", [this](const http::Request&, http::Reply reply) {
    const BuildInfo& build = broker_.options().build;
    const json::Value value(json::Object{{"version", build.version},
                                         {"build", build.build},
                                         {"compiler", build.compiler},
                                         {"kafka", build.kafka},
                                         {"cluster_id", broker_.log().cluster_id().to_string()},
                                         {"node_id", broker_.node_id()}});
    reply(http::uncached(http::Response::json(200, json::write(value) + "\n")));
  });
  return router;
}

}  // namespace weir::broker
