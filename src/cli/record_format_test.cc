#include "cli/record_format.h"

#include <gtest/gtest.h>

#include <fstream>
#include <random>

namespace weir::cli {
namespace {

/// A record that owns what a RecordText borrows.
struct Sample {
  std::optional<std::string> key = {}, value = {};
  std::vector<Record::OwnedHeader> headers = {};
  std::int32_t partition = 0;
  std::int64_t offset = 0, timestamp_ms = 0;
};

/// The line that `consume -o jsonl` prints of it.
std::string json_line(const Sample& sample) {
  std::vector<Header> headers;
  for (const auto& [key, value] : sample.headers) headers.push_back({key, value});
  json::Array row = record_row({.topic = "orders",
                                .partition = sample.partition,
                                .offset = sample.offset,
                                .timestamp_ms = sample.timestamp_ms,
                                .key = sample.key,
                                .value = sample.value,
                                .headers = headers},
                               false);
  json::Object object;
  for (std::size_t i = 0; i < row.size(); ++i)
    object.append(std::string(record_columns()[i].name), std::move(row[i]));
  return json::write(object);
}

/// Mostly bytes of all kinds, often text, sometimes nothing or null.
std::optional<std::string> some_bytes(std::mt19937_64& random) {
  const auto kind = random() % 8;
  if (kind == 0) return std::nullopt;
  if (kind == 1) return "";
  const std::string_view text[] = {"plain", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x9f", "a\tb\n\"\\",
                                   "{\"base64\":\"AA==\"}"};
  if (kind == 2) return std::string(text[random() % 4]);
  std::string bytes(random() % 64, '\0');
  for (char& c : bytes) c = static_cast<char>(random() % (kind < 5 ? 128 : 256));
  return bytes;
}

TEST(record_json, the_lines_of_its_page_are_read_and_written_as_they_stand_there) {
  std::ifstream page(WEIR_SOURCE_DIR "/docs/formats/record-jsonl.md");
  bool inside = false;
  int lines = 0;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("```")) {
      inside = line == "```jsonl";
      continue;
    }
    if (!inside) continue;
    ++lines;
    const auto parsed = json::parse(line);
    const auto record = record_from_json(line);
    ASSERT_TRUE(parsed && record) << line;
    EXPECT_EQ(json_line({.key = record->key,
                         .value = record->value,
                         .headers = record->headers,
                         .partition = *record->partition,
                         .offset = *parsed->find("offset")->as_int(),
                         .timestamp_ms = *record->timestamp_ms}),
              line);
  }
  EXPECT_EQ(lines, 3);
}

std::string error_of(std::string_view line) {
  const auto record = record_from_json(line);
  return record ? "" : record.error().message();
}

TEST(record_json, gives_back_every_record_that_it_was_made_from) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 5000; ++round) {
    Sample sample{.key = some_bytes(random),
                  .value = some_bytes(random),
                  .headers = {},
                  .partition = static_cast<std::int32_t>(random() % 100),
                  .offset = static_cast<std::int64_t>(random() >> 1U),
                  .timestamp_ms = static_cast<std::int64_t>(random())};
    for (auto count = random() % 4; count > 0; --count)
      sample.headers.push_back({some_bytes(random).value_or("k"), some_bytes(random)});
    const std::string line = json_line(sample);
    ASSERT_EQ(line.find('\n'), std::string::npos) << line;
    const auto read = record_from_json(line);
    ASSERT_TRUE(read) << line << "\n" << read.error().message();
    ASSERT_EQ(read->topic, "orders");
    ASSERT_EQ(read->partition, sample.partition);
    ASSERT_EQ(read->timestamp_ms, sample.timestamp_ms);
    ASSERT_EQ(read->key, sample.key) << line;
    ASSERT_EQ(read->value, sample.value) << line;
    ASSERT_EQ(read->headers.size(), sample.headers.size());
    for (std::size_t i = 0; i < sample.headers.size(); ++i) {
      ASSERT_EQ(read->headers[i].key, sample.headers[i].key) << line;
      ASSERT_EQ(read->headers[i].value, sample.headers[i].value) << line;
    }
  }
}

TEST(record_json, tells_null_empty_text_and_bytes_apart) {
  EXPECT_EQ(json_line({.key = "k", .value = std::nullopt}),
            R"({"topic":"orders","partition":0,"offset":0,"timestamp":0,"key":"k",)"
            R"("value":null,"headers":[]})");
  const std::string line = json_line(
      {.key = "", .value = "\xff", .headers = {{"h", std::nullopt}, {"h", ""}}, .offset = 17});
  EXPECT_NE(line.find(R"("key":"","value":{"base64":"/w=="})"), std::string::npos) << line;
  EXPECT_NE(line.find(R"("headers":[{"key":"h","value":null},{"key":"h","value":""}])"),
            std::string::npos)
      << line;
}

TEST(record_json, needs_only_a_value_when_a_person_writes_it) {
  const auto record = record_from_json(
      R"( {"value": "v", "headers": {"a": "1"}, "timestamp": "2013-01-01T00:00:00Z"} )");
  ASSERT_TRUE(record) << record.error().message();
  EXPECT_EQ(record->value, "v");
  EXPECT_EQ(record->key, std::nullopt);
  EXPECT_EQ(record->topic, std::nullopt);
  EXPECT_EQ(record->partition, std::nullopt);
  EXPECT_EQ(record->timestamp_ms, 1'356'998'400'000);
  ASSERT_EQ(record->headers.size(), 1U);
  EXPECT_EQ(record->headers[0].key, "a");
  EXPECT_EQ(record->headers[0].value, "1");
}

TEST(record_json, refuses_what_would_be_lost_or_misread) {
  EXPECT_EQ(error_of(R"({"key":"k"})"), "no \"value\"; a tombstone says \"value\": null");
  EXPECT_EQ(error_of(R"({"vlaue":"v"})"), "a record has no \"vlaue\"; did you mean value?");
  EXPECT_EQ(error_of(R"({"value":{"total":1}})"),
            "value: want null, text or {\"base64\": ...}; other JSON goes into a text");
  EXPECT_EQ(error_of(R"({"value":{"base64":"AA==","x":1}})"),
            "value: want null, text or {\"base64\": ...}; other JSON goes into a text");
  EXPECT_EQ(error_of(R"({"value":{"base64":"A"}})"), "value: base64: not padded base64 text");
  EXPECT_EQ(error_of(R"({"value":"","partition":-1})"), "partition: want a number from 0 on");
  EXPECT_EQ(error_of(R"({"value":"","partition":2147483648})"),
            "partition: want a number from 0 on");
  EXPECT_EQ(error_of(R"({"value":"","timestamp":1.5})"),
            "timestamp: want milliseconds since 1970, or a time in ISO 8601");
  EXPECT_EQ(error_of(R"({"value":"","headers":[{"key":"a"}]})"),
            "headers: one without key or value");
  EXPECT_EQ(error_of(R"({"value":"","headers":[{"key":null,"value":""}]})"),
            "headers: the key of one is null");
  EXPECT_EQ(error_of("[]"), "a record is an object: {\"key\": ..., \"value\": ...}");
  EXPECT_NE(error_of("{\"value\":\"v\"").find("json: line 1"), std::string::npos);
}

TEST(record_row, is_text_for_people_in_a_table) {
  const json::Array row = record_row(
      {.topic = "t", .timestamp_ms = 1'356'998'400'250, .key = "k", .value = "\x01\xff"}, true);
  EXPECT_EQ(row[3], json::Value("2013-01-01T00:00:00.250Z"));
  EXPECT_EQ(row[4], json::Value("k"));
  EXPECT_EQ(row[5], json::Value("\\x01\\xff"));
}

TEST(record_line, keeps_keys_and_values_that_have_no_separator_or_newline) {
  const LineStyle style{.with_key = true, .separator = "::", .null_text = "NULL"};
  std::string out;
  append_line(out, style, {.key = "k", .value = "a::b"});
  append_line(out, style, {.key = std::nullopt, .value = ""});
  EXPECT_EQ(out, "k::a::b\nNULL::\n");
  const auto first = record_from_line(style, "k::a::b");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->key, "k");
  EXPECT_EQ(first->value, "a::b");
  const auto second = record_from_line(style, "NULL::");
  ASSERT_TRUE(second);
  EXPECT_EQ(second->key, std::nullopt);
  EXPECT_EQ(second->value, "");
  EXPECT_EQ(record_from_line(style, "k:v").error().message(),
            "no separator \"::\" between key and value");
}

TEST(record_line, without_a_text_for_null_an_empty_line_is_an_empty_value) {
  EXPECT_EQ(record_from_line({}, "")->value, "");
  EXPECT_EQ(record_from_line({}, "a\tb")->value, "a\tb");
  EXPECT_EQ(record_from_line({}, "a\tb")->key, std::nullopt);
}

TEST(separator, may_be_written_with_escapes) {
  EXPECT_EQ(separator_from("\\t").value(), "\t");
  EXPECT_EQ(separator_from(" \\\\ ").value(), " \\ ");
  EXPECT_EQ(separator_from("\\0").value(), std::string(1, '\0'));
  for (const auto* wrong : {"", "\\", "\\x"})
    EXPECT_EQ(separator_from(wrong).error().code(), Errc::usage) << wrong;
}

}  // namespace
}  // namespace weir::cli
