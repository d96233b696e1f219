#include "http/router.h"

#include <gtest/gtest.h>

#include "http/server.h"

namespace weir::http {
namespace {

void nothing(Request, Reply) {}

Router schemas() {
  Router router;
  router.add("GET", "/", nothing);
  router.add("GET", "/subjects", nothing);
  router.add("POST", "/subjects/{subject}", nothing, {.body_bytes = 100});
  router.add("DELETE", "/subjects/{subject}", nothing);
  router.add("GET", "/subjects/{subject}/versions/{version}", nothing);
  router.add("GET", "/subjects/{subject}/versions/latest", nothing);
  router.add("GET", "/subjects/all/versions/{version}", nothing);
  return router;
}

std::string pattern(std::string_view method, std::string_view path) {
  const Router router = schemas();
  const auto match = router.find(method, path);
  return match.route == nullptr ? std::to_string(match.status) : match.route->pattern;
}

TEST(Router, literals_and_parameters_find_their_route) {
  EXPECT_EQ(pattern("GET", "/"), "/");
  EXPECT_EQ(pattern("GET", "/subjects"), "/subjects");
  EXPECT_EQ(pattern("POST", "/subjects/a"), "/subjects/{subject}");
  EXPECT_EQ(pattern("GET", "/subjects/a/versions/1"), "/subjects/{subject}/versions/{version}");
}

TEST(Router, a_literal_wins_over_a_parameter_from_left_to_right) {
  EXPECT_EQ(pattern("GET", "/subjects/a/versions/latest"), "/subjects/{subject}/versions/latest");
  EXPECT_EQ(pattern("GET", "/subjects/all/versions/latest"), "/subjects/all/versions/{version}");
}

TEST(Router, what_is_not_there_is_404) {
  for (const auto* path : {"/x", "/subjects/", "/subjects//versions/1", "//", "/subjects/a/b", "*"})
    EXPECT_EQ(pattern("GET", path), "404") << path;
}

TEST(Router, another_method_is_405_and_says_which_there_are) {
  const Router router = schemas();
  const auto match = router.find("PUT", "/subjects/a");
  EXPECT_EQ(match.status, 405);
  EXPECT_EQ(match.allow, "POST, DELETE");
  EXPECT_EQ(router.find("POST", "/subjects").allow, "GET, HEAD");
}

TEST(Router, head_goes_where_get_goes) {
  EXPECT_EQ(pattern("HEAD", "/subjects"), "/subjects");
  EXPECT_EQ(pattern("HEAD", "/subjects/a"), "405");
}

TEST(Router, parameters_are_decoded_and_an_encoded_slash_is_no_border) {
  const Router router = schemas();
  const auto match = router.find("GET", "/subjects/a%2Fb%20c/versions/7");
  ASSERT_NE(match.route, nullptr);
  Request request;
  request.parameters = match.parameters;
  EXPECT_EQ(request.parameter("subject"), "a/b c");
  EXPECT_EQ(request.parameter("version"), "7");
  EXPECT_EQ(pattern("GET", "/subjects/%00/versions/1"), "400");
  EXPECT_EQ(pattern("GET", "/%73ubjects"), "/subjects");
}

}  // namespace
}  // namespace weir::http
