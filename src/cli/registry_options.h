// What `weir registry` and `weir up` share: options of a registry, and running one until a signal.
#pragma once

#include <weir/client.h>

#include <functional>

#include "cli/command.h"
#include "registry/service.h"

namespace weir::cli {

/// From the options that both commands have; `listen` names the one that says where.
Result<registry::ServiceOptions> registry_options(const Arguments& arguments,
                                                  std::string_view listen);

/// Runs a registry until SIGTERM or SIGINT, or until it fails. `ready` is called once it listens.
Result<void> run_registry(Client& client, registry::ServiceOptions options,
                          const std::function<void(const registry::Service&)>& ready);

}  // namespace weir::cli
