// How the sessions of one cluster are made: each with a loop and a thread of its own.
#pragma once

#include <weir/client.h>

#include <memory>
#include <string_view>
#include <vector>

#include "client/session.h"

namespace weir::client {

/// Where to connect and how, checked. Copyable; threads: any.
class SessionMaker {
 public:
  /// Errc::invalid_argument, and what open_security() says.
  static Result<SessionMaker> to(std::string_view bootstrap, const ClientOptions& options);
  static Result<SessionMaker> to(std::shared_ptr<LocalBroker> broker, const ClientOptions& options);

  /// Files of TLS are read anew, so that a session after a change of certificates has the new ones.
  Result<std::shared_ptr<Session>> make() const;
  const ClientOptions& options() const { return options_; }

 private:
  SessionMaker(const ClientOptions& options, std::vector<io::Endpoint> bootstrap,
               std::shared_ptr<LocalBroker> broker)
      : options_(options), bootstrap_(std::move(bootstrap)), broker_(std::move(broker)) {}

  ClientOptions options_;
  std::vector<io::Endpoint> bootstrap_;
  std::shared_ptr<LocalBroker> broker_;  // absent: over the network; shared with the application
};

}  // namespace weir::client
