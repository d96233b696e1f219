#include "http/url.h"

#include <gtest/gtest.h>

namespace weir::http {
namespace {

TEST(Url, is_taken_apart_and_written_again) {
  struct Case {
    std::string_view text;
    bool tls;
    std::string_view host;
    int port;
    std::string_view path;
    std::string_view query;
    std::string_view written;
  };
  const Case cases[] = {
      {"http://h", false, "h", 80, "", "", "http://h"},
      {"http://h:80/", false, "h", 80, "", "", "http://h"},
      {"HTTPS://Schemas.Example.:8081/a/b/", true, "schemas.example", 8081, "/a/b", "",
       "https://schemas.example:8081/a/b"},
      {"https://h/?x=1&y", true, "h", 443, "", "x=1&y", "https://h?x=1&y"},
      {"https://h?x=1", true, "h", 443, "", "x=1", "https://h?x=1"},
      {"http://[::1]:8081/a%2Fb", false, "::1", 8081, "/a%2Fb", "", "http://[::1]:8081/a%2Fb"},
      {"https://[FE80::a]", true, "fe80::a", 443, "", "", "https://[fe80::a]"},
      {"http://127.0.0.1:443", false, "127.0.0.1", 443, "", "", "http://127.0.0.1:443"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.text);
    const auto url = Url::parse(one.text);
    ASSERT_TRUE(url) << url.error().message();
    EXPECT_EQ(url->tls, one.tls);
    EXPECT_EQ(url->at.host, one.host);
    EXPECT_EQ(url->at.port, one.port);
    EXPECT_EQ(url->path, one.path);
    EXPECT_EQ(url->query, one.query);
    EXPECT_EQ(url->to_string(), one.written);
    const auto again = Url::parse(url->to_string());
    ASSERT_TRUE(again);
    EXPECT_EQ(again->to_string(), url->to_string());
  }
}

TEST(Url, what_is_wrong_is_named_and_the_text_is_not_shown) {
  struct Case {
    std::string_view text;
    std::string_view named;
  };
  const Case cases[] = {
      {"", "no scheme"},
      {"localhost:8081", "no scheme"},
      {"ftp://h", "neither http nor https"},
      {"http://", "no host"},
      {"http:///a", "no host"},
      {"http://:80", "no host"},
      {"http://a b", "no host"},
      {"http://::1", "no host"},
      {"http://h:", "no host"},
      {"http://h:x", "no host"},
      {"http://h:65536", "no host"},
      {"http://h:0", "port 0"},
      {"http://[::1", "no host"},
      {"http://u:secret@h", "user information"},
      {"http://u@h", "user information"},
      {"http://h#top", "fragment"},
      {"http://h/a#top", "fragment"},
      {"http://h/a b", "percent-encoded"},
      {"http://h/a%2", "percent-encoded"},
      {"http://h/a\r\nX: y", "percent-encoded"},
      {"http://h/\xc3\xa9", "percent-encoded"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.text);
    const auto url = Url::parse(one.text);
    ASSERT_FALSE(url);
    EXPECT_EQ(url.error().code(), Errc::invalid_argument);
    EXPECT_NE(url.error().message().find(one.named), std::string::npos) << url.error().message();
    EXPECT_EQ(url.error().message().find("secret"), std::string::npos);
  }
  EXPECT_FALSE(Url::parse("http://h/" + std::string(9'000, 'a')));
}

}  // namespace
}  // namespace weir::http
