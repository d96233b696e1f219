#include "contract/outline.h"

#include <gtest/gtest.h>

#include "contract/json_schema/schema.h"

namespace weir::contract::json_schema {
namespace {

Outline outline_of(std::string_view text) {
  const auto schema = JsonSchema::parse(text);
  EXPECT_TRUE(schema.has_value()) << schema.error().message();
  return schema ? (*schema)->outline() : Outline{};
}

constexpr std::string_view order = R"({"title":"Order","description":"Placed after payment.",
  "weir.topic":"orders","weir.key":"string","type":"object","required":["id","lines"],
  "additionalProperties":false,"confluent:tags":["SHOP"],"weir.lint.ignore":{"EV044":"see header"},
  "properties":{
    "id":{"type":"string","format":"uuid","description":"Who it is."},
    "mail":{"type":"string","maxLength":100,"confluent:tags":["PII"],"pattern":"@"},
    "state":{"type":"string","enum":["NEW","PAID"],"default":"NEW"},
    "count":{"type":"integer","minimum":0,"maximum":100},
    "big":{"type":"integer","minimum":0,"maximum":100000000000},
    "price":{"type":["number","null"]},
    "lines":{"type":"array","maxItems":10,"items":{"$ref":"#/definitions/line"}},
    "extra":{"type":"object","additionalProperties":{"type":"string"}},
    "pay":{"oneOf":[{"$ref":"#/definitions/card"},{"$ref":"#/definitions/line"},{"type":"null"}]},
    "blob":{"type":"string","contentEncoding":"base64"},
    "free":{},"next":{"$ref":"#"}},
  "definitions":{
    "line":{"type":"object","description":"One of its lines.","properties":{"n":{"type":"boolean"}}},
    "card":{"title":"Card","type":"object","properties":{"no":{"const":"x"}}}}})";

TEST(JsonSchemaOutline, objects_are_records_and_properties_their_fields) {
  const Outline outline = outline_of(order);
  EXPECT_EQ(outline.root, contract::Shape::record);
  EXPECT_EQ(outline.root_name, "Order");
  EXPECT_EQ(outline.topic, "orders");
  EXPECT_EQ(outline.key, "string");
  ASSERT_EQ(outline.records.size(), 3U);
  const OutlineRecord& root = outline.records[0];
  EXPECT_EQ(root.doc, "Placed after payment.");
  EXPECT_EQ(root.tags, std::vector<std::string>{"SHOP"});
  EXPECT_EQ(root.waivers.at("EV044"), "see header");
  EXPECT_FALSE(root.open);
  ASSERT_EQ(root.fields.size(), 12U);
  EXPECT_EQ(root.fields[0].logical, "uuid");
  EXPECT_FALSE(root.fields[0].nullable);
  EXPECT_EQ(root.fields[0].doc, "Who it is.");
  EXPECT_TRUE(root.fields[1].nullable && root.fields[1].bounded);
  EXPECT_EQ(root.fields[1].tags, std::vector<std::string>{"PII"});
  EXPECT_EQ(root.fields[1].notes.at("pattern"), "@");
  EXPECT_EQ(root.fields[2].shape, contract::Shape::enumeration);
  EXPECT_EQ(root.fields[2].default_json, "\"NEW\"");
  EXPECT_EQ(root.fields[3].bits, 32U);
  EXPECT_EQ(root.fields[4].bits, 64U);
  EXPECT_EQ(root.fields[5].shape, contract::Shape::number);
  EXPECT_TRUE(root.fields[5].nullable);
  EXPECT_EQ(root.fields[6].type, "array<#/definitions/line>");
  EXPECT_EQ(root.fields[6].element, contract::Shape::record);
  EXPECT_TRUE(root.fields[6].bounded);
  EXPECT_EQ(root.fields[7].type, "map<string>");
  EXPECT_EQ(root.fields[8].shape, contract::Shape::one_of);
  EXPECT_EQ(root.fields[8].alternatives, (std::vector<std::string>{"Card", "#/definitions/line"}));
  EXPECT_EQ(root.fields[9].shape, contract::Shape::bytes);
  EXPECT_EQ(root.fields[10].shape, contract::Shape::any);
  EXPECT_EQ(root.fields[11].type_name, "Order");
  EXPECT_EQ(root.fields[11].doc, "Placed after payment.");
  EXPECT_TRUE(outline.records[1].open);
  ASSERT_EQ(outline.enums.size(), 1U);
  EXPECT_EQ(outline.enums[0].name, "#/properties/state");
  EXPECT_EQ(outline.enums[0].symbols, (std::vector<std::string>{"NEW", "PAID"}));
}

TEST(JsonSchemaOutline, the_parts_of_allof_are_one_record) {
  const Outline outline = outline_of(R"({"title":"A","allOf":[
      {"type":"object","properties":{"a":{"type":"string"}},"required":["a"]},
      {"$ref":"#/definitions/b"}],"definitions":{"b":{"properties":{"b":{"type":"integer"}}}}})");
  ASSERT_EQ(outline.records.size(), 1U);
  EXPECT_EQ(outline.records[0].name, "A");
  ASSERT_EQ(outline.records[0].fields.size(), 2U);
  EXPECT_FALSE(outline.records[0].fields[0].nullable);
  EXPECT_TRUE(outline.records[0].fields[1].nullable);
}

TEST(JsonSchemaOutline, what_is_no_object_has_a_shape_and_circles_end) {
  EXPECT_EQ(outline_of("true").root, contract::Shape::any);
  EXPECT_EQ(outline_of(R"({"type":"string"})").root, contract::Shape::string);
  EXPECT_EQ(outline_of(R"({"type":"array","items":{"$ref":"#"}})").root, contract::Shape::array);
  EXPECT_EQ(outline_of(R"({"anyOf":[{"type":"null"},{"type":"array","items":{"$ref":"#"}}]})").root,
            contract::Shape::array);
}

}  // namespace
}  // namespace weir::contract::json_schema
