// What the generator made of testdata/json_schema/generate, compiled and used.
#include <gtest/gtest.h>

#include <cmath>

#include "contract/json_schema/schema.h"
#include "store/eu/order.h"
#include "store/line.h"

namespace {

using namespace std::chrono;
using store::eu::Order;
using weir::json_schema::Contract;
using weir::json_schema::from_json;
using weir::json_schema::to_json;

constexpr std::string_view least =
    R"({"id":"00112233-4455-6677-8899-aabbccddeeff","at":"2024-02-29T12:30:00Z","state":"NEW",)"
    R"("lines":[],"closed":false,"version":3,"note":null)";

std::string refusal(std::string_view text) {
  const auto order = from_json<Order>(text);
  return order ? "taken" : order.error().message();
}

TEST(JsonSchemaGenerated, a_struct_is_written_and_read_back) {
  Order order;
  order.id.bytes[0] = 0xab;
  order.at = sys_days(2024y / 2 / 29) + 23h + 59min + 1s + 20ms;
  order.day = sys_days(1999y / 12 / 31);
  order.state = store::eu::OrderState::half_paid;
  order.lines = {{.sku = "a", .count = 2, .price = 1.5}, {.sku = "\"\n", .count = 1, .price = {}}};
  order.note = "n";
  order.big = INT64_MIN;
  order.address.emplace().city = "\xc3\xa9";
  order.tags.emplace()["k"] = "v";
  order.matrix.emplace().resize(2);
  order.matrix->front() = {1.0, std::nullopt};
  order.parent.emplace().label = "up";
  order.children.emplace().resize(2);
  order.person.emplace().others["age"] = 7;
  order.any = {.text = "[1, {\"a\":null}]"};
  order.choice = {.text = "\"x\""};
  order.flags = std::vector<bool>{true, false};
  order.odd_name = 5;
  const std::string text = to_json(order).value();
  EXPECT_TRUE(text.starts_with(
      R"({"id":"ab000000-0000-0000-0000-000000000000","at":"2024-02-29T23:59:01.02Z","day":"1999-12-31",)"
      R"("state":"half paid","lines":[{"sku":"a","count":2,"price":1.5},{"sku":"\"\n","count":1}],)"))
      << text;
  const auto back = from_json<Order>(text);
  ASSERT_TRUE(back.has_value()) << back.error().message();
  EXPECT_EQ(*back, order);
  EXPECT_EQ(to_json(*back).value(), text);
}

TEST(JsonSchemaGenerated, what_is_written_fits_the_schema) {
  namespace js = weir::contract::json_schema;
  const auto line = js::JsonSchema::parse(Contract<store::Line>::schema()).value();
  const weir::contract::Import imports[] = {{"line.schema.json", line}};
  const auto schema =
      js::JsonSchema::parse(Contract<Order>::schema(), {.strict = true, .imports = imports})
          .value();
  Order order;
  order.lines.resize(1);
  order.lines[0].count = 1;
  EXPECT_TRUE(schema->validate(to_json(order).value(), {.formats = true})->empty());
  EXPECT_EQ(Contract<Order>::full_name, "store.eu.Order");
  EXPECT_EQ(Contract<store::eu::Person>::place, "#/definitions/person");
}

TEST(JsonSchemaGenerated, what_is_left_out_is_absent_or_has_its_default) {
  const auto order = from_json<Order>(std::string(least) + "}").value();
  EXPECT_EQ(order.weight, 0.5);
  EXPECT_EQ(order.label, "a\"b?");
  EXPECT_EQ(order.kind, store::eu::OrderKind::b);
  EXPECT_FALSE(order.big || order.parent || order.any);
  EXPECT_EQ(to_json(order).value(),
            std::string(least) + R"(,"weight":0.5,"label":"a\"b?","kind":"b"})");
}

TEST(JsonSchemaGenerated, every_spelling_of_json_is_read) {
  const auto order = from_json<Order>(
      " { \"id\" : \"00112233-4455-6677-8899-AABBCCDDEEFF\",\n\"at\":"
      "\"2024-02-29T12:30:00.1234567+01:30\",\"state\":\"N\\u0045W\",\"lines\":"
      "[ ],\"closed\":true,\"version\":3.0,\"note\":\"\\ud83d\\ude00\\n\","
      "\"big\":1e3,\"unknown\":[{\"x\":-0.5e-3}],\"\\u0062ig\":7} ");
  ASSERT_TRUE(order.has_value()) << order.error().message();
  EXPECT_EQ(order->at, sys_days(2024y / 2 / 29) + 11h + microseconds(123456));
  EXPECT_EQ(order->state, store::eu::OrderState::NEW);
  EXPECT_EQ(order->note, "\xf0\x9f\x98\x80\n");
  EXPECT_EQ(order->big, 7);
}

TEST(JsonSchemaGenerated, what_does_not_fit_is_refused_with_its_member) {
  const std::string open(least);
  EXPECT_TRUE(refusal(R"({"id":5})").starts_with("json: store.eu.Order.id, byte 6: no string"))
      << refusal(R"({"id":5})");
  EXPECT_TRUE(refusal("{}").starts_with("json: store.eu.Order.id, byte 2: a required member"));
  EXPECT_TRUE(refusal(open + R"(,"address":{"city":1}})")
                  .starts_with("json: store.eu.Order.address.city, byte"));
  EXPECT_TRUE(refusal(open + R"(,"lines":[{"sku":"","count":1},{"sku":"","count":"x"}]})")
                  .starts_with("json: store.eu.Order.lines[1].count, byte"))
      << refusal(open + R"(,"lines":[{"sku":"","count":1},{"sku":"","count":"x"}]})");
  for (const char* wrong :
       {R"(,"lines":[{"sku":"","count":1,"extra":1}]})",
        R"(,"lines":[{"sku":"","count":2147483648}]})", R"(,"state":"OLD"})",
        R"(,"day":"2024-02-30"})", R"(,"big":1.5})", R"(,"big":1e300})", R"(,"big":null})",
        R"(,"label":"\x"})", R"(,"label":"\ud800"})", ",\"label\":\"\xff\"}", R"(,"u":[1,]})",
        R"(,"u":{"a"}})", R"(,"u":01})", R"(,"u":tru})", "} x", ",", "",
        R"(,"person":{"age":"x"}})"})
    EXPECT_NE(refusal(open + wrong), "taken") << wrong;
  EXPECT_NE(refusal(open + ",\"any\":" + std::string(300, '[') + std::string(300, ']') + "}"),
            "taken");
  std::string deep(open);
  for (int i = 0; i < 300; ++i) deep += ",\"parent\":" + open;
  EXPECT_NE(refusal(deep + std::string(301, '}')), "taken");
}

TEST(JsonSchemaGenerated, what_json_lacks_is_not_written) {
  std::string out = "before";
  Order order;
  order.weight = std::nan("");
  EXPECT_EQ(to_json(order, out).error().code(), weir::Errc::invalid_argument);
  order = {};
  order.label = "\xff";
  EXPECT_FALSE(to_json(order, out).has_value());
  order = {};
  order.any = {.text = "1 2"};
  EXPECT_FALSE(to_json(order, out).has_value());
  order = {};
  order.state = static_cast<store::eu::OrderState>(77);
  EXPECT_FALSE(to_json(order, out).has_value());
  order = {};
  order.day = sys_days(year(12000) / 1 / 1);
  EXPECT_FALSE(to_json(order, out).has_value());
  EXPECT_EQ(out, "before");
  order = {};
  order.state = store::eu::OrderState::value;
  EXPECT_TRUE(to_json(order, out).has_value());
}

TEST(JsonSchemaGenerated, members_without_a_name_in_the_schema_are_kept_or_passed_over) {
  const auto order =
      from_json<Order>(std::string(least) + R"(,"x":{},"person":{"name":"a","b":2}})");
  ASSERT_TRUE(order.has_value()) << order.error().message();
  EXPECT_EQ(order->person->others.at("b"), 2);
  EXPECT_FALSE(to_json(*order).value().find("\"b\":2") == std::string::npos);
}

TEST(JsonSchemaGenerated, a_topic_codes_its_values_as_json) {
  EXPECT_EQ(store::eu::store_orders.name, "store.orders");
  std::string bytes;
  ASSERT_TRUE(store::eu::store_orders.value_codec->encode(Order{}, bytes).has_value());
  EXPECT_EQ(store::eu::store_orders.value_codec->decode(bytes).value(), Order{});
}

}  // namespace
