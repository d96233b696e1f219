#include "contract/protobuf/schema.h"

#include <gtest/gtest.h>

#include "base/base64.h"
#include "contract/protobuf/graph.h"
#include "contract/protobuf/limits.h"
#include "contract/protobuf/test_kit.h"

namespace weir::contract::protobuf {
namespace {

constexpr std::string_view everything = R"(// Licence, which documents nothing.

// What the shop tells.
syntax="proto3";
/* The package. */ package shop.eu;
import public "google/protobuf/timestamp.proto"; import "confluent/meta.proto";
import "google/protobuf/descriptor.proto";
option java_package="eu.shop";
option optimize_for = CODE_SIZE;
extend google.protobuf.FieldOptions { string unit = 50001; repeated int32 codes = 50002; }
// An order.
//
//  Indented.
message Order {
  option deprecated = true;
  option (confluent.message_meta) = { doc: "an order" params { key: "weir.topic" value: "orders" } };
  reserved 100, 200 to 300, 1000 to max; reserved "old", "older";
  string id = 1 [(confluent.field_meta).tags = "PII", json_name = "ID", (unit) = "a\"b\n\x01"]; // Trailing.
  map<string, Line> lines = 7;
  message Line { int32 quantity = 1 [deprecated=true]; .shop.eu.Order parent = 2; }
  oneof payment { option (oneof_note) = -1.5; string card = 4; bool cash = 5; }
  optional int64 discount = 2;
  // Of all.
  repeated Status states = 3 [packed = false, (codes) = 1, (codes) = -2];
  enum Status { option allow_alias = true; STATUS_UNSPECIFIED = 0; PAID = 1; SETTLED = 1 [deprecated = true]; BAD = -1;
    reserved 5 to 7, 100 to max; reserved "GONE"; }
  google.protobuf.Timestamp at = 6;
}
extend google.protobuf.OneofOptions { double oneof_note = 50001; }
// What can be asked.
service Shop { option deprecated = false; rpc Ask(stream Order) returns (Order); 
  // Tells.
  rpc Tell(Order) returns (stream Order.Line) { option deprecated = true; option idempotency_level = IDEMPOTENT; } }
)";

constexpr std::string_view everything_printed = R"(// What the shop tells.
syntax = "proto3";

// The package.
package shop.eu;

import public "google/protobuf/timestamp.proto";
import "confluent/meta.proto";
import "google/protobuf/descriptor.proto";

option java_package = "eu.shop";
option optimize_for = CODE_SIZE;

// An order.
//
//  Indented.
message Order {
  option deprecated = true;
  option (confluent.message_meta) = { doc : "an order" params { key : "weir.topic" value : "orders" } };
  reserved 100, 200 to 300, 1000 to max;
  reserved "old", "older";
  // Trailing.
  string id = 1 [json_name = "ID", (confluent.field_meta).tags = "PII", (unit) = "a\"b\n\001"];
  map<string, Line> lines = 7;
  oneof payment {
    option (oneof_note) = -1.5;
    string card = 4;
    bool cash = 5;
  }
  optional int64 discount = 2;
  // Of all.
  repeated Status states = 3 [packed = false, (codes) = 1, (codes) = -2];
  google.protobuf.Timestamp at = 6;
  enum Status {
    option allow_alias = true;
    STATUS_UNSPECIFIED = 0;
    PAID = 1;
    SETTLED = 1 [deprecated = true];
    BAD = -1;
    reserved 5 to 7, 100 to max;
    reserved "GONE";
  }
  message Line {
    int32 quantity = 1 [deprecated = true];
    .shop.eu.Order parent = 2;
  }
}

extend google.protobuf.FieldOptions {
  string unit = 50001;
  repeated int32 codes = 50002;
}

extend google.protobuf.OneofOptions {
  double oneof_note = 50001;
}

// What can be asked.
service Shop {
  option deprecated = false;
  rpc Ask(stream Order) returns (Order);
  // Tells.
  rpc Tell(Order) returns (stream Order.Line) {
    option deprecated = true;
    option idempotency_level = IDEMPOTENT;
  }
}
)";

constexpr std::string_view groups = R"(syntax = "proto2";
package n;
message A {
  extensions 100 to 199, 500 to max;
  optional bytes b = 1 [default = "\000\377\"x"];
  optional string s = 2 [default = "é\t"];
  optional double d = 3 [default = -inf];
  optional E e = 4 [default = TWO];
  message First { required int32 x = 1; }
  repeated group Second = 5 { optional int32 y = 1; message Third {} }
  map<int32, string> m = 6;
  oneof o { group Fourth = 7 { optional bool z = 1; } int32 w = 8; }
  message Fifth {}
  extend A { optional group Sixth = 101 { optional int32 v = 1; } optional int32 plain = 100; }
  enum E { ONE = 1; TWO = 2; }
}
extend A { optional group Seventh = 150 { optional int32 u = 1; } }
message Last {}
)";

pb::FileDescriptorProto descriptor_of(const ProtobufSchema& of) {
  pb::FileDescriptorProto out;
  of.graph().file->CopyTo(&out);
  return out;
}

TEST(ProtobufSchema, text_is_one_layout_with_the_comments_that_document_something) {
  const auto parsed = schema(everything);
  ASSERT_NE(parsed, nullptr);
  EXPECT_EQ(parsed->text(), everything_printed);
  const auto again = schema(parsed->text());
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->text(), parsed->text());
  EXPECT_EQ(descriptor_of(*again).DebugString(), descriptor_of(*parsed).DebugString());
}

TEST(ProtobufSchema, text_keeps_the_order_of_messages_that_maps_and_groups_make) {
  const auto parsed = schema(groups);
  ASSERT_NE(parsed, nullptr);
  const auto again = schema(parsed->text());
  ASSERT_NE(again, nullptr) << parsed->text();
  EXPECT_EQ(again->text(), parsed->text());
  EXPECT_EQ(descriptor_of(*again).SerializeAsString(), descriptor_of(*parsed).SerializeAsString())
      << parsed->text();
}

TEST(ProtobufSchema, a_descriptor_in_base64_is_a_schema) {
  for (const std::string_view text : {everything, groups}) {
    const auto parsed = schema(text);
    const auto again = schema(parsed->formatted("serialized"));
    ASSERT_NE(again, nullptr);
    EXPECT_EQ(again->formatted("serialized"), parsed->formatted("serialized")) << again->text();
    EXPECT_EQ(again->normalized(), parsed->normalized());
    EXPECT_EQ(schema(again->text())->text(), again->text());
  }
}

TEST(ProtobufSchema, base64_of_something_else_is_refused) {
  EXPECT_EQ(error_of("AAAA"), "protobuf: the schema is base64, but of no FileDescriptorProto");
}

TEST(ProtobufSchema, what_means_the_same_normalises_to_the_same) {
  const auto a = schema(R"(syntax = "proto3"; package n;
    import "google/protobuf/timestamp.proto"; import "google/protobuf/any.proto";
    option java_package = "j"; option go_package = "g";
    message A { B b = 2; google.protobuf.Timestamp t = 1; oneof o { int32 x = 5; google.protobuf.Any y = 3; } int32 z = 4; }
    message B { map<string, B> m = 2; map<int32, int32> k = 1; message C {} C c = 3; })");
  const auto b = schema(R"(// Documented.
    syntax = "proto3"; package n;
    import "google/protobuf/any.proto"; import "google/protobuf/timestamp.proto";
    option go_package = "g"; option java_package = "j";
    message A { google.protobuf.Timestamp t = 1; .n.B b = 2; int32 z = 4; oneof o { .google.protobuf.Any y = 3; int32 x = 5; } }
    message B { map<int32, int32> k = 1; map<string, n.B> m = 2; n.B.C c = 3; message C {} })");
  EXPECT_NE(a->text(), b->text());
  EXPECT_EQ(a->normalized(), b->normalized());
  EXPECT_EQ(schema(a->normalized())->normalized(), a->normalized());
  EXPECT_TRUE(
      contains(a->normalized(), "  .n.B b = 2;\n  oneof o {\n    .google.protobuf.Any y = 3;"))
      << a->normalized();
  // Payloads name messages by their place.
  EXPECT_EQ(*schema(a->normalized())->message_path("n.B.C"), (std::vector<std::int32_t>{1, 2}));
}

TEST(ProtobufSchema, custom_options_can_be_left_out) {
  const auto parsed = schema(everything);
  const std::string text = parsed->formatted("ignore_extensions");
  EXPECT_TRUE(contains(text, "  string id = 1 [json_name = \"ID\"];")) << text;
  EXPECT_FALSE(contains(text, "confluent.field_meta"));
  EXPECT_EQ(parsed->formatted("resolved"), parsed->text());
}

TEST(ProtobufSchema, a_schema_without_syntax_is_proto2) {
  EXPECT_TRUE(schema("message A { required int32 x = 1; }")
                  ->text()
                  .starts_with("syntax = \"proto2\";\n\nmessage A {\n  required int32 x = 1;"));
}

TEST(ProtobufSchema, imports_are_those_that_are_given_or_built_in) {
  const std::vector<Named> files = {
      {"money.proto", "syntax = \"proto3\"; package money; message Money { int64 cents = 1; }"},
      {"line.proto",
       "syntax = \"proto3\"; package shop; import \"money.proto\"; message Line { money.Money "
       "price = 1; }"}};
  const auto parsed = schema(
      "syntax = \"proto3\"; package shop; import \"line.proto\"; message Order { repeated Line "
      "lines = 1; }",
      files);
  EXPECT_EQ(parsed->import_names(), std::vector<std::string>{"line.proto"});
  EXPECT_EQ(read(*parsed, "0a040a02080c"), R"({"lines":[{"price":{"cents":"12"}}]})");
  EXPECT_EQ(error_of("syntax = \"proto3\"; import \"money.proto\";"),
            "protobuf: the import \"money.proto\" is not there; give a reference of that name");
  for (const std::string_view name :
       {"google/protobuf/any.proto", "google/protobuf/struct.proto", "google/protobuf/type.proto",
        "google/protobuf/api.proto", "google/protobuf/wrappers.proto", "google/type/money.proto",
        "google/type/datetime.proto", "google/type/phone_number.proto", "google/type/color.proto",
        "google/type/interval.proto", "confluent/meta.proto", "confluent/type/decimal.proto"}) {
    EXPECT_TRUE(is_built_in(name)) << name;
    EXPECT_EQ(error_of("syntax = \"proto3\"; import \"" + std::string(name) + "\";"), "");
  }
  EXPECT_FALSE(is_built_in("google/type/nothing.proto"));
}

TEST(ProtobufSchema, an_import_that_leads_back_is_refused) {
  EXPECT_TRUE(
      contains(error_of("syntax = \"proto3\"; import \"default\";"), "leads back to itself"));
  const auto self = schema("syntax = \"proto3\"; message A {}");
  const std::vector<Import> given = {
      {"a.proto", parse_protobuf("syntax = \"proto3\"; import \"a.proto\";",
                                 {.imports = std::vector<Import>{{"a.proto", self}}})
                      .value()}};
  EXPECT_TRUE(contains(error_of("syntax = \"proto3\"; import \"a.proto\";", {.imports = given}),
                       "leads back to itself"));
}

TEST(ProtobufSchema, errors_name_place_and_mend) {
  EXPECT_EQ(error_of("syntax = \"proto3\";\nmessage A {\n  int32 x;\n}"),
            "protobuf: line 3, column 10: Missing field number.");
  EXPECT_EQ(error_of("syntax = \"proto3\";\nmessage A {\n  B b = 1;\n}"),
            "protobuf: line 3, column 3: A.b: \"B\" is not defined; define it in this file, or "
            "import the file that does");
  EXPECT_TRUE(contains(error_of("syntax = \"proto3\"; enum E { ONE = 1; }"),
                       "begin with a constant like STATUS_UNSPECIFIED = 0"));
  EXPECT_TRUE(contains(error_of("syntax = \"proto3\"; message A { int32 x = 1; int32 y = 1; }"),
                       "give each field a number of its own"));
  EXPECT_EQ(error_of(" \n"), "protobuf: the schema is empty");
  EXPECT_EQ(error_of("message \xff"), "protobuf: the schema is not UTF-8 text");
}

TEST(ProtobufSchema, unknown_custom_options_are_judged_in_a_new_schema_only) {
  const std::string text = proto3("message A { int32 x = 1 [(some.option).y = 7]; }");
  EXPECT_TRUE(contains(error_of(text), "some.option"));
  const auto stored = parse_protobuf(text, {.strict = false});
  ASSERT_TRUE(stored) << stored.error().message();
  EXPECT_TRUE(contains((*stored)->text(), "int32 x = 1 [(some.option).y = 7];"));
  EXPECT_EQ(json::write((*stored)->read(from_hex("0805")).value()), R"({"x":5})");
  const std::vector<Import> given = {{"stored.proto", *stored}};
  EXPECT_EQ(error_of("syntax = \"proto3\"; import \"stored.proto\"; message B { n.A a = 1; }",
                     {.strict = true, .imports = given}),
            "");
}

TEST(ProtobufSchema, bounds_are_checked_before_libprotobuf_is_asked) {
  EXPECT_TRUE(contains(error_of(std::string(limits::schema_bytes + 1, ' ')), "at most 1048576"));
  std::string deep;
  for (std::size_t i = 0; i <= limits::schema_depth; ++i) deep += "message A {\n";
  EXPECT_TRUE(contains(error_of(deep), "line 65: more than 64 brackets inside each other"));
  std::string confusing;
  for (std::size_t i = 0; i <= limits::schema_depth; ++i) confusing += "message A { ) ";
  EXPECT_TRUE(contains(error_of(confusing), "brackets inside each other"));
  EXPECT_EQ(
      error_of(
          "message A { /* {{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{ */ }"),
      "");
  std::string ranges = "message A { reserved 1";
  for (std::size_t i = 1; i <= limits::ranges; ++i) ranges += ", " + std::to_string(3 * i);
  EXPECT_TRUE(contains(error_of(ranges + "; }"), "reserved and extension ranges, at most 1000"));
}

TEST(ProtobufSchema, a_schema_near_the_bound_is_printed_normalised_and_compared) {
  // Oneofs, groups and maps: what has to be brought into order.
  std::string text = "syntax = \"proto2\"; message A {";
  for (int i = 1; i < 5000; ++i) {
    const std::string a = std::to_string(i);
    const std::string b = std::to_string(20'000 + i);
    const std::string c = std::to_string(30'000 + i);
    text += "oneof o" + a + " { int32 f" + b + " = " + b + "; }";
    text += "optional group G" + a + " = " + c + " {} map<int32, A> m" + a + " = " + a + ";";
  }
  const auto parsed = schema(text + "}");
  ASSERT_NE(parsed, nullptr);
  EXPECT_GT(parsed->text().size(), limits::schema_bytes / 3);
  const auto again = schema(parsed->normalized());
  EXPECT_EQ(again->message_names(), parsed->message_names());
  EXPECT_TRUE(again->unreadable(*parsed, Policy::strict).value().empty());
}

TEST(ProtobufSchema, messages_are_found_by_path_and_by_name) {
  const auto parsed = schema(groups);
  EXPECT_EQ(parsed->full_name().value(), "n.A");
  // First, Second, the entry of m, Fourth, Fifth, Sixth.
  EXPECT_EQ(parsed->full_name(std::vector<std::int32_t>{0, 1, 0}).value(), "n.A.Second.Third");
  EXPECT_EQ(parsed->full_name(std::vector<std::int32_t>{0, 2}).value(), "n.A.MEntry");
  EXPECT_EQ(parsed->message_path("n.A.Fifth").value(), (std::vector<std::int32_t>{0, 4}));
  EXPECT_EQ(parsed->message_path("n.Last").value(), std::vector<std::int32_t>{2});
  EXPECT_EQ(parsed->message_path("n.None").error().code(), Errc::not_found);
  for (const auto& path : {std::vector<std::int32_t>{3}, {-1}, {0, 6}, {0, -1}, {2, 0}})
    EXPECT_EQ(parsed->full_name(path).error().code(), Errc::invalid_argument);
  EXPECT_EQ(parsed->full_name(std::vector<std::int32_t>(200, 0)).error().message(),
            "protobuf: the schema has no message at [0, 0, 0, 0, 0, 0, 0, 0]");
  EXPECT_EQ(
      parsed->message_names(),
      (std::vector<std::string>{"n.A", "n.A.First", "n.A.Second", "n.A.Second.Third", "n.A.Fourth",
                                "n.A.Fifth", "n.A.Sixth", "n.Seventh", "n.Last"}));
}

TEST(ProtobufSchema, payloads_are_read_and_written_as_proto_json) {
  const auto parsed =
      schema(R"(syntax = "proto3"; package n; import "google/protobuf/timestamp.proto";
    message A { int64 big = 1; string user_name = 2; map<string, int32> m = 3; google.protobuf.Timestamp at = 4;
      bytes raw = 5; E e = 6; repeated double d = 7; oneof o { bool x = 8; A a = 9; } }
    enum E { ZERO = 0; ONE = 1; }
    message Other { int32 x = 1; message Inner { string s = 1; } })");
  const std::string_view json =
      R"({"big":"9007199254740993","userName":"Ü","m":{"k":1},"at":"2026-01-02T03:04:05.000000006Z","raw":"AP8=","e":"ONE","d":[1.5,"NaN"],"a":{}})";
  const std::string bytes = written(*parsed, json);
  EXPECT_EQ(read(*parsed, bytes), json);
  EXPECT_EQ(read(*parsed, "0805", std::vector<std::int32_t>{1}), R"({"x":5})");
  EXPECT_EQ(read(*parsed, "0a0141", std::vector<std::int32_t>{1, 0}), R"({"s":"A"})");
  EXPECT_EQ(written(*parsed, R"({"user_name":"a"})"), "120161");
  // An entry of m is a message, too.
  EXPECT_EQ(read(*parsed, "0a016b1001", std::vector<std::int32_t>{0, 0}),
            R"({"key":"k","value":1})");
  EXPECT_EQ(written(*parsed, R"({"key":"k","value":1})", std::vector<std::int32_t>{0, 0}),
            "0a016b1001");
  EXPECT_TRUE(contains(written(*parsed, R"({"m":{"k":"x"}})"), "protobuf: n.A: "))
      << written(*parsed, R"({"m":{"k":"x"}})");
  EXPECT_TRUE(contains(written(*parsed, R"({"nothing":1})"), "nothing"));
  EXPECT_EQ(parsed->read("", std::vector<std::int32_t>{9}).error().code(), Errc::invalid_argument);
}

TEST(ProtobufSchema, a_payload_that_is_none_is_refused_with_its_place) {
  const auto parsed = schema(proto3("message A { int32 x = 1; string s = 2; A a = 3; }"));
  EXPECT_EQ(read(*parsed, "08ff"), "protobuf: n.A.x: at byte 1: it ends inside a number");
  EXPECT_EQ(read(*parsed, "12056162"),
            "protobuf: n.A.s: at byte 2: 5 bytes are wanted, 2 are left");
  EXPECT_EQ(read(*parsed, "120180"), "protobuf: n.A.s: at byte 2: text that is not UTF-8");
  EXPECT_EQ(read(*parsed, "1a021205"),
            "protobuf: n.A.s: at byte 4: 5 bytes are wanted, 0 are left");
  EXPECT_EQ(read(*parsed, "00"), "protobuf: n.A: at byte 1: there is no tag 0");
  EXPECT_EQ(read(*parsed, "0c"), "protobuf: n.A: at byte 1: the end of a group that was not begun");
  EXPECT_EQ(read(*parsed, "7b"), "protobuf: field 15: at byte 1: a group without its end");
  EXPECT_EQ(read(*parsed, "7b7c0801"), R"({"x":1})");
  std::string deep;
  for (int i = 0; i < 120; ++i) deep = "7b" + deep + "7c";
  EXPECT_TRUE(contains(read(*parsed, deep), "more than 100 messages inside each other"));
}

TEST(ProtobufSchema, required_fields_are_required_and_groups_are_not_read) {
  const auto parsed = schema(groups);
  EXPECT_EQ(written(*parsed, R"({"x":5})", std::vector<std::int32_t>{0, 0}), "0805");
  EXPECT_TRUE(
      contains(read(*parsed, "", std::vector<std::int32_t>{0, 0}), "required and not there: x"));
  EXPECT_EQ(parsed->write(json::Object{}, std::vector<std::int32_t>{0, 0}).error().code(),
            Errc::malformed);
  EXPECT_EQ(read(*parsed, "2b08072c"),
            "protobuf: n.A.second is a group, which JSON cannot say; make it a message");
}

TEST(ProtobufSchema, own_types_of_google_protobuf_are_kept_but_not_read) {
  const auto parsed =
      schema("syntax = \"proto3\"; package google.protobuf; message Timestamp { string s = 1; }");
  EXPECT_EQ(parsed->read("").error().code(), Errc::unsupported);
  EXPECT_TRUE(contains(parsed->text(), "package google.protobuf;"));
}

const OutlineRecord& record(const Outline& outline, std::string_view name) {
  for (const OutlineRecord& one : outline.records)
    if (one.name == name) return one;
  ADD_FAILURE() << name;
  return outline.records.front();
}

TEST(ProtobufOutline, says_what_there_is) {
  const auto parsed = schema(everything);
  const Outline outline = parsed->outline();
  EXPECT_EQ(outline.root, Shape::record);
  EXPECT_EQ(outline.root_name, "shop.eu.Order");
  EXPECT_EQ(outline.topic, "orders");
  ASSERT_EQ(outline.records.size(), 2U);
  const OutlineRecord& order = outline.records[0];
  EXPECT_EQ(order.doc, "An order.\n\n Indented.");
  ASSERT_EQ(order.fields.size(), 7U);
  const auto& id = order.fields[0];
  EXPECT_EQ(id.name, "id");
  EXPECT_EQ(id.doc, "Trailing.");
  EXPECT_EQ(id.tags, std::vector<std::string>{"PII"});
  EXPECT_EQ(id.shape, Shape::string);
  EXPECT_FALSE(id.nullable);
  const auto& lines = order.fields[1];
  EXPECT_EQ(lines.shape, Shape::map);
  EXPECT_EQ(lines.element, Shape::record);
  EXPECT_EQ(lines.type, "map<string, shop.eu.Order.Line>");
  EXPECT_EQ(lines.type_name, "shop.eu.Order.Line");
  EXPECT_EQ(order.fields[2].group, "payment");
  EXPECT_TRUE(order.fields[2].nullable);
  const auto& discount = order.fields[4];
  EXPECT_EQ(discount.group, "");
  EXPECT_TRUE(discount.nullable);
  EXPECT_EQ(discount.bits, 64U);
  EXPECT_EQ(discount.number, 2);
  const auto& states = order.fields[5];
  EXPECT_EQ(states.type, "repeated shop.eu.Order.Status");
  EXPECT_EQ(states.element, Shape::enumeration);
  EXPECT_EQ(states.doc, "Of all.");
  const auto& at = order.fields[6];
  EXPECT_EQ(at.logical, "google.protobuf.Timestamp");
  EXPECT_TRUE(at.nullable);
  ASSERT_EQ(outline.enums.size(), 1U);
  EXPECT_FALSE(outline.enums[0].default_symbol.empty());
  EXPECT_EQ(outline.enums[0].symbols,
            (std::vector<std::string>{"STATUS_UNSPECIFIED", "PAID", "SETTLED", "BAD"}));
}

TEST(ProtobufOutline, waivers_are_comments_and_no_documentation) {
  const auto parsed = schema(proto3(R"(// Sent when something happened.
// weir:ignore EV012 a rate is no money
message A {
  // weir:ignore EV022 no unit
  // How fast.
  double rate = 1; // weir:ignore EV015
}
// weir:ignore EV062 closed
enum E { ONE = 0; })"));
  const Outline outline = parsed->outline();
  EXPECT_EQ(outline.records[0].doc, "Sent when something happened.");
  EXPECT_EQ(outline.records[0].waivers, (Waivers{{"EV012", "a rate is no money"}}));
  EXPECT_EQ(outline.records[0].fields[0].doc, "How fast.");
  EXPECT_EQ(outline.records[0].fields[0].waivers, (Waivers{{"EV015", ""}, {"EV022", "no unit"}}));
  EXPECT_EQ(outline.enums[0].waivers, (Waivers{{"EV062", "closed"}}));
  EXPECT_TRUE(outline.enums[0].default_symbol.empty());
  EXPECT_EQ(schema(parsed->text())->outline().records[0].waivers, outline.records[0].waivers);
}

TEST(ProtobufOutline, kinds_defaults_and_imports_are_told) {
  const auto parsed = schema(
      R"(syntax = "proto2"; package n; import "other.proto";
    import "google/protobuf/wrappers.proto"; import "google/protobuf/struct.proto"; import "google/protobuf/any.proto";
    import "confluent/type/decimal.proto"; import "confluent/meta.proto";
    message A { required int32 a = 1; optional float f = 2 [default = 1.5]; optional E e = 3 [default = TWO];
      optional google.protobuf.Int64Value w = 4; optional google.protobuf.Struct s = 5; optional google.protobuf.Any x = 6;
      optional confluent.type.Decimal d = 7; optional o.Other other = 8; optional bytes raw = 9 [default = "\xff"];
      optional bool b = 10 [default = true]; optional uint64 u = 11 [default = 18446744073709551615];
      repeated string names = 12 [(confluent.field_meta) = { params { key: "weir.max.items" value: "9" } doc: "Names." }];
      optional string t = 13 [default = "a\"b"]; }
    enum E { ONE = 1; TWO = 2; })",
      {{"other.proto",
        "syntax = \"proto3\"; package o; message Other { message In {} enum Kind { K = 0; } }"}});
  const Outline outline = parsed->outline();
  const OutlineRecord& a = record(outline, "n.A");
  EXPECT_FALSE(a.fields[0].nullable);
  EXPECT_EQ(a.fields[1].default_json, "1.5");
  EXPECT_EQ(a.fields[1].bits, 32U);
  EXPECT_EQ(a.fields[2].default_json, "\"TWO\"");
  EXPECT_EQ(a.fields[3].shape, Shape::integer);
  EXPECT_EQ(a.fields[3].bits, 64U);
  EXPECT_EQ(a.fields[3].logical, "google.protobuf.Int64Value");
  EXPECT_EQ(a.fields[4].shape, Shape::any);
  EXPECT_EQ(a.fields[5].shape, Shape::any);
  EXPECT_EQ(a.fields[6].logical, "confluent.type.Decimal");
  EXPECT_EQ(a.fields[7].type_name, "o.Other");
  EXPECT_EQ(a.fields[7].logical, "");
  EXPECT_EQ(a.fields[9].default_json, "true");
  EXPECT_EQ(a.fields[10].default_json, "18446744073709551615");
  EXPECT_TRUE(a.fields[11].bounded);
  EXPECT_EQ(a.fields[11].doc, "Names.");
  EXPECT_FALSE(a.fields[11].nullable);
  EXPECT_EQ(a.fields[12].default_json, "\"a\\\"b\"");
  EXPECT_TRUE(record(outline, "o.Other").imported);
  EXPECT_TRUE(record(outline, "o.Other.In").imported);
  EXPECT_FALSE(a.imported);
  ASSERT_EQ(outline.enums.size(), 2U);
  EXPECT_TRUE(outline.enums[1].imported);
}

TEST(ProtobufSchema, a_schema_without_a_message_has_no_payload) {
  const auto parsed = schema(proto3("enum E { A = 0; }"));
  EXPECT_EQ(parsed->read("").error().code(), Errc::invalid_argument);
  EXPECT_EQ(parsed->outline().enums.size(), 1U);
}

}  // namespace
}  // namespace weir::contract::protobuf
