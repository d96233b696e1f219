// The client against our server, against servers that do everything wrong, and over TLS.
#include "http/client.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/log.h"
#include "http/server.h"
#include "io/sim_runtime.h"
#include "io/tls_test_kit.h"

namespace weir::http {
namespace {

using namespace std::chrono_literals;

/// What a server made by hand does with one connection.
struct Script {
  std::vector<std::string> answers;  // one for each time that bytes come
  bool ends = false;                 // the connection, behind the last
};

/// Answers what comes as its scripts say, one a connection, the last again and again.
class HandMade {
 public:
  HandMade(io::Runtime& runtime, std::uint16_t port, std::vector<Script> scripts)
      : scripts_(std::move(scripts)) {
    listener_ = runtime.network()
                    .listen({.host = "127.0.0.1", .port = port},
                            [this](auto stream) { accept(std::move(stream)); })
                    .value();
  }
  std::size_t accepted() const { return all_.size(); }
  const std::string& got(std::size_t connection) const { return all_.at(connection)->got; }
  void say(std::size_t connection, std::string_view bytes) {
    all_.at(connection)->stream->write(Slice::copy_of(bytes));
  }
  void end(std::size_t connection) { all_.at(connection)->stream.reset(); }

 private:
  struct One final : io::StreamHandler {
    void on_readable() override {
      char buffer[4096];
      for (;;) {
        const auto n = stream->read_some(buffer, sizeof buffer);
        if (!n) return stream.reset();
        if (*n == 0) break;
        got.append(buffer, *n);
      }
      if (!got.ends_with("\r\n\r\n") || said == script.answers.size()) return;
      stream->write(Slice::copy_of(script.answers[said++]));
    }
    void on_drained() override {
      if (script.ends && said == script.answers.size()) stream.reset();
    }
    void on_closed(const Error&) override { stream.reset(); }

    std::unique_ptr<io::Stream> stream;
    Script script;
    std::size_t said = 0;
    std::string got;
  };

  void accept(std::unique_ptr<io::Stream> stream) {
    auto one = std::make_unique<One>();
    one->script = scripts_[std::min(all_.size(), scripts_.size() - 1)];
    one->stream = std::move(stream);
    one->stream->set_handler(one.get());
    all_.push_back(std::move(one));
  }

  std::vector<Script> scripts_;
  std::vector<std::unique_ptr<One>> all_;
  std::unique_ptr<io::Listener> listener_;
};

constexpr std::size_t big_bytes = 300'000;
const std::string small = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class HttpClient : public ::testing::Test {
 protected:
  HttpClient() : world_(7), servers_(world_.start_process()), clients_(world_.start_process()) {
    set_log_level(LogLevel::off);
  }
  ~HttpClient() override {
    client_.reset();
    clients_->kill();
    hand_made_.reset();
    server_.reset();
    kept_.clear();
    servers_->kill();
    set_log_level(LogLevel::info);
  }

  void serve(ServerOptions options = {}) {
    Router router;
    router.add("GET", "/hello", [](Request request, Reply reply) {
      reply(Response::text(200, request.path + "?" + request.query));
    });
    router.add(
        "POST", "/echo",
        [](Request request, Reply reply) {
          Response response = Response::json(201, request.body);
          response.headers.push_back({"X-Was", std::string(request.headers.value_or("x-is", ""))});
          reply(std::move(response));
        },
        {.body_bytes = 100});
    router.add("GET", "/big", [](Request, Reply reply) {
      reply(Response::text(200, std::string(big_bytes, 'x')));
    });
    router.add("GET", "/later",
               [this](Request, Reply reply) { kept_.push_back(std::move(reply)); });
    options.at.port = port;
    server_ = Server::start(*servers_, std::move(options), std::move(router)).value();
  }
  HandMade& hand_made(std::vector<Script> scripts) {
    hand_made_ = std::make_unique<HandMade>(*servers_, port, std::move(scripts));
    return *hand_made_;
  }
  void start(ClientOptions options = {}) {
    client_ = std::make_unique<Client>(*clients_, std::move(options));
  }

  static Request request(std::string method, std::string path, std::string body = "") {
    Request out;
    out.method = std::move(method);
    out.path = std::move(path);
    out.body = std::move(body);
    return out;
  }
  static Url url(std::string_view text = "http://127.0.0.1:8080") {
    return Url::parse(text).value();
  }
  /// Sends; what comes of it will be in the answer's place.
  using Place = std::shared_ptr<std::optional<Result<Response>>>;
  Place send(Request request, Duration timeout = 10s, const Url& to = url()) {
    auto place = std::make_shared<std::optional<Result<Response>>>();
    client_->send(to, std::move(request), timeout, [place](auto answer) {
      ASSERT_FALSE(place->has_value()) << "told twice";
      *place = std::move(answer);
    });
    EXPECT_FALSE(place->has_value()) << "told inside the call";
    return place;
  }
  Result<Response> wait(const Place& place) {
    if (!world_.run_until([&] { return place->has_value(); }, 1h))
      return fail(Errc::unknown_server_error, "never told");
    return **place;
  }
  Result<Response> ask(Request request, Duration timeout = 10s, const Url& to = url()) {
    return wait(send(std::move(request), timeout, to));
  }
  Errc error_of(const Result<Response>& answer) {
    if (answer) return Errc::none;
    message_ = answer.error().message();
    return answer.error().code();
  }
  bool told(std::string_view words) const { return message_.find(words) != std::string::npos; }

  static constexpr std::uint16_t port = 8080;
  io::SimWorld world_;
  std::unique_ptr<io::SimProcess> servers_;
  std::unique_ptr<io::SimProcess> clients_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<HandMade> hand_made_;
  std::unique_ptr<Client> client_;
  std::vector<Reply> kept_;
  std::string message_;
};

TEST_F(HttpClient, asks_and_is_answered) {
  serve();
  start();
  const auto hello = ask(request("GET", "/hello"), 10s, url("http://127.0.0.1:8080/?x=1"));
  ASSERT_TRUE(hello) << hello.error().message();
  EXPECT_EQ(hello->status, 200);
  EXPECT_EQ(hello->content_type, "text/plain; charset=utf-8");
  EXPECT_EQ(hello->body, "/hello?x=1");
  Request post = request("POST", "/echo", "some bytes");
  post.headers.add("X-Is", "here");
  const auto echo = ask(std::move(post));
  ASSERT_TRUE(echo) << echo.error().message();
  EXPECT_EQ(echo->status, 201);
  EXPECT_EQ(echo->body, "some bytes");
  EXPECT_EQ(std::ranges::count_if(echo->headers, [](const Header& h) { return h.value == "here"; }),
            1);
  const auto head = ask(request("HEAD", "/hello"));
  ASSERT_TRUE(head);
  EXPECT_EQ(head->body, "");
  const auto big = ask(request("GET", "/big"));
  ASSERT_TRUE(big) << big.error().message();
  EXPECT_EQ(big->body.size(), big_bytes);
  EXPECT_EQ(ask(request("GET", "/nowhere"))->status, 404);
  EXPECT_EQ(server_->counters().connections, 1U);
}

TEST_F(HttpClient, the_request_is_written_as_it_was_given) {
  HandMade& server = hand_made({{{small}}});
  start();
  Request one = request("DELETE", "/b", "");
  one.query = "y=2";
  one.headers.add("Accept", "text/plain");
  ASSERT_TRUE(ask(std::move(one), 1s, url("http://127.0.0.1:8080/a/?x=1")));
  EXPECT_EQ(server.got(0),
            "DELETE /a/b?x=1&y=2 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAccept: text/plain\r\n\r\n");
}

TEST_F(HttpClient, a_connection_is_used_again_until_it_is_idle_for_too_long) {
  serve();
  start({.tls = nullptr, .idle_time = 5s});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(ask(request("GET", "/hello")));
  EXPECT_EQ(server_->counters().connections, 1U);
  EXPECT_EQ(client_->connections(), 1U);
  world_.run_for(6s);
  EXPECT_EQ(client_->connections(), 0U);
  EXPECT_TRUE(ask(request("GET", "/hello")));
  EXPECT_EQ(server_->counters().connections, 2U);
}

TEST_F(HttpClient, requests_beyond_the_connections_wait_and_beyond_the_queue_are_refused) {
  serve();
  start({.tls = nullptr, .connections = 2, .queued = 1});
  std::vector<Place> all;
  for (int i = 0; i < 5; ++i) all.push_back(send(request("GET", "/later")));
  EXPECT_EQ(error_of(wait(all[3])), Errc::queue_full);
  EXPECT_EQ(error_of(wait(all[4])), Errc::queue_full);
  ASSERT_TRUE(world_.run_until([&] { return kept_.size() == 2; }, 1s));
  world_.run_for(1s);
  EXPECT_EQ(kept_.size(), 2U);
  EXPECT_EQ(client_->connections(), 2U);
  kept_[1](Response::text(200, "x"));
  ASSERT_TRUE(world_.run_until([&] { return kept_.size() == 3; }, 1s));
  kept_[0](Response::text(200, "x"));
  kept_[2](Response::text(200, "x"));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(wait(all[static_cast<std::size_t>(i)])) << i;
  EXPECT_EQ(server_->counters().connections, 2U);
}

TEST_F(HttpClient, at_its_limit_an_idle_connection_to_another_server_makes_room) {
  HandMade other(*servers_, 8082, {{{small}}});
  serve();
  start({.tls = nullptr, .connections = 1});
  EXPECT_TRUE(ask(request("GET", "/hello")));
  EXPECT_TRUE(ask(request("GET", "/"), 1s, url("http://127.0.0.1:8082")));
  EXPECT_EQ(client_->connections(), 1U);
  EXPECT_TRUE(ask(request("GET", "/hello")));
  EXPECT_EQ(server_->counters().connections, 2U);
}

TEST_F(HttpClient, times_out_and_says_where) {
  serve();
  start({.tls = nullptr, .connections = 1});
  const Place slow = send(request("GET", "/later"), 2s);
  const Place waiting = send(request("GET", "/later"), 1s);
  EXPECT_EQ(error_of(wait(waiting)), Errc::timed_out);
  EXPECT_TRUE(told("http://127.0.0.1:8080: timed out while waiting for a connection")) << message_;
  EXPECT_EQ(error_of(wait(slow)), Errc::timed_out);
  EXPECT_TRUE(told("before a whole answer")) << message_;
  EXPECT_EQ(client_->connections(), 0U);
  // The late answer does not become that of the next request.
  const Place next = send(request("GET", "/hello"));
  kept_.front()(Response::text(200, "late"));
  EXPECT_EQ(wait(next)->body, "/hello?");
}

TEST_F(HttpClient, a_body_that_stops_is_not_waited_for_longer) {
  hand_made({{{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"}}});
  start();
  EXPECT_EQ(error_of(ask(request("GET", "/"), 3s)), Errc::timed_out);
}

TEST_F(HttpClient, connections_that_are_given_up_while_they_open_are_taken_over_or_bounded) {
  HandMade other(*servers_, 8082, {{{small}}});
  serve();
  start({.tls = nullptr, .connections = 1});
  // It goes on being opened, and the next request to the same server has it.
  EXPECT_EQ(error_of(ask(request("GET", "/hello"), 1ns)), Errc::timed_out);
  EXPECT_TRUE(told("while connecting")) << message_;
  EXPECT_EQ(client_->connections(), 1U);
  EXPECT_TRUE(ask(request("GET", "/hello")));
  EXPECT_EQ(server_->counters().connections, 1U);
  // A request to another server takes its place, one at a time: the second waits for the network.
  for (int i = 0; i < 3; ++i) {
    const Url to = url(i % 2 == 0 ? "http://127.0.0.1:8082" : "http://127.0.0.1:8080");
    EXPECT_EQ(error_of(ask(request("GET", "/"), 1ns, to)), Errc::timed_out);
    EXPECT_LE(client_->connections(), 1U);
  }
  EXPECT_TRUE(ask(request("GET", "/hello")));
  EXPECT_TRUE(ask(request("GET", "/"), 1s, url("http://127.0.0.1:8082")));
}

TEST_F(HttpClient, nobody_listens) {
  start();
  EXPECT_EQ(error_of(ask(request("GET", "/"))), Errc::connection_refused);
  EXPECT_EQ(client_->connections(), 0U);
}

TEST_F(HttpClient, a_kept_connection_that_dies_costs_an_idempotent_request_nothing) {
  HandMade& server = hand_made({{{small, ""}, true}, {{small, ""}, true}, {{small}}});
  start();
  EXPECT_TRUE(ask(request("GET", "/1")));
  EXPECT_EQ(ask(request("GET", "/2"))->body, "ok");
  EXPECT_EQ(server.accepted(), 2U);
  EXPECT_NE(server.got(0).find("/2"), std::string::npos);
  EXPECT_NE(server.got(1).find("/2"), std::string::npos);
  EXPECT_EQ(error_of(ask(request("POST", "/3"))), Errc::connection_closed);
  EXPECT_TRUE(told("may have been carried out")) << message_;
  EXPECT_EQ(server.accepted(), 2U);
}

TEST_F(HttpClient, one_that_dies_in_an_answer_or_twice_fails) {
  HandMade& server =
      hand_made({{{small, "H"}, true}, {{small, ""}, true}, {{""}, true}, {{small}}});
  start();
  EXPECT_TRUE(ask(request("GET", "/1")));
  EXPECT_EQ(error_of(ask(request("GET", "/2"))), Errc::connection_closed);
  EXPECT_TRUE(told("before the answer was whole")) << message_;
  EXPECT_EQ(server.accepted(), 1U);
  EXPECT_TRUE(ask(request("GET", "/3")));
  EXPECT_EQ(error_of(ask(request("GET", "/4"))), Errc::connection_closed);
  EXPECT_TRUE(told("before an answer")) << message_;
  EXPECT_EQ(server.accepted(), 3U);
}

TEST_F(HttpClient, a_connection_that_its_server_has_ended_is_not_used_again) {
  HandMade& server = hand_made({{{small}}});
  start();
  EXPECT_TRUE(ask(request("POST", "/1")));
  server.end(0);
  world_.run_for(1s);
  EXPECT_EQ(client_->connections(), 0U);
  EXPECT_TRUE(ask(request("POST", "/2")));
}

TEST_F(HttpClient, an_answer_that_nobody_asked_for_is_not_that_of_the_next_request) {
  const std::string two = small + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
  HandMade& server = hand_made({{{two}}, {{small}}, {{small}}});
  start();
  EXPECT_EQ(ask(request("GET", "/1"))->body, "ok");
  EXPECT_EQ(ask(request("GET", "/2"))->body, "ok");
  EXPECT_EQ(server.accepted(), 2U);
  // Later, and just before the connection is used again.
  server.say(1, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
  world_.run_for(1s);
  EXPECT_EQ(client_->connections(), 0U);
  EXPECT_EQ(ask(request("GET", "/3"))->body, "ok");
  EXPECT_EQ(server.accepted(), 3U);
}

TEST_F(HttpClient, answers_end_where_they_say) {
  hand_made({{{"HTTP/1.1 200 OK\r\n\r\nto the end"}, true},
             {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"}},
             {{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"}, true}});
  start({.tls = nullptr, .idle_time = 1ms});
  EXPECT_EQ(ask(request("GET", "/"))->body, "to the end");
  EXPECT_EQ(ask(request("GET", "/"))->body, "ab");
  world_.run_for(1s);
  EXPECT_EQ(error_of(ask(request("GET", "/"))), Errc::connection_closed);
}

TEST_F(HttpClient, what_is_no_answer_is_refused_and_the_connection_with_it) {
  const std::pair<std::string, Errc> wrong[] = {
      {"SSH-2.0-x\r\n", Errc::protocol_error},
      {"HTTP/1.1 200 OK\nA: b\n\n", Errc::protocol_error},
      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", Errc::protocol_error},
      {"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n", Errc::limit_exceeded},
      {"HTTP/1.1 200 OK\r\n\r\n01234567890", Errc::limit_exceeded},
      {"HTTP/1.1 200 OK\r\nA: " + std::string(70'000, 'x'), Errc::limit_exceeded},
  };
  std::vector<Script> scripts;
  for (const auto& [bytes, code] : wrong) scripts.push_back({{bytes}});
  hand_made(std::move(scripts));
  start({.tls = nullptr, .answer_bytes = 10});
  for (const auto& [bytes, code] : wrong) {
    EXPECT_EQ(error_of(ask(request("GET", "/"))), code) << message_;
    EXPECT_EQ(client_->connections(), 0U);
  }
}

TEST_F(HttpClient, what_cannot_be_sent_is_refused) {
  serve();
  start();
  std::vector<Request> all{
      request("GET X", "/"),  request("CONNECT", "/"),     request("", "/"),
      request("GET", "/a b"), request("GET", "/\r\nX: y"), request("GET", "hello")};
  const std::pair<std::string, std::string> headers[] = {{"A", "b\r\nC: d"},
                                                         {"A b", "c"},
                                                         {"", "c"},
                                                         {"Host", "evil"},
                                                         {"content-length", "1"},
                                                         {"Transfer-Encoding", "chunked"},
                                                         {"Connection", "close"}};
  for (const auto& [name, value] : headers) {
    all.push_back(request("GET", "/hello"));
    all.back().headers.add(name, value);
  }
  for (Request& one : all) EXPECT_EQ(error_of(ask(std::move(one))), Errc::invalid_argument);
  EXPECT_EQ(error_of(ask(request("GET", "/"), 1s, url("https://127.0.0.1:8080"))),
            Errc::invalid_argument);
  EXPECT_TRUE(told("https needs TLS")) << message_;
  EXPECT_EQ(server_->counters().connections, 0U);
}

TEST_F(HttpClient, destroyed_it_tells_all_that_is_under_way) {
  serve();
  start({.tls = nullptr, .connections = 1});
  EXPECT_TRUE(ask(request("GET", "/hello")));
  const Place busy = send(request("GET", "/later"));
  const Place waiting = send(request("GET", "/later"));
  const Place refused = send(request("CONNECT", "/"));
  client_.reset();
  for (const Place& place : {busy, waiting, refused}) {
    ASSERT_TRUE(place->has_value());
    EXPECT_EQ(error_of(**place), Errc::closed);
  }
  world_.run_for(1min);
}

TEST_F(HttpClient, an_answer_may_send_the_next_and_destroy_the_client) {
  serve();
  start();
  int told = 0;
  client_->send(url(), request("GET", "/hello"), 1s, [&](auto first) {
    EXPECT_TRUE(first);
    client_->send(url(), request("GET", "/hello"), 1s, [&](auto second) {
      EXPECT_TRUE(second);
      ++told;
      client_.reset();
    });
    client_->send(url(), request("GET", "/later"), 1s, [&](auto third) {
      EXPECT_EQ(error_of(third), Errc::closed);
      ++told;
    });
  });
  EXPECT_TRUE(world_.run_until([&] { return told == 2; }, 10s));
  world_.run_for(1min);
}

TEST_F(HttpClient, cut_connections_are_told_wherever_they_are_cut) {
  serve();
  start({.tls = nullptr, .connections = 2});
  for (int i = 0; i < 60; ++i) {
    std::vector<Place> all;
    for (int k = 0; k < 4; ++k) all.push_back(send(request("GET", "/big")));
    world_.run_for(std::chrono::microseconds(100 * i));
    world_.cut_all_connections();
    for (const Place& place : all) {
      const auto answer = wait(place);
      if (answer)
        EXPECT_EQ(answer->body.size(), big_bytes);
      else
        EXPECT_EQ(answer.error().code(), Errc::connection_closed) << answer.error().message();
    }
  }
}

class HttpsClient : public HttpClient {
 protected:
  std::int64_t now_s() const { return world_.clock().wall_ms() / 1000; }
  io::TlsOptions trusting(const io::TestAuthority& authority) {
    return {.trust = authority.certificate(), .trust_origin = "the test's authority"};
  }
  /// A server of TLS that answers every request with `answer` and ends then, in good order or not.
  struct Secure final : io::StreamHandler {
    void on_readable() override {
      char buffer[4096];
      for (auto n = stream->read_some(buffer, sizeof buffer); n && *n > 0;
           n = stream->read_some(buffer, sizeof buffer))
        got.append(buffer, *n);
      if (got.ends_with("\r\n\r\n") && !std::exchange(answered, true))
        stream->write(Slice::copy_of(answer));
    }
    void on_drained() override {}
    void on_closed(const Error&) override {}

    io::Stream* below = nullptr;
    std::unique_ptr<io::Stream> stream;
    std::string answer;
    std::string got;
    bool answered = false;
  };
  void serve_tls(const io::TlsOptions& options, std::string answer = small) {
    const auto context = io::TlsContext::server(options).value();
    listener_ = servers_->network()
                    .listen({.host = "127.0.0.1", .port = port},
                            [this, context, answer](auto stream) {
                              secure_.below = stream.get();
                              secure_.answer = answer;
                              io::start_tls_server(servers_->loop(), std::move(stream),
                                                   {.context = context}, [this](auto done) {
                                                     if (!done) return;
                                                     secure_.stream = std::move(*done);
                                                     secure_.stream->set_handler(&secure_);
                                                   });
                            })
                    .value();
  }
  void start_tls(const io::TlsOptions& options) {
    start({.tls = io::TlsContext::client(options).value()});
  }
  static Url https(std::string_view host = "127.0.0.1") {
    return url("https://" + std::string(host) + ":8080");
  }
  ~HttpsClient() override { secure_.stream.reset(); }

  io::TestAuthority authority_{now_s()};
  io::TestCertificate certificate_ =
      authority_.sign({.hosts = {"shop.test"}, .addresses = {"127.0.0.1"}});
  std::unique_ptr<io::Listener> listener_;
  Secure secure_;
};

TEST_F(HttpsClient, asks_over_tls) {
  serve_tls({.identity = io::identity_of(certificate_)});
  start_tls(trusting(authority_));
  const auto answer = ask(request("GET", "/"), 10s, https());
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->body, "ok");
  EXPECT_NE(secure_.got.find("Host: 127.0.0.1:8080\r\n"), std::string::npos);
}

TEST_F(HttpsClient, our_server_speaks_it_too) {
  ServerOptions options;
  options.tls = io::TlsContext::server({.identity = io::identity_of(certificate_)}).value();
  serve(std::move(options));
  start_tls(trusting(authority_));
  for (int i = 0; i < 3; ++i) {
    const auto answer = ask(request("GET", "/big"), 10s, https());
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(answer->body.size(), big_bytes);
  }
  EXPECT_EQ(ask(request("POST", "/echo", "x"), 10s, https())->body, "x");
  EXPECT_EQ(server_->counters().connections, 1U);
  EXPECT_EQ(server_->counters().handshakes_failed, 0U);
}

TEST_F(HttpsClient, a_request_in_plain_text_hears_that_our_server_wants_tls) {
  ServerOptions options;
  options.tls = io::TlsContext::server({.identity = io::identity_of(certificate_)}).value();
  serve(std::move(options));
  world_.set_options({.split_one_in = 0});
  start();
  EXPECT_EQ(error_of(ask(request("GET", "/hello"))), Errc::protocol_error);
  EXPECT_TRUE(told("the port speaks TLS; want https://")) << message_;
  EXPECT_EQ(server_->counters().handshakes_failed, 1U);
  EXPECT_EQ(server_->connections(), 0U);
}

TEST_F(HttpsClient, handshakes_with_our_server_have_a_time_and_count_as_connections) {
  ServerOptions options;
  options.tls = io::TlsContext::server({.identity = io::identity_of(certificate_)}).value();
  options.limits.connections = 2;
  options.limits.handshake_time = 3s;
  serve(std::move(options));
  std::vector<std::unique_ptr<io::Stream>> silent;
  for (int i = 0; i < 3; ++i)
    clients_->network().connect({.host = "127.0.0.1", .port = port},
                                [&](auto stream) { silent.push_back(std::move(*stream)); });
  world_.run_for(1s);
  EXPECT_EQ(server_->connections(), 2U);
  EXPECT_EQ(server_->counters().refused, 1U);
  world_.run_for(3s);
  EXPECT_EQ(server_->connections(), 0U);
  EXPECT_EQ(server_->counters().handshakes_failed, 2U);
  start_tls(trusting(authority_));
  const Place last = send(request("GET", "/hello"), 10s, https());
  world_.run_until([&] { return server_->connections() > 0; }, 1s);
  server_.reset();  // in the handshake
  EXPECT_FALSE(wait(last));
}

TEST_F(HttpsClient, shows_its_certificate_and_is_told_when_it_is_wanted) {
  io::TlsOptions strict = trusting(authority_);
  strict.identity = io::identity_of(certificate_);
  strict.client_auth = io::ClientAuth::required;
  serve_tls(strict);
  start_tls(trusting(authority_));
  EXPECT_EQ(error_of(ask(request("GET", "/"), 10s, https())), Errc::tls_handshake_failed);
  io::TlsOptions known = trusting(authority_);
  known.identity = io::identity_of(authority_.sign({.name = "alice"}));
  start_tls(known);
  EXPECT_TRUE(ask(request("GET", "/"), 10s, https()));
}

TEST_F(HttpsClient, believes_neither_another_authority_nor_another_name) {
  serve_tls({.identity = io::identity_of(certificate_)});
  start_tls(trusting(io::TestAuthority(now_s(), "somebody else")));
  EXPECT_EQ(error_of(ask(request("GET", "/"), 10s, https())), Errc::tls_handshake_failed);
  EXPECT_TRUE(told("https://127.0.0.1:8080: ")) << message_;
  start_tls(trusting(authority_));
  EXPECT_EQ(error_of(ask(request("GET", "/"), 10s, https("other.test"))),
            Errc::tls_handshake_failed);
  EXPECT_TRUE(told("shop.test")) << message_;
  EXPECT_EQ(client_->connections(), 0U);
}

TEST_F(HttpsClient, a_server_in_plain_text_and_a_silent_one_are_told) {
  serve();
  start_tls(trusting(authority_));
  EXPECT_EQ(error_of(ask(request("GET", "/"), 10s, https())), Errc::tls_handshake_failed);
  server_.reset();
  hand_made({{}});
  const Place first = send(request("GET", "/"), 2s, https());
  EXPECT_EQ(error_of(wait(first)), Errc::timed_out);
  EXPECT_TRUE(told("in the TLS handshake")) << message_;
  // It goes on alone; the next request to the same server takes it over.
  EXPECT_EQ(error_of(ask(request("GET", "/"), 2s, https())), Errc::timed_out);
  EXPECT_EQ(hand_made_->accepted(), 1U);
  world_.run_for(1min);
  EXPECT_EQ(client_->connections(), 0U);
}

TEST_F(HttpsClient, a_body_to_the_end_is_whole_only_if_tls_was_ended) {
  serve_tls({.identity = io::identity_of(certificate_)}, "HTTP/1.1 200 OK\r\n\r\nhalf");
  start_tls(trusting(authority_));
  // The simulated network may end a connection with half of its last word.
  world_.set_options({.split_one_in = 0});
  const auto ask_and_end = [&](const std::function<void()>& end) {
    secure_.answered = false;
    secure_.got.clear();
    const Place place = send(request("GET", "/"), 10s, https());
    EXPECT_TRUE(world_.run_until([&] { return secure_.answered; }, 1s));
    world_.run_for(1s);
    EXPECT_FALSE(place->has_value());
    end();
    return wait(place);
  };
  const auto whole = ask_and_end([&] { secure_.stream.reset(); });
  ASSERT_TRUE(whole) << whole.error().message();
  EXPECT_EQ(whole->body, "half");
  EXPECT_EQ(error_of(ask_and_end([&] { secure_.below->close(); })), Errc::connection_closed);
  EXPECT_TRUE(told("without ending TLS")) << message_;
}

}  // namespace
}  // namespace weir::http
