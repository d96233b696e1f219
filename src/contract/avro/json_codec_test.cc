#include "contract/avro/json_codec.h"

#include <gtest/gtest.h>

#include "contract/avro/limits.h"
#include "contract/avro/test_kit.h"

namespace weir::contract::avro {
namespace {

/// A value in Avro's JSON, encoded, decoded, and written as JSON again.
std::string there_and_back(std::string_view type, std::string_view json_text) {
  const SchemaPtr of = schema(type);
  Arena arena;
  const auto value = from_json(*of, json::parse(json_text).value(), arena);
  if (!value) return value.error().message();
  std::string bytes;
  EXPECT_TRUE(encode(*value, bytes));
  const PlanPtr plan = resolve(of, of).value();
  const View back = decode(*plan, bytes, arena).value();
  EXPECT_TRUE(equal(*value, back));
  return json::write(to_json(back));
}

TEST(JsonCodec, every_kind_goes_there_and_back) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"\"null\"", "null"},
      {"\"boolean\"", "true"},
      {"\"int\"", "-2147483648"},
      {"\"long\"", "9223372036854775807"},
      {"\"float\"", "0.1"},
      {"\"double\"", "0.1"},
      {"\"double\"", "\"NaN\""},
      {"\"float\"", "\"-Infinity\""},
      {"\"string\"", R"("grün \u0001")"},
      {"\"bytes\"", "\"\\u0000\\u007fÿ\""},
      {R"({"type":"fixed","name":"F","size":2})", "\"aÿ\""},
      {R"({"type":"enum","name":"E","symbols":["A","B"]})", "\"B\""},
      {R"({"type":"array","items":["null","int"]})", R"([null,{"int":1}])"},
      {R"({"type":"map","values":"string"})", R"({"a":"x","":"y"})"},
      {R"(["null",{"type":"record","name":"n.R","fields":[{"name":"u","type":["string","n.R"]}]}])",
       R"({"n.R":{"u":{"n.R":{"u":{"string":"s"}}}}})"},
  };
  for (const auto& [type, text] : cases) EXPECT_EQ(there_and_back(type, text), text) << type;
}

TEST(JsonCodec, what_does_not_fit_is_refused_with_its_place) {
  const auto lines = record_of(
      R"({"name":"lines","type":{"type":"array","items":{"type":"record","name":"L","fields":[
          {"name":"price","type":"long"},{"name":"tags","type":{"type":"map","values":["null","int"]}}]}}})");
  EXPECT_EQ(written(lines, R"({"lines":[{"price":1,"tags":{}},{"price":"x","tags":{}}]})"),
            "avro: n.R.lines[1].price: \"x\" is no long");
  EXPECT_EQ(written(lines, R"({"lines":[{"price":1,"tags":{"a b":7}}]})"),
            "avro: n.R.lines[0].tags[\"a b\"]: a union is null, or {\"branch\": value} with the "
            "name of one "
            "of its branches");
  EXPECT_EQ(written(lines, R"({"lines":[{"tags":{}}]})"),
            "avro: n.R.lines[0].price: the field is missing");
  EXPECT_EQ(written(lines, R"({"lines":[],"line":1})"), "avro: n.R: n.R has no field \"line\"");
  EXPECT_EQ(written("\"int\"", "2147483648"), "avro: int: 2147483648 is no int");
  EXPECT_EQ(written("\"int\"", "1.0"), "avro: int: 1.0 is no int");
  EXPECT_EQ(written("\"bytes\"", "\"\\u0100\""),
            "avro: bytes: bytes are written with characters up to U+00FF");
  EXPECT_EQ(written(R"({"type":"fixed","name":"F","size":2})", "\"a\""),
            "avro: F: 1 bytes are no F of 2");
  EXPECT_EQ(written(R"({"type":"enum","name":"E","symbols":["A"]})", "\"B\""),
            "avro: E: \"B\" is no symbol of E");
  EXPECT_EQ(written("\"float\"", "1e39"), "avro: float: 1e+39 is no float");
  EXPECT_EQ(written("\"double\"", "\"nan\""), "avro: double: \"nan\" is no double");
  EXPECT_EQ(written(R"(["int","string"])", "null").substr(0, 5), "avro:");
}

TEST(JsonCodec, missing_fields_take_their_defaults_only_when_asked) {
  const auto type = record_of(
      R"({"name":"a","type":"int","default":3},{"name":"u","type":["null","int"],"default":null},
                                 {"name":"b","type":{"type":"array","items":"string"},"default":["x"]})");
  EXPECT_EQ(written(type, "{}", {.fill_defaults = true}), "060002027800");
  EXPECT_EQ(written(type, "{\"a\":1}", {.fill_defaults = true}), "020002027800");
  EXPECT_TRUE(contains(written(type, "{}"), "missing"));
}

TEST(JsonCodec, plain_json_has_no_names_around_unions_and_base64) {
  const auto type =
      record_of(R"({"name":"u","type":["null","int"]},{"name":"b","type":["bytes","null"]})");
  EXPECT_EQ(read(type, "02060004fffe"), R"({"u":3,"b":"//4="})");
}

TEST(JsonCodec, of_equal_keys_of_a_map_the_last_is_written) {
  EXPECT_EQ(read(R"({"type":"map","values":"int"})",
                 "06026102026204026106"
                 "00"),
            R"({"b":2,"a":3})");
}

TEST(JsonCodec, depth_is_bounded) {
  const auto list = record_of(R"({"name":"next","type":["null","R"]})");
  std::string deep = "null";
  for (std::size_t i = 0; i < 300; ++i) deep = R"({"n.R":{"next":)" + deep + "}}";
  EXPECT_FALSE(json::parse(deep));  // JSON's own bound
  std::string less = "null";
  for (std::size_t i = 0; i < 200; ++i) less = R"({"n.R":{"next":)" + less + "}}";
  EXPECT_TRUE(contains(written(list, R"({"next":)" + less + "}"), "too deep"));
}

TEST(Encode, an_int_or_fixed_that_does_not_fit_is_refused_and_nothing_is_written) {
  const SchemaPtr of = schema(R"({"type":"array","items":"int"})");
  const Cell items[] = {{.integer = 1, .size = 0, .branch = 0},
                        {.integer = 1LL << 31, .size = 0, .branch = 0}};
  const Cell array{.items = items, .size = 2, .branch = 0};
  std::string out = "before";
  const auto done = encode(View(*of, array), out);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), Errc::invalid_argument);
  EXPECT_EQ(out, "before");
}

TEST(Encode, sized_blocks_say_their_bytes_and_are_read_back) {
  const SchemaPtr of = schema(R"({"type":"array","items":{"type":"map","values":"string"}})");
  Arena arena;
  const View value = from_json(*of, json::parse(R"([{"a":"x"},{}])").value(), arena).value();
  std::string out;
  ASSERT_TRUE(encode(value, out, {.sized_blocks = true}));
  EXPECT_EQ(to_hex(out), "0310010802610278000000");
  const PlanPtr plan = resolve(of, of).value();
  EXPECT_TRUE(equal(decode(*plan, out, arena).value(), value));
}

// The specification's own example of a record.
TEST(Encode, the_example_of_the_specification) {
  EXPECT_EQ(
      written(
          R"({"type":"record","name":"test","fields":[{"name":"a","type":"long"},{"name":"b","type":"string"}]})",
          R"({"a":27,"b":"foo"})"),
      "3606666f6f");
  EXPECT_EQ(written(R"({"type":"array","items":"long"})", "[3,27]"), "04063600");
  EXPECT_EQ(written(R"(["null","string"])", R"({"string":"a"})"), "020261");
}

TEST(SingleObject, it_begins_with_its_mark_and_the_fingerprint) {
  const SchemaPtr of = schema("\"int\"");
  Arena arena;
  std::string out;
  ASSERT_TRUE(encode_single_object(from_json(*of, json::Value(3), arena).value(), out));
  EXPECT_EQ(to_hex(out), "c3018f5c393f1ad5757206");
  const auto parts = parse_single_object(out);
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->fingerprint, of->fingerprint());
  EXPECT_EQ(to_hex(parts->value), "06");
  EXPECT_FALSE(parse_single_object(out.substr(0, 9)));
  EXPECT_FALSE(parse_single_object("\xc3\x02" + out.substr(2)));
}

}  // namespace
}  // namespace weir::contract::avro
