#include "registry/access.h"

#include <gtest/gtest.h>

#include "registry/password.h"

namespace weir::registry {
namespace {

TEST(Passwords, are_kept_as_salted_hashes) {
  const std::string one = hash_password("geheim");
  EXPECT_NE(one, hash_password("geheim"));
  EXPECT_TRUE(password_fits("geheim", one));
  EXPECT_FALSE(password_fits("geheim ", one));
  EXPECT_FALSE(password_fits("", one));
}

// RFC 7914, 11: PBKDF2-HMAC-SHA-256 of "passwd" and "salt", one round, its first 32 bytes.
TEST(Passwords, are_hashed_by_pbkdf2) {
  EXPECT_TRUE(password_fits(
      "passwd", "pbkdf2-sha256$1$c2FsdA==$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLw="))
      << "RFC 7914";
}

TEST(Passwords, hashes_of_another_form_fit_nothing) {
  for (const char* hash :
       {"", "x", "pbkdf2-sha256$1$$", "pbkdf2-sha256$0$AA==$AA==",
        "pbkdf2-sha256$99999999999$AA==$AA==", "md5$1$AA==$AA==", "pbkdf2-sha256$1$AA==$AA==$"})
    EXPECT_FALSE(is_password_hash(hash)) << hash;
}

TEST(Users, are_read_line_by_line_and_errors_tell_no_secret) {
  const std::string hash = hash_password("x");
  const auto users = parse_users("# people\n\nann:" + hash + "\r\nbob:" + hash);
  ASSERT_TRUE(users);
  EXPECT_EQ(users->size(), 2U);
  const auto wrong = parse_users("ann:secret\n");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message().find("secret"), std::string::npos);
  EXPECT_FALSE(parse_users("\n"));
}

TEST(Credentials, are_those_of_the_basic_scheme) {
  const auto of = [](std::string header) {
    http::Request request;
    request.headers.add("Authorization", std::move(header));
    return basic_credentials(request);
  };
  EXPECT_EQ(of("Basic YTpiOmM="), std::pair(std::string("a"), std::string("b:c")));
  EXPECT_EQ(of("basic YTo="), std::pair(std::string("a"), std::string()));
  for (const char* header : {"Basic", "Basic ", "Basic YQ==", "Basic ?", "Bearer YTpi"})
    EXPECT_EQ(of(header), std::nullopt) << header;
}

}  // namespace
}  // namespace weir::registry
