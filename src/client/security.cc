#include "client/security.h"

#include <fmt/core.h>

#include "base/log.h"

namespace weir {
inline namespace v1 {

std::string_view name_of(SecurityProtocol protocol) noexcept {
  switch (protocol) {
    case SecurityProtocol::plaintext: return "PLAINTEXT";
    case SecurityProtocol::ssl: return "SSL";
    case SecurityProtocol::sasl_plaintext: return "SASL_PLAINTEXT";
    case SecurityProtocol::sasl_ssl: return "SASL_SSL";
  }
  return "PLAINTEXT";
}

}  // namespace v1

namespace client {
namespace {

tl::unexpected<Error> wrong(std::string message) {
  return fail(Errc::invalid_setting, std::move(message));
}

Result<std::string> read_named(io::FileSystem& files, std::string_view setting,
                               const std::string& path) {
  auto bytes = io::read_file(files, path, certificate_file_bytes);
  if (!bytes)
    return fail(bytes.error().code(), fmt::format("{}: {}", setting, bytes.error().message()));
  return bytes;
}

Result<std::shared_ptr<const io::TlsContext>> open_tls(const ClientTls& asked,
                                                       io::FileSystem& files) {
  io::TlsOptions options;
  options.verify_host_name = asked.verify_host_name;
  options.trust_password = asked.trust_password;
  if (!asked.allow_tls_1_2 && !asked.allow_tls_1_3)
    return wrong("ssl.enabled.protocols: no version is left");
  if (!asked.allow_tls_1_2) options.oldest = io::TlsVersion::v1_3;
  if (!asked.allow_tls_1_3) options.newest = io::TlsVersion::v1_2;
  if (!asked.trust_file.empty() && !asked.trust_certificates.empty())
    return wrong("ssl.truststore.location and ssl.truststore.certificates: want one of them");
  options.trust = asked.trust_certificates;
  options.trust_origin = "ssl.truststore.certificates";
  if (!asked.trust_file.empty()) {
    auto bytes = read_named(files, "ssl.truststore.location", asked.trust_file);
    if (!bytes) return fail(bytes.error());
    if (bytes->empty()) return wrong("ssl.truststore.location: the file is empty");
    options.trust = std::move(*bytes);
    options.trust_origin = "ssl.truststore.location " + asked.trust_file;
  }
  io::TlsIdentity identity{.certificates = asked.certificate_chain,
                           .key = asked.key,
                           .password = asked.key_password,
                           .origin = "ssl.keystore.certificate.chain"};
  if (!asked.certificate_file.empty()) {
    if (!asked.certificate_chain.empty())
      return wrong("ssl.keystore.location and ssl.keystore.certificate.chain: want one of them");
    auto bytes = read_named(files, "ssl.keystore.location", asked.certificate_file);
    if (!bytes) return fail(bytes.error());
    identity.certificates = Secret(std::move(*bytes));
    identity.origin = "ssl.keystore.location " + asked.certificate_file;
  } else if (!asked.certificate_chain.empty() && asked.key.empty() &&
             asked.certificate_chain.find("PRIVATE KEY") == std::string::npos) {
    return wrong("ssl.keystore.certificate.chain: ssl.keystore.key is missing");
  } else if (asked.certificate_chain.empty() && !asked.key.empty()) {
    return wrong("ssl.keystore.key: ssl.keystore.certificate.chain is missing");
  }
  if (!asked.certificate_file.empty() || !asked.certificate_chain.empty())
    options.identity = std::move(identity);
  return io::TlsContext::client(options);
}

Result<sasl::Mechanism> check_sasl(const ClientSasl& asked) {
  if (asked.mechanism.empty())
    return wrong(
        "sasl.mechanism: want PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER, as the broker "
        "offers");
  const auto mechanism = sasl::mechanism_named(asked.mechanism);
  if (!mechanism) return fail(mechanism.error());
  const int sources = (asked.token_source ? 1 : 0) + (asked.token_file.empty() ? 0 : 1) +
                      (asked.token_command.empty() ? 0 : 1);
  if (*mechanism == sasl::Mechanism::oauthbearer) {
    if (sources == 1) return *mechanism;
    return wrong(
        fmt::format("OAUTHBEARER: {} sources of tokens; want one of a function, "
                    "sasl.oauthbearer.token.endpoint.url=file:///PATH and weir.sasl.token.command",
                    sources));
  }
  if (sources > 0)
    return wrong(fmt::format("sasl.mechanism {}: it takes no token", asked.mechanism));
  // The credentials are tried here, so that a name that cannot be sent is told at once.
  auto exchange = sasl::make_exchange(
      *mechanism, {.username = asked.username, .password = asked.password, .token = {}}, "nonce");
  if (!exchange) return fail(exchange.error());
  return *mechanism;
}

}  // namespace

Result<Security> open_security(const ClientSecurity& asked, io::FileSystem& files) {
  Security security{.protocol = asked.protocol, .tls = {}, .mechanism = {}, .sasl = asked.sasl};
  const bool encrypts =
      asked.protocol == SecurityProtocol::ssl || asked.protocol == SecurityProtocol::sasl_ssl;
  const bool authenticates = asked.protocol == SecurityProtocol::sasl_plaintext ||
                             asked.protocol == SecurityProtocol::sasl_ssl;
  if (encrypts) {
    auto tls = open_tls(asked.tls, files);
    if (!tls) return fail(tls.error());
    security.tls = std::move(*tls);
  }
  if (!authenticates) return security;
  const auto mechanism = check_sasl(asked.sasl);
  if (!mechanism) return fail(mechanism.error());
  security.mechanism = *mechanism;
  const bool readable =
      *mechanism == sasl::Mechanism::plain || *mechanism == sasl::Mechanism::oauthbearer;
  if (readable && !encrypts)
    log_warn("client", fmt::format("{} over SASL_PLAINTEXT: whoever sees the network reads the "
                                   "{}; use SASL_SSL",
                                   sasl::name_of(*mechanism),
                                   *mechanism == sasl::Mechanism::plain ? "password" : "token"));
  return security;
}

}  // namespace client
}  // namespace weir
