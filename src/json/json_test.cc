#include "json/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace weir::json {
namespace {

std::string compact(std::string_view text) {
  auto value = parse(text);
  return value ? write(*value) : value.error().message();
}

TEST(Json, a_value_is_written_as_it_was_read) {
  for (const std::string_view text :
       {"null", "true", "-1", "9223372036854775807", "-9223372036854775808", "0.5", "1e+300",
        R"("grün \"東京\" \\ \n")", "[]", "{}", R"([1,[2,{"a":null}],"x"])",
        R"({"b":1,"a":{"c":[true,false]}})"})
    EXPECT_EQ(compact(text), text);
}

TEST(Json, a_double_stays_a_double) {
  EXPECT_EQ(write(Value(1.0)), "1.0");
  EXPECT_NE(*parse("1.0"), *parse("1"));
  EXPECT_EQ(write(Value(std::numeric_limits<double>::infinity())), "null");
  EXPECT_EQ(write(Value(std::nan(""))), "null");
}

TEST(Json, an_integer_above_64_signed_bits_becomes_a_double) {
  EXPECT_DOUBLE_EQ(*parse("9223372036854775808")->as_double(), 9223372036854775808.0);
}

TEST(Json, the_last_of_equal_keys_counts) {
  EXPECT_EQ(compact(R"({"a":1,"b":2,"a":3})"), R"({"a":3,"b":2})");
}

TEST(Json, members_compare_in_any_order) {
  EXPECT_EQ(*parse(R"({"a":1,"b":2})"), *parse(R"({"b":2,"a":1})"));
  EXPECT_NE(*parse(R"({"a":1,"b":2})"), *parse(R"({"a":1,"b":3})"));
  EXPECT_NE(*parse(R"({"a":1})"), *parse(R"({"a":1,"b":3})"));
}

TEST(Json, an_error_names_line_and_column) {
  const auto r = parse("{\n  \"a\": tru }");
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code(), Errc::malformed);
  EXPECT_NE(r.error().message().find("line 2, column 11"), std::string::npos)
      << r.error().message();
}

TEST(Json, text_that_is_no_single_value_is_refused) {
  for (const std::string_view text : {"", " ", "{", "[1,]", "1 2", "{\"a\" 1}", "'a'", "nul", "01",
                                      "\"\xff\"", "\"a\nb\"", "+1", "[1}", "\"\\ud800\"", "NaN"})
    EXPECT_FALSE(parse(text)) << text;
}

TEST(Json, a_zero_byte_is_not_the_end_of_the_text) {
  using namespace std::string_view_literals;
  for (const std::string_view text : {"1\0"sv, "{}\0 x"sv, "\0"sv, "\"a\0b\""sv})
    EXPECT_EQ(parse(text).error().code(), Errc::malformed);
  EXPECT_EQ(parse("[\n1\0"sv).error().message(), "json: line 2, column 2: a zero byte");
}

TEST(Json, depth_up_to_the_limit_is_read_and_more_is_refused) {
  const auto nested = [](std::size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  EXPECT_EQ(compact(nested(max_depth)), nested(max_depth));
  const auto r = parse(nested(max_depth + 1));
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().message().find("512"), std::string::npos);
  EXPECT_FALSE(parse(std::string(1'000'000, '[')));
}

TEST(Json, pretty_text_is_indented) {
  EXPECT_EQ(write(*parse(R"({"a":[1,2],"b":{},"c":[]})"), 2),
            "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {},\n  \"c\": []\n}");
}

TEST(Json, control_characters_are_escaped_and_wrong_utf8_is_replaced) {
  EXPECT_EQ(write(Value(std::string("\0\x1f\x7f\t", 4))), R"("\u0000\u001f\u007f\t")");
  EXPECT_EQ(write(Value("a\xc3\x28\xed\xa0\x80z")),
            "\"a\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"");
  EXPECT_TRUE(parse(write(Value("\xf5\x80\x80\x80"))));
}

TEST(Json, objects_find_set_and_erase) {
  Object o{{"a", 1}, {"b", "x"}};
  o.set("a", true);
  EXPECT_EQ(o.size(), 2U);
  EXPECT_TRUE(*o.find("a")->as_bool());
  EXPECT_EQ(o.find("c"), nullptr);
  EXPECT_TRUE(o.erase("a"));
  EXPECT_FALSE(o.erase("a"));
  const Value v(o);
  EXPECT_EQ(*v.find("b")->as_string(), "x");
  EXPECT_EQ(Value(1).find("b"), nullptr);
}

// RFC 4648, 10.
}  // namespace
}  // namespace weir::json
