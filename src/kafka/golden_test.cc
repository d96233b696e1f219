// Every message and record that Kafka's own serialisers wrote, read and written again.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>

#include "base/bytes.h"
#include "json/json.h"
#include "kafka/api.h"
#include "kafka/header.h"
#include "kafka/message_codec.h"
#include "kafka/testdata.h"

namespace weir::kafka {
namespace {

struct Row {
  std::string where;
  const MessageCodec* codec = nullptr;
  std::int16_t version = 0;
  std::string body;
  json::Value json;
};

std::int64_t integer(const json::Value& row, std::string_view key) {
  return *row.find(key)->as_int();
}
const std::string& text(const json::Value& row, std::string_view key) {
  return *row.find(key)->as_string();
}

Row row_of(const json::Value& value, const MessageCodec* codec) {
  Row row;
  row.version = static_cast<std::int16_t>(integer(value, "version"));
  row.where = text(value, "name") + " v" + std::to_string(row.version) + " " + text(value, "hex");
  row.codec = codec;
  row.body = from_hex(text(value, "hex"));
  row.json = *value.find("json");
  return row;
}

std::vector<Row> golden_messages() {
  std::vector<Row> rows;
  for (const json::Value& value : read_testdata("messages.jsonl.zst"))
    rows.push_back(row_of(value, find_codec(static_cast<std::int16_t>(integer(value, "api")),
                                            text(value, "kind") == "request")));
  return rows;
}

bool is_header(const json::Value& value) { return text(value, "name").ends_with("HeaderData"); }

std::vector<Row> golden_records() {
  std::vector<Row> rows;
  for (const json::Value& value : read_testdata("records.jsonl.zst"))
    if (!is_header(value)) rows.push_back(row_of(value, find_codec(text(value, "name"))));
  return rows;
}

void expect_both_ways(const Row& row) {
  ASSERT_NE(row.codec, nullptr) << row.where;
  const auto json = row.codec->to_json(row.body, row.version);
  ASSERT_TRUE(json) << row.where << ": " << json.error().message();
  EXPECT_TRUE(*json == row.json) << row.where << '\n'
                                 << json::write(*json) << '\n'
                                 << json::write(row.json);
  const auto again = row.codec->recode(row.body, row.version);
  ASSERT_TRUE(again) << row.where << ": " << again.error().message();
  EXPECT_EQ(to_hex(*again), to_hex(row.body)) << row.where;
}

TEST(Golden, every_message_decodes_to_its_json_and_encodes_to_its_bytes) {
  const auto rows = golden_messages();
  EXPECT_EQ(rows.size(), 2416U);
  for (const Row& row : rows) expect_both_ways(row);
}

TEST(Golden, every_record_decodes_to_its_json_and_encodes_to_its_bytes) {
  const auto rows = golden_records();
  EXPECT_EQ(rows.size(), 272U);
  for (const Row& row : rows) expect_both_ways(row);
}

TEST(Golden, every_version_of_every_api_is_among_the_messages) {
  std::set<std::tuple<std::string_view, std::int16_t>> seen;
  for (const Row& row : golden_messages()) seen.emplace(row.codec->name, row.version);
  std::size_t versions = 0;
  for (const ApiInfo& api : all_apis()) {
    for (std::int16_t v = api.min_version; v <= api.max_version; ++v) {
      ++versions;
      EXPECT_TRUE(seen.contains({std::string(api.name) + "Request", v})) << api.name << v;
      EXPECT_TRUE(seen.contains({std::string(api.name) + "Response", v})) << api.name << v;
    }
  }
  EXPECT_EQ(seen.size(), 2 * versions);
}

template <class Header>
std::string recoded_header(const std::string& bytes, std::int16_t version, Header& header) {
  auto decoded = decode_all<Header>(bytes, version);
  EXPECT_TRUE(decoded);
  if (!decoded) return {};
  header = std::move(*decoded);
  std::string again;
  EXPECT_TRUE(encode_all(header, version, again));
  return again;
}

TEST(Golden, every_header_decodes_to_its_json_and_encodes_to_its_bytes) {
  std::size_t count = 0;
  for (const json::Value& value : read_testdata("records.jsonl.zst")) {
    if (!is_header(value)) continue;
    ++count;
    const auto version = static_cast<std::int16_t>(integer(value, "version"));
    const std::string bytes = from_hex(text(value, "hex"));
    json::Object json;
    if (text(value, "name") == "RequestHeaderData") {
      RequestHeader header;
      EXPECT_EQ(recoded_header(bytes, version, header), bytes);
      json.set("requestApiKey", header.api_key);
      json.set("requestApiVersion", header.api_version);
      json.set("correlationId", header.correlation_id);
      json.set("clientId", header.client_id ? json::Value(*header.client_id) : json::Value());
    } else {
      ResponseHeader header;
      EXPECT_EQ(recoded_header(bytes, version, header), bytes);
      json.set("correlationId", header.correlation_id);
    }
    EXPECT_TRUE(json::Value(json) == *value.find("json")) << json::write(json);
  }
  EXPECT_EQ(count, 288U - 272U);
}

// A body cut anywhere either fails, or is one byte string of an older reading that ends early;
// the latter cannot be, because every message here has one form only.
TEST(Golden, every_strict_prefix_of_a_message_is_refused) {
  std::map<std::string_view, std::size_t> taken;
  std::size_t prefixes = 0;
  for (const Row& row : golden_messages()) {
    if (row.body.size() > 2000 || ++taken[row.codec->name] % 5 != 1) continue;
    for (std::size_t size = 0; size < row.body.size(); ++size) {
      // A copy of exactly this size lets the sanitizer see a read past its end.
      const std::string cut = row.body.substr(0, size);
      const auto r = row.codec->recode(cut, row.version);
      EXPECT_FALSE(r) << row.where << " cut at " << size;
      if (!r) {
        EXPECT_EQ(r.error().code(), Errc::malformed);
      }
      ++prefixes;
    }
  }
  EXPECT_GT(prefixes, 10'000U);
}

TEST(Golden, a_byte_left_over_is_refused) {
  for (const Row& row : golden_messages()) {
    const auto r = row.codec->recode(row.body + '\0', row.version);
    ASSERT_FALSE(r) << row.where;
    EXPECT_NE(r.error().message().find("left over"), std::string::npos) << r.error().message();
  }
}

TEST(Golden, a_version_that_the_message_lacks_is_refused) {
  for (const MessageCodec& codec : message_codecs()) {
    const auto above = codec.recode("", static_cast<std::int16_t>(codec.max_version + 1));
    const auto below = codec.recode("", static_cast<std::int16_t>(codec.min_version - 1));
    ASSERT_FALSE(above);
    ASSERT_FALSE(below);
    EXPECT_EQ(above.error().code(), Errc::unsupported_version);
    EXPECT_EQ(below.error().code(), Errc::unsupported_version);
  }
}

}  // namespace
}  // namespace weir::kafka
