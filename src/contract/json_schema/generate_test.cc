#include "contract/json_schema/generate.h"

#include <gtest/gtest.h>

namespace weir::contract::json_schema {
namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}
/// The header, or why there is none.
std::string header_of(std::string_view schema_text, GenerateOptions options = {}) {
  const SchemaFile files[] = {{"contracts/thing.schema.json", std::string(schema_text)}};
  const auto made = generate(files, options);
  return made ? made->at(0).text : made.error().message();
}
std::string header_with(std::string_view property) {
  return header_of(R"({"type":"object","properties":{"p":)" + std::string(property) + "}}");
}

TEST(JsonSchemaGenerate, the_same_input_gives_the_same_bytes_in_files_named_after_the_schema) {
  const SchemaFile files[] = {
      {"a/line.schema.json",
       R"({"weir.namespace":"shop.eu","properties":{"x":{"type":"string"}}})"},
      {"order.json", R"({"properties":{"l":{"$ref":"line.schema.json"}}})"}};
  const auto made = generate(files).value();
  const auto again = generate(files).value();
  ASSERT_EQ(made.size(), 4U);
  EXPECT_EQ(made[0].path, "shop/eu/line.h");
  EXPECT_EQ(made[1].path, "shop/eu/line.cc");
  EXPECT_EQ(made[2].path, "contracts/order.h");
  EXPECT_TRUE(contains(made[2].text, "#include \"shop/eu/line.h\""));
  EXPECT_TRUE(contains(made[2].text, "std::optional<::shop::eu::Line> l{};")) << made[2].text;
  for (std::size_t i = 0; i < made.size(); ++i) EXPECT_EQ(made[i].text, again[i].text);
}

TEST(JsonSchemaGenerate, each_type_has_its_form) {
  constexpr std::pair<std::string_view, std::string_view> forms[] = {
      {R"({"type":"boolean"})", "std::optional<bool> p{};"},
      {R"({"type":"integer","minimum":0,"maximum":9})", "std::optional<std::int32_t> p{};"},
      {R"({"type":"integer","minimum":0})", "std::optional<std::int64_t> p{};"},
      {R"({"type":["null","number"]})", "std::optional<double> p{};"},
      {R"({"type":"string","format":"uuid"})", "std::optional<::weir::json_schema::Uuid> p{};"},
      {R"({"type":"string","format":"email"})", "std::optional<std::string> p{};"},
      {R"({"type":"array"})", "std::optional<std::vector<::weir::json_schema::Json>> p{};"},
      {R"({"type":"object"})", "std::optional<::weir::json_schema::Json> p{};"},
      {R"({"oneOf":[{"type":"string"},{"type":"null"}]})", "std::optional<std::string> p{};"},
      {R"({"type":"string","default":"x"})", "std::string p{\"x\"};"},
      {R"({"type":"array","items":[{}]})", "std::optional<::weir::json_schema::Json> p{};"},
      {R"({"enum":[1,2]})", "std::optional<::weir::json_schema::Json> p{};"},
      {R"({"type":["string","null"],"default":"x"})", "std::optional<std::string> p{};"},
      {R"({"allOf":[{"type":"string"}]})", "std::optional<std::string> p{};"},
      {R"({"$ref":"#"})", "::weir::json_schema::Box<::contracts::Thing> p{};"}};
  for (const auto& [schema, member] : forms)
    EXPECT_TRUE(contains(header_with(schema), member)) << schema << '\n' << header_with(schema);
}

TEST(JsonSchemaGenerate, names_that_mean_something_in_cpp_or_nothing_become_others) {
  const std::string header = header_of(
      R"({"title":"class","properties":{"int":{"type":"null"},"2nd":{},"a-b":{},"a.b":{},"":{},
      "e":{"enum":["default","default_","1"]}}})");
  for (const std::string_view part : {"struct Class {", " int_{};", " n2nd{};", " a_b{};",
                                      " a_b_{};", " value{};", "  default_,\n  default_0,\n  n1,"})
    EXPECT_TRUE(contains(header, part)) << part << '\n' << header;
}

TEST(JsonSchemaGenerate, documentation_becomes_comments_that_cannot_be_escaped) {
  const std::string header = header_of(
      R"({"description":"One.\n\n*/ Two \\\n","properties":{"a":{"description":"A\r\nfield."}}})");
  EXPECT_TRUE(contains(header, "/// One.\n///\n/// */ Two\nstruct Thing {")) << header;
  EXPECT_TRUE(contains(header, "  /// A\n  /// field.\n"));
}

TEST(JsonSchemaGenerate, what_has_no_form_is_refused_with_its_place) {
  EXPECT_EQ(header_of(R"({"type":"string"})"),
            "contracts/thing.schema.json: #: the root is no object with properties, so that there "
            "is no struct for it");
  EXPECT_TRUE(
      contains(header_of(R"({"properties":{"me":{"$ref":"#"}},"required":["me"]})"),
               "the member me is required and of the struct that it is in; no value can be made"));
  EXPECT_TRUE(
      contains(header_of(R"({"properties":{"a":{"type":"strin"}}})"), "#/properties/a/type"));
  EXPECT_TRUE(contains(header_of(R"({"weir.namespace":"1a","properties":{}})"), "is no namespace"));
  EXPECT_TRUE(
      contains(header_of(R"({"weir.topic":"a b","properties":{}})"), "weir.topic is a name"));
  EXPECT_TRUE(contains(header_of(R"({"weir.topic":"a","weir.topic.kind":"keyed","properties":{}})"),
                       "needs a weir.key"));
  std::string deep = R"({"type":"string"})";
  for (int i = 0; i < 60; ++i) deep = R"({"type":"array","items":)" + deep + "}";
  EXPECT_TRUE(contains(header_with(deep), "std::vector<std::vector<"));
}

TEST(JsonSchemaGenerate, a_text_that_ends_the_literal_does_not_end_it) {
  const SchemaFile files[] = {
      {"t.json", R"j({"description":")json\"","properties":{"a":{"default":"?)\"\\"}}})j"}};
  const auto made = generate(files);
  ASSERT_TRUE(made.has_value()) << made.error().message();
  EXPECT_TRUE(contains(made->at(1).text, "R\"json("));
}

}  // namespace
}  // namespace weir::contract::json_schema
