// Protobuf and JSON Schema through the REST API.
#include <gtest/gtest.h>

#include "base/base64.h"
#include "registry/registry_test_kit.h"

namespace weir::registry {
namespace {

constexpr const char* protobuf = R"("schemaType":"PROTOBUF")";
constexpr const char* json_schema = R"("schemaType":"JSON")";

std::string text_at(const Answered& answer, std::string_view member) {
  const json::Value* value = answer.body.find(member);
  return value == nullptr || value->as_string() == nullptr ? "" : *value->as_string();
}

std::string body_of(std::string_view schema, std::string_view type, std::string_view more = "") {
  std::string out = json::write(json::Object{{"schema", schema}, {"schemaType", type}});
  if (!more.empty()) out = out.substr(0, out.size() - 1) + "," + std::string(more) + "}";
  return out;
}

TEST(Languages, a_protobuf_schema_has_one_id_however_it_is_spaced) {
  TestRegistry registry;
  const int id = registry.add("a", "syntax = \"proto3\"; message A { int32 x = 1; }", protobuf);
  EXPECT_EQ(id, 1);
  EXPECT_EQ(registry.add("b", "syntax=\"proto3\";\n\nmessage A {\n int32 x=1;\n}", protobuf), id);
  const auto stored = registry.call("GET", "/schemas/ids/1");
  EXPECT_EQ(text_at(stored, "schemaType"), "PROTOBUF");
  EXPECT_NE(text_at(stored, "schema").find("int32 x = 1;"), std::string::npos);
  const auto again = registry.call("POST", "/subjects/a",
                                   body_of("syntax=\"proto3\"; message A{int32 x=1;}", "PROTOBUF"));
  EXPECT_EQ(again.status, 200) << again.text;
}

TEST(Languages, a_protobuf_schema_may_come_and_go_as_a_descriptor) {
  TestRegistry registry;
  registry.add("a", "syntax = \"proto3\"; message A { int32 x = 1; }", protobuf);
  const auto serialized = registry.call("GET", "/schemas/ids/1?format=serialized");
  EXPECT_TRUE(from_base64(text_at(serialized, "schema")).has_value()) << serialized.text;
  EXPECT_EQ(registry.add("b", text_at(serialized, "schema"), protobuf), 1);
}

TEST(Languages, protobuf_versions_are_compared_and_a_refusal_says_why) {
  TestRegistry registry;
  registry.add("a", "syntax = \"proto3\"; message A { int32 x = 1; }", protobuf);
  EXPECT_EQ(
      registry.add("a", "syntax = \"proto3\"; message A { int64 x = 1; string y = 2; }", protobuf),
      2);
  const std::string text = "syntax = \"proto3\"; message A { string x = 1; }";
  EXPECT_EQ(registry.add("a", text, protobuf), -409);
  const auto verdict = registry.call("POST", "/compatibility/subjects/a/versions?verbose=true",
                                     body_of(text, "PROTOBUF"));
  ASSERT_EQ(verdict.status, 200) << verdict.text;
  EXPECT_EQ(*verdict.body.find("is_compatible"), json::Value(false));
  const auto* first = verdict.body.find("differences")->as_array();
  ASSERT_TRUE(first != nullptr && !first->empty());
  EXPECT_EQ(*first->front().find("rule"), json::Value("FIELD_SCALAR_KIND_CHANGED"));
  EXPECT_FALSE(first->front().find("fix")->as_string()->empty());
}

TEST(Languages, protobuf_imports_are_references_and_google_s_types_need_none) {
  TestRegistry registry;
  registry.add("line", "syntax = \"proto3\"; package shop; message Line { int32 n = 1; }",
               protobuf);
  const std::string order =
      "syntax = \"proto3\"; package shop; import \"shop/line.proto\"; "
      "import \"google/protobuf/timestamp.proto\"; message Order { repeated Line lines = 1; "
      "google.protobuf.Timestamp at = 2; }";
  EXPECT_EQ(registry.add("order", order, protobuf), -42201);
  const std::string referring =
      std::string(protobuf) +
      R"(,"references":[{"name":"shop/line.proto","subject":"line","version":1}])";
  EXPECT_EQ(registry.add("order", order, referring), 2);
  EXPECT_EQ(registry.call("DELETE", "/subjects/line").code(), 42206);
  const auto users = registry.call("GET", "/subjects/line/versions/1/referencedby");
  EXPECT_EQ(users.text, "[2]");
}

TEST(Languages, a_json_schema_is_kept_as_it_was_written_but_for_space) {
  TestRegistry registry;
  const int id = registry.add("a", R"({"type": "object", "properties": {"x": {"minimum": 1.0}}})",
                              json_schema);
  EXPECT_EQ(id, 1);
  EXPECT_EQ(text_at(registry.call("GET", "/schemas/ids/1"), "schema"),
            R"({"type":"object","properties":{"x":{"minimum":1.0}}})");
  // The order of members is the author's, unless the normalised form is asked for.
  const std::string turned = R"({"properties":{"x":{"minimum":1.0}},"type":"object"})";
  EXPECT_EQ(registry.add("b", turned, json_schema), 2);
  const auto one =
      registry.call("POST", "/subjects/c/versions?normalize=true", body_of(turned, "JSON"));
  const auto other =
      registry.call("POST", "/subjects/d/versions?normalize=true",
                    body_of(R"({"type":"object","properties":{"x":{"minimum":1.0}}})", "JSON"));
  EXPECT_EQ(*one.body.find("id"), *other.body.find("id"));
}

TEST(Languages, the_policy_of_a_subject_decides_about_open_models) {
  TestRegistry registry;
  const std::string open = R"({"type":"object","properties":{"x":{"type":"string"}}})";
  const std::string more =
      R"({"type":"object","properties":{"x":{"type":"string"},"y":{"type":"string"}}})";
  registry.add("a", open, json_schema);
  EXPECT_EQ(registry.add("a", more, json_schema), -409);
  registry.call("PUT", "/config/a",
                R"({"compatibilityPolicy":"LENIENT","compatibility":"BACKWARD"})");
  EXPECT_EQ(registry.add("a", more, json_schema), 2);
}

TEST(Languages, json_references_lead_to_other_subjects) {
  TestRegistry registry;
  registry.add("line", R"({"type":"object","properties":{"n":{"type":"integer"}}})", json_schema);
  const std::string order = R"({"type":"object","properties":{"line":{"$ref":"line.json"}}})";
  EXPECT_EQ(registry.add("order", order, json_schema), -42201);
  EXPECT_EQ(
      registry.add("order", order,
                   std::string(json_schema) +
                       R"(,"references":[{"name":"line.json","subject":"line","version":-1}])"),
      2);
}

TEST(Languages, another_language_is_incompatible_and_references_stay_in_theirs) {
  TestRegistry registry;
  registry.add("a", R"("string")");
  EXPECT_EQ(registry.add("a", R"({"type":"string"})", json_schema), -409);
  EXPECT_EQ(registry.add("b", R"({"$ref":"x"})",
                         std::string(json_schema) +
                             R"(,"references":[{"name":"x","subject":"a","version":1}])"),
            -42201);
  EXPECT_EQ(registry.add("c", "x", R"("schemaType":"XML")"), -42201);
}

TEST(Languages, a_refusal_names_the_consumers_that_it_would_break) {
  TestRegistry registry;
  const std::string old = record_schema("Order", {"a"});
  registry.add("orders-value", old);
  const auto reads = [&](const char* group, const std::string& schema) {
    const auto reader =
        contract::reader_record(group, "orders-value", contract::Language::avro, schema, 1);
    registry.readers.apply({.key = contract::key_of(reader), .value = contract::value_of(reader)});
  };
  reads("billing", old);
  reads("audit", record_schema("Order", {}));
  registry.readers.apply({.key = "x", .value = "no record of readers"});
  EXPECT_EQ(registry.readers.size(), 2U);
  const std::string text =
      R"({"type":"record","name":"Order","fields":[{"name":"a","type":"string"}]})";
  const auto refused = registry.call("POST", "/subjects/orders-value/versions",
                                     json::write(json::Object{{"schema", text}}));
  EXPECT_EQ(refused.status, 409);
  EXPECT_NE(refused.text.find("consumer:'billing'"), std::string::npos) << refused.text;
  EXPECT_EQ(refused.text.find("audit"), std::string::npos) << refused.text;
  const auto verdict =
      registry.call("POST", "/compatibility/subjects/orders-value/versions?verbose=true",
                    json::write(json::Object{{"schema", text}}));
  EXPECT_NE(verdict.text.find("consumer:'billing', description:'it cannot read the new version"),
            std::string::npos)
      << verdict.text;
  // A group that is gone is a tombstone.
  const auto gone =
      contract::reader_record("billing", "orders-value", contract::Language::avro, old, 1);
  registry.readers.apply({.key = contract::key_of(gone), .value = std::nullopt});
  EXPECT_EQ(registry.readers.size(), 1U);
}

TEST(Languages, changes_tell_what_is_different) {
  TestRegistry registry;
  registry.add("a", "syntax = \"proto3\"; message A { int32 x = 1; }", protobuf);
  registry.add("a", "syntax = \"proto3\"; message A { int32 x = 1; string y = 2; }", protobuf);
  ASSERT_FALSE(registry.changes.empty());
  const auto value = json::parse(registry.changes.back().value.value());
  EXPECT_NE(json::write(*value).find(R"("fieldsAdded":["y"])"), std::string::npos)
      << json::write(*value);
}

}  // namespace
}  // namespace weir::registry
