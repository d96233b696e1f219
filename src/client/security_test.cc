// Settings by Kafka's names become options, and options become TLS and SASL, or say what is wrong.
#include "client/security.h"

#include <gtest/gtest.h>
#include <weir/log.h>

#include "client/client_settings.h"
#include "io/sim_runtime.h"
#include "io/tls_test_kit.h"

namespace weir::client {
namespace {

using Settings = std::map<std::string, std::string>;

ClientOptions read(const Settings& settings) {
  auto options = ClientOptions::from_settings(settings);
  EXPECT_TRUE(options) << options.error().message();
  return options.value_or(ClientOptions{});
}

std::string why_not(const Settings& settings) {
  const auto options = ClientOptions::from_settings(settings);
  EXPECT_FALSE(options.has_value());
  if (options) return {};
  EXPECT_EQ(options.error().code(), Errc::invalid_setting);
  EXPECT_EQ(options.error().message().find("hush"), std::string::npos) << "a secret is shown";
  return options.error().message();
}

TEST(client_settings, defaults_are_those_of_the_options) {
  const ClientOptions from_nothing = read({});
  const ClientOptions plain;
  EXPECT_EQ(from_nothing.client_id, plain.client_id);
  EXPECT_EQ(from_nothing.connect_timeout, plain.connect_timeout);
  EXPECT_EQ(from_nothing.reconnect_backoff, plain.reconnect_backoff);
  EXPECT_EQ(from_nothing.reconnect_backoff_max, plain.reconnect_backoff_max);
  EXPECT_EQ(from_nothing.retry_backoff, plain.retry_backoff);
  EXPECT_EQ(from_nothing.retry_backoff_max, plain.retry_backoff_max);
  EXPECT_EQ(from_nothing.metadata_max_age, plain.metadata_max_age);
  EXPECT_EQ(from_nothing.security.protocol, SecurityProtocol::plaintext);
  EXPECT_TRUE(from_nothing.security.tls.verify_host_name);
  EXPECT_TRUE(from_nothing.security.tls.allow_tls_1_2);
}

TEST(client_settings, kafkas_names_reach_their_options) {
  const ClientOptions options = read({{"security.protocol", "SASL_SSL"},
                                      {"client.id", "till-7"},
                                      {"socket.connection.setup.timeout.ms", "3s"},
                                      {"ssl.truststore.location", "/t.pem"},
                                      {"ssl.truststore.password", "a"},
                                      {"ssl.keystore.location", "/k.p12"},
                                      {"ssl.keystore.password", "b"},
                                      {"ssl.keystore.type", "PKCS12"},
                                      {"ssl.endpoint.identification.algorithm", ""},
                                      {"ssl.enabled.protocols", "TLSv1.3"},
                                      {"sasl.mechanism", "SCRAM-SHA-512"},
                                      {"sasl.username", "alice"},
                                      {"sasl.password", "hush"}});
  EXPECT_EQ(options.security.protocol, SecurityProtocol::sasl_ssl);
  EXPECT_EQ(options.client_id, "till-7");
  EXPECT_EQ(options.connect_timeout, std::chrono::seconds(3));
  const ClientTls& tls = options.security.tls;
  EXPECT_EQ(tls.trust_file, "/t.pem");
  EXPECT_EQ(tls.trust_password.reveal(), "a");
  EXPECT_EQ(tls.certificate_file, "/k.p12");
  EXPECT_EQ(tls.key_password.reveal(), "b");
  EXPECT_FALSE(tls.verify_host_name);
  EXPECT_FALSE(tls.allow_tls_1_2);
  EXPECT_EQ(options.security.sasl.mechanism, "SCRAM-SHA-512");
  EXPECT_EQ(options.security.sasl.password.reveal(), "hush");
}

TEST(client_settings, a_jaas_entry_stands_for_name_and_password) {
  const ClientOptions options =
      read({{"sasl.mechanism", "SCRAM-SHA-256"},
            {"sasl.jaas.config",
             "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"alice\" "
             "password=\"hush\";"}});
  EXPECT_EQ(options.security.sasl.username, "alice");
  EXPECT_EQ(options.security.sasl.password.reveal(), "hush");
  const std::string plain = "PlainLoginModule required username=a password=hush;";
  EXPECT_NE(why_not({{"sasl.mechanism", "SCRAM-SHA-256"}, {"sasl.jaas.config", plain}})
                .find("PlainLoginModule does not go with sasl.mechanism SCRAM-SHA-256"),
            std::string::npos);
  EXPECT_NE(
      why_not({{"sasl.mechanism", "PLAIN"}, {"sasl.username", "a"}, {"sasl.jaas.config", plain}})
          .find("are set as well"),
      std::string::npos);
  EXPECT_NE(why_not({{"sasl.mechanism", "PLAIN"},
                     {"sasl.jaas.config", "PlainLoginModule required user=a password=hush;"}})
                .find("user: no such option"),
            std::string::npos);
  EXPECT_NE(why_not({{"sasl.mechanism", "OAUTHBEARER"},
                     {"sasl.jaas.config", "OAuthBearerLoginModule required a=hush;"}})
                .find("weir.sasl.token.command"),
            std::string::npos);
}

TEST(client_settings, what_is_not_valid_is_told) {
  EXPECT_NE(why_not({{"security.protocl", "SSL"}}).find("did you mean security.protocol?"),
            std::string::npos);
  EXPECT_NE(why_not({{"security.protocol", "TLS"}}).find("SASL_SSL"), std::string::npos);
  EXPECT_NE(why_not({{"sasl.mechanism", "GSSAPI"}}).find("SCRAM-SHA-512"), std::string::npos);
  EXPECT_NE(why_not({{"ssl.endpoint.identification.algorithm", "ldap"}}).find("https"),
            std::string::npos);
  EXPECT_NE(why_not({{"ssl.enabled.protocols", "TLSv1.1"}}).find("TLSv1.2"), std::string::npos);
  EXPECT_NE(why_not({{"sasl.oauthbearer.token.endpoint.url", "https://idp/token"}})
                .find("only file:///PATH"),
            std::string::npos);
  EXPECT_EQ(
      read({{"sasl.oauthbearer.token.endpoint.url", "file:///run/token"}}).security.sasl.token_file,
      "/run/token");
}

TEST(client_settings, pem_whose_lines_were_joined_is_made_whole) {
  const io::TestAuthority authority(1'700'000'000);
  std::string joined = authority.certificate();
  for (char& c : joined)
    if (c == '\n') c = ' ';
  EXPECT_EQ(whole_pem(joined), authority.certificate());
  EXPECT_EQ(whole_pem(joined + joined), authority.certificate() + authority.certificate());
  EXPECT_EQ(whole_pem("rubbish"), "rubbish");
  EXPECT_EQ(whole_pem("-----BEGIN X-----"), "-----BEGIN X-----");
  EXPECT_EQ(whole_pem(""), "");
  const std::string headers =
      "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE "
      "KEY-----\n";
  EXPECT_NE(whole_pem(headers).find("Proc-Type: 4,ENCRYPTED\n\nAAAA\n"), std::string::npos);
}

class security : public ::testing::Test {
 protected:
  std::string why_not(const ClientSecurity& asked) {
    const auto opened = open_security(asked, *files);
    EXPECT_FALSE(opened.has_value());
    if (opened) return {};
    EXPECT_EQ(opened.error().message().find("hush"), std::string::npos) << "a secret is shown";
    return opened.error().message();
  }
  void put(const std::string& name, const std::string& content) {
    ASSERT_TRUE(io::write_file_durably(*files, name, content));
  }

  io::SimWorld world{1};
  std::unique_ptr<io::SimProcess> process = world.start_process();
  io::FileSystem* files = &process->files();
  io::TestAuthority authority{world.clock().wall_ms() / 1000};
  io::TestCertificate own = authority.sign({.name = "alice"});
};

TEST_F(security, certificates_come_from_files_or_settings) {
  put("ca.pem", authority.certificate());
  put("own.pem", own.certificate + own.key);
  put("own.p12", io::pkcs12_of(own.certificate, own.key, "hush"));
  ClientSecurity asked{.protocol = SecurityProtocol::ssl};
  EXPECT_TRUE(open_security(asked, *files)->tls);
  asked.tls.trust_file = "ca.pem";
  asked.tls.certificate_file = "own.pem";
  EXPECT_TRUE(open_security(asked, *files)->tls);
  asked.tls.certificate_file = "own.p12";
  asked.tls.key_password = "hush";
  EXPECT_TRUE(open_security(asked, *files)->tls);
  asked.tls.key_password = "hush hush";
  EXPECT_NE(why_not(asked).find("own.p12: the PKCS#12 does not open"), std::string::npos);
  asked.tls.certificate_file = "none.pem";
  EXPECT_EQ(open_security(asked, *files).error().code(), Errc::not_found);
  EXPECT_NE(why_not(asked).find("ssl.keystore.location: none.pem"), std::string::npos);
  asked.tls = {.trust_certificates = authority.certificate(),
               .certificate_chain = own.certificate,
               .key = own.key};
  EXPECT_TRUE(open_security(asked, *files)->tls);
  asked.tls.key = {};
  EXPECT_NE(why_not(asked).find("ssl.keystore.key is missing"), std::string::npos);
  asked.tls.key = own.key;
  asked.tls.certificate_file = "own.pem";
  EXPECT_NE(why_not(asked).find("want one of them"), std::string::npos);
}

TEST_F(security, without_tls_no_certificate_is_read) {
  EXPECT_FALSE(open_security({.tls = {.trust_file = "none.pem"}}, *files)->tls);
}

TEST_F(security, sasl_settings_are_checked_before_anything_is_sent) {
  ClientSecurity asked{.protocol = SecurityProtocol::sasl_plaintext};
  EXPECT_NE(why_not(asked).find("sasl.mechanism: want PLAIN"), std::string::npos);
  asked.sasl.mechanism = "SCRAM-SHA-256";
  EXPECT_NE(why_not(asked).find("sasl.username is empty"), std::string::npos);
  asked.sasl.username = "alice";
  EXPECT_NE(why_not(asked).find("sasl.password is empty"), std::string::npos);
  asked.sasl.password = "hush\xc3\xbc";
  EXPECT_NE(why_not(asked).find("only printable ASCII"), std::string::npos);
  asked.sasl.password = "hush";
  EXPECT_EQ(open_security(asked, *files)->mechanism, sasl::Mechanism::scram_sha_256);
  asked.sasl.token_file = "token";
  EXPECT_NE(why_not(asked).find("it takes no token"), std::string::npos);
  asked.sasl.mechanism = "OAUTHBEARER";
  EXPECT_EQ(open_security(asked, *files)->mechanism, sasl::Mechanism::oauthbearer);
  asked.sasl.token_command = "get-token";
  EXPECT_NE(why_not(asked).find("2 sources of tokens"), std::string::npos);
}

TEST_F(security, a_password_in_plain_text_is_a_warning) {
  std::string log;
  set_log_sink([&](const LogLine& line) {
    if (line.level == LogLevel::warn) log += line.text;
  });
  ClientSecurity asked{.protocol = SecurityProtocol::sasl_plaintext,
                       .tls = {},
                       .sasl = {.mechanism = "PLAIN", .username = "alice", .password = "hush"}};
  EXPECT_TRUE(open_security(asked, *files));
  EXPECT_NE(log.find("PLAIN over SASL_PLAINTEXT"), std::string::npos);
  EXPECT_EQ(log.find("hush"), std::string::npos);
  log.clear();
  asked.protocol = SecurityProtocol::sasl_ssl;
  EXPECT_TRUE(open_security(asked, *files));
  asked.protocol = SecurityProtocol::sasl_plaintext;
  asked.sasl.mechanism = "SCRAM-SHA-512";
  EXPECT_TRUE(open_security(asked, *files));
  EXPECT_EQ(log, "");
  set_log_sink({});
}

}  // namespace
}  // namespace weir::client
