// SCRAM: the worked examples of the RFCs, both sides against each other, and hostile ones.
#include "sasl/scram.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "base/base64.h"
#include "sasl/mechanism.h"
#include "sasl/scram_server.h"

namespace weir::sasl {
namespace {

constexpr std::string_view rfc_nonce = "rOprNGfwEbeRWgbNEkqO";
constexpr std::string_view rfc_server_first =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

std::unique_ptr<Exchange> exchange(Mechanism mechanism = Mechanism::scram_sha_256,
                                   std::string user = "user", Secret password = "pencil",
                                   std::string nonce = std::string(rfc_nonce)) {
  return make_exchange(mechanism, {.username = std::move(user), .password = std::move(password)},
                       std::move(nonce))
      .value();
}

std::string text_of(const Result<std::optional<Secret>>& answer) {
  return answer && *answer ? std::string((*answer)->reveal())
                           : "<" + (answer ? "nothing" : answer.error().message()) + ">";
}

TEST(scram, the_example_of_rfc_5802_comes_out_with_sha_1) {
  const std::string bare = "n=user,r=fyko+d2lbbFgONRv9qkxdawL";
  const std::string server_first =
      "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";
  const std::string without_proof = "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j";
  const auto first = read_server_first(server_first).value();
  const auto keys = derive_keys(Hash::sha1, "pencil", first.salt, first.iterations);
  const std::string signed_text = bare + "," + server_first + "," + without_proof;
  EXPECT_EQ(to_base64(xor_bytes(keys.client_key.reveal(),
                                hmac(Hash::sha1, keys.stored_key, signed_text))),
            "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=");
  EXPECT_EQ(to_base64(hmac(Hash::sha1, keys.server_key.reveal(), signed_text)),
            "rmF9pqV8S7suAoZWja4dJRkFsKQ=");
}

TEST(scram, the_example_of_rfc_7677_comes_out_of_the_client) {
  const auto client = exchange();
  EXPECT_EQ(client->first().reveal(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
  EXPECT_EQ(text_of(client->next(rfc_server_first)),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
            "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  EXPECT_FALSE(client->complete());
  const auto end = client->next("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
  ASSERT_TRUE(end) << end.error().message();
  EXPECT_FALSE(end->has_value());
  EXPECT_TRUE(client->complete());
}

// No RFC has an example for SHA-512; the same inputs, computed with Python's hashlib.
TEST(scram, sha_512_gives_what_another_implementation_gives) {
  const auto client = exchange(Mechanism::scram_sha_512);
  (void)client->first();
  EXPECT_EQ(
      text_of(client->next(rfc_server_first)),
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
      "p=gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ"
      "==");
}

TEST(scram, names_with_commas_and_equal_signs_are_escaped) {
  EXPECT_EQ(exchange(Mechanism::scram_sha_256, "a,b=c")->first().reveal(),
            "n,,n=a=2Cb=3Dc,r=rOprNGfwEbeRWgbNEkqO");
  EXPECT_EQ(read_client_first("n,,n=a=2Cb=3Dc,r=x").value().user, "a,b=c");
  EXPECT_FALSE(read_client_first("n,,n=a=2cb,r=x").has_value());
  EXPECT_FALSE(read_client_first("n,,n=a=,r=x").has_value());
}

TEST(scram, what_saslprep_would_change_is_refused) {
  for (const std::string_view bad : {"", "m\xc3\xbcller", "a\tb", "a\x7f"}) {
    const auto name = make_exchange(Mechanism::scram_sha_512,
                                    {.username = std::string(bad), .password = "p"}, "n");
    EXPECT_EQ(name.error().code(), Errc::invalid_setting);
    const auto password =
        make_exchange(Mechanism::scram_sha_512, {.username = "u", .password = bad}, "n");
    ASSERT_FALSE(password.has_value());
    if (!bad.empty()) {
      EXPECT_EQ(password.error().message().find(bad), std::string::npos);
    }
  }
}

TEST(scram, a_client_refuses_a_hostile_first_message) {
  const std::string r = "r=" + std::string(rfc_nonce);
  const std::string salt = ",s=W22ZaJ0SNY7soEsUEjb6gQ==";
  const std::pair<std::string, Errc> bad[] = {
      {"", Errc::malformed},
      {"r=", Errc::malformed},
      {"e=no", Errc::malformed},
      {"m=x," + r + "1" + salt + ",i=4096", Errc::malformed},
      {r + "1" + salt, Errc::malformed},
      {r + "1,i=4096" + salt, Errc::malformed},
      {r + "1" + salt + ",i=", Errc::malformed},
      {r + "1" + salt + ",i=4096x", Errc::malformed},
      {r + "1" + salt + ",i=99999999999999999999", Errc::malformed},
      {r + "1" + salt + ",i=-4096", Errc::limit_exceeded},
      {r + "1" + salt + ",i=4095", Errc::limit_exceeded},
      {r + "1" + salt + ",i=1000001", Errc::limit_exceeded},
      {r + "1,s=,i=4096", Errc::malformed},
      {r + "1,s=W22Z*J0S,i=4096", Errc::malformed},
      {r + "1,s=W22,i=4096", Errc::malformed},
      {r + "1,s=" + to_base64(std::string(257, 's')) + ",i=4096", Errc::limit_exceeded},
      {r + "1" + salt + ",i=4096,", Errc::malformed},
      {r + "1" + salt + ",i=4096,m=x", Errc::malformed},
      {r + "1\x01" + salt + ",i=4096", Errc::malformed},
      // A nonce that does not go on from ours: a replayed or foreign exchange.
      {r + salt + ",i=4096", Errc::sasl_authentication_failed},
      {"r=other" + salt + ",i=4096", Errc::sasl_authentication_failed},
      {"r=x" + std::string(rfc_nonce) + salt + ",i=4096", Errc::sasl_authentication_failed},
      {r + std::string(5000, 'x') + salt + ",i=4096", Errc::limit_exceeded},
  };
  for (const auto& [message, code] : bad) {
    const auto client = exchange();
    (void)client->first();
    const auto answer = client->next(message);
    ASSERT_FALSE(answer.has_value()) << message;
    EXPECT_EQ(answer.error().code(), code) << message << ": " << answer.error().message();
    EXPECT_EQ(answer.error().message().find("pencil"), std::string::npos);
    // It is over: a good message now changes nothing.
    EXPECT_FALSE(client->next(rfc_server_first).has_value());
    EXPECT_FALSE(client->complete());
  }
  const auto extended = exchange();
  (void)extended->first();
  EXPECT_TRUE(extended->next(std::string(rfc_server_first) + ",x=new").has_value());
}

TEST(scram, a_client_does_not_believe_a_server_without_the_right_signature) {
  const std::pair<std::string_view, Errc> bad[] = {
      {"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=", Errc::malformed},
      {"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", Errc::sasl_authentication_failed},
      {"v=6rri", Errc::sasl_authentication_failed},
      {"v=", Errc::malformed},
      {"", Errc::malformed},
      {"e=invalid-proof", Errc::sasl_authentication_failed},
  };
  for (const auto& [message, code] : bad) {
    const auto client = exchange();
    (void)client->first();
    ASSERT_TRUE(client->next(rfc_server_first));
    const auto end = client->next(message);
    ASSERT_FALSE(end.has_value()) << message;
    EXPECT_EQ(end.error().code(), code) << message;
    EXPECT_FALSE(client->complete());
  }
}

/// A server that knows one user, "alice" with "secret".
class scram_server : public ::testing::TestWithParam<Hash> {
 protected:
  ScramServer server() {
    return ScramServer(
        GetParam(),
        [this](std::string_view user) -> std::optional<ScramCredential> {
          if (user != "alice") return std::nullopt;
          return credential_;
        },
        "3rfcNHYJY1ZVvWVs7j",
        {.salt = "of the server", .iterations = 4096, .stored_key = {}, .server_key = {}});
  }
  Mechanism mechanism() const {
    return GetParam() == Hash::sha256 ? Mechanism::scram_sha_256 : Mechanism::scram_sha_512;
  }
  const ScramCredential credential_ = make_credential(GetParam(), "secret", "salt of alice", 4096);
};

TEST_P(scram_server, client_and_server_prove_themselves_to_each_other) {
  auto other = server();
  const auto client = exchange(mechanism(), "alice", "secret", make_nonce());
  const auto server_first = other.next(client->first().reveal());
  ASSERT_TRUE(server_first);
  const auto proof = client->next(*server_first);
  ASSERT_TRUE(proof) << proof.error().message();
  const auto server_final = other.next((*proof)->reveal());
  ASSERT_TRUE(server_final) << server_final.error().message();
  EXPECT_TRUE(other.done());
  EXPECT_EQ(other.user(), "alice");
  ASSERT_TRUE(client->next(*server_final));
  EXPECT_TRUE(client->complete());
}

TEST_P(scram_server, a_wrong_password_and_an_unknown_user_look_the_same) {
  std::string failures[2];
  std::string salts[2];
  for (int i = 0; i < 2; ++i) {
    auto other = server();
    const auto client = exchange(mechanism(), i == 0 ? "alice" : "bob", "wrong");
    const auto server_first = other.next(client->first().reveal());
    ASSERT_TRUE(server_first);
    salts[i] = read_server_first(*server_first).value().salt;
    const auto proof = client->next(*server_first);
    const auto end = other.next((*proof)->reveal());
    ASSERT_FALSE(end.has_value());
    EXPECT_EQ(end.error().code(), Errc::sasl_authentication_failed);
    failures[i] = end.error().message();
    EXPECT_FALSE(other.done());
  }
  EXPECT_EQ(failures[0], failures[1]);
  // Who is unknown has the same salt each time, or he could be told from one who is known.
  auto again = server();
  const auto answer =
      again.next(exchange(mechanism(), "bob", "other", "anotherNonce")->first().reveal());
  EXPECT_EQ(read_server_first(answer.value()).value().salt, salts[1]);
}

TEST_P(scram_server, a_recorded_exchange_cannot_be_played_again) {
  auto first_time = server();
  const auto client = exchange(mechanism(), "alice", "secret");
  const std::string hello(client->first().reveal());
  const std::string proof((*client->next(*first_time.next(hello)))->reveal());
  ASSERT_TRUE(first_time.next(proof));
  EXPECT_FALSE(first_time.next(proof).has_value());  // it is over
  ScramServer second_time(
      GetParam(), [this](std::string_view) { return credential_; }, "anotherServerNonce",
      credential_);
  ASSERT_TRUE(second_time.next(hello));
  EXPECT_EQ(second_time.next(proof).error().code(), Errc::sasl_authentication_failed);
}

TEST_P(scram_server, a_client_nonce_sent_twice_or_a_wrong_binding_is_refused) {
  for (const std::string_view how : {"twice", "binding", "size", "other"}) {
    auto other = server();
    const auto client = exchange(mechanism(), "alice", "secret", "cnonce");
    std::string proof((*client->next(*other.next(client->first().reveal())))->reveal());
    if (how == "twice") proof.replace(proof.find("cnonce"), 6, "cnoncecnonce");
    if (how == "binding") proof.replace(proof.find("biws"), 4, "eSws");
    if (how == "size") proof.replace(proof.find("p="), std::string::npos, "p=AAAA");
    if (how == "other") proof.insert(proof.find(",p="), ",x=y");
    EXPECT_FALSE(other.next(proof).has_value()) << how;
    EXPECT_FALSE(other.done()) << how;
  }
}

INSTANTIATE_TEST_SUITE_P(hashes, scram_server, ::testing::Values(Hash::sha256, Hash::sha512));

TEST(scram_messages, what_a_server_cannot_read_is_refused) {
  for (const std::string_view bad :
       {"", "n", "n,", "n,,", "n,,n=", "n,,n=u", "n,,n=u,r=", "n,,r=x,n=u", "p=tls-unique,,n=u,r=x",
        "n,a=v,n=u,r=x", "n,b=u,n=u,r=x", "n,,m=x,n=u,r=x", "n,,n=u,r=x,m=y", "n,,n=u,r=a\x80"})
    EXPECT_FALSE(read_client_first(bad).has_value()) << bad;
  EXPECT_TRUE(read_client_first("n,a=u,n=u,r=x").has_value());
  EXPECT_TRUE(read_client_first("y,,n=u,r=x,e=ignored").has_value());
  for (const std::string_view bad :
       {"", "c=biws", "c=biws,r=x", "c=biws,p=AAAA", "r=x,c=biws,p=AAAA", "c=AAAA,r=x,p=AAAA",
        "c=biws,r=x,p=", "c=biws,r=x,p=AAAA,q=1"})
    EXPECT_FALSE(read_client_final(bad).has_value()) << bad;
  EXPECT_FALSE(read_client_final("c=biws,r=" + std::string(5000, 'x') + ",p=AAAA").has_value());
}

}  // namespace
}  // namespace weir::sasl
