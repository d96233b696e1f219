// What `weir registry` and `weir up` share: options of a registry, and running one until a signal.
#pragma once

#include <weir/client.h>

#include <functional>

#include "cli/command.h"
#include "registry/service.h"

namespace weir::cli {

/// The options of TLS that both commands have.
inline constexpr Option tls_keystore_option{
    .name = "ssl-keystore-location",
    .value = "FILE",
    .doc = "Serve https: certificate, its chain and its key, in PEM or PKCS#12."};
inline constexpr Option tls_key_option{.name = "ssl-key-location",
                                       .value = "FILE",
                                       .doc = "The key in PEM, if it is not with the certificate."};
inline constexpr Option tls_password_option{
    .name = "ssl-key-password-file",
    .value = "FILE",
    .doc = "The password of an encrypted key or PKCS#12 file."};
inline constexpr Option tls_trust_option{
    .name = "ssl-truststore-location",
    .value = "FILE",
    .doc = "The authorities whose clients, and whose other registries, are believed."};
inline constexpr Option tls_client_auth_option{.name = "ssl-client-authentication",
                                               .value = "WHEN",
                                               .default_value = "none",
                                               .doc = "Whether clients have to show a certificate.",
                                               .choices = "none,requested,required"};

/// From the options that both commands have; `listen` names the one that says where.
Result<registry::ServiceOptions> registry_options(const Arguments& arguments,
                                                  std::string_view listen);

/// Runs a registry until SIGTERM or SIGINT, or until it fails. `ready` is called once it listens.
Result<void> run_registry(Client& client, registry::ServiceOptions options,
                          const std::function<void(const registry::Service&)>& ready);

}  // namespace weir::cli
