// PLAIN and OAUTHBEARER, and what no mechanism may do.
#include "sasl/mechanism.h"

#include <gtest/gtest.h>

#include <set>

#include "sasl/oauth.h"

namespace weir::sasl {
namespace {

TEST(plain, one_message_carries_name_and_password) {
  const auto client =
      make_exchange(Mechanism::plain, {.username = "ann", .password = "p,w=\xc3\xbc"}, {}).value();
  EXPECT_EQ(client->first().reveal(), std::string_view("\0ann\0p,w=\xc3\xbc", 11));
  EXPECT_FALSE(client->complete());
  EXPECT_FALSE(client->next("")->has_value());
  EXPECT_TRUE(client->complete());
}

TEST(plain, a_server_that_says_something_is_refused) {
  const auto client =
      make_exchange(Mechanism::plain, {.username = "ann", .password = "pw"}, {}).value();
  EXPECT_EQ(client->next("more").error().code(), Errc::malformed);
  EXPECT_FALSE(client->complete());
}

TEST(plain, zero_bytes_and_no_name_are_refused) {
  EXPECT_FALSE(make_exchange(Mechanism::plain, {.username = {}, .password = "p"}, {}));
  EXPECT_FALSE(
      make_exchange(Mechanism::plain, {.username = std::string("a\0b", 3), .password = "p"}, {}));
  EXPECT_FALSE(make_exchange(
      Mechanism::plain, {.username = "a", .password = Secret(std::string_view("p\0q", 3))}, {}));
}

TEST(oauthbearer, token_and_extensions_stand_as_rfc_7628_and_kip_342_say) {
  const auto client = make_exchange(Mechanism::oauthbearer,
                                    {.username = {},
                                     .password = {},
                                     .token = "abc.def-._~+/=",
                                     .extensions = {{"traceId", "17"}}},
                                    {})
                          .value();
  EXPECT_EQ(client->first().reveal(),
            "n,,\x01"
            "auth=Bearer abc.def-._~+/=\x01traceId=17\x01\x01");
  EXPECT_FALSE(client->next("")->has_value());
  EXPECT_TRUE(client->complete());
}

TEST(oauthbearer, a_refusal_is_answered_with_a_dummy_and_told) {
  const auto client =
      make_exchange(Mechanism::oauthbearer, {.username = {}, .password = {}, .token = "abc"}, {})
          .value();
  (void)client->first();
  const auto dummy = client->next(R"({"status":"invalid_token"})");
  ASSERT_TRUE(dummy && *dummy);
  EXPECT_EQ((*dummy)->reveal(), "\x01");
  EXPECT_EQ(client->failure(), R"({"status":"invalid_token"})");
  EXPECT_FALSE(client->complete());
  EXPECT_EQ(client->next("").error().code(), Errc::sasl_authentication_failed);
}

TEST(oauthbearer, what_is_no_token_is_refused_without_being_shown) {
  for (const std::string& bad : {std::string(), std::string("a b"), std::string("a\nb"),
                                 std::string("a\x01z"), std::string(token_bytes_max + 1, 'a')}) {
    const auto client =
        make_exchange(Mechanism::oauthbearer, {.username = {}, .password = {}, .token = bad}, {});
    ASSERT_FALSE(client.has_value());
    if (!bad.empty()) {
      EXPECT_EQ(client.error().message().find(bad), std::string::npos);
    }
  }
  for (const auto& [name, value] : std::map<std::string, std::string>{{"auth", "x"},
                                                                      {"", "x"},
                                                                      {"a=b", "x"},
                                                                      {"ok",
                                                                       "a\x01"
                                                                       "b"}}) {
    EXPECT_FALSE(make_exchange(
        Mechanism::oauthbearer,
        {.username = {}, .password = {}, .token = "t", .extensions = {{name, value}}}, {}));
  }
  const auto client =
      make_exchange(Mechanism::oauthbearer, {.username = {}, .password = {}, .token = "abc"}, {})
          .value();
  EXPECT_EQ(client->next(std::string(token_failure_bytes + 1, 'x')).error().code(),
            Errc::limit_exceeded);
}

TEST(mechanisms, are_found_by_their_names) {
  for (const Mechanism m : {Mechanism::plain, Mechanism::scram_sha_256, Mechanism::scram_sha_512,
                            Mechanism::oauthbearer})
    EXPECT_EQ(mechanism_named(name_of(m)).value(), m);
  EXPECT_EQ(mechanism_named("GSSAPI").error().code(), Errc::invalid_setting);
}

TEST(nonces, are_printable_and_never_the_same) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string nonce = make_nonce();
    EXPECT_EQ(nonce.find(','), std::string::npos);
    EXPECT_EQ(nonce.size(), 24U);
    EXPECT_TRUE(seen.insert(nonce).second);
  }
}

}  // namespace
}  // namespace weir::sasl
