#include "contract/avro/schema.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "contract/avro/limits.h"

namespace weir::contract::avro {
namespace {

SchemaPtr parsed(std::string_view text, ParseOptions options = {}) {
  auto schema = Schema::parse(text, options);
  EXPECT_TRUE(schema) << text << '\n' << schema.error().message();
  return schema ? *schema : nullptr;
}

std::string refusal(std::string_view text, ParseOptions options = {}) {
  const auto schema = Schema::parse(text, options);
  EXPECT_FALSE(schema) << text;
  return schema ? "" : schema.error().message();
}

const Field& field(const SchemaPtr& schema, std::string_view name) {
  return schema->root().fields.at(static_cast<std::size_t>(schema->root().find_field(name)));
}

std::string record_of(std::string_view fields) {
  return R"({"type":"record","name":"R","namespace":"n","fields":[)" + std::string(fields) + "]}";
}

TEST(Schema, a_record_is_read_with_everything_it_says) {
  const auto schema =
      parsed(R"({"type":"record","name":"Order","namespace":"shop","doc":"An order.",
    "aliases":["Old","other.Old"],"owner":"billing","fields":[
      {"name":"id","type":"long","doc":"Which.","aliases":["nr"]},
      {"name":"note","type":["null","string"],"default":null,"order":"ignore","pii":true}]})");
  const Type& root = schema->root();
  EXPECT_EQ(root.name, "shop.Order");
  EXPECT_EQ(root.short_name(), "Order");
  EXPECT_EQ(root.name_space(), "shop");
  EXPECT_EQ(root.doc, "An order.");
  EXPECT_EQ(root.aliases, (std::vector<std::string>{"shop.Old", "other.Old"}));
  EXPECT_EQ(*root.properties.find("owner")->as_string(), "billing");
  EXPECT_EQ(field(schema, "id").doc, "Which.");
  EXPECT_EQ(field(schema, "id").aliases, std::vector<std::string>{"nr"});
  EXPECT_EQ(field(schema, "id").default_bytes, std::nullopt);
  EXPECT_EQ(field(schema, "note").order, Order::ignore);
  EXPECT_EQ(to_hex(*field(schema, "note").default_bytes), "00");
  EXPECT_TRUE(*field(schema, "note").properties.find("pii")->as_bool());
}

TEST(Schema, a_namespace_is_inherited_and_a_name_with_dots_brings_its_own) {
  const auto schema = parsed(record_of(
      R"({"name":"a","type":{"type":"fixed","name":"F","size":2}},
         {"name":"b","type":{"type":"enum","name":"x.y.E","symbols":["A"]}},
         {"name":"c","type":{"type":"record","name":"G","namespace":"","fields":[
             {"name":"d","type":"n.F"}, {"name":"e","type":{"type":"fixed","name":"H","size":1}}]}},
         {"name":"f","type":"F"}, {"name":"g","type":"G"}, {"name":"h","type":"H"})"));
  std::vector<std::string> names;
  for (const auto& [name, id] : schema->names()) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"G", "H", "n.F", "n.R", "x.y.E"}));
  EXPECT_EQ(field(schema, "a").type, field(schema, "f").type);
}

TEST(Schema, a_record_may_contain_itself) {
  const auto schema = parsed(record_of(
      R"({"name":"next","type":["null","R"]},{"name":"all","type":{"type":"array","items":"n.R"}})"));
  const Type& next = schema->type(field(schema, "next").type);
  EXPECT_EQ(next.branches.at(1), schema->root_id());
  EXPECT_EQ(schema->root().least_bytes, 2U);
}

TEST(Schema, the_least_bytes_of_a_type_count_what_must_be_there) {
  const auto least = [](std::string_view type) { return parsed(type)->root().least_bytes; };
  EXPECT_EQ(least("\"null\""), 0U);
  EXPECT_EQ(least("\"double\""), 8U);
  EXPECT_EQ(least(R"(["string",{"type":"fixed","name":"F","size":9},"null"])"), 1U);
  EXPECT_EQ(least(R"([{"type":"fixed","name":"F","size":9},"float"])"), 5U);
  EXPECT_EQ(least(record_of(R"({"name":"a","type":"float"},{"name":"b","type":"bytes"})")), 5U);
  EXPECT_GT(least(record_of(R"({"name":"a","type":"R"})")), 1U << 30U);
}

// A reaches B through an array, B reaches A through a union: what is assumed of A while it is not
// known must not stay with B.
TEST(Schema, the_least_bytes_of_types_in_a_circle_are_not_guessed) {
  const auto schema = parsed(
      R"({"type":"record","name":"A","fields":[{"name":"x","type":{"type":"array","items":
          {"type":"record","name":"B","fields":[{"name":"u","type":
              [{"type":"fixed","name":"C","size":10},"A"]}]}}}, {"name":"y","type":"long"}]})");
  EXPECT_EQ(schema->find("A")->least_bytes, 2U);
  EXPECT_EQ(schema->find("B")->least_bytes, 3U);
}

TEST(Schema, logical_types_that_fit_are_seen_and_others_are_ignored) {
  const auto logical = [](std::string_view type) { return parsed(type)->root().logical; };
  EXPECT_EQ(logical(R"({"type":"bytes","logicalType":"decimal","precision":9,"scale":2})"),
            (Logical{LogicalKind::decimal, 9, 2}));
  EXPECT_EQ(logical(R"({"type":"long","logicalType":"timestamp-nanos"})").kind,
            LogicalKind::timestamp_nanos);
  EXPECT_EQ(logical(R"({"type":"fixed","name":"D","size":12,"logicalType":"duration"})").kind,
            LogicalKind::duration);
  EXPECT_EQ(logical(R"({"type":"fixed","name":"U","size":16,"logicalType":"uuid"})").kind,
            LogicalKind::uuid);
  for (const std::string_view type :
       {R"({"type":"bytes","logicalType":"decimal"})",
        R"({"type":"bytes","logicalType":"decimal","precision":0})",
        R"({"type":"bytes","logicalType":"decimal","precision":2,"scale":3})",
        R"({"type":"fixed","name":"F","size":2,"logicalType":"decimal","precision":5})",
        R"({"type":"fixed","name":"F","size":11,"logicalType":"duration"})",
        R"({"type":"int","logicalType":"timestamp-millis"})",
        R"({"type":"string","logicalType":"no-such"})", R"({"type":"int","logicalType":7})"})
    EXPECT_EQ(logical(type), Logical{}) << type;
  EXPECT_EQ(
      logical(R"({"type":"fixed","name":"F","size":2,"logicalType":"decimal","precision":4})").kind,
      LogicalKind::decimal);
}

TEST(Schema, defaults_are_kept_as_bytes) {
  const auto schema = parsed(record_of(
      R"({"name":"i","type":"int","default":-3},
         {"name":"f","type":"float","default":1},
         {"name":"b","type":"bytes","default":"\u0001\u00ff"},
         {"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"]},"default":"B"},
         {"name":"a","type":{"type":"array","items":"string"},"default":["x","yz"]},
         {"name":"m","type":{"type":"map","values":"long"},"default":{"k":64}},
         {"name":"r","type":{"type":"record","name":"S","fields":[{"name":"p","type":"long"},
             {"name":"q","type":"boolean","default":true}]},"default":{"p":1}},
         {"name":"u","type":["string","null"],"default":"s"})"));
  const auto bytes = [&](std::string_view name) {
    return to_hex(*field(schema, name).default_bytes);
  };
  EXPECT_EQ(bytes("i"), "05");
  EXPECT_EQ(bytes("f"), "0000803f");
  EXPECT_EQ(bytes("b"), "0401ff");
  EXPECT_EQ(bytes("e"), "02");
  EXPECT_EQ(bytes("a"), "04027804797a00");
  EXPECT_EQ(bytes("m"), "02026b800100");
  EXPECT_EQ(bytes("r"), "0201");
  EXPECT_EQ(bytes("u"), "000273");
}

TEST(Schema, a_default_that_does_not_fit_is_refused_and_lenient_reading_goes_on_without_it) {
  const std::string_view fields[] = {
      R"({"name":"x","type":"int","default":2147483648})",
      R"({"name":"x","type":"int","default":1.0})",
      R"({"name":"x","type":"string","default":1})",
      R"({"name":"x","type":"bytes","default":"\u0100"})",
      R"({"name":"x","type":{"type":"fixed","name":"F","size":2},"default":"a"})",
      R"({"name":"x","type":{"type":"enum","name":"E","symbols":["A"]},"default":"B"})",
      R"({"name":"x","type":{"type":"array","items":"int"},"default":["a"]})",
      R"({"name":"x","type":{"type":"record","name":"S","fields":[{"name":"y","type":"int"}]},"default":{}})"};
  for (const auto text : fields) {
    EXPECT_NE(refusal(record_of(text)).find("n.R.x: default: "), std::string::npos) << text;
    const auto lenient = parsed(record_of(text), {.strict = false});
    EXPECT_TRUE(field(lenient, "x").default_json) << text;
    EXPECT_FALSE(field(lenient, "x").default_bytes) << text;
  }
}

TEST(Schema, the_default_of_a_union_fits_its_first_branch_or_leniently_any) {
  const auto text = record_of(R"({"name":"x","type":["null","string"],"default":"a"})");
  EXPECT_NE(refusal(text).find("first branch"), std::string::npos);
  EXPECT_EQ(to_hex(*field(parsed(text, {.strict = false}), "x").default_bytes), "020261");
}

TEST(Schema, a_type_that_is_called_as_a_kind_is_printed_with_its_namespace) {
  const std::string text =
      R"({"type":"record","name":"map","namespace":"n","fields":[{"name":"a","type":["null","n.map"]}]})";
  EXPECT_EQ(parsed(text)->text(), text);
}

TEST(Schema, names_that_only_old_text_may_have_are_kept_as_they_are_printed) {
  for (
      const std::string_view text :
      {R"({"type":"fixed","name":".F","size":1})",
       R"({"type":"fixed","name":"F","namespace":"my-shop","size":1})",
       R"({"type":"record","name":"R S","fields":[{"name":"größe","type":"int"},{"name":"e","type":)"
       R"({"type":"enum","name":"E","symbols":["a-b","1"]}}]})",
       R"({"type":"fixed","name":"F","namespace":"a..b","size":1,"aliases":["..G","x-y.G"]})"}) {
    EXPECT_TRUE(refusal(text).find("no name") != std::string::npos) << refusal(text);
    const auto lenient = parsed(text, {.strict = false});
    EXPECT_EQ(parsed(lenient->text(), {.strict = false})->text(), lenient->text());
    EXPECT_EQ(parsed(lenient->text(), {.strict = false})->canonical(), lenient->canonical());
  }
  EXPECT_EQ(parsed(R"({"type":"fixed","name":".F","size":1})", {.strict = false})->root().name,
            "F");
}

TEST(Schema, text_that_is_no_schema_is_refused_with_the_place) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"{", "no JSON"},
      {"7", "a type is"},
      {R"("strin")", "\"strin\" is not defined"},
      {"[]", "union without branches"},
      {R"(["int",["null"]])", "directly inside"},
      {R"(["int","int"])", "two branches of type int"},
      {R"([{"type":"array","items":"int"},{"type":"array","items":"long"}])", "two branches"},
      {R"({"name":"x"})", "\"type\""},
      {R"({"type":["int"]})", "\"type\""},
      {R"({"type":"array"})", "items"},
      {R"({"type":"map"})", "values"},
      {R"({"type":"record","fields":[]})", "\"name\""},
      {R"({"type":"record","name":"R"})", "R: a record has no \"fields\""},
      {R"({"type":"record","name":"1R","fields":[]})", "no name"},
      {R"({"type":"record","name":"a..R","fields":[]})", "no name"},
      {R"({"type":"record","name":"long","fields":[]})", "primitive"},
      {R"({"type":"record","name":"R","namespace":"a-b","fields":[]})", "no name"},
      {R"({"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]})",
       "two fields named a"},
      {R"({"type":"record","name":"R","fields":[{"name":"a"}]})", "R.a: the field has no"},
      {R"({"type":"record","name":"R","fields":[{"name":"a","type":"X"}]})", "R.a: the type \"X\""},
      {R"({"type":"record","name":"R","fields":[{"name":"a","type":"int","order":"up"}]})",
       "order"},
      {R"({"type":"enum","name":"E","symbols":["A","A"]})", "twice"},
      {R"({"type":"enum","name":"E","symbols":["a-b"]})", "no name"},
      {R"({"type":"enum","name":"E","symbols":["A"],"default":"B"})", "no symbol"},
      {R"({"type":"enum","name":"E"})", "symbols"},
      {R"({"type":"fixed","name":"F"})", "size"},
      {R"({"type":"fixed","name":"F","size":-1})", "size"},
      {R"({"type":"fixed","name":"F","size":1e9})", "size"},
      {R"([{"type":"fixed","name":"F","size":1},{"type":"fixed","name":"F","size":1}])",
       "F is defined twice"},
  };
  for (const auto& [text, reason] : cases) {
    const std::string said = refusal(text);
    EXPECT_NE(said.find(reason), std::string::npos) << text << '\n' << said;
  }
}

TEST(Schema, depth_and_size_are_bounded) {
  std::string deep = "\"int\"";
  for (std::size_t i = 0; i < limits::schema_depth; ++i)
    deep = R"({"type":"array","items":)" + deep + "}";
  parsed(deep);
  const auto r = Schema::parse(R"({"type":"array","items":)" + deep + "}");
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code(), Errc::limit_exceeded);
  EXPECT_EQ(Schema::parse(std::string(limits::schema_bytes + 1, ' ')).error().code(),
            Errc::limit_exceeded);
}

TEST(Schema, defaults_that_fill_each_other_without_end_are_refused) {
  EXPECT_NE(refusal(record_of(R"({"name":"r","type":"R","default":{}})")).find("default"),
            std::string::npos);
  // Each level has two fields of the level below: 2^40 values.
  std::string below = R"({"type":"record","name":"L0","fields":[]})";
  for (int i = 1; i <= 40; ++i)
    below = R"({"type":"record","name":"L)" + std::to_string(i) +
            R"(","fields":[{"name":"a","type":)" + below +
            R"(,"default":{}},{"name":"b","type":"L)" + std::to_string(i - 1) +
            R"(","default":{}}]})";
  EXPECT_EQ(Schema::parse(below).error().code(), Errc::limit_exceeded);
}

TEST(Schema, the_canonical_form_keeps_what_decides_the_encoding) {
  const auto schema = parsed(record_of(
      R"({"name":"a","doc":"x","default":1,"type":{"type":"int","logicalType":"date"}},
         {"name":"b","type":{"symbols":["A","B"],"default":"A","name":"E","type":"enum","doc":"d"}},
         {"name":"c","type":["null","E",{"type":"map","values":{"type":"fixed","size":2,"name":"m.F"}}]},
         {"name":"d","type":{"type":"array","items":"R"}})"));
  EXPECT_EQ(
      schema->canonical(),
      R"({"name":"n.R","type":"record","fields":[{"name":"a","type":"int"},)"
      R"({"name":"b","type":{"name":"n.E","type":"enum","symbols":["A","B"]}},)"
      R"({"name":"c","type":["null","n.E",{"type":"map","values":{"name":"m.F","type":"fixed","size":2}}]},)"
      R"({"name":"d","type":{"type":"array","items":"n.R"}}]})");
  EXPECT_EQ(parsed(schema->canonical())->canonical(), schema->canonical());
  EXPECT_EQ(parsed("\"int\"")->fingerprint(), 0x7275d51a3f395c8fU);
}

TEST(Schema, its_text_is_read_back_as_the_same_schema) {
  const std::string text =
      R"({"type":"record","name":"R","namespace":"n","doc":"d","fields":[)"
      R"({"name":"a","type":{"type":"int","logicalType":"date"},"doc":"x","default":1,"order":"descending","aliases":["z"],"p":1},)"
      R"({"name":"b","type":{"type":"enum","name":"E","symbols":["A"],"default":"A","q":[1]}},)"
      R"({"name":"c","type":["null","E",{"type":"fixed","name":"G","namespace":"","size":2}]},)"
      R"({"name":"d","type":{"type":"array","items":"R"}}],"prop":{"x":1},"aliases":["Q","m.Q"]})";
  EXPECT_EQ(parsed(text)->text(), text);
}

TEST(Schema, types_of_other_schemas_are_used_by_name_and_printed_as_names) {
  const SchemaPtr line = parsed(
      R"({"type":"record","name":"Line","namespace":"n","fields":[{"name":"unit","type":
          {"type":"enum","name":"Unit","symbols":["KG"]}},{"name":"more","type":["null","Line"]}]})");
  const SchemaPtr references[] = {line};
  const auto schema = parsed(
      record_of(
          R"({"name":"lines","type":{"type":"array","items":"Line"}},{"name":"u","type":"n.Unit"})"),
      {.strict = true, .references = references});
  EXPECT_EQ(schema->text(),
            R"({"type":"record","name":"R","namespace":"n","fields":[{"name":"lines","type":)"
            R"({"type":"array","items":"Line"}},{"name":"u","type":"Unit"}]})");
  EXPECT_EQ(schema->canonical().find("\"n.Line\""),
            schema->canonical().rfind("{\"name\":\"n.Line\"") + 8);
  EXPECT_EQ(schema->find("n.Line")->fields.size(), 2U);
  EXPECT_EQ(schema->size(), 8 + 2 + 3U);
}

TEST(Schema, a_definition_over_the_name_of_a_reference_is_its_own) {
  const SchemaPtr other = parsed(R"({"type":"fixed","name":"F","size":1})");
  const SchemaPtr references[] = {other};
  EXPECT_EQ(
      parsed(R"({"type":"fixed","name":"F","size":2})", {.strict = true, .references = references})
          ->root()
          .size,
      2U);
}

}  // namespace
}  // namespace weir::contract::avro
