#include "cli/filter.h"

#include <gtest/gtest.h>

#include "cli/output.h"

namespace weir::cli {
namespace {

constexpr Column columns[] = {
    {.name = "group", .doc = "A text."},
    {.name = "lag", .doc = "A number.", .number = true},
    {.name = "settings", .doc = "An object."},
    {.name = "topics", .doc = "A list."},
    {.name = "leader", .doc = "A text, or null."},
};

json::Array row() {
  return {"billing", 1500,
          json::Object{{"retention.ms", 1000}, {"owner", json::Object{{"team", "pay"}}}},
          json::Array{"orders", "refunds"}, nullptr};
}

bool holds(std::string_view text) {
  const auto filter = Filter::parse(text, columns);
  EXPECT_TRUE(filter) << text << ": " << (filter ? "" : filter.error().message());
  return filter && filter->matches(row());
}

std::string refusal(std::string_view text) {
  const auto filter = Filter::parse(text, columns);
  return filter ? "" : filter.error().message();
}

TEST(filter, compares_numbers_and_texts) {
  for (const auto* yes :
       {"lag = 1500", "lag == 1500", "lag != 3", "lag > 1499", "lag >= 1500", "lag < 1.6e3",
        "lag <= 1500.0", "lag>-1", "group = 'billing'", "group = \"billing\"", "group < 'c'",
        "group ~ 'ill'", "1 < lag", "leader = null", "true", "lag = lag"})
    EXPECT_TRUE(holds(yes)) << yes;
  for (const auto* no : {"lag = 3", "lag < 1500", "group = 'Billing'", "group ~ 'x'",
                         "leader != null", "false", "group > 'billing'"})
    EXPECT_FALSE(holds(no)) << no;
}

TEST(filter, what_has_no_order_is_neither_less_nor_more) {
  for (const auto* no : {"lag = '1500'", "group < 5", "group >= 5", "leader < 5", "leader >= 5",
                         "settings < 5", "lag ~ 1", "leader ~ 'x'"})
    EXPECT_FALSE(holds(no)) << no;
  EXPECT_TRUE(holds("lag != '1500'"));
}

TEST(filter, not_binds_closer_than_and_and_that_closer_than_or) {
  EXPECT_TRUE(holds("lag = 1500 or lag = 1 and lag = 2"));
  EXPECT_FALSE(holds("(lag = 1500 or lag = 1) and lag = 2"));
  EXPECT_FALSE(holds("not lag = 1500 and lag = 1500"));
  EXPECT_TRUE(holds("not (lag = 1 and lag = 1500)"));
  EXPECT_TRUE(holds("not not lag = 1500"));
}

TEST(filter, looks_into_objects_and_lists) {
  EXPECT_TRUE(holds("settings['retention.ms'] = 1000"));
  EXPECT_TRUE(holds("settings.owner.team = 'pay'"));
  EXPECT_TRUE(holds("settings.nothing.at.all = null"));
  EXPECT_TRUE(holds("settings ~ 'owner'"));
  EXPECT_TRUE(holds("topics ~ 'orders'"));
  EXPECT_FALSE(holds("topics ~ 'order'"));
  EXPECT_TRUE(holds("group.member = null"));
}

TEST(filter, a_column_alone_holds_if_it_is_something) {
  EXPECT_TRUE(holds("group and lag and settings and topics"));
  EXPECT_FALSE(holds("leader"));
  EXPECT_TRUE(holds("not leader and not settings.x"));
}

TEST(filter, texts_have_escapes) {
  EXPECT_TRUE(holds(R"("a\\\"\n\t" = "a\\\"\n\t")"));
  EXPECT_TRUE(holds(R"('it\'s' != 'its')"));
}

TEST(filter, what_is_wrong_is_said_with_its_place) {
  EXPECT_EQ(refusal("lagg > 5"),
            "--filter: no column lagg (-o help lists them); did you mean lag?");
  EXPECT_EQ(refusal("lag >"),
            "--filter: at character 6: want a column, a number, or a text in quotes");
  EXPECT_EQ(refusal("lag > 5 lag"),
            "--filter: at character 9: here it should end, or go on with and, or");
  EXPECT_EQ(refusal("(lag > 5"), "--filter: at character 9: a ) is missing");
  EXPECT_EQ(refusal("group = 'x"), "--filter: at character 11: a quote is missing");
  EXPECT_EQ(refusal("lag = 5x"),
            "--filter: at character 8: here it should end, or go on with and, or");
  EXPECT_EQ(refusal("lag = 1.2.3"), "--filter: at character 7: this is no number");
  EXPECT_EQ(refusal("lag = -"), "--filter: at character 7: this is no number");
  EXPECT_NE(refusal(R"(group = '\x')"), "");
  EXPECT_NE(refusal("settings."), "");
  EXPECT_NE(refusal("settings[lag]"), "");
  EXPECT_NE(refusal("settings['a'"), "");
  EXPECT_NE(refusal(""), "");
  EXPECT_NE(refusal("and"), "");
}

TEST(filter, is_bounded_in_length_and_depth) {
  EXPECT_NE(refusal(std::string(5000, ' ') + "lag"), "");
  EXPECT_NE(refusal(std::string(100, '(') + "lag" + std::string(100, ')')), "");
  std::string nots;
  for (int i = 0; i < 100; ++i) nots += "not ";
  EXPECT_NE(refusal(nots + "lag"), "");
  std::string chain = "lag";
  for (int i = 0; i < 500; ++i) chain += " and lag";
  EXPECT_TRUE(holds(chain));
}

TEST(row_order, sorts_by_columns_in_turn_and_keeps_what_is_equal) {
  const auto make = [](const char* group, json::Value lag) {
    return json::Array{group, std::move(lag), nullptr, nullptr, nullptr};
  };
  std::vector<json::Array> rows = {make("b", 10),  make("a", 9),       make("c", 10.5),
                                   make("d", "x"), make("e", nullptr), make("a", 10)};
  const auto groups = [&](std::string_view order) {
    std::vector<json::Array> sorted = rows;
    RowOrder::parse(order, columns).value().sort(sorted);
    std::string out;
    for (const json::Array& one : sorted) out += *one.front().as_string();
    return out;
  };
  EXPECT_EQ(groups("lag"), "eabacd") << "null, numbers by their size, texts";
  EXPECT_EQ(groups("-lag"), "dcbaae");
  EXPECT_EQ(groups("group,-lag"), "aabcde");
  EXPECT_EQ(groups("-group"), "edcbaa");
  EXPECT_EQ(groups(""), "bacdea");
  const auto wrong = RowOrder::parse("-lagg", columns);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code(), Errc::usage);
}

}  // namespace
}  // namespace weir::cli
