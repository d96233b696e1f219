#include "http/server.h"

#include <gtest/gtest.h>

#include "base/log.h"
#include "io/sim_runtime.h"

namespace weir::http {
namespace {

using namespace std::chrono_literals;

/// A client that sends bytes and keeps what comes.
class Client final : public io::StreamHandler {
 public:
  Client(io::Runtime& runtime, std::uint16_t port) {
    runtime.network().connect({.host = "127.0.0.1", .port = port},
                              [this](Result<std::unique_ptr<io::Stream>> stream) {
                                ASSERT_TRUE(stream);
                                stream_ = std::move(*stream);
                                stream_->set_handler(this);
                                for (const auto& bytes : std::exchange(early_, {})) send(bytes);
                              });
  }

  void send(std::string_view bytes) {
    if (stream_ == nullptr) {
      early_.emplace_back(bytes);
    } else {
      stream_->write(Slice::copy_of(bytes));
    }
  }
  const std::string& got() const { return got_; }
  bool closed() const { return closed_; }
  std::size_t answers() const {
    std::size_t n = 0;
    for (auto at = got_.find("HTTP/1.1 "); at != got_.npos; at = got_.find("HTTP/1.1 ", at + 1))
      ++n;
    return n;
  }

 private:
  void on_readable() override {
    char buffer[4096];
    for (;;) {
      auto n = stream_->read_some(buffer, sizeof buffer);
      if (!n) return on_closed(n.error());
      if (*n == 0) return;
      got_.append(buffer, *n);
    }
  }
  void on_drained() override {}
  void on_closed(const Error&) override {
    closed_ = true;
    stream_.reset();
  }

  std::unique_ptr<io::Stream> stream_;
  std::vector<std::string> early_;
  std::string got_;
  bool closed_ = false;
};

std::string get(std::string_view path, std::string_view more = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(more) +
         "\r\n";
}

std::string post(std::string_view path, std::string_view more, std::string_view body) {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(more) + "\r\n" + std::string(body);
}

class HttpServer : public ::testing::Test {
 protected:
  HttpServer() : world_(11), process_(world_.start_process()), clients_(world_.start_process()) {
    set_log_level(LogLevel::off);
  }
  ~HttpServer() override {
    clients_->kill();
    all_.clear();
    kept_.clear();
    server_.reset();
    process_->kill();
    set_log_level(LogLevel::info);
  }

  void start(ServerOptions options = {}) {
    Router router;
    router.add("GET", "/hello",
               [](Request, Reply reply) { reply(Response::text(200, "hello\n")); });
    router.add("GET", "/big", [](Request, Reply reply) {
      reply(Response::text(200, std::string(1U << 20U, 'x')));
    });
    router.add("POST", "/echo/{name}",
               [](Request request, Reply reply) {
                 reply(Response::json(201, request.parameter("name") + "=" + request.body));
               },
               {.body_bytes = 10});
    router.add("GET", "/later",
               [this](Request, Reply reply) { kept_.push_back(std::move(reply)); });
    router.add("GET", "/dropped", [](Request, Reply) {});
    router.add("GET", "/bad", [](Request, Reply reply) {
      Response response = Response::text(200, "x");
      response.headers.push_back({"X-A", "1\r\nX-B: 2"});
      reply(std::move(response));
    });
    options.at.port = port;
    server_ = Server::start(*process_, std::move(options), std::move(router)).value();
  }

  Client& client() {
    all_.push_back(std::make_unique<Client>(*clients_, port));
    return *all_.back();
  }
  Client& ask(std::string_view bytes) {
    Client& one = client();
    one.send(bytes);
    world_.run_for(500ms);
    return one;
  }
  bool run_until(const std::function<bool()>& done, Duration deadline) {
    return world_.run_until(done, deadline);
  }

  static constexpr std::uint16_t port = 8080;
  io::SimWorld world_;
  std::unique_ptr<io::SimProcess> process_;
  std::unique_ptr<io::SimProcess> clients_;
  std::unique_ptr<Server> server_;
  std::vector<std::unique_ptr<Client>> all_;
  std::vector<Reply> kept_;
};

#define EXPECT_ANSWER(client, status) \
  EXPECT_TRUE((client).got().starts_with("HTTP/1.1 " #status " ")) << (client).got()

TEST_F(HttpServer, a_request_is_answered_and_the_connection_stays) {
  start();
  Client& one = ask(get("/hello"));
  EXPECT_ANSWER(one, 200);
  EXPECT_TRUE(
      one.got().ends_with("Content-Length: 6\r\nX-Content-Type-Options: nosniff\r\n\r\nhello\n"));
  one.send(get("/hello"));
  world_.run_for(500ms);
  EXPECT_EQ(one.answers(), 2U);
  EXPECT_FALSE(one.closed());
}

TEST_F(HttpServer, requests_sent_at_once_are_answered_in_their_order) {
  start();
  Client& one = ask(post("/echo/1", "", "a") + get("/hello") + post("/echo/2", "", "b"));
  EXPECT_EQ(one.answers(), 3U);
  EXPECT_LT(one.got().find("1=a"), one.got().find("hello\n"));
  EXPECT_LT(one.got().find("hello\n"), one.got().find("2=b"));
}

TEST_F(HttpServer, an_answer_may_come_later_and_holds_the_next_request_back) {
  start();
  Client& one = ask(get("/later") + get("/hello"));
  EXPECT_EQ(one.got(), "");
  ASSERT_EQ(kept_.size(), 1U);
  kept_.front()(Response::text(200, "now\n"));
  world_.run_for(500ms);
  EXPECT_EQ(one.answers(), 2U);
  EXPECT_LT(one.got().find("now\n"), one.got().find("hello\n"));
}

TEST_F(HttpServer, an_answer_to_a_client_that_has_gone_is_nothing) {
  start();
  ask(get("/later"));
  ASSERT_EQ(kept_.size(), 1U);
  world_.cut_all_connections();
  world_.run_for(1s);
  EXPECT_EQ(server_->connections(), 0U);
  kept_.front()(Response::text(200, "now\n"));
}

TEST_F(HttpServer, a_handler_that_drops_its_reply_or_says_what_cannot_be_sent_gives_500) {
  start();
  EXPECT_ANSWER(ask(get("/dropped")), 500);
  Client& bad = ask(get("/bad"));
  EXPECT_ANSWER(bad, 500);
  EXPECT_EQ(bad.got().find("X-B"), std::string::npos);
}

TEST_F(HttpServer, head_has_the_length_and_no_body) {
  start();
  Client& one = ask("HEAD /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_ANSWER(one, 200);
  EXPECT_NE(one.got().find("Content-Length: 6\r\n"), std::string::npos);
  EXPECT_TRUE(one.got().ends_with("\r\n\r\n"));
}

TEST_F(HttpServer, close_and_http_1_0_end_the_connection) {
  start();
  for (const std::string& bytes : {get("/hello", "Connection: close\r\n"),
                                   std::string("GET /hello HTTP/1.0\r\nHost: localhost\r\n\r\n")}) {
    Client& one = ask(bytes);
    EXPECT_ANSWER(one, 200);
    EXPECT_NE(one.got().find("Connection: close\r\n"), std::string::npos);
    EXPECT_TRUE(one.closed());
  }
}

TEST_F(HttpServer, a_refused_request_ends_the_connection_and_what_follows_is_not_a_request) {
  start();
  Client& one = ask("GET /hello HTTP/1.1\r\nHost: localhost\r\n x: y\r\n\r\n" + get("/hello"));
  EXPECT_ANSWER(one, 400);
  EXPECT_EQ(one.answers(), 1U);
  EXPECT_TRUE(run_until([&] { return one.closed(); }, 10s));
}

TEST_F(HttpServer, a_body_is_taken_only_where_a_route_takes_one) {
  start();
  EXPECT_ANSWER(ask(post("/echo/x", "", "0123456789")), 201);
  EXPECT_ANSWER(ask(post("/echo/x", "", "0123456789a")), 413);
  EXPECT_ANSWER(ask(post("/hello", "", "x")), 405);
  EXPECT_ANSWER(ask(post("/nowhere", "", "x")), 404);
}

TEST_F(HttpServer, a_client_that_waits_to_be_asked_is_asked_for_its_body) {
  start();
  Client& one =
      ask("POST /echo/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
          "Expect: 100-continue\r\n\r\n");
  EXPECT_EQ(one.got(), "HTTP/1.1 100 Continue\r\n\r\n");
  one.send("ab");
  world_.run_for(500ms);
  EXPECT_TRUE(one.got().ends_with("x=ab"));
  Client& refused =
      ask("POST /echo/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\n"
          "Expect: 100-continue\r\n\r\n");
  EXPECT_ANSWER(refused, 413);
}

TEST_F(HttpServer, methods_that_a_path_lacks_are_named) {
  start();
  Client& one = ask("DELETE /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_ANSWER(one, 405);
  EXPECT_NE(one.got().find("Allow: GET, HEAD\r\n"), std::string::npos);
}

TEST_F(HttpServer, only_names_of_this_machine_and_configured_ones_are_answered_to) {
  ServerOptions options;
  options.hosts = {"Metrics.Example:1"};
  start(std::move(options));
  const auto with_host = [](std::string_view host) {
    return "GET /hello HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n";
  };
  for (const auto* good :
       {"localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]", "metrics.example"})
    EXPECT_ANSWER(ask(with_host(good)), 200);
  for (const auto* bad : {"evil.example", "localhost.evil.example", "192.168.1.1", "0"})
    EXPECT_ANSWER(ask(with_host(bad)), 421);
}

TEST_F(HttpServer, pages_of_other_origins_change_nothing) {
  start();
  EXPECT_ANSWER(ask(post("/echo/x", "Origin: http://localhost:1\r\n", "a")), 201);
  EXPECT_ANSWER(ask(post("/echo/x", "Sec-Fetch-Site: same-origin\r\n", "a")), 201);
  for (const auto* header : {"Origin: http://evil.example\r\n", "Origin: null\r\n",
                             "Origin: http://localhost@evil.example\r\n",
                             "Sec-Fetch-Site: cross-site\r\n", "Sec-Fetch-Site: same-site\r\n"})
    EXPECT_ANSWER(ask(post("/echo/x", header, "a")), 403);
}

TEST_F(HttpServer, a_client_that_sends_its_request_drop_by_drop_is_given_up) {
  start();
  Client& slow = client();
  const std::string bytes = get("/hello");
  for (std::size_t i = 0; i < 15; ++i) {
    slow.send(bytes.substr(i, 1));
    world_.run_for(1s);
  }
  EXPECT_ANSWER(slow, 408);
  EXPECT_TRUE(run_until([&] { return slow.closed(); }, 10s));
  EXPECT_GE(server_->counters().timeouts, 1U);
}

TEST_F(HttpServer, a_body_that_does_not_come_is_given_up) {
  start();
  Client& slow = client();
  slow.send("POST /echo/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nab");
  EXPECT_TRUE(run_until([&] { return slow.closed(); }, 40s));
  EXPECT_ANSWER(slow, 408);
}

TEST_F(HttpServer, a_silent_connection_is_closed_in_the_end_and_not_before) {
  start();
  Client& silent = client();
  world_.run_for(50s);
  EXPECT_FALSE(silent.closed());
  EXPECT_TRUE(run_until([&] { return silent.closed(); }, 15s));
  EXPECT_EQ(silent.got(), "");
}

TEST_F(HttpServer, a_handler_that_never_answers_gives_504) {
  start();
  Client& one = client();
  one.send(get("/later"));
  EXPECT_TRUE(run_until([&] { return !one.got().empty(); }, 70s));
  EXPECT_ANSWER(one, 504);
  kept_.front()(Response::text(200, "too late\n"));
  world_.run_for(1s);
  EXPECT_EQ(one.answers(), 1U);
}

TEST_F(HttpServer, at_its_limit_the_longest_idle_connection_makes_room_and_busy_ones_do_not) {
  ServerOptions options;
  options.limits.connections = 3;
  start(std::move(options));
  Client& oldest = ask(get("/hello"));
  ask(get("/hello"));
  ask(get("/hello"));
  Client& fresh = ask(get("/hello"));
  EXPECT_ANSWER(fresh, 200);
  EXPECT_TRUE(oldest.closed());
  EXPECT_EQ(server_->connections(), 3U);
  EXPECT_EQ(server_->counters().refused, 0U);

  for (std::size_t i = 1; i < all_.size(); ++i) all_[i]->send(get("/later"));
  world_.run_for(500ms);
  Client& refused = ask(get("/hello"));
  EXPECT_EQ(refused.got(), "");
  EXPECT_TRUE(refused.closed());
  EXPECT_EQ(server_->counters().refused, 1U);
}

TEST_F(HttpServer, what_was_answered_is_told) {
  ServerOptions options;
  std::vector<std::string> told;
  options.on_answered = [&](const Answered& answered) {
    told.push_back(answered.request.method + " " + answered.request.path + " " +
                   std::to_string(answered.status));
  };
  start(std::move(options));
  ask(get("/hello"));
  ask("nonsense\r\n\r\n");
  EXPECT_EQ(told, (std::vector<std::string>{"GET /hello 200", "- - 400"}));
}

TEST_F(HttpServer, destroying_it_closes_its_connections) {
  start();
  Client& idle = ask(get("/hello"));
  Client& waiting = ask(get("/later"));
  server_.reset();
  EXPECT_TRUE(run_until([&] { return idle.closed() && waiting.closed(); }, 1s));
  kept_.clear();
}

TEST_F(HttpServer, a_host_that_is_none_is_refused_at_the_start) {
  ServerOptions options;
  options.hosts = {"no host"};
  const auto server = Server::start(*process_, std::move(options), Router());
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code(), Errc::invalid_argument);
}

}  // namespace
}  // namespace weir::http
