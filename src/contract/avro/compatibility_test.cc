#include "contract/avro/compatibility.h"

#include <gtest/gtest.h>

#include "contract/avro/limits.h"
#include "contract/avro/test_kit.h"

namespace weir::contract::avro {
namespace {

std::string differences(std::string_view reader, std::string_view writer) {
  const auto found = compare(*schema(reader), *schema(writer));
  if (!found) return found.error().message();
  std::string out;
  for (const Difference& d : *found) out += std::string(d.rule) + ' ' + d.at + ' ' + d.field + '\n';
  return out;
}

TEST(Compatibility, names_fit_without_their_namespace_or_by_alias) {
  const auto fixed = [](std::string_view name, std::string_view more = "") {
    return R"({"type":"fixed","size":2,"name":")" + std::string(name) + '"' + std::string(more) +
           "}";
  };
  EXPECT_EQ(differences(fixed("b.F"), fixed("a.F")), "");
  EXPECT_EQ(differences(fixed("b.G"), fixed("a.F")), "NAME_MISMATCH /name \n");
  EXPECT_EQ(differences(fixed("b.G", R"(,"aliases":["a.F"])"), fixed("a.F")), "");
  EXPECT_EQ(differences(fixed("b.G", R"(,"aliases":["F"])"), fixed("a.F")),
            "NAME_MISMATCH /name \n");
}

TEST(Compatibility, every_kind_of_difference_names_its_place) {
  EXPECT_EQ(
      differences(
          record_of(R"({"name":"a","type":"int"},{"name":"b","type":{"type":"array","items":"int"}},
                                     {"name":"c","type":["null",{"type":"map","values":"int"}]})"),
          record_of(R"({"name":"b","type":{"type":"array","items":"string"}},
                                     {"name":"c","type":["null",{"type":"map","values":"string"}]})")),
      "READER_FIELD_MISSING_DEFAULT_VALUE /fields/0 n.R.a\n"
      "TYPE_MISMATCH /fields/1/type/items n.R.b\n"
      "MISSING_UNION_BRANCH /fields/2/type/1 n.R.c\n");
}

TEST(Compatibility, a_missing_branch_says_why_the_one_that_was_meant_does_not_fit) {
  const auto p = [](std::string_view fields) {
    return R"(["null",{"type":"record","name":"P","fields":[)" + std::string(fields) + "]}]";
  };
  const auto found = compare(*schema(p(R"({"name":"x","type":"int"},{"name":"y","type":"int"})")),
                             *schema(p(R"({"name":"x","type":"int"})")));
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->front().text(),
            "/1: no branch of the reader's union reads record P: P.y: the writer's record P has no "
            "such field, and "
            "there is no default; accepted: give the field a default, or an alias that names a "
            "field of the writer");
}

TEST(Compatibility, an_enum_may_lose_symbols_only_with_a_default) {
  const auto e = [](std::string_view rest) {
    return R"({"type":"enum","name":"E","symbols":)" + std::string(rest) + "}";
  };
  EXPECT_EQ(differences(e(R"(["A"])"), e(R"(["A","B"])")), "MISSING_ENUM_SYMBOLS /symbols \n");
  EXPECT_EQ(differences(e(R"(["A"],"default":"A")"), e(R"(["A","B"])")), "");
}

TEST(Compatibility, a_new_enum_field_needs_a_default_of_its_own) {
  EXPECT_EQ(
      differences(
          record_of(
              R"({"name":"e","type":{"type":"enum","name":"E","symbols":["A"],"default":"A"}})"),
          record_of("")),
      "TYPE_MISMATCH /fields/0/type n.R.e\n");
}

TEST(Compatibility, a_field_that_stands_for_two_of_the_writer_cannot_be_compared) {
  EXPECT_EQ(differences(record_of(R"({"name":"a","type":"int","aliases":["b"]})"),
                        record_of(R"({"name":"a","type":"int"},{"name":"b","type":"int"})")),
            "avro: the field a stands, by its aliases, for two fields of n.R: a and b");
}

TEST(Compatibility, recursive_schemas_are_compared_and_an_error_deep_inside_is_found) {
  const auto list = [](std::string_view type) {
    return record_of(R"({"name":"next","type":["null","R"]},{"name":"v","type":")" +
                     std::string(type) + "\"}");
  };
  EXPECT_EQ(differences(list("long"), list("int")), "");
  EXPECT_EQ(differences(list("int"), list("long")), "TYPE_MISMATCH /fields/1/type n.R.v\n");
}

TEST(Compatibility, schemas_that_would_be_compared_for_ever_are_given_up) {
  // Each record has the one before twice; and the differences double, too.
  const auto tower = [](std::string_view leaf, int height) {
    std::string text = R"({"type":"record","name":"L0","fields":[{"name":"v","type":")" +
                       std::string(leaf) + "\"}]}";
    for (int i = 1; i <= height; ++i)
      text = R"({"type":"record","name":"L)" + std::to_string(i) +
             R"(","fields":[{"name":"a","type":)" + text + R"(},{"name":"b","type":"L)" +
             std::to_string(i - 1) + R"("}]})";
    return text;
  };
  EXPECT_EQ(differences(tower("long", 30), tower("int", 30)), "");
  const auto found = compare(*schema(tower("int", 30)), *schema(tower("long", 30)));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->size(), limits::listed_differences);
  // Two unions of many branches: each is compared with each.
  std::string chain = "[";
  for (int i = 0; i < 1000; ++i)
    chain += (i == 0 ? "" : ",") + (R"({"type":"record","name":"C)" + std::to_string(i)) +
             R"(","fields":[)" +
             (i == 0 ? "" : R"({"name":"p","type":"C)" + std::to_string(i - 1) + "\"}") + "]}";
  const auto given_up = compare(*schema(chain + "]"), *schema(chain + "]"));
  ASSERT_FALSE(given_up);
  EXPECT_EQ(given_up.error().code(), Errc::limit_exceeded);
}

}  // namespace
}  // namespace weir::contract::avro
