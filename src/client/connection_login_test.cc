// A connection proves itself to a broker in memory: each mechanism, refusals, hostile brokers, and
// sessions that are renewed under load.
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <weir/log.h>

#include "base/check.h"
#include "base/limits.h"
#include "client/connection.h"
#include "client/consumer_core.h"
#include "client/fake_cluster.h"
#include "client/fake_messages.h"
#include "client/producer_core.h"
#include "io/sim_runtime.h"
#include "kafka/header.h"
#include "kafka/messages/api_versions.h"
#include "kafka/messages/metadata.h"
#include "kafka/messages/sasl_authenticate.h"
#include "kafka/messages/sasl_handshake.h"
#include "sasl/scram_server.h"

namespace weir::client {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view password = "correct-horse-canary";
constexpr std::string_view token = "token-canary";

/// Answers ApiVersions, SASL and Metadata, as Kafka's brokers hold connections to the rules.
class SaslBroker {
 public:
  explicit SaslBroker(io::SimWorld& world) : process_(world.start_process()) {
    listener_ = process_->network()
                    .listen({"127.0.0.1", 0},
                            [this](auto stream) {
                              peers_.push_back(std::make_unique<Peer>(*this, std::move(stream)));
                            })
                    .value();
  }

  io::Endpoint address() const { return listener_->local(); }

  std::vector<std::string> offered{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"};
  bool has_sasl = true;
  bool takes_sasl = true;
  bool answers_sasl = true;
  std::string known_password{password};
  std::int64_t lifetime_ms = 0;
  Duration answer_delay{};
  std::function<std::string(std::string)> forge;  // what the broker says in SaslAuthenticate
  int connections() const { return static_cast<int>(peers_.size()); }
  int logins = 0;
  int refused = 0;
  int answered = 0;  // of Metadata
  bool rules_broken = false;

 private:
  class Peer final : public io::FrameHandler {
   public:
    Peer(SaslBroker& broker, std::unique_ptr<io::Stream> stream)
        : broker_(broker),
          channel_(io::make_stream_channel(broker.process_->loop(), std::move(stream),
                                           limits::frame_bytes)) {
      channel_->set_handler(this);
    }
    bool reserve(std::size_t) override { return true; }
    void on_drained() override {}
    void on_closed(const Error&) override { open_ = false; }
    void on_frame(Slice frame) override {
      waiting_.push_back(std::move(frame));
      if (waiting_.size() == 1) begin();
    }

   private:
    // One request after another, as Kafka's brokers do it.
    void begin() {
      kafka::Decoder decoder(waiting_.front().view());
      const auto header = kafka::decode_request_header(decoder).value();
      const auto key = static_cast<kafka::ApiKey>(header.api_key);
      const Duration delay = key == kafka::ApiKey::metadata ? broker_.answer_delay : Duration(0);
      broker_.process_->loop().call_after(delay, [this] { answer(); });
    }

    void answer() {
      if (!open_) return;
      const Slice frame = std::move(waiting_.front());
      kafka::Decoder decoder(frame.view());
      const auto header = kafka::decode_request_header(decoder).value();
      const auto key = static_cast<kafka::ApiKey>(header.api_key);
      const std::int16_t version = header.api_version;
      const std::string_view body = decoder.rest();
      std::optional<std::string> reply;
      switch (key) {
        case kafka::ApiKey::api_versions: reply = versions(version); break;
        case kafka::ApiKey::sasl_handshake: reply = handshake(body, version); break;
        case kafka::ApiKey::sasl_authenticate: reply = authenticate(body, version); break;
        case kafka::ApiKey::metadata: reply = metadata(version); break;
        default: break;
      }
      if (reply) send(key, header, *reply);
      if (ending_) {  // what was said arrives first
        broker_.process_->loop().call_after(100ms, [this] { close(); });
        return;
      }
      waiting_.pop_front();
      if (!waiting_.empty()) begin();
    }

    void send(kafka::ApiKey key, const kafka::RequestHeader& header, const std::string& body) {
      std::string head;
      append_be(head, header.correlation_id);
      if (kafka::response_header_version(key, header.api_version) >= 1) head.push_back('\0');
      std::vector<io::OutPiece> pieces;
      pieces.emplace_back(Slice::copy_of(head + body));
      channel_->send(std::move(pieces));
    }

    std::string versions(std::int16_t version) {
      kafka::ApiVersionsResponse response;
      const auto add = [&](kafka::ApiKey key, std::int16_t max) {
        auto& api = response.api_keys.emplace_back();
        api.api_key = static_cast<std::int16_t>(key);
        api.max_version = max;
      };
      add(kafka::ApiKey::metadata, 12);
      if (broker_.has_sasl) add(kafka::ApiKey::sasl_handshake, 1);
      add(kafka::ApiKey::api_versions, 4);
      if (broker_.has_sasl) add(kafka::ApiKey::sasl_authenticate, 2);
      return written(response, version);
    }

    std::optional<std::string> handshake(std::string_view body, std::int16_t version) {
      if (!broker_.answers_sasl) return std::nullopt;
      const auto asked = kafka::decode_all<kafka::SaslHandshakeRequest>(body, version).value();
      kafka::SaslHandshakeResponse response;
      for (const auto& name : broker_.offered) response.mechanisms.push_back(name);
      if (!broker_.takes_sasl) {
        response.error_code = static_cast<std::int16_t>(Errc::illegal_sasl_state);
      } else if (std::ranges::find(broker_.offered, asked.mechanism) == broker_.offered.end()) {
        response.error_code = static_cast<std::int16_t>(Errc::unsupported_sasl_mechanism);
      } else {
        // Kafka's brokers do not take a renewal within a second of the one before.
        const MonoTime now = broker_.process_->loop().now();
        if (logged_in_ && now - login_began_ < 1s) broker_.rules_broken = true;
        login_began_ = now;
        mechanism_ = asked.mechanism;
        logging_in_ = true;
        scram_.reset();
      }
      return written(response, version);
    }

    std::optional<std::string> authenticate(std::string_view body, std::int16_t version) {
      const auto asked = kafka::decode_all<kafka::SaslAuthenticateRequest>(body, version).value();
      if (!logging_in_) broker_.rules_broken = true;
      kafka::SaslAuthenticateResponse response;
      response.error_message.reset();
      auto said = judge(asked.auth_bytes);
      if (said && broker_.forge) said = broker_.forge(*said);
      if (said) {
        response.auth_bytes = response.keep(*said);
        if (done_) {
          ++broker_.logins;
          logging_in_ = false;
          logged_in_ = true;
          response.session_lifetime_ms = broker_.lifetime_ms;
          session_end_ =
              broker_.lifetime_ms > 0
                  ? broker_.process_->loop().now() + std::chrono::milliseconds(broker_.lifetime_ms)
                  : MonoTime::max();
        }
      } else {
        ++broker_.refused;
        response.error_code = static_cast<std::int16_t>(Errc::sasl_authentication_failed);
        response.error_message = "Authentication failed: invalid credentials";
        ending_ = true;
      }
      return written(response, version);
    }

    /// What the mechanism says; nothing: refused.
    std::optional<std::string> judge(std::string_view bytes) {
      done_ = false;
      if (mechanism_ == "PLAIN") {
        done_ = bytes == '\0' + std::string("alice") + '\0' + broker_.known_password;
        return done_ ? std::optional<std::string>("") : std::nullopt;
      }
      if (mechanism_ == "OAUTHBEARER") {
        if (bytes == "\x01") return std::nullopt;
        done_ = bytes ==
                "n,,\x01"
                "auth=Bearer " +
                    std::string(token) + "\x01\x01";
        return done_ ? "" : R"({"status":"invalid_token"})";
      }
      if (scram_ == nullptr) {
        const auto hash = mechanism_ == "SCRAM-SHA-256" ? sasl::Hash::sha256 : sasl::Hash::sha512;
        const auto kept = sasl::make_credential(hash, broker_.known_password, "salt", 4096);
        scram_ = std::make_unique<sasl::ScramServer>(
            hash,
            [kept](std::string_view user) {
              return user == "alice" ? std::optional(kept) : std::nullopt;
            },
            "server", kept);
      }
      auto answer = scram_->next(bytes);
      done_ = scram_->done();
      return answer ? std::optional(*answer) : std::nullopt;
    }

    std::optional<std::string> metadata(std::int16_t version) {
      // Neither before a login, nor inside one, nor after a session.
      const bool expired = broker_.process_->loop().now() > session_end_;
      if (broker_.takes_sasl && broker_.has_sasl && (!logged_in_ || logging_in_ || expired)) {
        broker_.rules_broken = true;
        ending_ = true;
        return std::nullopt;
      }
      kafka::MetadataResponse response;
      response.controller_id = broker_.answered++;
      return written(response, version);
    }

    void close() {
      if (!open_) return;
      open_ = false;
      channel_->close();
    }

    SaslBroker& broker_;
    std::unique_ptr<io::FrameChannel> channel_;
    std::deque<Slice> waiting_;
    std::string mechanism_;
    std::unique_ptr<sasl::ScramServer> scram_;
    bool logging_in_ = false;
    bool logged_in_ = false;
    bool done_ = false;
    bool ending_ = false;
    bool open_ = true;
    MonoTime login_began_{};
    MonoTime session_end_ = MonoTime::max();
  };

  std::unique_ptr<io::SimProcess> process_;
  std::unique_ptr<io::Listener> listener_;
  std::vector<std::unique_ptr<Peer>> peers_;
};

class connection_login : public ::testing::Test {
 protected:
  connection_login() {
    set_log_level(LogLevel::debug);
    set_log_sink([this](const LogLine& line) { log_ += std::string(line.text) + "\n"; });
  }
  void TearDown() override {
    set_log_sink({});
    set_log_level(LogLevel::info);
    EXPECT_FALSE(broker.rules_broken);
    EXPECT_EQ(log_.find("canary"), std::string::npos) << "a secret is in the log";
    for (const auto& error : errors)
      EXPECT_EQ(error.message().find("canary"), std::string::npos) << "a secret is in an error";
  }

  Connection& open(sasl::Mechanism mechanism, ClientSasl sasl = {}) {
    if (sasl.username.empty()) sasl.username = "alice";
    if (sasl.password.empty()) sasl.password = password;
    if (!sasl.token_source)
      sasl.token_source = [] {
        return OAuthToken{.value = token, .expires = {}, .extensions = {}};
      };
    connection_.reset();
    transport_ =
        std::make_unique<SecureTransport>(*process,
                                          Security{.protocol = SecurityProtocol::sasl_plaintext,
                                                   .tls = {},
                                                   .mechanism = mechanism,
                                                   .sasl = std::move(sasl)},
                                          10s);
    connection_ = std::make_unique<Connection>(process->loop(), *transport_, world.rng(),
                                               broker.address(), ConnectionOptions{});
    return *connection_;
  }

  void ask(Connection& connection, Duration timeout = 30s) {
    connection.send(make_call<kafka::MetadataRequest, kafka::MetadataResponse>(
        std::make_shared<kafka::MetadataRequest>(), timeout, [this](auto reply) {
          if (reply) {
            order_kept = order_kept && reply->message.controller_id == answers;
            ++answers;
          } else {
            errors.push_back(reply.error());
          }
        }));
  }
  bool run_until(const std::function<bool()>& done) { return world.run_until(done, 1h); }
  const Error& error_of_one_call(Connection& connection) {
    const std::size_t before = errors.size();
    ask(connection);
    check(run_until([&] { return errors.size() > before; }), "a call that should have failed");
    return errors.back();
  }

  io::SimWorld world{5};
  SaslBroker broker{world};
  std::unique_ptr<io::SimProcess> process = world.start_process();
  std::vector<Error> errors;
  int answers = 0;
  bool order_kept = true;

 private:
  std::string log_;
  std::unique_ptr<SecureTransport> transport_;
  std::unique_ptr<Connection> connection_;
};

constexpr sasl::Mechanism all_mechanisms[] = {
    sasl::Mechanism::plain, sasl::Mechanism::scram_sha_256, sasl::Mechanism::scram_sha_512,
    sasl::Mechanism::oauthbearer};

TEST_F(connection_login, each_mechanism_is_let_in) {
  int want = 0;
  for (const auto mechanism : all_mechanisms) {
    ask(open(mechanism));
    EXPECT_TRUE(run_until([&] { return answers == want + 1; })) << sasl::name_of(mechanism);
    EXPECT_EQ(broker.logins, ++want);
  }
  EXPECT_TRUE(errors.empty());
}

TEST_F(connection_login, a_wrong_secret_is_an_error_that_is_not_tried_again) {
  for (const auto mechanism : all_mechanisms) {
    Connection& connection =
        open(mechanism,
             {.mechanism = {}, .username = {}, .password = "wrong-canary", .token_source = [] {
                return OAuthToken{.value = "wrong.canary", .expires = {}};
              }});
    const int refused = broker.refused;
    const Error error = error_of_one_call(connection);
    EXPECT_EQ(error.code(), Errc::sasl_authentication_failed);
    EXPECT_FALSE(error.retriable());
    EXPECT_NE(error.message().find(fmt::format(
                  "127.0.0.1:{}: {} refused: Authentication failed: invalid credentials",
                  broker.address().port, sasl::name_of(mechanism))),
              std::string::npos)
        << error.message();
    if (mechanism == sasl::Mechanism::oauthbearer) {
      EXPECT_NE(error.message().find("invalid_token"), std::string::npos) << error.message();
    }
    world.run_for(1min);
    EXPECT_EQ(broker.refused, refused + 1) << "it was tried again though nobody asked";
  }
}

TEST_F(connection_login, the_next_call_after_a_refusal_waits_for_the_backoff_and_may_succeed) {
  broker.known_password = "something else";
  Connection& connection = open(sasl::Mechanism::scram_sha_512);
  for (int i = 0; i < 4; ++i) error_of_one_call(connection);
  const MonoTime begin = world.clock().now();
  error_of_one_call(connection);
  EXPECT_GE(world.clock().now() - begin, 300ms);
  broker.known_password = password;
  ask(connection);
  EXPECT_TRUE(run_until([&] { return answers == 1; }));
}

TEST_F(connection_login, a_mechanism_that_is_not_offered_is_told_with_those_that_are) {
  broker.offered = {"PLAIN", "GSSAPI"};
  const Error error = error_of_one_call(open(sasl::Mechanism::scram_sha_256));
  EXPECT_EQ(error.code(), Errc::unsupported_sasl_mechanism);
  EXPECT_NE(error.message().find("the broker does not take SCRAM-SHA-256; it takes PLAIN, GSSAPI"),
            std::string::npos);
}

TEST_F(connection_login, a_port_without_sasl_is_told_as_that) {
  broker.takes_sasl = false;
  EXPECT_EQ(error_of_one_call(open(sasl::Mechanism::plain)).code(), Errc::illegal_sasl_state);
  broker.has_sasl = false;
  const Error error = error_of_one_call(open(sasl::Mechanism::plain));
  EXPECT_EQ(error.code(), Errc::illegal_sasl_state);
  EXPECT_NE(error.message().find("security.protocol"), std::string::npos);
}

TEST_F(connection_login, a_client_without_sasl_hears_that_the_port_may_want_it) {
  StreamTransport plain(process->loop(), process->network());
  Connection connection(process->loop(), plain, world.rng(), broker.address(), {});
  const Error error = error_of_one_call(connection);
  EXPECT_EQ(error.code(), Errc::connection_closed);
  EXPECT_NE(error.message().find("does this port want SASL?"), std::string::npos)
      << error.message();
  broker.rules_broken = false;  // by this client, as was meant
}

TEST_F(connection_login, a_broker_that_does_not_know_the_password_is_not_believed) {
  const std::pair<std::string_view, std::function<std::string(std::string)>> forgeries[] = {
      {"signature",
       [](std::string said) {
         if (said.starts_with("v=")) said[2] = said[2] == 'A' ? 'B' : 'A';
         return said;
       }},
      {"goes on", [](std::string said) { return said.starts_with("v=") ? "" : said; }},
      {"nonce", [](const std::string& said) { return "r=other" + said.substr(said.find(",s=")); }},
      {"iterations",
       [](const std::string& said) { return said.substr(0, said.find(",i=")) + ",i=99"; }},
      {"at most 4096", [](const std::string&) { return std::string(5'000'000, 'x'); }},
  };
  for (const auto& [what, forge] : forgeries) {
    broker.forge = forge;
    for (const auto mechanism : {sasl::Mechanism::scram_sha_256, sasl::Mechanism::scram_sha_512}) {
      const Error error = error_of_one_call(open(mechanism));
      EXPECT_EQ(error.code(), Errc::sasl_authentication_failed) << what;
      EXPECT_EQ(answers, 0);
    }
  }
}

TEST_F(connection_login, a_broker_that_never_answers_is_given_up_in_time) {
  broker.answers_sasl = false;
  const MonoTime begin = world.clock().now();
  EXPECT_EQ(error_of_one_call(open(sasl::Mechanism::plain)).code(), Errc::timed_out);
  EXPECT_LE(world.clock().now() - begin, 11s);
}

TEST_F(connection_login, sessions_are_renewed_under_load_and_nothing_is_lost) {
  broker.lifetime_ms = 10'000;
  broker.answer_delay = 20ms;
  for (const auto mechanism : {sasl::Mechanism::scram_sha_512, sasl::Mechanism::oauthbearer}) {
    Connection& connection = open(mechanism);
    const int logins = broker.logins;
    broker.answered = answers = 0;
    int asked = 0;
    const MonoTime end = world.clock().now() + 5min;
    while (world.clock().now() < end) {
      while (asked - answers < 8) {
        ask(connection);
        ++asked;
      }
      ASSERT_TRUE(world.step());
    }
    EXPECT_TRUE(run_until([&] { return answers == asked; }));
    EXPECT_TRUE(errors.empty()) << errors.front().message();
    EXPECT_TRUE(order_kept);
    EXPECT_GE(broker.logins - logins, 30);
    EXPECT_LE(broker.logins - logins, 37);
  }
  EXPECT_EQ(broker.connections(), 2);
}

TEST_F(connection_login, a_call_after_a_long_rest_renews_the_session_first) {
  broker.lifetime_ms = 10'000;
  Connection& connection = open(sasl::Mechanism::scram_sha_256);
  ask(connection);
  ASSERT_TRUE(run_until([&] { return answers == 1; }));
  world.run_for(1h);
  EXPECT_EQ(broker.logins, 1);
  ask(connection);
  ASSERT_TRUE(run_until([&] { return answers == 2; }));
  EXPECT_EQ(broker.logins, 2);
  EXPECT_EQ(broker.connections(), 1);
}

TEST_F(connection_login, a_renewal_that_is_refused_ends_the_connection_with_that) {
  broker.lifetime_ms = 10'000;
  Connection& connection = open(sasl::Mechanism::scram_sha_256);
  ask(connection);
  ASSERT_TRUE(run_until([&] { return answers == 1; }));
  broker.known_password = "changed";
  world.run_for(20s);
  EXPECT_EQ(error_of_one_call(connection).code(), Errc::sasl_authentication_failed);
}

TEST_F(connection_login, a_short_session_is_not_renewed_more_often_than_brokers_take_it) {
  broker.lifetime_ms = 1'300;
  Connection& connection = open(sasl::Mechanism::plain);
  for (int i = 0; i < 1'000; ++i) {
    ask(connection);
    world.run_for(20ms);
  }
  EXPECT_EQ(answers, 1'000);
  EXPECT_GE(broker.logins, 15);
}

TEST_F(connection_login, tokens_are_asked_for_anew_only_when_most_of_their_time_is_over) {
  int fetched = 0;
  const auto source = [&]() -> Result<OAuthToken> {
    ++fetched;
    return OAuthToken{.value = token,
                      .expires = std::chrono::system_clock::time_point(
                          std::chrono::milliseconds(world.clock().wall_ms() + 100'000))};
  };
  broker.lifetime_ms = 10'000;
  Connection& connection = open(sasl::Mechanism::oauthbearer, {.token_source = source});
  for (int i = 0; i < 70; ++i) {
    ask(connection);
    world.run_for(1s);
  }
  EXPECT_EQ(answers, 70);
  EXPECT_EQ(fetched, 1);
  for (int i = 0; i < 30; ++i) {
    ask(connection);
    world.run_for(1s);
  }
  EXPECT_EQ(fetched, 2);
}

TEST_F(connection_login, a_source_of_tokens_that_fails_is_told) {
  const std::pair<OAuthTokenSource, std::string_view> sources[] = {
      {[]() -> Result<OAuthToken> { throw 17; }, "the token source has thrown"},
      {[]() -> Result<OAuthToken> { return fail(Errc::io_error, "no token today"); },
       "no token today"},
      {[]() -> Result<OAuthToken> {
         return OAuthToken{.value = token, .expires = std::chrono::system_clock::time_point()};
       },
       "has expired already"},
      {[]() -> Result<OAuthToken> { return OAuthToken{.value = "a canary", .expires = {}}; },
       "no bearer token has"},
  };
  for (const auto& [source, why] : sources) {
    const Error error =
        error_of_one_call(open(sasl::Mechanism::oauthbearer, {.token_source = source}));
    EXPECT_EQ(error.code(), Errc::sasl_authentication_failed);
    EXPECT_NE(error.message().find(why), std::string::npos) << error.message();
  }
}

TEST_F(connection_login, connections_that_end_at_any_moment_of_a_login_do_no_harm) {
  broker.lifetime_ms = 5'000;
  Connection& connection = open(sasl::Mechanism::scram_sha_256);
  for (int i = 0; i < 200; ++i) {
    for (int k = 0; k < 3; ++k) ask(connection);
    for (int k = 0; k < i % 40; ++k) world.step();
    world.cut_all_connections();
    world.run_for(1s);
  }
  const int before = answers;
  ask(connection);
  EXPECT_TRUE(run_until([&] { return answers > before; }));
}

/// Lets connections through until the brokers stop believing us.
class FickleTransport final : public Transport {
 public:
  FickleTransport(io::Loop& loop, io::Network& network) : through_(loop, network) {}
  void connect(const io::Endpoint& to, ChannelDone done) override {
    if (refuses) {
      ++refused;
      return done(fail(Errc::sasl_authentication_failed, "SCRAM-SHA-512 refused: it was changed"));
    }
    through_.connect(to, std::move(done));
  }
  bool refuses = false;
  int refused = 0;

 private:
  StreamTransport through_;
};

class refused_later : public ::testing::Test {
 protected:
  void refuse() {
    transport.refuses = true;
    world.cut_all_connections();
  }

  io::SimWorld world{3};
  FakeCluster cluster{world, 2};
  std::unique_ptr<io::SimProcess> process = world.start_process();
  FickleTransport transport{process->loop(), process->network()};
  const ClusterOptions options{.bootstrap = {cluster.address()}};
};

TEST_F(refused_later, records_fail_at_once_and_not_at_their_deadline) {
  cluster.add_topic("t", 1);
  ProducerCore producer(process->loop(), transport, process->rng(), options,
                        checked(ProducerOptions{}).value());
  int delivered = 0;
  std::vector<Error> errors;
  const auto send = [&](const std::string& topic) {
    const auto sent = producer.send({.topic = topic, .value = "v"}, [&](auto where) {
      if (where) {
        ++delivered;
      } else {
        errors.push_back(where.error());
      }
    });
    ASSERT_TRUE(sent);
  };
  send("t");
  ASSERT_TRUE(world.run_until([&] { return delivered == 1; }, 10s));
  refuse();
  send("t");
  send("unknown yet");
  ASSERT_TRUE(world.run_until([&] { return errors.size() == 2; }, 10s));
  for (const Error& error : errors) {
    EXPECT_EQ(error.code(), Errc::sasl_authentication_failed);
    EXPECT_NE(error.message().find("it was changed"), std::string::npos);
  }
  // Whatever asks for metadata does so with pauses.
  const int before = transport.refused;
  world.run_for(60s);
  EXPECT_LT(transport.refused - before, 300);
}

TEST_F(refused_later, a_poll_tells_it) {
  cluster.add_topic("t", 1);
  ConsumerCore consumer(process->loop(), transport, process->rng(), options,
                        checked(ConsumerOptions{}).value());
  ASSERT_TRUE(consumer.assign({{"t", 0}}));
  world.run_for(1s);
  refuse();
  std::optional<Error> error;
  for (int i = 0; i < 20 && !error; ++i) {
    bool done = false;
    consumer.poll(process->loop().now() + 1s, [&](auto batches) {
      if (!batches) error = batches.error();
      done = true;
    });
    ASSERT_TRUE(world.run_until([&] { return done; }, 5s));
  }
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), Errc::sasl_authentication_failed);
}

}  // namespace
}  // namespace weir::client
