#include "contract/avro/generate.h"

#include <gtest/gtest.h>

#include "contract/avro/test_kit.h"

namespace weir::contract::avro {
namespace {

std::string header_of(std::string_view schema_text, GenerateOptions options = {}) {
  const SchemaFile files[] = {{"contracts/thing.avsc", std::string(schema_text)}};
  const auto made = generate(files, options);
  return made ? made->at(0).text : made.error().message();
}

TEST(Generate, the_same_input_gives_the_same_bytes_in_files_named_after_namespace_and_schema) {
  const SchemaFile files[] = {
      {"contracts/line.avsc", R"({"type":"record","name":"shop.eu.Line","fields":[]})"},
      {"order.avsc", record_of(R"({"name":"l","type":"shop.eu.Line"})")}};
  const auto made = generate(files).value();
  const auto again = generate(files).value();
  ASSERT_EQ(made.size(), 4U);
  EXPECT_EQ(made[0].path, "shop/eu/line.h");
  EXPECT_EQ(made[1].path, "shop/eu/line.cc");
  EXPECT_EQ(made[2].path, "n/order.h");
  EXPECT_TRUE(contains(made[2].text, "#include \"shop/eu/line.h\""));
  EXPECT_TRUE(contains(made[3].text, "#include \"n/order.h\""));
  for (std::size_t i = 0; i < made.size(); ++i) EXPECT_EQ(made[i].text, again[i].text);
}

TEST(Generate, documentation_becomes_comments_that_cannot_be_escaped) {
  const std::string header =
      header_of(R"({"type":"record","name":"n.R","doc":"One.\n\n*/ Two \\\n","fields":[
      {"name":"a","type":"int","doc":"A\r\nfield."}]})");
  EXPECT_TRUE(contains(header, "/// One.\n///\n/// */ Two\nstruct R {")) << header;
  EXPECT_TRUE(contains(header, "  /// A\n  /// field.\n  std::int32_t a{};"));
}

TEST(Generate, names_that_mean_something_in_cpp_get_an_underscore) {
  const std::string header =
      header_of(R"({"type":"record","name":"class","namespace":"new.space","fields":[
      {"name":"int","type":"int"},{"name":"class","type":"int"},{"name":"_Bad","type":"int"},{"name":"a__b","type":"int"}]})");
  for (const std::string_view part : {"namespace new_::space {", "struct class_ {", " int_{};",
                                      " class_0{};", " x_Bad{};", " xa_0_b{};"})
    EXPECT_TRUE(contains(header, part)) << part << '\n' << header;
}

TEST(Generate, names_that_become_one_stay_apart) {
  const std::string header = header_of(
      R"({"type":"record","name":"n.R","fields":[{"name":"class_","type":"int"},{"name":"class","type":"long"},)"
      R"({"name":"e","type":{"type":"enum","name":"E","symbols":["default","default_"]}}]})");
  EXPECT_TRUE(contains(header, "std::int32_t class_{};\n  std::int64_t class_0{};")) << header;
  EXPECT_TRUE(contains(header, "  default_,\n  default_0,"));
  EXPECT_TRUE(contains(
      header_of(
          R"([{"type":"record","name":"n.R","fields":[]},{"type":"record","name":"n.RView","fields":[]}])"),
      "n.R: another record is called as its view"));
}

TEST(Generate, a_schema_without_a_namespace_gets_the_default_one) {
  EXPECT_TRUE(
      contains(header_of(R"({"type":"record","name":"R","fields":[]})"), "namespace contracts {"));
  EXPECT_TRUE(contains(
      header_of(R"({"type":"record","name":"R","fields":[]})", {.default_namespace = "my.own"}),
      "namespace my::own {"));
  EXPECT_FALSE(contains(header_of(R"({"type":"record","name":"R","fields":[]})", {.views = false}),
                        "RView"));
}

TEST(Generate, long_names_stay_where_a_member_is_called_as_a_type) {
  const std::string header = header_of(record_of(
      R"({"name":"Status","type":{"type":"enum","name":"Status","symbols":["A"]}},{"name":"b","type":"Status"})"));
  EXPECT_TRUE(contains(header, "  ::n::Status Status{};\n  ::n::Status b{};")) << header;
}

TEST(Generate, each_kind_of_stream_is_a_type_of_its_own) {
  const auto topic = [](std::string_view more) {
    return header_of(
        R"({"type":"record","name":"n.R","fields":[{"name":"k","type":{"type":"record","name":"K","fields":[]}}],)" +
        std::string(more) + "}");
  };
  EXPECT_TRUE(contains(
      topic(R"("weir.topic":"a-b.c")"),
      "inline constexpr weir::Topic<weir::NoKey, ::n::R, weir::TopicKind::unkeyed> a_b_c{"));
  EXPECT_TRUE(contains(topic(R"("weir.topic":"t","weir.key":"long")"),
                       "weir::Topic<std::int64_t, ::n::R, weir::TopicKind::keyed> t{"));
  EXPECT_TRUE(contains(topic(R"("weir.topic":"t","weir.key":"n.K","weir.topic.kind":"entity")"),
                       "weir::Topic<::n::K, ::n::R, weir::TopicKind::entity> t{"));
  EXPECT_TRUE(
      contains(topic(R"("weir.topic":"t","weir.key":"n.X")"), "thing.avsc: n.R: weir.key is"));
  EXPECT_TRUE(
      contains(topic(R"("weir.topic":"t","weir.topic.kind":"entity")"), "needs a weir.key"));
  EXPECT_TRUE(contains(topic(R"("weir.topic":"t","weir.key":"long","weir.topic.kind":"unkeyed")"),
                       "has no weir.key"));
  EXPECT_TRUE(
      contains(topic(R"("weir.topic":"t","weir.topic.kind":"big")"), "keyed, entity or unkeyed"));
}

TEST(Generate, a_record_whose_own_schema_nobody_could_parse_is_refused) {
  std::string chain = R"([{"type":"record","name":"n.C0","fields":[]})";
  for (int i = 1; i < 3000; ++i)
    chain += R"(,{"type":"record","name":"n.C)" + std::to_string(i) +
             R"(","fields":[{"name":"p","type":"n.C)" + std::to_string(i - 1) + "\"}]}";
  EXPECT_TRUE(contains(header_of(chain + "]"), "too deep"));
}

TEST(Generate, what_gives_no_struct_is_refused_with_the_name_of_its_file) {
  EXPECT_TRUE(contains(header_of("\"int\""), "thing.avsc: it defines no record"));
  EXPECT_TRUE(contains(header_of(R"({"type":"enum","name":"E","symbols":[]})"), "without symbols"));
  EXPECT_TRUE(contains(header_of("{"), "thing.avsc: avro: the schema is no JSON"));
  const SchemaFile other[] = {{"a.proto", ""}};
  EXPECT_EQ(generate(other).error().code(), Errc::unsupported);
  const SchemaFile twice[] = {{"x/a.avsc", R"({"type":"record","name":"n.A","fields":[]})"},
                              {"y/a.avsc", R"({"type":"record","name":"n.B","fields":[]})"}};
  EXPECT_TRUE(contains(generate(twice).error().message(), "another file gives n/a.h"));
}

}  // namespace
}  // namespace weir::contract::avro
