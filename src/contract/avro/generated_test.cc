// Structs that the build generated from testdata/schemas, run against the generic codec.
#include <gtest/gtest.h>

#include "base/varint.h"
#include "contract/avro/test_kit.h"
#include "forest/tree.h"
#include "shop/order.h"
#include "weir/test/everything.h"

namespace weir::contract::avro {
namespace {

using namespace std::chrono_literals;
using weir::avro::Contract;
using weir::test::Everything;
using weir::test::EverythingView;

shop::Order an_order() {
  return {.id = "o-17",
          .customer = "c-4711",
          .placed_at = std::chrono::sys_time<std::chrono::microseconds>(1795000000s),
          .total = 129.9,
          .status = shop::Status::PAID,
          .currency = "EUR",
          .coupon = "WINTER",
          .note = {},
          .lines = {{.sku = "black", .quantity = 1, .price = 79.9},
                    {.sku = "white", .quantity = 2, .price = 25.0}},
          .warehouse = 77123,
          .revision = 3,
          .channel = "web"};
}

Everything everything() {
  Everything out;
  out.four = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{0xff}};
  out.flags = {true, false, true};
  out.counts = {{"a", {1, -2}}, {"b", {}}};
  out.either = std::string("x");
  out.lonely = std::string("y");
  out.of_day = 12h;
  out.of_day_micros = 1us;
  out.at_nanos = std::chrono::sys_time<std::chrono::nanoseconds>(5ns);
  out.wall = std::chrono::local_time<std::chrono::microseconds>(-7us);
  EXPECT_TRUE(decltype(out.price)::parse("-123456789012345678.9", out.price));
  EXPECT_TRUE(decltype(out.rate)::parse("-0.0001", out.rate));
  EXPECT_TRUE(weir::avro::Uuid::parse("00112233-4455-6677-8899-aabbccddeeff", out.id));
  out.id_bytes = out.id;
  out.span = {.months = 1, .days = 2, .millis = 3};
  out.class_ = 1;
  out.Everything_ = 2;
  return out;
}

template <class T>
std::string encoded(const T& value) {
  std::string out;
  const auto done = weir::avro::encode(value, out);
  EXPECT_TRUE(done) << done.error().message();
  return out;
}

/// What the generic codec reads from the bytes, by T's schema.
template <class T>
std::string as_json(std::string_view bytes) {
  const SchemaPtr of = schema(Contract<T>::schema(), {.strict = false});
  EXPECT_EQ(of->fingerprint(), Contract<T>::fingerprint);
  EXPECT_EQ(of->root().name, Contract<T>::full_name);
  Arena arena;
  const auto value = decode(*resolve(of, of).value(), bytes, arena);
  return value ? json::write(to_json(*value)) : value.error().message();
}

TEST(Generated, an_order_is_encoded_as_its_schema_says_and_read_back) {
  const std::string bytes = encoded(an_order());
  EXPECT_EQ(
      as_json<shop::Order>(bytes),
      R"({"id":"o-17","customer":"c-4711","placed_at":1795000000000000,"total":129.9,"status":"PAID",)"
      R"("currency":"EUR","coupon":{"string":"WINTER"},"note":null,"lines":[{"sku":"black","quantity":1,)"
      R"("price":79.9},{"sku":"white","quantity":2,"price":25.0}],"warehouse":77123,"revision":3,"channel":"web"})");
  EXPECT_EQ(weir::avro::decode<shop::Order>(bytes).value(), an_order());
}

TEST(Generated, a_view_borrows_from_the_input_and_encodes_the_same) {
  const std::string bytes = encoded(an_order());
  const auto view = weir::avro::decode<shop::OrderView>(bytes).value();
  EXPECT_EQ(view.id, "o-17");
  EXPECT_GE(view.id.data(), bytes.data());
  EXPECT_LT(view.id.data(), bytes.data() + bytes.size());
  EXPECT_EQ(view.lines.at(1).sku, "white");
  EXPECT_EQ(view.coupon, "WINTER");
  EXPECT_EQ(encoded(view), bytes);
}

TEST(Generated, members_begin_with_the_defaults_of_the_schema) {
  EXPECT_EQ(shop::Order{}.currency, "EUR");
  EXPECT_EQ(shop::Line{}.quantity, 1);
  const Everything value;
  EXPECT_TRUE(value.flag);
  EXPECT_EQ(value.small, -7);
  EXPECT_EQ(value.large, INT64_MIN);
  EXPECT_EQ(value.single, 1.5F);
  EXPECT_EQ(value.real, 1e300);
  EXPECT_EQ(value.text, "dé \"quoted\" ?\?/ \\");
  EXPECT_EQ(value.color, weir::test::Color::default_);
  EXPECT_EQ(value.maybe, 3);
  EXPECT_EQ(value.day, std::chrono::sys_days(std::chrono::days(19000)));
  EXPECT_EQ(value.at.time_since_epoch(), 1000ms);
}

TEST(Generated, every_kind_of_type_is_encoded_as_its_schema_says_and_read_back) {
  const Everything value = everything();
  const std::string bytes = encoded(value);
  EXPECT_EQ(
      as_json<Everything>(bytes),
      R"({"nothing":null,"flag":true,"small":-7,"large":-9223372036854775808,"single":1.5,"real":1e+300,)"
      R"("text":"dé \"quoted\" ??/ \\","raw":"","four":"\u0001\u0002\u0003ÿ","none":"","color":"default",)"
      R"("flags":[true,false,true],"counts":{"a":[1,-2],"b":[]},"maybe":{"int":3},"either":{"string":"x"},)"
      R"("lonely":{"string":"y"},"day":19000,"of_day":43200000,"of_day_micros":1,"at":1000,"at_nanos":5,)"
      R"("wall":-7,"price":"ÿT«Vs\u0014àõ.","rate":"ÿÿÿÿ","id":"00112233-4455-6677-8899-aabbccddeeff",)"
      "\"id_bytes\":"
      "\"\\u0000\\u0011\\\"3DUfw\xc2\x88\xc2\x99\xc2\xaa\xc2\xbb\xc3\x8c\xc3\x9d\xc3\xae\xc3\xbf\","
      R"("span":"\u0001\u0000\u0000\u0000\u0002\u0000\u0000\u0000\u0003\u0000\u0000\u0000","class":1,)"
      R"("Everything":2,"__weird__name":0,"parent":null,"children":[],"by_name":{},"choice":null,"empty":{}})");
  EXPECT_EQ(weir::avro::decode<Everything>(bytes).value(), value);
  EXPECT_EQ(encoded(weir::avro::decode<EverythingView>(bytes).value()), bytes);
}

TEST(Generated, records_that_contain_themselves_are_copied_deeply) {
  Everything leaf = everything();
  Everything tree = everything();
  tree.parent = leaf;
  tree.children = {leaf, leaf};
  tree.by_name = {{"a", leaf}};
  tree.choice = weir::avro::Box<Everything>(leaf);
  const Everything copy = tree;
  EXPECT_EQ(copy, tree);
  tree.parent->small = 1;
  EXPECT_NE(copy, tree);
  EXPECT_EQ(weir::avro::decode<Everything>(encoded(tree)).value(), tree);
}

TEST(Generated, types_that_lie_in_each_other_are_read_back) {
  forest::Tree oak;
  oak.name = "oak";
  oak.kind = forest::Kind::OAK;
  oak.height.unscaled = 1234;
  oak.branches.resize(2);
  oak.branches[0].root = oak;
  oak.branches[1].twigs.resize(3);
  oak.order = an_order();
  const std::string bytes = encoded(oak);
  EXPECT_EQ(weir::avro::decode<forest::Tree>(bytes).value(), oak);
  EXPECT_EQ(weir::avro::decode<forest::TreeView>(bytes)->branches.at(0).root->name, "oak");
}

TEST(Generated, what_is_decoded_replaces_what_was_there) {
  Everything full = everything();
  full.parent = everything();
  full.children.resize(5);
  ASSERT_TRUE(weir::avro::decode(encoded(everything()), full));
  EXPECT_EQ(full, everything());
}

TEST(Generated, every_strict_prefix_and_every_extension_is_refused) {
  const std::string bytes = encoded(everything());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::string cut = bytes.substr(0, size);
    const auto read = weir::avro::decode<Everything>(cut);
    ASSERT_FALSE(read) << size;
    EXPECT_EQ(read.error().code(), Errc::malformed);
  }
  EXPECT_FALSE(weir::avro::decode<Everything>(bytes + '\0'));
}

TEST(Generated, hostile_counts_and_depths_are_refused) {
  const auto refused = [](std::string_view hex) {
    return !weir::avro::decode<forest::Branch>(from_hex(hex));
  };
  EXPECT_FALSE(refused("0000"));
  EXPECT_TRUE(refused("00feffffffffffffffff01"));  // as many twigs as a long can say
  EXPECT_TRUE(refused("00ffffffffffffffffff01"));  // INT64_MIN of them
  EXPECT_TRUE(refused("00010500"));                // a block with a negative size
  EXPECT_TRUE(refused("0600"));                    // a branch that the union lacks
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "0002";  // no root, one twig, which has one twig ...
  EXPECT_TRUE(refused(deep));
}

// Each level claims as many twigs as the bytes behind it could be: 250 arrays of 250,000 elements,
// were they made before they are read.
TEST(Generated, counts_inside_each_other_do_not_multiply_memory) {
  std::string bytes(500'000, '\0');
  for (int level = 0; level < 250; ++level) {
    std::string head(1, '\0');
    append_uvarint(head, zigzag(static_cast<std::int64_t>(bytes.size() / 2)));
    bytes.insert(0, head);
  }
  bytes.back() = '\1';
  EXPECT_FALSE(weir::avro::decode<forest::Branch>(bytes));
}

TEST(Generated, large_arrays_are_read_whole) {
  forest::Branch wide;
  wide.twigs.resize(300'000);
  EXPECT_EQ(weir::avro::decode<forest::Branch>(encoded(wide)).value(), wide);
}

TEST(Generated, a_value_that_its_type_cannot_hold_is_not_written) {
  std::string out = "before";
  const auto fails = [&](auto&& change) {
    Everything value = everything();
    change(value);
    const auto done = weir::avro::encode(value, out);
    return !done && done.error().code() == Errc::invalid_argument && out == "before";
  };
  EXPECT_TRUE(
      fails([](Everything& v) { v.day = std::chrono::sys_days(std::chrono::days(1LL << 32)); }));
  EXPECT_TRUE(fails([](Everything& v) { v.of_day = std::chrono::milliseconds(1LL << 31); }));
  EXPECT_TRUE(fails([](Everything& v) { v.rate.unscaled = 1LL << 31; }));
  EXPECT_TRUE(fails([](Everything& v) { v.color = static_cast<weir::test::Color>(3); }));
  EXPECT_TRUE(fails([](Everything& v) { v.choice = weir::avro::Box<Everything>(); }));
  EXPECT_TRUE(fails(
      [](Everything& v) { v.children.emplace_back().color = static_cast<weir::test::Color>(-1); }));
  Everything least = everything();
  least.rate.unscaled = -(1LL << 31);
  EXPECT_TRUE(weir::avro::encode(least, out));
}

TEST(Generated, symbols_have_their_names) {
  EXPECT_EQ(to_string(weir::test::Color::NULL_), "NULL");
  EXPECT_EQ(to_string(static_cast<weir::test::Color>(9)), "");
  weir::test::Color color{};
  EXPECT_TRUE(from_string("default", color));
  EXPECT_EQ(color, weir::test::Color::default_);
  EXPECT_FALSE(from_string("green", color));
}

// Written before `currency` was there, with another name for the customer, an int for a long.
constexpr std::string_view older_order =
    R"({"type":"record","name":"Order","namespace":"shop.v1","fields":[
    {"name":"channel","type":"string"},{"name":"id","type":"string"},{"name":"customer","type":"string"},
    {"name":"placed_at","type":"long"},{"name":"total","type":"float"},{"name":"gone","type":{"type":"array","items":"string"}},
    {"name":"status","type":{"type":"enum","name":"Status","symbols":["LOST","PAID"]}},
    {"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[
      {"name":"price","type":"double"},{"name":"sku","type":"string"}]}}},
    {"name":"warehouse","type":"int"},{"name":"revision","type":"int"}]})";

TEST(GeneratedReader, data_of_an_older_schema_becomes_the_struct) {
  const SchemaPtr writer = schema(older_order);
  Arena arena;
  const auto value =
      from_json(*writer,
                json::parse(R"({"channel":"web","id":"o-1","customer":"c","placed_at":5,
      "total":1.5,"gone":["x"],"status":"LOST","lines":[{"price":2.0,"sku":"s"}],"warehouse":9,"revision":1})")
                    .value(),
                arena);
  ASSERT_TRUE(value) << value.error().message();
  std::string bytes;
  ASSERT_TRUE(encode(*value, bytes));
  auto reader = weir::avro::Reader<shop::Order>::create(older_order);
  ASSERT_TRUE(reader) << reader.error().message();
  shop::Order order = an_order();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(reader->decode(bytes, order));
  const shop::Order want{.id = "o-1",
                         .customer = "c",
                         .placed_at = std::chrono::sys_time<std::chrono::microseconds>(5us),
                         .total = 1.5,
                         .status = shop::Status::NEW,
                         .currency = "EUR",
                         .coupon = {},
                         .note = {},
                         .lines = {{.sku = "s", .quantity = 1, .price = 2.0}},
                         .warehouse = 9,
                         .revision = 1,
                         .channel = "web"};
  EXPECT_EQ(order, want);
  auto views = weir::avro::Reader<shop::OrderView>::create(older_order).value();
  shop::OrderView view;
  ASSERT_TRUE(views.decode(bytes, view));
  EXPECT_EQ(view.lines.at(0).sku, "s");
  EXPECT_EQ(view.currency, "EUR");
}

TEST(GeneratedReader, every_kind_of_type_comes_through_the_row) {
  Everything value = everything();
  value.parent = everything();
  value.children = {everything()};
  value.choice = weir::avro::Box<Everything>(everything());
  const std::string bytes = encoded(value);
  auto reader = weir::avro::Reader<Everything>::create(Contract<Everything>::schema()).value();
  Everything read;
  ASSERT_TRUE(reader.decode(bytes, read));
  EXPECT_EQ(read, value);
  auto views = weir::avro::Reader<EverythingView>::create(Contract<Everything>::schema()).value();
  EverythingView view;
  ASSERT_TRUE(views.decode(bytes, view));
  EXPECT_EQ(encoded(view), bytes);
}

TEST(GeneratedReader, a_schema_that_does_not_fit_is_refused_before_any_data) {
  const auto reader = weir::avro::Reader<shop::Line>::create(
      R"({"type":"record","name":"Line","fields":[{"name":"sku","type":"string"}]})");
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code(), Errc::invalid_record);
  EXPECT_TRUE(contains(reader.error().message(), "shop.Line.price"));
  EXPECT_FALSE(weir::avro::Reader<shop::Line>::create("{"));
}

TEST(GeneratedReader, a_value_that_its_logical_type_cannot_hold_is_refused) {
  Everything value = everything();
  std::string bytes = encoded(value);
  const auto id = bytes.find("00112233-");
  ASSERT_NE(id, std::string::npos);
  bytes[id] = 'x';
  EXPECT_FALSE(weir::avro::decode<Everything>(bytes));
  auto reader = weir::avro::Reader<Everything>::create(Contract<Everything>::schema()).value();
  EXPECT_FALSE(reader.decode(bytes, value));
}

TEST(Uuid, texts_of_another_form_are_refused) {
  weir::avro::Uuid id;
  EXPECT_TRUE(weir::avro::Uuid::parse("00112233-4455-6677-8899-AABBccddeeff", id));
  EXPECT_EQ(id.to_string(), "00112233-4455-6677-8899-aabbccddeeff");
  EXPECT_FALSE(weir::avro::Uuid::parse("00112233-4455-6677-8899-aabbccddeefg", id));
  EXPECT_FALSE(weir::avro::Uuid::parse("0011223-34455-6677-8899-aabbccddeeff", id));
  EXPECT_FALSE(weir::avro::Uuid::parse("00112233445566778899aabbccddeeff", id));
}

TEST(GeneratedTopic, it_carries_name_kind_and_codecs) {
  static_assert(shop::shop_orders.kind == TopicKind::entity);
  EXPECT_EQ(shop::shop_orders.name, "shop.orders");
  std::string bytes;
  ASSERT_TRUE(shop::shop_orders.value_codec->encode(an_order(), bytes));
  EXPECT_EQ(shop::shop_orders.value_codec->decode(bytes).value(), an_order());
  EXPECT_EQ(shop::shop_orders.key_codec->decode("o-17").value(), "o-17");
}

TEST(Decimal, numbers_are_printed_and_read) {
  using Money = weir::avro::Decimal<9, 2>;
  const auto text = [](std::int64_t unscaled) { return Money{.unscaled = unscaled}.to_string(); };
  EXPECT_EQ(text(0), "0.00");
  EXPECT_EQ(text(5), "0.05");
  EXPECT_EQ(text(-5), "-0.05");
  EXPECT_EQ(text(123456), "1234.56");
  EXPECT_EQ((weir::avro::Decimal<3, 0>{.unscaled = -120}.to_string()), "-120");
  EXPECT_EQ((weir::avro::Decimal<3, 3>{.unscaled = 7}.to_string()), "0.007");
  Money money;
  for (const std::string_view good :
       {"0.00", "1234567.89", "-0.01", "+5", "5.5", ".5", "5.", "000000000001.00"})
    EXPECT_TRUE(Money::parse(good, money)) << good;
  EXPECT_EQ(money.unscaled, 100);
  for (const std::string_view wrong :
       {"", "-", ".", "1.234", "12345678", "1e3", "1 2", "--1", "1..2"})
    EXPECT_FALSE(Money::parse(wrong, money)) << wrong;
  using Wide = weir::avro::Decimal<38, 0>;
  Wide wide;
  ASSERT_TRUE(Wide::parse("-" + std::string(38, '9'), wide));
  EXPECT_EQ(wide.to_string(), "-" + std::string(38, '9'));
}

}  // namespace
}  // namespace weir::contract::avro
