#include "contract/changes.h"

#include <gtest/gtest.h>

#include "contract/schema.h"

namespace weir::contract {
namespace {

Outline outline(std::string_view text) {
  return Schema::parse(Language::avro, text).value()->outline();
}

std::vector<std::string> lines(std::string_view before, std::string_view after) {
  std::vector<std::string> out;
  for (const Change& one : changes_between(outline(before), outline(after)))
    out.push_back(std::string(name_of(one.what)) + " " + one.place + " " + one.part + ": " +
                  one.before + " -> " + one.after);
  return out;
}

constexpr std::string_view order_1 = R"({"type":"record","name":"shop.Order","fields":[
  {"name":"id","type":"string"},{"name":"total","type":"double"},
  {"name":"state","type":{"type":"enum","name":"State","symbols":["NEW","PAID"]}},
  {"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[
    {"name":"sku","type":"string","doc":"what"}]}}}]})";
constexpr std::string_view order_2 = R"({"type":"record","name":"shop.Order","doc":"paid","fields":[
  {"name":"id","type":"string"},
  {"name":"state","type":{"type":"enum","name":"State","symbols":["NEW","SENT"],"default":"NEW"}},
  {"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[
    {"name":"sku","type":["null","string"],"default":null,"doc":"which"}]}}},
  {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"default":0}]})";

TEST(Diff, lists_every_change_with_its_place) {
  EXPECT_EQ(lines(order_1, order_2),
            (std::vector<std::string>{
                "told shop.Order doc:  -> paid",
                "added shop.Order.at field:  -> long (timestamp-millis), default 0",
                "removed shop.Order.total field: double -> ",
                "changed shop.Line.sku type: string -> [null, string]",
                "changed shop.Line.sku default:  -> null", "told shop.Line.sku doc: what -> which",
                "added shop.State.SENT symbol:  -> ", "removed shop.State.PAID symbol:  -> ",
                "changed shop.State default:  -> NEW"}));
}

TEST(Diff, of_a_schema_with_itself_is_empty) { EXPECT_TRUE(lines(order_2, order_2).empty()); }

TEST(Diff, compares_roots_of_other_names_and_kinds) {
  EXPECT_EQ(
      lines(R"({"type":"fixed","name":"A","size":4})", R"({"type":"fixed","name":"B","size":5})"),
      (std::vector<std::string>{"changed  type: A[4] -> B[5]"}));
  EXPECT_EQ(lines(R"("long")", R"(["null",{"type":"map","values":"bytes"}])"),
            (std::vector<std::string>{"changed  type: long -> [null, map<bytes>]"}));
  EXPECT_EQ(lines(R"("long")", R"({"type":"record","name":"A","fields":[]})").front(),
            "changed A type: long -> A");
}

TEST(Diff, of_a_type_that_contains_itself_ends) {
  const std::string tree =
      R"({"type":"record","name":"T","fields":[{"name":"next","type":["null","T"]}]})";
  EXPECT_TRUE(lines(tree, tree).empty());
}

}  // namespace
}  // namespace weir::contract
