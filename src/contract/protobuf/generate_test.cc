#include "contract/protobuf/generate.h"

#include <gtest/gtest.h>

#include "contract/protobuf/pairs.h"
#include "contract/protobuf/test_kit.h"

namespace weir::contract::protobuf {
namespace {

/// The first file's header, or the error.
std::string header_of(std::string text, GenerateOptions options = {}) {
  const SchemaFile files[] = {{"contracts/thing.proto", std::move(text)}};
  const auto made = generate(files, options);
  return made ? made->at(0).text : made.error().message();
}

TEST(ProtobufGenerate,
     the_same_input_gives_the_same_bytes_in_files_named_after_package_and_schema) {
  const SchemaFile files[] = {
      {"contracts/eu/line.proto",
       "syntax = \"proto3\"; package shop.eu; message Line { int32 x = 1; }"},
      {"contracts/order.proto",
       "syntax = \"proto3\"; package shop; import \"eu/line.proto\"; message Order { eu.Line l = "
       "1; }"}};
  const auto made = generate(files).value();
  const auto again = generate(files).value();
  ASSERT_EQ(made.size(), 4U);
  EXPECT_EQ(made[0].path, "shop/eu/line.h");
  EXPECT_EQ(made[1].path, "shop/eu/line.cc");
  EXPECT_EQ(made[2].path, "shop/order.h");
  EXPECT_TRUE(contains(made[2].text, "#include \"shop/eu/line.h\""));
  EXPECT_TRUE(contains(made[2].text, "  std::optional<eu::Line> l{};"));
  EXPECT_TRUE(contains(made[3].text, "{\"eu/line.proto\", R\"proto(syntax"));
  for (std::size_t i = 0; i < made.size(); ++i) EXPECT_EQ(made[i].text, again[i].text);
}

TEST(ProtobufGenerate, names_that_mean_something_in_cpp_get_an_underscore) {
  const std::string header = header_of(
      "syntax = \"proto3\"; package new.space; message class { int32 int = 1; int32 "
      "_Bad = 3; enum default { if = 0; else = 1; } } message Own { message Own {} int32 x = 1; }");
  for (const std::string_view part :
       {"namespace new_::space {", "struct class_ {", " int_{};", " x_Bad{};", "  if_ = 0,",
        "enum class class_default : std::int32_t {", "  using default_ = ", "struct Own_Own {",
        "  using Own_ = "})
    EXPECT_TRUE(contains(header, part)) << part << '\n' << header;
}

TEST(ProtobufGenerate, documentation_becomes_comments_that_cannot_be_escaped) {
  const std::string header = header_of(
      "syntax = \"proto3\"; package n;\n// One.\n//\n// */ Two \\\nmessage A {\n  /* A\n   * "
      "field. */ int32 "
      "a = 1 [deprecated = true];\n}");
  EXPECT_TRUE(contains(header, "/// One.\n///\n/// */ Two\nstruct A {")) << header;
  EXPECT_TRUE(contains(header, "  /// A\n  /// field.\n  /// Deprecated.\n  std::int32_t a{};"))
      << header;
}

TEST(ProtobufGenerate, a_schema_without_a_package_gets_the_default_namespace) {
  EXPECT_TRUE(contains(header_of("syntax = \"proto3\"; message A {}"), "namespace contracts {"));
  EXPECT_TRUE(contains(header_of("syntax = \"proto3\"; message A {}", {.default_namespace = "a.b"}),
                       "namespace a::b {"));
}

TEST(ProtobufGenerate, unknown_fields_can_be_dropped) {
  const std::string text = "syntax = \"proto3\"; package n; message A { int32 x = 1; }";
  EXPECT_TRUE(contains(header_of(text), "::weir::protobuf::UnknownFields unknown_fields{};"));
  EXPECT_FALSE(contains(header_of(text, {.keep_unknown = false}), "UnknownFields"));
}

TEST(ProtobufGenerate, a_default_of_proto2_is_told) {
  EXPECT_TRUE(contains(
      header_of(
          "syntax = \"proto2\"; package n; message A { optional int32 x = 1 [default = 5]; }"),
      "  /// Without a value: 5\n  std::optional<std::int32_t> x{};"));
}

TEST(ProtobufGenerate, a_stream_that_the_schema_names_has_a_topic) {
  const auto with = [](const std::string& params) {
    return header_of(
        "syntax = \"proto3\"; package n; import \"confluent/meta.proto\"; message A { option "
        "(confluent.message_meta) = {" +
        params + "}; int32 x = 1; } message Key { int64 id = 1; }");
  };
  EXPECT_TRUE(
      contains(with(R"(params { key: "weir.topic" value: "a-b" })"),
               "inline constexpr weir::Topic<weir::NoKey, ::n::A, weir::TopicKind::unkeyed> a_b{"));
  EXPECT_TRUE(contains(
      with(
          R"(params { key: "weir.topic" value: "1" } params { key: "weir.key" value: "n.Key" } params { key: "weir.topic.kind" value: "entity" })"),
      "weir::Topic<::n::Key, ::n::A, weir::TopicKind::entity> topic_1{"));
  EXPECT_TRUE(
      contains(with(R"(params { key: "weir.topic" value: "a b" })"), "weir.topic is a name"));
  EXPECT_TRUE(contains(
      with(R"(params { key: "weir.topic" value: "a" } params { key: "weir.key" value: "n.None" })"),
      "weir.key is \"string\", \"long\" or the full name of a message"));
  EXPECT_TRUE(contains(
      with(
          R"(params { key: "weir.topic" value: "a" } params { key: "weir.topic.kind" value: "keyed" })"),
      "a stream that is keyed needs a weir.key"));
  EXPECT_TRUE(contains(
      with(
          R"(params { key: "weir.topic" value: "a" } params { key: "weir.topic.kind" value: "odd" })"),
      "weir.topic.kind is keyed, entity or unkeyed"));
}

TEST(ProtobufGenerate, what_is_built_in_and_used_comes_too) {
  const SchemaFile files[] = {
      {"a.proto",
       "syntax = \"proto3\"; package n; import \"google/type/money.proto\"; message A { "
       "google.type.Money m = 1; }"},
      {"b.proto",
       "syntax = \"proto3\"; package n; import \"google/type/money.proto\"; import "
       "\"google/protobuf/timestamp.proto\"; "
       "message B { google.type.Money m = 1; google.protobuf.Timestamp t = 2; }"}};
  const auto made = generate(files).value();
  ASSERT_EQ(made.size(), 6U);
  EXPECT_EQ(made[0].path, "weir/known/google/type/money.h");
  EXPECT_TRUE(contains(made[0].text, "namespace weir::known::google::type {"));
  EXPECT_TRUE(contains(made[4].text, "std::optional<::weir::known::google::type::Money> m{};"));
  EXPECT_TRUE(contains(made[4].text,
                       "std::optional<std::chrono::sys_time<std::chrono::nanoseconds>> t{};"));
}

TEST(ProtobufGenerate, each_schema_of_the_pairs_has_a_form) {
  const Pairs all = read_pairs(WEIR_SOURCE_DIR "/src/contract/testdata/protobuf/pairs.txt");
  for (const Pair& pair : all.pairs) {
    for (const Side& side : pair.sides) {
      std::vector<SchemaFile> files;
      for (const Named& file : side.imports) files.push_back({file.name, file.text});
      files.push_back({"own.proto", side.text});
      const auto made = generate(files);
      EXPECT_TRUE(made) << pair.name << ": " << (made ? "" : made.error().message());
    }
  }
}

TEST(ProtobufGenerate, what_has_no_form_is_refused) {
  const auto error = [](std::vector<SchemaFile> files) {
    const auto made = generate(files);
    return made ? "" : made.error().message();
  };
  EXPECT_EQ(error({{"a.avsc", ""}}), "a.avsc: a schema file ends with .proto");
  EXPECT_EQ(
      error({{"a.proto", "message A {"}}),
      "a.proto: protobuf: line 1, column 12: Reached end of input in message definition (missing "
      "'}').");
  EXPECT_EQ(error({{"a.proto", "package n;"}}), "a.proto: it defines no message and no enum");
  EXPECT_EQ(
      error({{"x/a.proto", "package n; message A {}"}, {"y/a.proto", "package n; message B {}"}}),
      "y/a.proto: another file gives n/a.h, too");
}

}  // namespace
}  // namespace weir::contract::protobuf
