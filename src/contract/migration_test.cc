#include "contract/migration.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace weir::contract {
namespace {

SchemaPtr record_of(std::string_view fields, std::string_view more = "") {
  return Schema::parse(Language::avro, R"({"type":"record","name":"R",)" + std::string(more) +
                                           R"("fields":[)" + std::string(fields) + "]}")
      .value();
}
constexpr std::string_view a = R"({"name":"a","type":"int"})";
constexpr std::string_view a_and_b = R"({"name":"a","type":"int"},{"name":"b","type":"int"})";
constexpr std::string_view a_and_optional =
    R"({"name":"a","type":"int"},{"name":"b","type":"int","default":0})";
constexpr std::string_view text = R"({"name":"a","type":"string"})";

Migration plan(std::string_view before, std::string_view after, MigrationFacts facts = {}) {
  facts.stream = "orders";
  return plan_migration(*record_of(before), *record_of(after), facts).value();
}

bool mentions(const Migration& migration, std::string_view what) {
  return std::ranges::any_of(migration.steps, [&](const MigrationStep& step) {
    return step.what.find(what) != std::string::npos || step.how.find(what) != std::string::npos;
  });
}

TEST(Migration, of_the_same_is_nothing) {
  const auto none = plan(a, a);
  EXPECT_EQ(none.way, Way::nothing);
  EXPECT_TRUE(none.steps.empty());
}

TEST(Migration, a_compatible_change_stays_in_its_stream_and_says_who_goes_first) {
  const auto any = plan(a, a_and_optional);
  EXPECT_EQ(any.way, Way::compatible);
  EXPECT_EQ(any.level, Level::full);
  const auto backward = plan(a_and_b, a);
  EXPECT_EQ(backward.level, Level::backward);
  EXPECT_EQ(backward.steps.back().who, "producers");
  const auto forward = plan(a, a_and_b);
  EXPECT_EQ(forward.level, Level::forward);
  EXPECT_EQ(forward.steps.back().who, "consumers");
  EXPECT_TRUE(mentions(forward, "weir schema level orders-value FORWARD"));
}

TEST(Migration, a_breaking_change_gets_a_new_stream_to_which_consumers_move_one_by_one) {
  const auto breaking = plan(a, text);
  EXPECT_EQ(breaking.way, Way::eventual_migration);
  EXPECT_FALSE(breaking.backward.empty());
  EXPECT_FALSE(breaking.forward.empty());
  EXPECT_EQ(breaking.level, Level::none);
  EXPECT_TRUE(mentions(breaking, "both streams"));
  EXPECT_TRUE(mentions(breaking, "weir topic create orders-next"));
  EXPECT_TRUE(mentions(breaking, "weir topic delete orders"));
}

TEST(Migration, few_readers_or_a_decision_let_all_move_at_once) {
  EXPECT_EQ(plan(a, text, {.readers = {"billing"}, .readers_known = true}).way,
            Way::synchronised_migration);
  const auto many = plan(a, text, {.readers = {"a", "b", "c"}, .readers_known = true});
  EXPECT_EQ(many.way, Way::eventual_migration);
  EXPECT_EQ(std::ranges::count(many.steps, "b", &MigrationStep::who), 1);
  EXPECT_EQ(plan(a, text, {.synchronised = true}).way, Way::synchronised_migration);
}

TEST(Migration, entities_are_published_anew_and_their_streams_compacted) {
  const auto entity = [](std::string_view fields) {
    return record_of(fields, R"("weir.topic.kind":"entity",)");
  };
  const auto migration = plan_migration(*entity(a), *entity(text), {.stream = "planes"}).value();
  EXPECT_TRUE(mentions(migration, "cleanup.policy=compact"));
  EXPECT_TRUE(mentions(migration, "every entity"));
}

TEST(Migration, another_language_breaks_whatever_it_says) {
  const auto json = Schema::parse(Language::json, R"({"type":"object"})").value();
  const auto migration = plan_migration(*record_of(a), *json, {.stream = "orders"}).value();
  EXPECT_EQ(migration.way, Way::eventual_migration);
  EXPECT_NE(migration.why.find("AVRO and JSON"), std::string::npos);
}

}  // namespace
}  // namespace weir::contract
