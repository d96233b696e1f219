// Records of groups against those that Kafka's own serialisers wrote, and what cannot be read.
#include "coordinator/record.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "json/json.h"
#include "kafka/testdata.h"

namespace weir::coordinator {
namespace {

std::string prefixed(std::int16_t prefix, std::string_view hex) {
  std::string out;
  append_be<std::int16_t>(out, prefix);
  return out + from_hex(hex);
}

std::string text(const json::Value& row, std::string_view key) {
  return *row.find(key)->as_string();
}
std::int16_t version(const json::Value& row) {
  return static_cast<std::int16_t>(*row.find("version")->as_int());
}

std::string any_key(std::int16_t type) {
  return type == 2 ? make_group_tombstone("g").key
                   : make_offset_tombstone({.group = "g", .topic = "t", .partition = 3}).key;
}

TEST(group_records, values_that_kafka_wrote_are_read_and_ours_are_its_bytes) {
  int offsets = 0;
  int groups = 0;
  for (const auto& row : kafka::read_testdata("records.jsonl.zst")) {
    const std::string name = text(row, "name");
    const std::string value = prefixed(version(row), text(row, "hex"));
    const std::string offset_key = any_key(1);  // what is decoded borrows from it
    const std::string group_key = any_key(2);
    if (name == "OffsetCommitValue") {
      const auto decoded = decode_record(offset_key, value);
      ASSERT_TRUE(decoded) << text(row, "hex");
      const auto& record = std::get<OffsetRecord>(*decoded);
      EXPECT_EQ(record.value->offset, *row.find("json")->find("offset")->as_int());
      if (version(row) != offset_value_version) continue;
      ++offsets;
      EXPECT_EQ(to_hex(*make_offset_record(record.key, *record.value)->value), to_hex(value));
    } else if (name == "GroupMetadataValue") {
      const auto decoded = decode_record(group_key, value);
      ASSERT_TRUE(decoded) << text(row, "hex");
      const auto& record = std::get<GroupRecord>(*decoded);
      EXPECT_EQ(record.value->generation, *row.find("json")->find("generation")->as_int());
      if (version(row) != group_value_version) continue;
      ++groups;
      EXPECT_EQ(to_hex(*make_group_record("g", *record.value)->value), to_hex(value));
    }
  }
  EXPECT_GE(offsets, 3);
  EXPECT_GE(groups, 3);
}

TEST(group_records, keys_that_kafka_wrote_are_read_and_ours_are_its_bytes) {
  int keys = 0;
  for (const auto& row : kafka::read_testdata("records.jsonl.zst")) {
    const std::string name = text(row, "name");
    if (name == "OffsetCommitKey") {
      const std::string key = prefixed(1, text(row, "hex"));
      const auto decoded = decode_record(key, std::nullopt);
      ASSERT_TRUE(decoded);
      EXPECT_EQ(to_hex(make_offset_tombstone(std::get<OffsetRecord>(*decoded).key).key),
                to_hex(key));
      ++keys;
    } else if (name == "GroupMetadataKey") {
      const std::string key = prefixed(2, text(row, "hex"));
      const auto decoded = decode_record(key, std::nullopt);
      ASSERT_TRUE(decoded);
      EXPECT_EQ(to_hex(make_group_tombstone(std::get<GroupRecord>(*decoded).group).key),
                to_hex(key));
      ++keys;
    }
  }
  EXPECT_GE(keys, 6);
}

// The worked bytes of docs/formats/consumer-offsets.md.
TEST(group_records, the_worked_examples_of_the_format_page) {
  kafka::OffsetCommitValue value;
  value.offset = 42;
  value.leader_epoch = 5;
  value.metadata = "m";
  value.commit_timestamp = 1'700'000'000'000;
  value.topic_id.bytes[15] = 7;
  const auto record =
      make_offset_record({.group = "g", .topic = "orders", .partition = 3}, value).value();
  EXPECT_EQ(to_hex(record.key),
            "0001"
            "000167"
            "00066f7264657273"
            "00000003");
  EXPECT_EQ(to_hex(*record.value),
            "0004"
            "000000000000002a"
            "00000005"
            "026d"
            "0000018bcfe56800"
            "01"
            "00"
            "10"
            "00000000000000000000000000000007");
  EXPECT_EQ(to_hex(make_group_tombstone("g").key),
            "0002"
            "000167");
}

TEST(group_records, what_is_not_known_is_named_and_what_is_broken_is_refused) {
  const auto unknown_key = decode_record(prefixed(3, "000167"), std::nullopt);
  ASSERT_TRUE(unknown_key);
  EXPECT_EQ(std::get<UnknownRecord>(*unknown_key).key_type, 3);
  const auto newer = decode_record(any_key(1), prefixed(5, "00"));
  ASSERT_TRUE(newer);
  EXPECT_EQ(std::get<UnknownRecord>(*newer).value_version, std::int16_t{5});
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::string>>{{"", "0004"},
                                                        {from_hex("00"), "0004"},
                                                        {prefixed(1, "0001"), prefixed(3, "")},
                                                        {any_key(1), ""},
                                                        {any_key(1), from_hex("00")},
                                                        {any_key(1), prefixed(-1, "")},
                                                        {any_key(1), prefixed(3, "0000")},
                                                        {any_key(2), prefixed(3, "00017fffffff")}})
    EXPECT_FALSE(decode_record(key, value)) << to_hex(key) << " " << to_hex(value);
  kafka::OffsetCommitValue value;
  EXPECT_FALSE(make_offset_record({.group = std::string(40'000, 'g'), .topic = "t"}, value));
}

TEST(group_records, offsets_under_the_oldest_key_type_are_read) {
  std::string key = make_offset_tombstone({.group = "g", .topic = "t", .partition = 3}).key;
  key[1] = 0;
  const std::string value = prefixed(0,
                                     "0000000000000007"
                                     "0000"
                                     "0000000000000001");
  const auto decoded = decode_record(key, value);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(std::get<OffsetRecord>(*decoded).value->offset, 7);
}

}  // namespace
}  // namespace weir::coordinator
