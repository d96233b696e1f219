#include "contract/compatibility.h"

#include <gtest/gtest.h>

#include "contract/schema.h"

namespace weir::contract {
namespace {

SchemaPtr record_of(std::string_view fields) {
  return Schema::parse(Language::avro,
                       R"({"type":"record","name":"R","fields":[)" + std::string(fields) + "]}")
      .value();
}

std::vector<SchemaPtr> versions() {
  return {record_of(R"({"name":"a","type":"int"})"),
          record_of(R"({"name":"a","type":"int"},{"name":"b","type":"int","default":0})"),
          record_of(R"({"name":"a","type":"int"},{"name":"b","type":"int"})")};
}

TEST(Levels, backward_looks_at_the_latest_and_the_transitive_form_at_all) {
  const auto history = versions();
  const SchemaPtr next = record_of(R"({"name":"a","type":"int"},{"name":"b","type":"long"})");
  EXPECT_TRUE(judge(Level::backward, *next, history)->compatible());
  const auto all = judge(Level::backward_transitive, *next, history).value();
  EXPECT_FALSE(all.compatible());
  EXPECT_EQ(all.version, 0U);
  EXPECT_FALSE(all.forward);
  EXPECT_EQ(all.differences.front().field, "R.b");
}

TEST(Levels, forward_asks_whether_the_versions_read_the_new_schema) {
  const auto history = versions();
  const SchemaPtr without_b = record_of(R"({"name":"a","type":"int"})");
  EXPECT_TRUE(judge(Level::backward, *without_b, history)->compatible());
  const auto forward = judge(Level::forward, *without_b, history).value();
  EXPECT_FALSE(forward.compatible());
  EXPECT_EQ(forward.version, 2U);
  EXPECT_TRUE(forward.forward);
  EXPECT_FALSE(judge(Level::full, *without_b, history)->compatible());
  EXPECT_FALSE(judge(Level::full_transitive, *without_b, history)->compatible());
  EXPECT_TRUE(judge(Level::none, *without_b, history)->compatible());
  EXPECT_TRUE(judge(Level::full_transitive, *without_b, {})->compatible());
}

TEST(Levels, full_transitive_wants_both_directions_of_every_version) {
  const std::vector<SchemaPtr> history = {
      record_of(R"({"name":"a","type":"int"})"),
      record_of(R"({"name":"a","type":"int"},{"name":"b","type":"int","default":0})")};
  const SchemaPtr next =
      record_of(R"({"name":"a","type":"int"},{"name":"c","type":"string","default":""})");
  EXPECT_TRUE(judge(Level::full_transitive, *next, history)->compatible());
}

TEST(Levels, their_names_are_read_in_either_case) {
  for (const Level level :
       {Level::none, Level::backward, Level::forward_transitive, Level::full_transitive})
    EXPECT_EQ(parse_level(name_of(level)), level);
  EXPECT_EQ(parse_level("full_transitive"), Level::full_transitive);
  EXPECT_EQ(parse_level("UP"), std::nullopt);
}

}  // namespace
}  // namespace weir::contract
