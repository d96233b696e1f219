// The C++ examples of docs/security.md, compiled and run against a broker with TLS and SASL:
// secure_guide BOOTSTRAP AUTHORITY_FILE USER PASSWORD TOKEN
#include <weir/client.h>

#include <cstdio>
#include <string>

namespace {

weir::Result<weir::Client> by_settings(const std::string& bootstrap,
                                       const std::string& authority_file, const std::string& user,
                                       const std::string& password) {
  auto client = weir::Client::connect({{"bootstrap.servers", bootstrap},
                                       {"security.protocol", "SASL_SSL"},
                                       {"ssl.truststore.location", authority_file},
                                       {"sasl.mechanism", "SCRAM-SHA-512"},
                                       {"sasl.username", user},
                                       {"sasl.password", password}});
  return client;
}

weir::Result<weir::Client> by_fields(const std::string& bootstrap,
                                     const std::string& authority_file, const std::string& token) {
  const auto get_token = [&] { return token; };
  weir::ClientOptions options;
  options.security.protocol = weir::SecurityProtocol::sasl_ssl;
  options.security.tls.trust_file = authority_file;
  options.security.sasl.mechanism = "OAUTHBEARER";
  options.security.sasl.token_source = [&]() -> weir::Result<weir::OAuthToken> {
    return weir::OAuthToken{.value = get_token(), .expires = {}, .extensions = {}};
  };
  auto client = weir::Client::connect(bootstrap, options);
  return client;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  for (const auto& client :
       {by_settings(argv[1], argv[2], argv[3], argv[4]), by_fields(argv[1], argv[2], argv[5])}) {
    if (client) continue;
    std::printf("%s\n", client.error().message().c_str());
    return 1;
  }
  std::puts("both clients were let in");
  return 0;
}
