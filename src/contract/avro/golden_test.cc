// What Java's library said of 600 pairs of schemas and 1800 values: see testdata/README.md.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>

#include "base/bytes.h"
#include "compress/compress.h"
#include "contract/avro/compatibility.h"
#include "contract/avro/encode.h"
#include "contract/avro/json_codec.h"
#include "contract/avro/plan.h"
#include "contract/avro/schema.h"
#include "contract/digest.h"

namespace weir::contract::avro {
namespace {

const std::vector<json::Value>& pairs() {
  static const std::vector<json::Value> rows = [] {
    std::ifstream file(WEIR_SOURCE_DIR "/src/contract/testdata/pairs.jsonl.zst", std::ios::binary);
    const std::string packed{std::istreambuf_iterator<char>(file), {}};
    const Slice text = compress::decompress(compress::Codec::zstd, packed).value();
    std::vector<json::Value> out;
    for (std::string_view rest = text.view(); !rest.empty();) {
      const auto line = rest.substr(0, rest.find('\n'));
      out.push_back(json::parse(line).value());
      rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    }
    return out;
  }();
  return rows;
}

const std::string& text(const json::Value& row, std::string_view member) {
  return *row.find(member)->as_string();
}

SchemaPtr schema(const json::Value& row, std::string_view member) {
  auto parsed = Schema::parse(text(row, member));
  EXPECT_TRUE(parsed) << text(row, member) << '\n' << parsed.error().message();
  return parsed.value();
}

bool matches(const View& value, const json::Value& want);

bool matches_items(const View& value, const json::Value& want) {
  if (value.kind() == Kind::array) {
    if (want.as_array() == nullptr || want.as_array()->size() != value.size()) return false;
    for (std::size_t i = 0; i < value.size(); ++i)
      if (!matches(value.at(i), (*want.as_array())[i])) return false;
    return true;
  }
  if (want.as_object() == nullptr || want.as_object()->size() != value.size()) return false;
  std::size_t i = 0;
  for (const auto& [name, member] : *want.as_object()) {
    // Fields of a record stand in their order; entries of a map are sorted.
    std::size_t at = i++;
    if (value.kind() == Kind::map)
      for (at = 0; at < value.size() && value.key(at) != name;) ++at;
    else if (value.type().fields[at].name != name)
      return false;
    if (at == value.size() || !matches(value.at(at), member)) return false;
  }
  return true;
}

bool matches(const View& value, const json::Value& want) {
  switch (value.kind()) {
    case Kind::null: return want.is_null();
    case Kind::boolean: return want == json::Value(value.boolean());
    case Kind::int32:
    case Kind::int64: return want == json::Value(value.integer());
    case Kind::enumeration: return want == json::Value(value.symbol());
    case Kind::string: return want == json::Value(value.bytes());
    case Kind::bytes:
    case Kind::fixed:
      return want.find("bytes") != nullptr && text(want, "bytes") == to_hex(value.bytes());
    case Kind::float32:
      return want.as_double() != nullptr &&
             static_cast<float>(*want.as_double()) == static_cast<float>(value.real());
    case Kind::float64: return want.as_double() != nullptr && *want.as_double() == value.real();
    default: return matches_items(value, want);
  }
}

TEST(JavaPairs, canonical_forms_and_fingerprints_are_equal) {
  ASSERT_EQ(pairs().size(), 600U);
  for (const json::Value& row : pairs()) {
    const SchemaPtr writer = schema(row, "writer");
    EXPECT_EQ(writer->canonical(), text(row, "canonical"));
    char crc[17];
    std::snprintf(crc, sizeof crc, "%016lx", writer->fingerprint());
    EXPECT_EQ(crc, text(row, "crc64"));
    const auto digest = sha256(writer->canonical());
    EXPECT_EQ(to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()}),
              text(row, "sha256"));
  }
}

TEST(JavaPairs, a_printed_schema_is_read_back_with_everything) {
  for (const json::Value& row : pairs()) {
    for (const std::string_view side : {"writer", "reader"}) {
      const SchemaPtr before = schema(row, side);
      const std::string printed = before->text();
      const SchemaPtr after = Schema::parse(printed).value();
      EXPECT_EQ(after->text(), printed);
      EXPECT_EQ(after->canonical(), before->canonical());
      EXPECT_TRUE(compare(*after, *before)->empty() && compare(*before, *after)->empty());
    }
  }
}

TEST(JavaPairs, verdicts_kinds_and_places_are_equal) {
  std::size_t compatible = 0;
  std::size_t problems = 0;
  for (const json::Value& row : pairs()) {
    const auto found = compare(*schema(row, "reader"), *schema(row, "writer"));
    ASSERT_TRUE(found) << found.error().message();
    EXPECT_EQ(found->empty(), *row.find("compatible")->as_bool()) << json::write(row);
    json::Array ours;
    for (const Difference& difference : *found) {
      ours.emplace_back(json::Object{{"kind", difference.rule}, {"at", difference.at}});
      EXPECT_FALSE(difference.why.empty() || difference.fix.empty());
    }
    EXPECT_EQ(json::write(ours), json::write(*row.find("problems"))) << text(row, "writer") << '\n'
                                                                     << text(row, "reader");
    compatible += found->empty() ? 1 : 0;
    problems += found->size();
  }
  EXPECT_EQ(compatible, 313U);
  EXPECT_EQ(problems, 410U);
}

TEST(JavaPairs, what_fits_is_resolved_and_the_rest_is_refused_before_any_data) {
  for (const json::Value& row : pairs()) {
    const auto plan = resolve(schema(row, "writer"), schema(row, "reader"));
    EXPECT_EQ(plan.has_value(), *row.find("compatible")->as_bool());
    if (!plan) {
      EXPECT_EQ(plan.error().code(), Errc::invalid_record);
    }
  }
}

TEST(JavaPairs, values_read_with_the_writer_are_what_was_written_and_encode_to_the_same_bytes) {
  Arena arena;
  std::size_t values = 0;
  for (const json::Value& row : pairs()) {
    const SchemaPtr writer = schema(row, "writer");
    const PlanPtr plan = resolve(writer, writer).value();
    for (const json::Value& value : *row.find("values")->as_array()) {
      const std::string bytes = from_hex(text(value, "hex"));
      for (const bool borrow : {false, true}) {
        arena.reset();
        const auto read = decode(*plan, bytes, arena, {.borrow = borrow});
        ASSERT_TRUE(read) << read.error().message();
        EXPECT_TRUE(matches(*read, *value.find("written"))) << json::write(value);
        std::string again;
        ASSERT_TRUE(encode(*read, again));
        EXPECT_EQ(to_hex(again), to_hex(bytes));
      }
      ++values;
    }
  }
  EXPECT_EQ(values, 1800U);
}

TEST(JavaPairs, values_read_with_the_reader_are_what_java_read) {
  Arena arena;
  std::size_t values = 0;
  for (const json::Value& row : pairs()) {
    if (!*row.find("compatible")->as_bool()) continue;
    const PlanPtr plan = resolve(schema(row, "writer"), schema(row, "reader")).value();
    for (const json::Value& value : *row.find("values")->as_array()) {
      arena.reset();
      const std::string bytes = from_hex(text(value, "hex"));
      const auto read = decode(*plan, bytes, arena, {.borrow = true});
      ASSERT_TRUE(read) << read.error().message() << '\n' << plan->listing();
      if (value.find("read") == nullptr) continue;
      EXPECT_TRUE(matches(*read, *value.find("read"))) << json::write(value) << '\n'
                                                       << json::write(to_json(*read)) << '\n'
                                                       << plan->listing();
      ++values;
    }
  }
  EXPECT_EQ(values, 937U);
}

TEST(JavaPairs, every_value_goes_through_json_and_back) {
  Arena arena;
  for (const json::Value& row : pairs()) {
    const SchemaPtr writer = schema(row, "writer");
    const PlanPtr plan = resolve(writer, writer).value();
    for (const json::Value& value : *row.find("values")->as_array()) {
      arena.reset();
      const std::string bytes = from_hex(text(value, "hex"));
      const View read = decode(*plan, bytes, arena).value();
      const auto json = json::parse(json::write(to_json(read)));
      ASSERT_TRUE(json);
      const auto back = from_json(*writer, *json, arena);
      ASSERT_TRUE(back) << back.error().message() << '\n' << json::write(*json);
      std::string again;
      ASSERT_TRUE(encode(*back, again));
      EXPECT_EQ(to_hex(again), to_hex(bytes)) << json::write(*json);
    }
  }
}

// Whatever is cut off: refused, or what is left is a whole value of its own (a record of nulls).
TEST(JavaPairs, every_strict_prefix_of_a_value_is_refused) {
  Arena arena;
  for (std::size_t i = 0; i < pairs().size(); i += 7) {
    const SchemaPtr writer = schema(pairs()[i], "writer");
    const PlanPtr plan = resolve(writer, writer).value();
    const std::string bytes = from_hex(text((*pairs()[i].find("values")->as_array())[1], "hex"));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      arena.reset();
      const std::string cut =
          bytes.substr(0, size);  // its own size, so that a sanitizer sees reads past it
      const auto read = decode(*plan, cut, arena);
      ASSERT_FALSE(read);
      EXPECT_EQ(read.error().code(), Errc::malformed);
    }
  }
}

}  // namespace
}  // namespace weir::contract::avro
