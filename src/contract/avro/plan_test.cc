#include "contract/avro/plan.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/varint.h"
#include "contract/avro/limits.h"
#include "contract/avro/test_kit.h"

namespace weir::contract::avro {
namespace {

std::string long_hex(std::int64_t value) {
  std::string out;
  append_uvarint(out, zigzag(value));
  return to_hex(out);
}

TEST(Plan, numbers_are_promoted) {
  EXPECT_EQ(read_as("\"int\"", "\"long\"", "03"), "-2");
  EXPECT_EQ(read_as("\"int\"", "\"double\"", "03"), "-2.0");
  EXPECT_EQ(read_as("\"long\"", "\"float\"", long_hex(16777217)), "16777216.0");
  EXPECT_EQ(read_as("\"long\"", "\"double\"", long_hex(16777217)), "16777217.0");
  EXPECT_EQ(read_as("\"float\"", "\"double\"", "0000c03f"), "1.5");
  EXPECT_EQ(read_as("\"string\"", "\"bytes\"", "0461c3"), "\"YcM=\"");
  EXPECT_EQ(read_as("\"bytes\"", "\"string\"", "04c3bc"), "\"ü\"");
  EXPECT_TRUE(contains(read_as("\"long\"", "\"int\"", "02"), "cannot be read as int"));
}

TEST(Plan, bytes_that_are_no_text_become_text_with_replacements) {
  EXPECT_EQ(read_as("\"bytes\"", "\"string\"", "0a61e28241ff"),
            "\"a\xef\xbf\xbd"
            "A\xef\xbf\xbd\"");
}

TEST(Plan, fields_are_found_by_name_or_alias_in_any_order_and_others_are_skipped) {
  const auto writer = record_of(
      R"({"name":"a","type":"int"},{"name":"x","type":{"type":"array","items":"string"}},
         {"name":"y","type":["null",{"type":"map","values":"double"}]},{"name":"b","type":"string"})");
  const auto reader = record_of(
      R"({"name":"bee","type":"string","aliases":["b"]},{"name":"c","type":"long","default":5},
         {"name":"a","type":"long"})");
  const std::string_view array =
      "0402610262"
      "00";
  const std::string_view map =
      "02"
      "02026b0000000000000000"
      "00";
  const auto bytes = [&](std::string_view b) {
    return "02" + std::string(array) + std::string(map) + std::string(b);
  };
  EXPECT_EQ(read_as(writer, reader, bytes("0678797a")), R"({"bee":"xyz","c":5,"a":1})");
  EXPECT_EQ(read_as(writer, reader, bytes("06787979797a")), "avro: 2 bytes behind the value of 24");
  EXPECT_EQ(read_as(writer, reader, bytes("087879")),
            "avro: n.R.bee: at byte 21: a length is negative or over what is left");
}

TEST(Plan, neighbouring_skips_are_one_instruction) {
  const auto writer = record_of(
      R"({"name":"a","type":"int"},{"name":"b","type":"long"},{"name":"c","type":"string"},
         {"name":"d","type":"bytes"},{"name":"e","type":"float"},{"name":"f","type":"boolean"},
         {"name":"g","type":"int"})");
  const auto plan =
      resolve(schema(writer), schema(record_of(R"({"name":"g","type":"int"})"))).value();
  EXPECT_TRUE(contains(plan->listing(),
                       "2 skip_varints cell 0 branch 0 arg 2 target 0\n"
                       "3 skip_runs cell 0 branch 0 arg 2 target 0\n"
                       "4 skip_bytes cell 0 branch 0 arg 5 target 0\n"
                       "5 int32"))
      << plan->listing();
}

TEST(Plan, a_default_of_any_kind_fills_a_field_that_the_writer_lacks) {
  const auto reader = record_of(
      R"({"name":"m","type":{"type":"map","values":{"type":"array","items":"int"}},"default":{"k":[1,2]}},
         {"name":"r","type":{"type":"record","name":"S","fields":[
            {"name":"p","type":["string","null"],"default":"s"},{"name":"q","type":"double","default":1},
            {"name":"o","type":{"type":"record","name":"Empty","fields":[]},"default":{}}]},"default":{"q":2.5}},
         {"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"]},"default":"B"},
         {"name":"f","type":{"type":"fixed","name":"F","size":2},"default":"\u00ff\u0001"},
         {"name":"b","type":"boolean","default":true},{"name":"n","type":"null","default":null})");
  EXPECT_EQ(
      read_as(record_of(""), reader, ""),
      R"({"m":{"k":[1,2]},"r":{"p":"s","q":2.5,"o":{}},"e":"B","f":"/wE=","b":true,"n":null})");
}

TEST(Plan, a_symbol_that_the_reader_lacks_becomes_its_default) {
  const auto e = [](std::string_view symbols) {
    return R"({"type":"enum","name":"E","symbols":[)" + std::string(symbols) + "}";
  };
  const auto writer = e(R"("A","B","C"])");
  EXPECT_EQ(read_as(writer, e(R"("C","X","A"],"default":"X")"), "00"), "\"A\"");
  EXPECT_EQ(read_as(writer, e(R"("C","X","A"],"default":"X")"), "02"), "\"X\"");
  EXPECT_EQ(read_as(writer, e(R"("C","X","A"],"default":"X")"), "04"), "\"C\"");
  EXPECT_TRUE(contains(read_as(writer, e(R"("C","X","A"],"default":"X")"), "06"),
                       "no symbol of that number"));
  EXPECT_TRUE(contains(read_as(writer, e(R"("A","C"])"), "00"), "lacks B"));
  EXPECT_EQ(read_as(writer, e(R"("A","C"])"), "04", {.strict = false}), "\"C\"");
  EXPECT_TRUE(
      contains(read_as(writer, e(R"("A","C"])"), "02", {.strict = false}), "lacks the symbol"));
}

TEST(Plan, unions_meet_unions_and_other_types) {
  EXPECT_EQ(read_as(R"(["null","int"])", R"(["string","long","null"])", "0204"), "2");
  EXPECT_EQ(read_as(R"(["null","int"])", R"(["string","long","null"])", "00"), "null");
  EXPECT_EQ(read_as("\"int\"", R"(["double","long"])", "04"), "2.0");
  EXPECT_EQ(read_as("\"int\"", R"(["double","long","int"])", "04"), "2");
  EXPECT_EQ(read_as(R"(["int","float"])", "\"double\"", "020000c03f"), "1.5");
  EXPECT_TRUE(contains(read_as(R"(["null","int"])", "\"int\"", "0204"), "cannot be read as int"));
  EXPECT_EQ(read_as(R"(["null","int"])", "\"int\"", "0204", {.strict = false}), "2");
  EXPECT_TRUE(contains(read_as(R"(["null","int"])", "\"int\"", "00", {.strict = false}),
                       "the writer has null, which cannot be read as int"));
  EXPECT_TRUE(contains(read(R"(["null","int"])", "04"), "no branch of that number"));
  EXPECT_TRUE(contains(read(R"(["null","int"])", "01"), "no branch of that number"));
}

TEST(Plan, a_branch_is_chosen_by_full_name_then_by_name_then_by_promotion) {
  const std::string_view writer =
      R"({"type":"record","name":"a.P","fields":[{"name":"x","type":"int"}]})";
  const auto p = [](std::string_view name, std::string_view type, std::string_view more = "") {
    return R"({"type":"record","name":")" + std::string(name) +
           R"(","fields":[{"name":"x","type":")" + std::string(type) + R"("}])" +
           std::string(more) + "}";
  };
  const auto branch = [&](const std::string& reader) {
    const PlanPtr plan = resolve(schema(writer), schema(reader)).value();
    Arena arena;
    const std::string bytes = "\x02";
    return std::string(decode(*plan, bytes, arena).value().type().name);
  };
  EXPECT_EQ(branch("[" + p("b.P", "long") + "," + p("a.P", "int") + "]"), "a.P");
  EXPECT_EQ(branch("[" + p("b.P", "long") + "," + p("c.Q", "int", R"(,"aliases":["a.P"])") + "]"),
            "c.Q");
  EXPECT_EQ(branch("[" + p("b.Q", "long") + "," + p("b.P", "int") + "]"), "b.P");
  // The first that is readable in depth.
  EXPECT_EQ(branch("[" + p("a.P", "string") + "," + p("b.P", "long") + "]"), "b.P");
}

TEST(Plan, recursive_records_are_read_and_skipped) {
  const auto list = record_of(R"({"name":"v","type":"int"},{"name":"next","type":["null","R"]})");
  EXPECT_EQ(read(list, "020204020600"), R"({"v":1,"next":{"v":2,"next":{"v":3,"next":null}}})");
  const auto outer = [&](std::string_view fields) {
    return R"({"type":"record","name":"O","fields":[)" + std::string(fields) +
           R"({"name":"z","type":"int"}]})";
  };
  EXPECT_EQ(read_as(outer(R"({"name":"l","type":)" + list + "},"), outer(""), "02020402060008"),
            R"({"z":4})");
}

TEST(Plan, values_inside_each_other_are_bounded_but_may_be_many) {
  const auto list = record_of(R"({"name":"next","type":["null","R"]})");
  const auto nested = [](std::size_t depth) {
    std::string hex;
    for (std::size_t i = 1; i < depth; ++i) hex += "02";
    return hex + "00";
  };
  EXPECT_FALSE(contains(read(list, nested(limits::value_depth)), "avro"));
  EXPECT_TRUE(contains(read(list, nested(limits::value_depth + 1)), "too deep"));
  EXPECT_TRUE(contains(read(list, nested(1'000'000)), "too deep"));
}

TEST(Plan, blocks_with_and_without_sizes_and_several_of_them_are_one_array) {
  const std::string_view array = R"({"type":"array","items":"int"})";
  EXPECT_EQ(read(array, "00"), "[]");
  EXPECT_EQ(read(array,
                 "04020402"
                 "0600"),
            "[1,2,3]");
  EXPECT_EQ(read(array,
                 "0304020402"
                 "0600"),
            "[1,2,3]");
  EXPECT_EQ(read(R"({"type":"map","values":"int"})",
                 "010602610202026204"
                 "00"),
            R"({"a":1,"b":2})");
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "0202";
  std::string want;
  for (int i = 0; i < 1000; ++i) want += i == 0 ? "[1" : ",1";
  EXPECT_EQ(read(array, many + "00"), want + "]");
}

TEST(Plan, a_block_that_lies_is_refused) {
  const std::string_view array = R"({"type":"array","items":"int"})";
  EXPECT_TRUE(contains(read(array,
                            "030602"
                            "04"
                            "00"),
                       "does not end where it says"));
  EXPECT_TRUE(
      contains(read(array, long_hex(1'000'000'000'000) + "0202"), "more elements than fit"));
  EXPECT_TRUE(contains(read(array, long_hex(INT64_MIN) + "02"
                                                         "02"),
                       "number"));
  EXPECT_TRUE(contains(read(array,
                            "01"
                            "03"
                            "02"),
                       "size of a block is negative"));
  EXPECT_TRUE(contains(read(array,
                            "01"
                            "64"
                            "02"),
                       "size of a block is negative or over"));
}

TEST(Plan, elements_without_bytes_are_bounded) {
  const std::string_view nulls = R"({"type":"array","items":"null"})";
  EXPECT_EQ(read(nulls, "0400"), "[null,null]");
  EXPECT_TRUE(contains(read(nulls, long_hex(1LL << 40) + "00"), "take no bytes"));
  EXPECT_TRUE(contains(read(nulls, long_hex(INT64_MAX) + "00"), "take no bytes"));
  std::string blocks;
  for (int i = 0; i < 3; ++i) blocks += long_hex(limits::empty_elements / 2);
  EXPECT_TRUE(contains(read(nulls, blocks + "00"), "take no bytes"));
  // The same when they are skipped.
  const auto outer =
      record_of(R"({"name":"a","type":{"type":"array","items":"null"}},{"name":"z","type":"int"})");
  const auto inner = record_of(R"({"name":"z","type":"int"})");
  EXPECT_EQ(read_as(outer, inner, "040002"), R"({"z":1})");
  EXPECT_TRUE(contains(read_as(outer, inner, long_hex(1LL << 40) + "0002"), "take no bytes"));
}

TEST(Plan, blocks_that_say_their_size_are_skipped_whole) {
  const auto outer = record_of(
      R"({"name":"a","type":{"type":"map","values":{"type":"array","items":"string"}}},{"name":"z","type":"int"})");
  const auto inner = record_of(R"({"name":"z","type":"int"})");
  EXPECT_EQ(read_as(outer, inner,
                    "01"
                    "06"
                    "ffffff"
                    "02"
                    "026b"
                    "02"
                    "0261"
                    "00"
                    "00"
                    "0e"),
            R"({"z":7})");
  EXPECT_TRUE(contains(read_as(outer, inner,
                               "01"
                               "7e"
                               "ffffff"),
                       "over what is left"));
}

TEST(Plan, hostile_numbers_and_lengths_are_refused_with_their_place) {
  EXPECT_TRUE(contains(read("\"long\"", "ffffffffffffffffffff01"), "number"));
  EXPECT_TRUE(contains(read("\"long\"", "ffffffffffffffffff02"), "number"));
  EXPECT_EQ(read("\"long\"", "ffffffffffffffffff01"), "-9223372036854775808");
  EXPECT_TRUE(contains(read("\"int\"", long_hex(1LL << 31)), "beyond 32 bits"));
  EXPECT_EQ(read("\"int\"", long_hex(-(1LL << 31))), "-2147483648");
  EXPECT_TRUE(contains(read("\"boolean\"", "02"), "neither 0 nor 1"));
  EXPECT_TRUE(contains(read("\"string\"", "01"), "length is negative"));
  EXPECT_TRUE(contains(read("\"string\"", long_hex(INT64_MAX)), "over what is left"));
  EXPECT_EQ(read(record_of(R"({"name":"a","type":"int"},{"name":"b","type":"double"})"), "0200"),
            "avro: n.R.b: at byte 1: the data is cut short");
  EXPECT_TRUE(contains(read("\"int\"", "0202"), "1 bytes behind the value of 1"));
}

TEST(Plan, a_value_without_bytes_is_read_from_none) {
  const SchemaPtr fixed = schema(R"({"type":"fixed","name":"F","size":0})");
  const PlanPtr plan = resolve(fixed, fixed).value();
  Arena arena;
  for (const bool borrow : {false, true})
    EXPECT_EQ(decode(*plan, std::string_view{}, arena, {.borrow = borrow}).value().bytes(), "");
}

TEST(Plan, memory_of_a_value_is_bounded) {
  const SchemaPtr array = schema(R"({"type":"array","items":"int"})");
  const PlanPtr plan = resolve(array, array).value();
  std::string bytes;
  append_uvarint(bytes, zigzag(std::int64_t{100'000}));
  bytes += std::string(100'000, '\2') + '\0';
  Arena small(64U * 1024);
  const auto refused = decode(*plan, bytes, small);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::limit_exceeded);
  Arena arena;
  EXPECT_EQ(decode(*plan, bytes, arena)->size(), 100'000U);
}

TEST(Plan, a_reused_arena_takes_no_more_memory) {
  const auto list = schema(record_of(R"({"name":"a","type":{"type":"array","items":"string"}})"));
  const PlanPtr plan = resolve(list, list).value();
  std::string bytes;
  append_uvarint(bytes, zigzag(std::int64_t{1000}));
  for (int i = 0; i < 1000; ++i) bytes += "\x14text of it";
  bytes += '\0';
  Arena arena;
  std::size_t used = 0;
  for (int i = 0; i < 20; ++i) {
    arena.reset();
    ASSERT_TRUE(decode(*plan, bytes, arena));
    if (i == 10) used = arena.used_bytes();
    if (i > 10) {
      EXPECT_EQ(arena.used_bytes(), used);
    }
  }
}

TEST(Plan, borrowed_strings_point_into_the_input_and_others_do_not) {
  const SchemaPtr string = schema("\"string\"");
  const PlanPtr plan = resolve(string, string).value();
  const std::string bytes = "\x06xyz";
  Arena arena;
  EXPECT_EQ(decode(*plan, bytes, arena, {.borrow = true})->bytes().data(), bytes.data() + 1);
  const View kept = decode(*plan, bytes, arena).value();
  EXPECT_NE(kept.bytes().data(), bytes.data() + 1);
  EXPECT_EQ(kept.bytes(), "xyz");
}

TEST(Plan, a_type_that_is_used_often_is_compiled_once) {
  std::string text = R"({"type":"record","name":"L0","fields":[{"name":"v","type":"int"}]})";
  for (int i = 1; i <= 30; ++i)
    text = R"({"type":"record","name":"L)" + std::to_string(i) +
           R"(","fields":[{"name":"a","type":)" + text + R"(},{"name":"b","type":"L)" +
           std::to_string(i - 1) + R"("}]})";
  const SchemaPtr wide = schema(text);
  const PlanPtr plan = resolve(wide, wide).value();
  EXPECT_LT(std::ranges::count(plan->listing(), '\n'), 200);
  EXPECT_TRUE(resolve(wide, schema(R"({"type":"record","name":"L30","fields":[]})")));
}

TEST(PlanCache, it_gives_the_same_plan_again_and_is_bounded) {
  PlanCache cache;
  const SchemaPtr a = schema("\"int\"");
  const SchemaPtr b = schema("\"long\"");
  EXPECT_EQ(cache.get(a, b).value(), cache.get(a, b).value());
  EXPECT_FALSE(cache.get(b, a));
  EXPECT_EQ(cache.size(), 2U);
  for (std::size_t i = 0; i < limits::cached_plans; ++i)
    ASSERT_TRUE(cache.get(schema("\"int\""), b));
  EXPECT_LE(cache.size(), limits::cached_plans);
}

TEST(Resolve, a_refusal_says_field_reason_and_what_would_be_accepted) {
  const auto said =
      read_as(record_of(R"({"name":"a","type":"string"})"),
              record_of(R"({"name":"a","type":"int"},{"name":"b","type":"int"})"), "00");
  EXPECT_EQ(said,
            "avro: the reader's schema does not fit the writer's: n.R.a: the writer has string, "
            "which cannot be "
            "read as int; accepted: keep string; bytes reads it too; n.R.b: the writer's record "
            "n.R has no such "
            "field, and there is no default; accepted: give the field a default, or an alias that "
            "names a field "
            "of the writer");
}

}  // namespace
}  // namespace weir::contract::avro
