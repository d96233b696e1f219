// Inline tags: in schemas, and through the REST API.
#include "registry/tags.h"

#include <gtest/gtest.h>

#include "registry/registry_test_kit.h"

namespace weir::registry {
namespace {

constexpr const char* nested = R"({"type":"record","name":"Order","namespace":"shop","fields":[
  {"name":"email","type":["null","string"],"confluent:tags":["PII"]},
  {"name":"to","type":{"type":"record","name":"Place","fields":[{"name":"city","type":"string"}]}},
  {"name":"lines","type":{"type":"array","items":{"type":"map","values":
    {"type":"record","name":"Line","namespace":"shop.lines","fields":[{"name":"n","type":"int"},
      {"name":"again","type":{"type":"record","name":"Inner","fields":[{"name":"x","type":"int"}]}}]}}}}
  ],"confluent:tags":["a","b"]})";

contract::SchemaPtr parsed(std::string_view text) {
  return contract::Schema::parse(contract::Language::avro, text).value();
}

std::string shown(const TagList& tags) {
  std::string out;
  for (const Tagged& one : tags) {
    out += one.path + (one.is_field ? " field" : " record");
    for (const std::string& tag : one.tags) out += " " + tag;
    out += "\n";
  }
  return out;
}

/// Tags of `nested` after a change.
std::string after(const TagList& add, const TagList& remove) {
  const auto text = with_tags(*parsed(nested), add, remove);
  return text ? shown(inline_tags(*parsed(*text))) : text.error().message;
}

TEST(Tags, of_records_and_fields_are_found_by_full_names) {
  EXPECT_EQ(shown(inline_tags(*parsed(nested))),
            "shop.Order record a b\nshop.Order.email field PII\n");
}

TEST(Tags, are_added_behind_those_that_are_there_and_removed) {
  EXPECT_EQ(
      after({{"shop.Order.email", true, {"PII", "contact"}}, {"shop.Place", false, {"where"}}},
            {{"shop.Order", false, {"a", "z"}}}),
      "shop.Order record b\nshop.Order.email field PII contact\nshop.Place record where\n");
  EXPECT_EQ(after({}, {{"shop.Order", false, {"a", "b"}}, {"shop.Order.email", true, {"PII"}}}),
            "");
  EXPECT_EQ(after({{"shop.lines.Line.n", true, {"x"}}, {"shop.lines.Inner.x", true, {"y"}}},
                  {{"shop.lines.Line.n", true, {"x"}}}),
            "shop.Order record a b\nshop.Order.email field PII\nshop.lines.Inner.x field y\n");
}

TEST(Tags, of_parts_that_are_not_there_are_refused_or_passed_over) {
  for (const auto& [path, is_field] : {std::pair{"Order", false},
                                       {"shop.Order", true},
                                       {"shop.Order.phone", true},
                                       {"shop.Order.email", false},
                                       {"shop.Order.to.city", true}}) {
    const auto refused = with_tags(*parsed(nested), {{path, is_field, {"x"}}}, {});
    ASSERT_FALSE(refused) << path;
    EXPECT_EQ(refused.error().code, Code::invalid_schema);
    EXPECT_NE(refused.error().message.find(path), std::string::npos);
    EXPECT_TRUE(with_tags(*parsed(nested), {{path, is_field, {"x"}}}, {}, true));
  }
}

TEST(Tags, that_are_no_strings_are_none) {
  const auto odd = parsed(
      R"({"type":"record","name":"R","fields":[{"name":"x","type":"int","confluent:tags":[1,"t"]}],)"
      R"("confluent:tags":"x"})");
  EXPECT_EQ(shown(inline_tags(*odd)), "R.x field t\n");
}

// ---- the REST API

std::string entity(const std::string& path, const std::string& type, const std::string& tags) {
  return R"({"schemaEntity":{"entityPath":")" + path + R"(","entityType":")" + type +
         R"("},"tags":)" + tags + "}";
}
std::string tagged_text(TestRegistry& registry, const std::string& version) {
  return registry.call("GET", "/subjects/a/versions/" + version + "/schema").text;
}
const std::string plain = record_schema("R", {"x", "y"});
const std::string with_pii =
    R"({"type":"record","name":"R","fields":[{"name":"x","type":"int","confluent:tags":["PII"]},)"
    R"({"name":"y","type":"int"}]})";

TEST(TagsOverRest, are_added_and_removed_as_a_schema_is_registered) {
  TestRegistry registry;
  const std::string add = R"("schemaTagsToAdd":[)" + entity("R.x", "sr_field", R"(["PII"])") + "]";
  EXPECT_EQ(registry.add("a", plain), 1);
  EXPECT_EQ(registry.add("a", plain, add), 2);
  EXPECT_EQ(tagged_text(registry, "2"), with_pii);
  // What that gives is there now.
  const auto before = registry.stream.size();
  EXPECT_EQ(registry.add("a", plain, add), 2);
  EXPECT_EQ(
      registry.add("a", with_pii,
                   R"("schemaTagsToRemove":[)" + entity("R.x", "sr_field", R"(["PII"])") + "]"),
      1);
  EXPECT_EQ(registry.stream.size(), before);
  // Blank text is the latest version's.
  EXPECT_EQ(
      registry.add("a", "", R"("schemaTagsToAdd":[)" + entity("R", "sr_record", R"(["t"])") + "]"),
      3);
  EXPECT_EQ(tagged_text(registry, "3"),
            with_pii.substr(0, with_pii.size() - 1) + R"(,"confluent:tags":["t"]})");
}

TEST(TagsOverRest, are_propagated_to_the_parts_that_are_still_there) {
  TestRegistry registry;
  registry.add("a", with_pii);
  const std::string next = record_schema("R", {"x", "z"}, R"(,"default":0)");
  EXPECT_EQ(registry.add("a", next, R"("propagateSchemaTags":true)"), 2);
  EXPECT_NE(tagged_text(registry, "2").find(R"("confluent:tags":["PII"])"), std::string::npos);
  EXPECT_EQ(registry.add("a", record_schema("R", {"z"}, R"(,"default":0)"),
                         R"("propagateSchemaTags":true)"),
            3);
  EXPECT_EQ(tagged_text(registry, "3").find("confluent:tags"), std::string::npos);
  EXPECT_EQ(registry.add("b", plain, R"("propagateSchemaTags":true)"), 4);
}

TEST(TagsOverRest, are_shown_when_they_are_asked_for) {
  TestRegistry registry;
  registry.add("a", with_pii);
  const std::string shown =
      R"("schemaTags":[{"schemaEntity":{"entityPath":"R.x","entityType":"sr_field"},"tags":["PII"]}])";
  for (const char* target :
       {"/subjects/a/versions/1", "/subjects/a/versions/latest", "/schemas/ids/1"}) {
    EXPECT_EQ(registry.call("GET", target).text.find("schemaTags"), std::string::npos);
    const auto answer = registry.call("GET", std::string(target) + "?findTags=true");
    EXPECT_NE(answer.text.find(shown), std::string::npos) << answer.text;
  }
  registry.add("b", plain);
  EXPECT_EQ(registry.call("GET", "/subjects/b/versions/1?findTags=true").text.find("schemaTags"),
            std::string::npos);
}

TEST(TagsOverRest, a_version_is_registered_again_with_other_tags_metadata_and_rules) {
  TestRegistry registry;
  const auto rule = [](const std::string& name) {
    return R"({"name":")" + name + R"(","kind":"CONDITION","mode":"WRITE","type":"CEL"})";
  };
  registry.add("a", plain,
               R"("ruleSet":{"domainRules":[)" + rule("one") + "," + rule("two") + "]}");
  const auto answer = registry.call(
      "POST", "/subjects/a/versions/latest/tags",
      R"({"newVersion":2,"tagsToAdd":[)" + entity("R.x", "sr_field", R"(["PII"])") +
          R"(],"metadata":{"properties":{"owner":"shop"}},"rulesToMerge":{"domainRules":[)" +
          rule("three") + R"(]},"rulesToRemove":["one"]})");
  ASSERT_EQ(answer.status, 200) << answer.text;
  EXPECT_EQ(*answer.body.find("version")->as_int(), 2);
  EXPECT_EQ(*answer.body.find("id")->as_int(), 2);
  EXPECT_EQ(*answer.body.find("schema")->as_string(), with_pii);
  const auto& properties = *answer.body.find("metadata")->find("properties");
  EXPECT_EQ(*properties.find("owner")->as_string(), "shop");
  EXPECT_EQ(*properties.find("confluent:version")->as_string(), "2");
  const auto& rules = *answer.body.find("ruleSet")->find("domainRules")->as_array();
  ASSERT_EQ(rules.size(), 2U);
  EXPECT_EQ(*rules[0].find("name")->as_string(), "two");
  EXPECT_EQ(*rules[1].find("name")->as_string(), "three");
}

TEST(TagsOverRest, nothing_to_change_is_the_version_itself) {
  TestRegistry registry;
  registry.add("a", with_pii);
  const auto before = registry.stream.size();
  for (const std::string& body :
       {std::string("{}"), R"({"tagsToAdd":[)" + entity("R.x", "sr_field", R"(["PII"])") + "]}",
        R"({"tagsToRemove":[)" + entity("R.y", "sr_field", R"(["PII"])") + "]}"}) {
    const auto answer = registry.call("POST", "/subjects/a/versions/1/tags", body);
    ASSERT_EQ(answer.status, 200) << answer.text;
    EXPECT_EQ(*answer.body.find("version")->as_int(), 1);
  }
  EXPECT_EQ(registry.stream.size(), before);
}

TEST(TagsOverRest, what_is_wrong_is_refused_by_its_code_and_nothing_is_written) {
  TestRegistry registry;
  registry.add("a", plain);
  const auto before = registry.stream.size();
  const std::string text = json::write(json::Value(plain));
  struct Case {
    const char* target;
    std::string body;
    int status;
    int code;
  };
  const Case cases[] = {
      {"/subjects/a/versions/2/tags", "{}", 404, 40402},
      {"/subjects/b/versions/1/tags", "{}", 404, 40401},
      {"/subjects/a/versions/x/tags", "{}", 422, 42202},
      {"/subjects/a/versions/1/tags", "[]", 422, 422},
      {"/subjects/a/versions/1/tags", R"({"tags":[]})", 422, 422},
      {"/subjects/a/versions/1/tags", R"({"tagsToAdd":{}})", 422, 422},
      {"/subjects/a/versions/1/tags", R"({"tagsToAdd":[1]})", 422, 422},
      {"/subjects/a/versions/1/tags", R"({"tagsToAdd":[{"tags":["x"]}]})", 422, 422},
      {"/subjects/a/versions/1/tags", R"({"rulesToRemove":"x"})", 422, 422},
      {"/subjects/a/versions/1/tags", R"({"rulesToRemove":[1]})", 422, 422},
      {"/subjects/a/versions/1/tags",
       R"({"newVersion":7,"tagsToAdd":[)" + entity("R.x", "sr_field", R"(["t"])") + "]}", 422,
       42201},
      {"/subjects/a/versions/1/tags",
       R"({"tagsToAdd":[)" + entity("R.x", "sr_thing", R"(["t"])") + "]}", 422, 422},
      {"/subjects/a/versions/1/tags",
       R"({"tagsToAdd":[)" + entity("R.x", "sr_field", R"("t")") + "]}", 422, 422},
      {"/subjects/a/versions/1/tags",
       R"({"tagsToAdd":[)" + entity("R.z", "sr_field", R"(["t"])") + "]}", 422, 42201},
      {"/subjects/a/versions",
       R"({"schema":)" + text + R"(,"schemaTagsToRemove":[)" +
           entity("Q", "sr_record", R"(["t"])") + "]}",
       422, 42201},
      {"/subjects/a/versions", R"({"schema":)" + text + R"(,"propagateSchemaTags":1})", 422, 422},
  };
  for (const Case& one : cases) {
    const auto answer = registry.call("POST", one.target, one.body);
    EXPECT_EQ(answer.status, one.status) << one.target << one.body << answer.text;
    EXPECT_EQ(answer.code(), one.code) << one.target << one.body << answer.text;
  }
  EXPECT_EQ(registry.stream.size(), before);
}

}  // namespace
}  // namespace weir::registry
