#include "contract/avro/idl.h"

#include <gtest/gtest.h>

#include "contract/avro/test_kit.h"

namespace weir::contract::avro {
namespace {

std::string text_of(std::string_view idl, ParseOptions options = {}) {
  const auto schema = parse_idl(idl, options);
  return schema ? (*schema)->text() : schema.error().message();
}

TEST(Idl, a_record_has_the_types_names_and_documentation_of_the_language) {
  EXPECT_EQ(
      text_of(R"(
      namespace shop;
      /** An order. */
      @owner("billing") record Order {
        /** Which. */ long id;
        string? note; /* not kept */ string? place = "here";
        array<map<int>> counts = [];   // nor this
        union { null, bytes } raw = null;
        decimal(9,2) price; date day; uuid key; timestamp_ms at; @logicalType("timestamp-micros") long micros;
        double @order("descending") @aliases(["y"]) x = 1.5, z = -1;
      })"),
      R"({"type":"record","name":"Order","namespace":"shop","doc":"An order.","fields":[)"
      R"({"name":"id","type":"long","doc":"Which."},{"name":"note","type":["null","string"]},)"
      R"({"name":"place","type":["string","null"],"default":"here"},)"
      R"({"name":"counts","type":{"type":"array","items":{"type":"map","values":"int"}},"default":[]},)"
      R"({"name":"raw","type":["null","bytes"],"default":null},)"
      R"({"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},)"
      R"({"name":"day","type":{"type":"int","logicalType":"date"}},)"
      R"({"name":"key","type":{"type":"string","logicalType":"uuid"}},)"
      R"({"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},)"
      R"({"name":"micros","type":{"type":"long","logicalType":"timestamp-micros"}},)"
      R"({"name":"x","type":"double","default":1.5,"order":"descending","aliases":["y"]},)"
      R"({"name":"z","type":"double","default":-1}],"owner":"billing"})");
}

TEST(Idl, a_protocol_gives_its_types_and_not_its_messages) {
  EXPECT_EQ(
      text_of(R"(
      @namespace("a.b") protocol P {
        import idl "other.avdl";
        enum E { A, B } = B;
        @namespace("c") @aliases(["G"]) fixed F(4);
        error Bad { string why; }
        E get(string key = "a;b", array<F> of) throws Bad;
        void ping() oneway;
      })"),
      R"([{"type":"enum","name":"E","namespace":"a.b","symbols":["A","B"],"default":"B"},)"
      R"({"type":"fixed","name":"F","namespace":"c","size":4,"aliases":["G"]},)"
      R"({"type":"error","name":"Bad","namespace":"a.b","fields":[{"name":"why","type":"string"}]}])");
}

TEST(Idl, a_type_may_be_used_before_it_is_declared) {
  EXPECT_EQ(
      text_of("schema R; record R { S s; `record` again; } record S { R? r; } record `record` { S "
              "s; }"),
      R"({"type":"record","name":"R","fields":[{"name":"s","type":{"type":"record","name":"S","fields":[)"
      R"({"name":"r","type":["null","R"]}]}},{"name":"again","type":{"type":"record","name":"record","fields":[)"
      R"({"name":"s","type":"S"}]}}]})");
}

TEST(Idl, types_of_other_schemas_are_used_by_name) {
  const SchemaPtr references[] = {schema(R"({"type":"fixed","name":"shop.Id","size":2})")};
  EXPECT_EQ(
      text_of("namespace shop; import schema \"id.avsc\"; record R { Id a; shop.Id b; }",
              {.strict = true, .references = references}),
      R"({"type":"record","name":"R","namespace":"shop","fields":[{"name":"a","type":"Id"},{"name":"b","type":"Id"}]})");
}

TEST(Idl, text_that_is_none_is_refused_with_its_line) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"", "declares nothing"},
      {"\n\nrecrod R {}", "line 3: expected a declaration"},
      {"record R {", "does not end"},
      {"record R { int a }", "expected ';'"},
      {"record R { int a = ; }", "the default of a"},
      {"record R { array<int a; }", "expected '>'"},
      {"record R { union { int } ? a; } /* open", "expected a declaration"},
      {"record R {} record R {}", "declared twice"},
      {"enum E { A = B }", "a symbol is a name"},
      {"fixed F(x);", "size"},
      {"@a(1 record R {}", "line 1: @a: "},
      {"@a record R {}", "expected '('"},
      {"record R { @x(1) union {int} a; }", "no annotations"},
      {"record R { X x; }", "\"X\" is not defined"},
      {"record R { int a = \"x\"; }", "default"},
  };
  for (const auto& [text, reason] : cases) {
    const std::string said = text_of(text);
    EXPECT_TRUE(said.starts_with("avro") && contains(said, reason)) << text << '\n' << said;
  }
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "array<";
  EXPECT_TRUE(contains(text_of("record R { " + deep), "too deep"));
  std::string chain;
  for (int i = 0; i < 2000; ++i)
    chain += "record R" + std::to_string(i) + " { R" + std::to_string(i + 1) + " r; }\n";
  EXPECT_TRUE(contains(text_of(chain + "record R2000 {}"), "too deep"));
}

}  // namespace
}  // namespace weir::contract::avro
