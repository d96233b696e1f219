#include "contract/comparison.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "contract/convert.h"

namespace weir::contract {
namespace {

constexpr std::string_view order_text =
    R"({"type":"record","name":"shop.Order","doc":"An order.\nPaid.",
  "fields":[
  {"name":"order_id","type":{"type":"string","logicalType":"uuid"},"doc":"Which."},
  {"name":"placed_at","type":{"type":"long","logicalType":"timestamp-millis"}},
  {"name":"due","type":{"type":"int","logicalType":"date"}},
  {"name":"count","type":"int"},{"name":"cents","type":"long"},{"name":"weight","type":"double"},
  {"name":"gift","type":"boolean"},{"name":"raw","type":"bytes"},
  {"name":"note","type":["null","string"],"default":null},
  {"name":"state","type":{"type":"enum","name":"OrderState","symbols":["NEW","PAID"],"default":"NEW"}},
  {"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[
    {"name":"sku","type":"string"},{"name":"again","type":["null","shop.Order"],"default":null}]}}},
  {"name":"tags","type":{"type":"map","values":"string"}}]})";
constexpr std::string_view order_value = R"({"order_id":"6ba7b810-9dad-11d1-80b4-00c04fd430c8",
  "placed_at":1700000000123,"due":19000,"count":3,"cents":9007199254740993,"weight":0.5,"gift":true,
  "raw":"AAE=","note":null,"state":"PAID","lines":[{"sku":"a","again":null}],"tags":{"k":"v"}})";

SchemaPtr order() { return Schema::parse(Language::avro, order_text).value(); }

TEST(Convert, a_contract_and_its_values_go_through_every_language_and_come_back) {
  const Outline outline = order()->outline();
  const json::Value value = json::parse(order_value).value();
  for (const Language language : {Language::avro, Language::protobuf, Language::json}) {
    const auto text = convert(outline, language);
    ASSERT_TRUE(text) << text.error().message();
    const auto schema = Schema::parse(language, *text);
    ASSERT_TRUE(schema) << schema.error().message() << '\n' << *text;
    const json::Value there = convert_value(outline, value, Language::avro, language);
    const auto bytes = (*schema)->write(there);
    ASSERT_TRUE(bytes) << bytes.error().message() << '\n' << *text << '\n' << json::write(there);
    const auto read = (*schema)->read(*bytes);
    ASSERT_TRUE(read) << read.error().message();
    // Times of Avro come back in the unit that convert() gives them.
    json::Value back = convert_value(outline, *read, language, Language::avro);
    if (language == Language::avro) continue;
    EXPECT_EQ(*back.find("placed_at"), json::Value(std::int64_t{1'700'000'000'123'000}));
    for (const char* name :
         {"order_id", "due", "count", "cents", "weight", "gift", "raw", "note", "lines", "tags"})
      EXPECT_EQ(json::write(*back.find(name)), json::write(*value.find(name))) << name;
  }
}

TEST(Convert, documentation_and_names_stay) {
  const Outline outline = order()->outline();
  const auto schema =
      Schema::parse(Language::protobuf, convert(outline, Language::protobuf).value());
  const Outline proto = (*schema)->outline();
  EXPECT_EQ(proto.root_name, "shop.Order");
  EXPECT_EQ(proto.record("shop.Order")->doc, "An order.\nPaid.");
  EXPECT_EQ(proto.record("shop.Order")->field("order_id")->doc, "Which.");
  EXPECT_EQ(proto.record("shop.Order")->field("placed_at")->logical, "google.protobuf.Timestamp");
  EXPECT_EQ(
      proto.enumeration("shop.OrderState")->symbols,
      (std::vector<std::string>{"ORDER_STATE_UNSPECIFIED", "ORDER_STATE_NEW", "ORDER_STATE_PAID"}));
}

TEST(Convert, what_has_no_form_is_refused_with_its_place) {
  const auto choice = Schema::parse(Language::avro, R"({"type":"record","name":"R","fields":[
    {"name":"u","type":["int","string"]}]})")
                          .value();
  const auto refused = convert(choice->outline(), Language::protobuf);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::unsupported);
  EXPECT_NE(refused.error().message().find("R.u"), std::string::npos);
  const auto text = Schema::parse(Language::avro, R"("string")").value();
  EXPECT_EQ(convert(text->outline(), Language::json).error().code(), Errc::unsupported);
}

TEST(Comparison, the_same_change_fits_otherwise_in_each_language) {
  std::map<std::string, std::array<Fit, 3>> fits;
  const auto changes = compare_changes(order()->outline()).value();
  for (const ChangeFits& one : changes) fits[one.change] = one.fit;
  using Row = std::array<Fit, 3>;
  EXPECT_EQ(fits.at("a field that may be missing is added"),
            (Row{Fit::both, Fit::both, Fit::new_reads_old}));
  EXPECT_EQ(fits.at("a field that is always there is added"),
            (Row{Fit::old_reads_new, Fit::both, Fit::neither}));
  EXPECT_EQ(fits.at("a field that is always there is renamed"),
            (Row{Fit::neither, Fit::both, Fit::neither}));
  EXPECT_EQ(fits.at("the fields change their order"), (Row{Fit::both, Fit::both, Fit::both}));
  EXPECT_EQ(fits.at("a number gets 64 bits in place of 32"),
            (Row{Fit::new_reads_old, Fit::both, Fit::new_reads_old}));
  EXPECT_EQ(fits.at("a number becomes a text"), (Row{Fit::neither, Fit::neither, Fit::neither}));
  EXPECT_EQ(fits.at("an enumeration gets a symbol")[0], Fit::both);
  EXPECT_EQ(fits.size(), 10U);
}

}  // namespace
}  // namespace weir::contract
