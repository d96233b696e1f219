#include "contract/protobuf/compatibility.h"

#include <gtest/gtest.h>

#include <set>

#include "contract/protobuf/limits.h"
#include "contract/protobuf/pairs.h"

namespace weir::contract::protobuf {
namespace {

/// A pair with its schemas.
struct Parsed {
  const Pair& pair;
  std::array<ProtobufPtr, 2> sides;

  /// What is found with some rules switched off: "compatible", or the rules that refuse.
  std::string verdict(std::size_t direction, const CompareOptions& options = {}) const {
    const auto found = compare(*sides[1 - direction], *sides[direction], options);
    if (!found) return found.error().message();
    std::set<std::string_view> names;
    for (const Difference& difference : *found) names.insert(difference.rule);
    std::string out;
    for (const std::string_view name : names) out.append(out.empty() ? "" : " ").append(name);
    return out.empty() ? "compatible" : out;
  }
  /// The first word of the verdict that the file has, if it is "compatible"; else all of it.
  std::string wanted(std::size_t direction) const {
    const std::string& text = pair.verdicts[direction];
    return text.starts_with("compatible") ? "compatible" : text;
  }
};

const Pairs& pairs() {
  static const Pairs all = read_pairs(WEIR_SOURCE_DIR "/src/contract/testdata/protobuf/pairs.txt");
  return all;
}

const std::vector<Parsed>& parsed() {
  static const std::vector<Parsed> all = [] {
    std::vector<Parsed> out;
    for (const Pair& pair : pairs().pairs) {
      SCOPED_TRACE(pair.name);
      out.push_back({pair,
                     {schema(pair.sides[0].text, pair.sides[0].imports),
                      schema(pair.sides[1].text, pair.sides[1].imports)}});
    }
    return out;
  }();
  return all;
}

const Rule* rule_named(std::string_view name) {
  for (const RuleText& text : rules())
    if (text.name == name) return &text.rule;
  return nullptr;
}

TEST(ProtobufCompatibility, each_pair_has_the_verdict_that_is_written_down) {
  std::size_t verdicts = 0;
  for (const Parsed& one : parsed()) {
    for (const std::size_t direction : {0U, 1U}) {
      EXPECT_EQ(one.verdict(direction), one.wanted(direction))
          << one.pair.name << (direction == 0 ? ": new reads old" : ": old reads new");
      ++verdicts;
    }
  }
  EXPECT_GE(verdicts, 300U);
}

TEST(ProtobufCompatibility, each_schema_reads_itself) {
  for (const Parsed& one : parsed())
    for (const ProtobufPtr& side : one.sides)
      EXPECT_TRUE(compare(*side, *side).value().empty()) << one.pair.name;
}

TEST(ProtobufCompatibility, what_is_printed_and_normalised_gets_the_same_verdict) {
  for (const Parsed& one : parsed()) {
    const auto& sides = one.pair.sides;
    const Parsed again = {one.pair,
                          {schema(one.sides[0]->text(), sides[0].imports),
                           schema(one.sides[1]->text(), sides[1].imports)}};
    const Parsed normal = {one.pair,
                           {schema(one.sides[0]->normalized(), sides[0].imports),
                            schema(one.sides[1]->normalized(), sides[1].imports)}};
    EXPECT_EQ(again.verdict(0), one.wanted(0)) << one.pair.name;
    EXPECT_EQ(normal.verdict(0), one.wanted(0)) << one.pair.name;
  }
}

TEST(ProtobufCompatibility, the_rule_that_accepts_a_pair_is_what_accepts_it) {
  for (const Parsed& one : parsed()) {
    for (const std::size_t direction : {0U, 1U}) {
      const std::string& text = one.pair.verdicts[direction];
      constexpr std::string_view by = "compatible by ";
      if (!text.starts_with(by)) continue;
      const Rule* rule = rule_named(std::string_view(text).substr(by.size()));
      ASSERT_NE(rule, nullptr) << text;
      EXPECT_FALSE(refuses(*rule)) << text;
      EXPECT_NE(one.verdict(direction, {.without = {*rule}}), "compatible") << one.pair.name;
    }
  }
}

TEST(ProtobufCompatibility, each_rule_decides_some_pair_and_without_it_some_verdict_is_wrong) {
  for (const RuleText& text : rules()) {
    EXPECT_EQ(name_of(text.rule), text.name);
    std::size_t named = 0;
    std::size_t wrong = 0;
    for (const Parsed& one : parsed()) {
      for (const std::size_t direction : {0U, 1U}) {
        for (const std::string& word : words(one.pair.verdicts[direction]))
          named += word == text.name ? 1U : 0U;
        wrong +=
            one.verdict(direction, {.without = {text.rule}}) != one.wanted(direction) ? 1U : 0U;
      }
    }
    EXPECT_GT(named, 0U) << text.name << " decides no pair";
    EXPECT_GT(wrong, 0U) << "nothing notices that " << text.name << " does not hold";
  }
}

TEST(ProtobufCompatibility, each_two_scalars_read_each_other_or_not_as_the_table_says) {
  const auto judge = [](const std::string& was, const std::string& is) {
    const auto of = [](const std::string& field) {
      return schema(proto3("enum E { ZERO = 0; } message A { " + field + " a = 1; }"));
    };
    return compare(*of(is), *of(was)).value();
  };
  const std::set<std::string> no_keys = {"E", "bytes", "float", "double"};
  std::size_t cells = 0;
  for (std::size_t i = 0; i < pairs().scalars.size(); ++i) {
    for (std::size_t k = 0; k < pairs().scalars.size(); ++k) {
      for (const std::string& was : pairs().scalars[i]) {
        for (const std::string& is : pairs().scalars[k]) {
          const auto expect = [&](const std::vector<Difference>& found, std::string_view rule) {
            EXPECT_EQ(found.empty(), i == k) << was << " read as " << is;
            for (const Difference& one : found) EXPECT_EQ(one.rule, rule);
            ++cells;
          };
          expect(judge(was, is), "FIELD_SCALAR_KIND_CHANGED");
          expect(judge("map<string, " + was + ">", "map<string, " + is + ">"), "MAP_VALUE_CHANGED");
          if (!no_keys.contains(was) && !no_keys.contains(is))
            expect(judge("map<" + was + ", bool>", "map<" + is + ", bool>"), "MAP_KEY_CHANGED");
        }
      }
    }
  }
  EXPECT_EQ(cells, 2U * 16 * 16 + 12 * 12);
}

TEST(ProtobufCompatibility, a_difference_says_where_what_and_what_would_be_accepted) {
  const auto old =
      schema(proto3("message A { message B { map<string, int32> m = 7; } oneof o { int32 x = 1; "
                    "int32 y = 2; } }"));
  const auto now = schema(
      proto3("message A { message B { map<string, float> m = 7; } oneof o { int32 x = 1; } }"));
  const auto found = now->unreadable(*old, Policy::strict).value();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].rule, "ONEOF_MEMBER_REMOVED");
  EXPECT_EQ(found[0].at, "/n.A/2");
  EXPECT_EQ(found[0].field, "n.A.y");
  EXPECT_EQ(found[1].at, "/n.A.B/7");
  EXPECT_EQ(found[1].field, "n.A.B.m");
  EXPECT_EQ(found[1].why, "the writer has int32, which cannot be read as float");
  EXPECT_EQ(found[1].fix, "keep int32; int32, int64, uint32, uint64, bool and enums read it");
  for (const Parsed& one : parsed()) {
    const auto all = compare(*one.sides[1], *one.sides[0]).value();
    for (const Difference& difference : all) {
      EXPECT_FALSE(difference.why.empty() || difference.fix.empty()) << one.pair.name;
      EXPECT_TRUE(difference.at.starts_with('/')) << difference.at;
    }
  }
}

TEST(ProtobufCompatibility, work_is_bounded) {
  // Each message of the import has the next one inside it.
  std::string chain = "syntax = \"proto3\"; package b;";
  for (std::size_t i = 0; i < limits::compared_depth + 10; ++i)
    chain += "message M" + std::to_string(i) + " { M" + std::to_string(i + 1) + " m = 1; }";
  chain += "message M" + std::to_string(limits::compared_depth + 10) + " {}";
  const std::string text = "syntax = \"proto3\"; import \"b.proto\"; message A { b.M0 m = 1; }";
  const auto old = schema(text, {{"b.proto", chain}});
  const auto now = schema(text, {{"b.proto", chain}});
  EXPECT_EQ(now->unreadable(*old, Policy::strict).error().code(), Errc::limit_exceeded);
  std::string many = "message A {";
  std::string other = "message A {";
  for (std::size_t i = 1; i <= 2 * limits::listed_differences; ++i) {
    many += "int32 f" + std::to_string(i) + " = " + std::to_string(i) + ";";
    other += "string f" + std::to_string(i) + " = " + std::to_string(i) + ";";
  }
  EXPECT_EQ(compare(*schema(proto3(other + "}")), *schema(proto3(many + "}"))).value().size(),
            limits::listed_differences);
}

}  // namespace
}  // namespace weir::contract::protobuf
