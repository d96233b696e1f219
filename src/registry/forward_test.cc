// Forwarding, and the assignor that makes leaders.
#include "registry/forward.h"

#include <gtest/gtest.h>

#include "base/log.h"
#include "http/server.h"
#include "io/sim_runtime.h"
#include "registry/election.h"

namespace weir::registry {
namespace {

class Forwarding : public ::testing::Test {
 protected:
  Forwarding() { set_log_level(LogLevel::off); }
  ~Forwarding() override {
    process_->kill();
    set_log_level(LogLevel::info);
  }
  /// A leader that keeps what it was asked and gives `answer_`.
  void lead() {
    http::Router router;
    router.add("POST", "/subjects/{s}/versions",
               [this](http::Request request, http::Reply reply) {
                 asked_ = std::move(request);
                 reply(answer_);
               },
               {.body_bytes = 100});
    http::ServerOptions options;
    options.at.port = 8081;
    server_ = http::Server::start(*process_, std::move(options), std::move(router)).value();
  }
  Result<http::Response> forwarded(const std::string& url) {
    http::Request request;
    request.method = "POST";
    request.path = "/subjects/a%2Fb/versions";
    request.query = "normalize=true";
    request.body = "{}";
    for (const auto& [name, value] : {std::pair{"Authorization", "Basic x"},
                                      {"Content-Type", "application/json"},
                                      {"Host", "other"},
                                      {"Content-Length", "2"},
                                      {"Cookie", "y"}})
      request.headers.add(name, value);
    std::optional<Result<http::Response>> out;
    forward(client_, url, std::move(request), std::chrono::seconds(5),
            [&](auto answer) { out = std::move(answer); });
    world_.run_until([&] { return out.has_value(); }, std::chrono::seconds(10));
    return out.value_or(fail(Errc::unknown_server_error, "never told"));
  }

  io::SimWorld world_{3};
  std::unique_ptr<io::SimProcess> process_ = world_.start_process();
  http::Client client_{*process_, {}};
  http::Response answer_;
  std::optional<http::Request> asked_;
  std::unique_ptr<http::Server> server_;
};

TEST_F(Forwarding, sends_what_matters_and_gives_the_answer_back) {
  answer_ = http::Response::json(409, R"({"error_code":409})");
  answer_.headers = {{"weir-schemas-offset", "7"}, {"X-Other", "1"}};
  lead();
  const auto answer = forwarded("http://127.0.0.1:8081");
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->status, 409);
  EXPECT_EQ(answer->content_type, "application/json");
  EXPECT_EQ(answer->body, answer_.body);
  ASSERT_EQ(answer->headers.size(), 1U);
  EXPECT_EQ(answer->headers[0].value, "7");
  ASSERT_TRUE(asked_);
  EXPECT_EQ(asked_->path, "/subjects/a%2Fb/versions");
  EXPECT_EQ(asked_->query, "normalize=true");
  EXPECT_EQ(asked_->body, "{}");
  EXPECT_EQ(asked_->headers.value_or(forwarded_header, ""), "false");
  EXPECT_EQ(asked_->headers.value_or("Authorization", ""), "Basic x");
  EXPECT_EQ(asked_->headers.count("Cookie"), 0U);
}

TEST_F(Forwarding, says_why_it_cannot) {
  EXPECT_EQ(forwarded("http://127.0.0.1:8081").error().code(), Errc::connection_refused);
  const auto other = forwarded("ftp://127.0.0.1:8081");
  EXPECT_EQ(other.error().code(), Errc::invalid_argument);
  EXPECT_NE(other.error().message().find("the leader's address"), std::string::npos);
  const auto secure = forwarded("https://127.0.0.1:8081");
  EXPECT_NE(secure.error().message().find("https needs TLS"), std::string::npos);
}

GroupMember member(Assignor& assignor, std::string id, bool owns = false) {
  GroupMember out{.id = std::move(id)};
  out.subscription.topics = {"_schemas"};
  out.subscription.user_data = assignor.user_data({});
  if (owns) out.subscription.owned = {{"_schemas", 0}};
  return out;
}

TEST(Leaders, are_chosen_once_and_stay) {
  const auto a = leader_assignor("http://a", true, [](const std::string&) {});
  const auto b = leader_assignor("http://b", true, [](const std::string&) {});
  const auto never = leader_assignor("http://c", false, [](const std::string&) {});
  const auto chosen =
      a->assign({{"_schemas", 1}}, {member(*never, "0"), member(*b, "2"), member(*a, "1")});
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->at("1").partitions.size(), 1U);
  EXPECT_EQ(chosen->at("2").partitions.size(), 0U);
  for (const char* id : {"0", "1", "2"}) EXPECT_EQ(chosen->at(id).user_data, "http://a");
  const auto later =
      a->assign({{"_schemas", 1}}, {member(*a, "1"), member(*b, "2", true), member(*never, "0")});
  ASSERT_TRUE(later);
  EXPECT_EQ(later->at("2").partitions.size(), 1U);
  EXPECT_EQ(later->at("1").user_data, "http://b");
  const auto nobody = a->assign({{"_schemas", 1}}, {member(*never, "0")});
  ASSERT_TRUE(nobody);
  EXPECT_TRUE(nobody->at("0").partitions.empty());
  EXPECT_EQ(nobody->at("0").user_data, "");
}

TEST(Leaders, hear_of_who_leads) {
  std::string heard;
  const auto a = leader_assignor("http://a", true, [&](const std::string& url) { heard = url; });
  a->on_assignment({.partitions = {}, .user_data = "http://b"}, {});
  EXPECT_EQ(heard, "http://b");
}

}  // namespace
}  // namespace weir::registry
