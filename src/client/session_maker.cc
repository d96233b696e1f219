#include "client/session_maker.h"

#include <algorithm>

#include "client/security.h"
#include "client/transport.h"

namespace weir::client {
namespace {

Result<std::vector<io::Endpoint>> parse_bootstrap(std::string_view text) {
  std::vector<io::Endpoint> endpoints;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    auto endpoint = io::Endpoint::parse(text.substr(0, comma));
    if (!endpoint) return fail(endpoint.error());
    endpoints.push_back(std::move(*endpoint));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  if (endpoints.empty()) return fail(Errc::invalid_argument, "no address of a broker is given");
  return endpoints;
}

ClusterOptions cluster_options(const ClientOptions& options, std::vector<io::Endpoint> bootstrap) {
  return {.bootstrap = std::move(bootstrap),
          .connection = {.client_id = options.client_id,
                         .connect_timeout = options.connect_timeout,
                         .reconnect = {options.reconnect_backoff, options.reconnect_backoff_max}},
          .retry = {options.retry_backoff, options.retry_backoff_max},
          .metadata_max_age = options.metadata_max_age};
}

}  // namespace

Result<SessionMaker> SessionMaker::to(std::string_view bootstrap, const ClientOptions& options) {
  auto endpoints = parse_bootstrap(bootstrap);
  if (!endpoints) return fail(endpoints.error());
  return SessionMaker(options, *std::move(endpoints), nullptr);
}

Result<SessionMaker> SessionMaker::to(std::shared_ptr<LocalBroker> broker,
                                      const ClientOptions& options) {
  if (broker == nullptr) return fail(Errc::invalid_argument, "connect: no broker");
  if (options.security.protocol != SecurityProtocol::plaintext)
    return fail(Errc::invalid_setting,
                "security.protocol: a broker in this process is reached without TLS and SASL");
  return SessionMaker(options, {{"127.0.0.1", 0}}, std::move(broker));
}

Result<std::shared_ptr<Session>> SessionMaker::make() const {
  if (broker_ != nullptr)
    return std::make_shared<Session>(
        [this](io::Runtime& runtime) -> std::unique_ptr<Transport> {
          return std::make_unique<LocalTransport>(runtime.loop(), broker_);
        },
        cluster_options(options_, bootstrap_), options_.user_driven);
  auto security = open_security(options_.security, *io::make_real_file_system());
  if (!security) return fail(security.error());
  return std::make_shared<Session>(
      [&](io::Runtime& runtime) -> std::unique_ptr<Transport> {
        if (security->protocol == SecurityProtocol::plaintext)
          return std::make_unique<StreamTransport>(runtime.loop(), runtime.network());
        return std::make_unique<SecureTransport>(runtime, std::move(*security),
                                                 options_.connect_timeout);
      },
      cluster_options(options_, bootstrap_), options_.user_driven);
}

}  // namespace weir::client
