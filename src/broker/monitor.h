// The broker's HTTP listener for people and machines that watch it: /metrics, /livez, /readyz,
// /version.
#pragma once

#include <weir/result.h>

#include <memory>
#include <optional>
#include <vector>

#include "config/settings.h"
#include "http/server.h"

namespace weir::broker {

class Broker;

/// Owner: the broker. Threads: its loop.
class Monitor {
 public:
  /// What the settings ask for; nothing if they ask for none. invalid_setting names what is wrong.
  static Result<std::optional<http::ServerOptions>> options_from(const config::Settings& settings);

  static Result<std::unique_ptr<Monitor>> start(Broker& broker, http::ServerOptions options);

  std::vector<io::Endpoint> addresses() const { return server_->addresses(); }

 private:
  explicit Monitor(Broker& broker) : broker_(broker) {}
  http::Router routes();

  Broker& broker_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace weir::broker
