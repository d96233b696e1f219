// Generated structs of Protobuf and JSON Schema in topics that go by a registry.
#include <gtest/gtest.h>
#include <weir/serde.h>

#include "base/bytes.h"
#include "birds/flock.h"
#include "birds/nest.h"
#include "birds/sighting.h"
#include "serde/fake_registry.h"

namespace weir::serde {
namespace {

using namespace std::chrono_literals;
using birds::Flock;
using birds::Nest;
using birds::Watcher;

constexpr std::string_view topic = "birds.flocks";
const Flock geese{
    .species = "Anser anser", .head_count = 40, .place = birds::Place{.name = "the lake"}};
const Nest nest{.species = "Pica pica", .eggs = 5};
constexpr const char* as_protobuf = R"(,"schemaType":"PROTOBUF")";
constexpr const char* as_json = R"(,"schemaType":"JSON")";

std::string prefix(int id, std::string_view indexes = {}) {
  std::string out(1, '\0');
  append_be<std::int32_t>(out, id);
  return out + std::string(indexes);
}

class SerdeLanguages : public ::testing::Test {
 protected:
  SchemaRegistry connect() {
    return SchemaRegistry::connect({.url = fake_.url(), .timeout = 5s}).value();
  }
  template <class T>
  std::unique_ptr<RegistryCodec<T>> codec(SerdeOptions options = {}) {
    return std::make_unique<RegistryCodec<T>>(connect(), std::string(topic), false,
                                              std::move(options));
  }
  template <class T>
  static std::string written(const RegistryCodec<T>& codec, const T& value) {
    std::string out;
    const auto done = codec.encode(value, out);
    EXPECT_TRUE(done) << done.error().message();
    return out;
  }
  template <class T>
  static Errc code_of(const Result<T>& read) {
    return read ? Errc::none : read.error().code();
  }

  FakeRegistry fake_;
};

TEST_F(SerdeLanguages, a_protobuf_message_is_named_by_its_place_in_the_file) {
  const auto it = codec<Flock>();
  const std::string bytes = written(*it, geese);
  // Two imports are subjects of their own: places and the flock's file, in the order of need.
  EXPECT_TRUE(bytes.starts_with(prefix(101, "\x02\x02"))) << bytes;
  EXPECT_EQ(it->decode(bytes).value(), geese);
  const auto place = connect().version("birds/place.proto").value();
  EXPECT_EQ(place.schema.type, SchemaType::protobuf);
  const auto own = connect().version("birds.flocks-value").value();
  EXPECT_EQ(own.schema.references,
            (std::vector<SchemaReference>{{"birds/place.proto", "birds/place.proto", 1}}));
}

TEST_F(SerdeLanguages, the_first_message_is_one_byte_or_two) {
  const auto it = codec<Watcher>();
  const std::string bytes = written(*it, Watcher{.name = "Ann"});
  const std::string name = prefix(101, std::string_view("\0", 1));
  ASSERT_TRUE(bytes.starts_with(name));
  EXPECT_EQ(it->decode(bytes)->name, "Ann");
  const std::string long_way = prefix(101, std::string_view("\2\0", 2)) + bytes.substr(name.size());
  EXPECT_EQ(it->decode(long_way)->name, "Ann");
  EXPECT_EQ(code_of(it->decode(prefix(101, "\x02\x02"))), Errc::incompatible_schema);
  EXPECT_EQ(code_of(it->decode(prefix(101, "\x09"))), Errc::malformed);
  EXPECT_EQ(code_of(it->decode(prefix(101))), Errc::malformed);
}

TEST_F(SerdeLanguages, a_message_that_moved_in_its_file_is_found_by_its_name) {
  const int id = fake_.add(
      "birds.flocks-value",
      "syntax = \"proto3\"; package birds; message Flock { string species = 1; }", as_protobuf);
  const auto it = codec<Flock>();
  EXPECT_EQ(it->decode(prefix(id, std::string_view("\0\x0a\x04wren", 7)))->species, "wren");
  const int without =
      fake_.add("other", "syntax = \"proto3\"; package birds; message Egg {}", as_protobuf);
  EXPECT_EQ(code_of(it->decode(prefix(without, std::string_view("\0", 1)))),
            Errc::incompatible_schema);
}

TEST_F(SerdeLanguages, fields_of_a_newer_protobuf_version_are_kept) {
  const int id = fake_.add("birds.flocks-value",
                           "syntax = \"proto3\"; package birds; message Watcher {} message Flock { "
                           "string species = 1; string mood = 9; }",
                           as_protobuf);
  const auto it = codec<Flock>();
  const std::string payload = "\x0a\x04wren\x4a\x03joy";
  const auto read = it->decode(prefix(id, "\x02\x02") + payload);
  ASSERT_TRUE(read) << read.error().message();
  std::string again;
  ASSERT_TRUE(protobuf::encode(*read, again));
  EXPECT_EQ(again, payload);
}

TEST_F(SerdeLanguages, a_header_holds_the_indexes_too) {
  const auto it = codec<Flock>({.value_place = SchemaIdPlace::header});
  std::string payload;
  const auto header = it->encode_record(geese, payload);
  ASSERT_TRUE(header && *header) << (header ? "" : header.error().message());
  EXPECT_EQ((*header)->key, "__value_schema_id");
  ASSERT_TRUE((*header)->value.has_value());
  EXPECT_EQ((*header)->value->size(), 17U + 2U);
  EXPECT_TRUE((*header)->value->ends_with("\x02\x02"));
  EXPECT_EQ(protobuf::decode<Flock>(payload).value(), geese);
}

TEST_F(SerdeLanguages, in_production_imports_have_to_be_there) {
  const auto it = codec<Flock>(SerdeOptions::production());
  std::string out;
  EXPECT_EQ(it->encode(geese, out).error().code(), Errc::not_found);
  EXPECT_TRUE(out.empty());
}

TEST_F(SerdeLanguages, the_latest_version_names_the_message_where_it_is_now) {
  fake_.add("birds.flocks-value",
            "syntax = \"proto3\"; package birds; message Flock { string species = 1; int64 "
            "head_count = 2; }",
            as_protobuf);
  const auto strict = codec<Flock>({.use_latest_version = true});
  std::string out;
  EXPECT_EQ(strict->encode(geese, out).error().code(), Errc::incompatible_schema);
  const auto lenient = codec<Flock>({.use_latest_version = true, .strict = false});
  EXPECT_TRUE(written(*lenient, geese).starts_with(prefix(100, std::string_view("\0", 1))));
}

TEST_F(SerdeLanguages, a_json_document_is_read_as_what_it_is) {
  const auto it = codec<Nest>();
  const std::string bytes = written(*it, nest);
  EXPECT_EQ(bytes, prefix(100) + R"({"species":"Pica pica","eggs":5})");
  EXPECT_EQ(it->decode(bytes).value(), nest);
  const int other = fake_.add("birds.flocks-value", R"({"type":"object"})", as_json);
  EXPECT_EQ(it->decode(prefix(other) + R"({"species":"x","eggs":1})")->eggs, 1);
  const auto wrong = it->decode(prefix(other) + R"({"species":"x","eggs":"many"})");
  EXPECT_EQ(code_of(wrong), Errc::malformed);
  EXPECT_NE(wrong.error().message().find("eggs"), std::string::npos);
}

TEST_F(SerdeLanguages, another_language_is_refused_with_both_names) {
  const int avro = fake_.add("birds.flocks-value", R"("string")");
  for (const auto& read : {codec<Nest>()->decode(prefix(avro) + "x").error(),
                           codec<Flock>()->decode(prefix(avro) + "x").error()}) {
    EXPECT_EQ(read.code(), Errc::incompatible_schema);
    EXPECT_NE(read.message().find("it is AVRO"), std::string::npos) << read.message();
  }
}

TEST_F(SerdeLanguages, a_service_hears_before_it_begins_that_it_cannot_read) {
  const auto flock = codec<Flock>();
  EXPECT_TRUE(flock->check_readable());
  fake_.add("birds.flocks-value",
            "syntax = \"proto3\"; package birds; message Watcher {} message Flock { int32 species "
            "= 1; }",
            as_protobuf);
  const auto refused = flock->check_readable();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::incompatible_schema);
  EXPECT_NE(refused.error().message().find("species"), std::string::npos);
  const auto it = codec<Nest>();
  fake_.add("birds.flocks-value",
            R"({"type":"object","properties":{"species":{"type":"integer"}}})", as_json);
  EXPECT_EQ(it->check_readable().error().code(), Errc::incompatible_schema);
}

TEST_F(SerdeLanguages, topics_take_keys_and_values_of_any_language) {
  const RegistryTopic nests(birds::birds_nests, connect());
  std::string out;
  ASSERT_TRUE(nests.value_codec->encode(nest, out));
  EXPECT_TRUE(out.starts_with(prefix(100)));
  EXPECT_TRUE(nests.check_readable());
}

}  // namespace
}  // namespace weir::serde
