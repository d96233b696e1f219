// Forwarding, and the assignor that makes leaders.
#include "registry/forward.h"

#include <gtest/gtest.h>

#include "registry/election.h"

namespace weir::registry {
namespace {

TEST(Answers, are_whole_when_their_length_is_there) {
  const std::string whole =
      "HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\nweir-schemas-offset: 7\r\n"
      "Content-Length: 2\r\n\r\n{}";
  for (std::size_t i = 0; i < whole.size(); ++i) {
    const auto part = parse_answer(std::string_view(whole).substr(0, i));
    ASSERT_TRUE(part) << part.error().message();
    EXPECT_FALSE(part->has_value()) << i;
  }
  const auto answer = parse_answer(whole);
  ASSERT_TRUE(answer && *answer);
  EXPECT_EQ((*answer)->status, 409);
  EXPECT_EQ((*answer)->content_type, "application/json");
  EXPECT_EQ((*answer)->body, "{}");
  ASSERT_EQ((*answer)->headers.size(), 1U);
  EXPECT_EQ((*answer)->headers[0].value, "7");
}

TEST(Answers, that_are_none_are_refused) {
  for (const char* bytes :
       {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "x\r\n\r\n",
        "HTTP/1.1 abc\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"})
    EXPECT_FALSE(parse_answer(bytes)) << bytes;
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
