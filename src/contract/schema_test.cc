#include "contract/schema.h"

#include <gtest/gtest.h>

#include "base/base64.h"

namespace weir::contract {
namespace {

constexpr std::string_view order_text = R"({"type":"record","name":"shop.Order","doc":"An order.",
  "weir.topic":"orders","weir.key":"string","weir.topic.kind":"entity",
  "weir.lint.ignore":{"EV045":"the key is unique"},"fields":[
  {"name":"id","type":"string","doc":"what","confluent:tags":["PII"]},
  {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
  {"name":"note","type":["null","string"],"default":null,"maxLength":80},
  {"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[
    {"name":"sku","type":["string","bytes"]}]}}},
  {"name":"state","type":{"type":"enum","name":"State","symbols":["NEW","PAID"],"default":"NEW"}}]})";

SchemaPtr order() { return Schema::parse(Language::avro, order_text).value(); }

TEST(Schema, an_avro_outline_has_what_rules_ask_for) {
  const Outline outline = order()->outline();
  EXPECT_EQ(outline.root, Shape::record);
  EXPECT_EQ(outline.root_name, "shop.Order");
  EXPECT_EQ(outline.topic, "orders");
  EXPECT_EQ(outline.key, "string");
  EXPECT_EQ(outline.topic_kind, "entity");
  const OutlineRecord* record = outline.record("shop.Order");
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->doc, "An order.");
  EXPECT_EQ(record->waivers.at("EV045"), "the key is unique");
  EXPECT_EQ(record->field("id")->tags, std::vector<std::string>{"PII"});
  EXPECT_EQ(record->field("at")->logical, "timestamp-millis");
  EXPECT_EQ(record->field("at")->bits, 64U);
  const OutlineField& note = *record->field("note");
  EXPECT_EQ(note.shape, Shape::string);
  EXPECT_TRUE(note.nullable && note.bounded);
  EXPECT_EQ(note.default_json, "null");
  EXPECT_EQ(note.type, "[null, string]");
  const OutlineField& lines = *record->field("lines");
  EXPECT_EQ(lines.element, Shape::record);
  EXPECT_EQ(lines.type_name, "shop.Line");
  EXPECT_EQ(outline.record("shop.Line")->field("sku")->shape, Shape::one_of);
  EXPECT_EQ(outline.enumeration("shop.State")->default_symbol, "NEW");
  EXPECT_EQ(record->field("none"), nullptr);
}

TEST(Schema, a_payload_is_read_as_json_and_written_back) {
  const auto schema = order();
  const auto value = json::parse(R"({"id":"o-1","at":5,"note":"x","lines":[{"sku":"s"}],
    "state":"PAID"})");
  const auto bytes = schema->write(*value);
  ASSERT_TRUE(bytes) << bytes.error().message();
  EXPECT_EQ(json::write(schema->read(*bytes).value()), json::write(*value));
  EXPECT_EQ(schema->read("\x02").error().code(), Errc::malformed);
}

TEST(Schema, plain_json_takes_the_first_branch_that_fits_and_fills_defaults) {
  const auto schema = Schema::parse(Language::avro, R"({"type":"record","name":"R","fields":[
    {"name":"u","type":["null","long","string",
      {"type":"record","name":"P","fields":[{"name":"x","type":"int"}]},
      {"type":"record","name":"Q","fields":[{"name":"y","type":"bytes"}]}],"default":null}]})")
                          .value();
  for (const std::string_view text : {R"({"u":null})", R"({"u":7})", R"({"u":"7"})",
                                      R"({"u":{"x":1}})", R"({"u":{"y":"AAE="}})"}) {
    const auto bytes = schema->write(*json::parse(text));
    ASSERT_TRUE(bytes) << text << ": " << bytes.error().message();
    EXPECT_EQ(json::write(schema->read(*bytes).value()), text);
  }
  EXPECT_EQ(schema->write(*json::parse("{}")).value(), std::string(1, '\0'));
  const auto wrong = schema->write(*json::parse(R"({"u":{"x":"one"}})"));
  EXPECT_EQ(wrong.error().message(), R"(avro: R.u.x: "one" is no int)");
}

TEST(Schema, of_bytes_alone_has_no_length_in_front) {
  const auto schema = Schema::parse(Language::avro, R"("bytes")").value();
  EXPECT_EQ(schema->write("AAE=").value(), std::string("\0\1", 2));
  EXPECT_EQ(json::write(schema->read("ab").value()), "\"" + to_base64("ab") + "\"");
  EXPECT_EQ(schema->write(7).error().code(), Errc::malformed);
}

TEST(Schema, an_import_is_of_the_same_language_and_its_types_are_spelled_out) {
  const auto line =
      Schema::parse(Language::avro,
                    R"({"type":"record","name":"s.L","fields":[{"name":"n","type":"int"}]})")
          .value();
  const Import imports[] = {{.name = "s.L", .schema = line}};
  const std::string_view text =
      R"({"type":"record","name":"s.O","fields":[{"name":"l","type":"s.L"}]})";
  const auto order = Schema::parse(Language::avro, text, {.imports = imports}).value();
  EXPECT_EQ(order->text().find("int"), std::string::npos);
  EXPECT_NE(order->formatted("resolved").find("int"), std::string::npos);
  EXPECT_EQ(order->formatted("other"), order->text());
  EXPECT_TRUE(order->outline().record("s.L")->imported);
  const auto other = Schema::parse(Language::json, "{}", {.imports = imports});
  EXPECT_EQ(other.error().code(), Errc::invalid_argument);
}

TEST(Schema, languages_have_the_names_that_registries_write) {
  for (const Language language : {Language::avro, Language::protobuf, Language::json})
    EXPECT_EQ(parse_language(name_of(language)), language);
  EXPECT_EQ(parse_language("avro"), std::nullopt);
}

}  // namespace
}  // namespace weir::contract
