#include "client/client_settings.h"

#include <fmt/core.h>

#include "base/log.h"
#include "config/client_settings.h"
#include "sasl/jaas.h"

namespace weir::client {
namespace {

constexpr std::size_t pem_line = 64;

tl::unexpected<Error> wrong(std::string message) {
  return fail(Errc::invalid_setting, std::move(message));
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

SecurityProtocol protocol_named(std::string_view name) {
  if (name == "SSL") return SecurityProtocol::ssl;
  if (name == "SASL_PLAINTEXT") return SecurityProtocol::sasl_plaintext;
  if (name == "SASL_SSL") return SecurityProtocol::sasl_ssl;
  return SecurityProtocol::plaintext;
}

Result<void> read_tls(const config::Settings& settings, ClientTls& out) {
  out.trust_file = settings.get_string("ssl.truststore.location");
  out.trust_certificates = whole_pem(settings.get_string("ssl.truststore.certificates"));
  out.trust_password = settings.get_string("ssl.truststore.password");
  out.certificate_file = settings.get_string("ssl.keystore.location");
  out.certificate_chain = whole_pem(settings.get_string("ssl.keystore.certificate.chain"));
  out.key = whole_pem(settings.get_string("ssl.keystore.key"));
  out.key_password = settings.get_string("ssl.key.password");
  if (out.key_password.empty()) out.key_password = settings.get_string("ssl.keystore.password");
  const std::string algorithm = settings.get_string("ssl.endpoint.identification.algorithm");
  out.verify_host_name = !algorithm.empty();
  if (!algorithm.empty() && algorithm != "https" && algorithm != "HTTPS")
    return wrong(
        fmt::format("ssl.endpoint.identification.algorithm: \"{}\" is not valid: https, "
                    "or empty to switch it off",
                    escape_for_log(algorithm, 64)));
  out.allow_tls_1_2 = out.allow_tls_1_3 = false;
  for (const std::string& version : settings.get_list("ssl.enabled.protocols"))
    (version == "TLSv1.2" ? out.allow_tls_1_2 : out.allow_tls_1_3) = true;
  return {};
}

/// sasl.jaas.config stands for sasl.username and sasl.password.
Result<void> read_jaas(const std::string& text, ClientSasl& out) {
  auto entry = sasl::parse_jaas(text);
  if (!entry) return fail(entry.error());
  if (entry->module != "PlainLoginModule" && entry->module != "ScramLoginModule")
    return wrong(fmt::format(
        "sasl.jaas.config: {}: want PlainLoginModule or ScramLoginModule{}",
        escape_for_log(entry->module, 64),
        entry->module == "OAuthBearerLoginModule"
            ? "; a token comes from sasl.oauthbearer.token.endpoint.url or weir.sasl.token.command"
            : ""));
  const bool is_plain = entry->module == "PlainLoginModule";
  if (is_plain != (out.mechanism == "PLAIN"))
    return wrong(fmt::format("sasl.jaas.config: {} does not go with sasl.mechanism {}",
                             entry->module, out.mechanism));
  if (!out.username.empty() || !out.password.empty())
    return wrong("sasl.jaas.config: sasl.username and sasl.password are set as well");
  for (auto& [name, value] : entry->options) {
    if (name == "username") {
      out.username = value.reveal();
    } else if (name == "password") {
      out.password = std::move(value);
    } else {
      return wrong(fmt::format("sasl.jaas.config: {}: no such option", escape_for_log(name, 64)));
    }
  }
  return {};
}

Result<void> read_sasl(const config::Settings& settings, ClientSasl& out) {
  out.mechanism = settings.get_string("sasl.mechanism");
  out.username = settings.get_string("sasl.username");
  out.password = settings.get_string("sasl.password");
  out.token_command = settings.get_string("weir.sasl.token.command");
  const std::string url = settings.get_string("sasl.oauthbearer.token.endpoint.url");
  if (!url.empty()) {
    std::string_view path = url;
    if (!path.starts_with("file:"))
      return wrong(
          "sasl.oauthbearer.token.endpoint.url: only file:///PATH is supported; another "
          "way to a token is weir.sasl.token.command");
    path.remove_prefix(5);
    if (path.starts_with("//")) path.remove_prefix(2);
    if (!path.starts_with('/'))
      return wrong("sasl.oauthbearer.token.endpoint.url: want file:///PATH");
    out.token_file = path;
  }
  const std::string jaas = settings.get_string("sasl.jaas.config");
  return jaas.empty() ? Result<void>{} : read_jaas(jaas, out);
}

}  // namespace

std::string whole_pem(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t begin = text.find("-----BEGIN ");
    if (begin == std::string_view::npos) break;
    const std::size_t label_end = text.find("-----", begin + 11);
    const std::size_t end = text.find("-----END ", begin);
    const std::size_t end_end = end == std::string_view::npos ? end : text.find("-----", end + 9);
    if (label_end == std::string_view::npos || end_end == std::string_view::npos || label_end > end)
      return std::string(text);  // whoever reads it says what is wrong
    const std::string_view body = text.substr(label_end + 5, end - label_end - 5);
    out += text.substr(begin, label_end + 5 - begin);
    out += '\n';
    if (body.contains(':')) {  // a key with headers, whose lines mean something
      out += body;
    } else {
      std::size_t column = 0;
      for (const char c : body) {
        if (is_blank(c)) continue;
        out += c;
        if (++column % pem_line == 0) out += '\n';
      }
      if (column % pem_line != 0) out += '\n';
    }
    out += text.substr(end, end_end + 5 - end);
    out += '\n';
    text.remove_prefix(end_end + 5);
  }
  return out.empty() ? std::string(text) : out;
}

Result<ClientOptions> options_from(const config::Settings& settings) {
  ClientOptions options;
  options.client_id = settings.get_string("client.id");
  options.connect_timeout = settings.get_ms("socket.connection.setup.timeout.ms");
  options.reconnect_backoff = settings.get_ms("reconnect.backoff.ms");
  options.reconnect_backoff_max = settings.get_ms("reconnect.backoff.max.ms");
  options.retry_backoff = settings.get_ms("retry.backoff.ms");
  options.retry_backoff_max = settings.get_ms("retry.backoff.max.ms");
  options.metadata_max_age = settings.get_ms("metadata.max.age.ms");
  options.security.protocol = protocol_named(settings.get_string("security.protocol"));
  if (auto read = read_tls(settings, options.security.tls); !read) return fail(read.error());
  if (auto read = read_sasl(settings, options.security.sasl); !read) return fail(read.error());
  return options;
}

std::string bootstrap_from(const config::Settings& settings) {
  std::string out;
  for (const std::string& server : settings.get_list("bootstrap.servers"))
    out += (out.empty() ? "" : ",") + server;
  return out;
}

}  // namespace weir::client
