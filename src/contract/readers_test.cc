#include "contract/readers.h"

#include <gtest/gtest.h>

namespace weir::contract {
namespace {

TEST(Readers, say_what_they_read_and_are_read_back) {
  const ReaderRecord written =
      reader_record("billing", "orders-value", Language::protobuf, "syntax...", 1'700'000'000'000);
  EXPECT_EQ(key_of(written), R"({"group":"billing","subject":"orders-value"})");
  const ReaderRecord read = parse_reader(value_of(written)).value();
  EXPECT_EQ(read.group, "billing");
  EXPECT_EQ(read.subject, "orders-value");
  EXPECT_EQ(read.language, Language::protobuf);
  EXPECT_EQ(read.schema, "syntax...");
  EXPECT_EQ(read.fingerprint, written.fingerprint);
  EXPECT_EQ(read.fingerprint.size(), 64U);
  EXPECT_EQ(read.last_seen_ms, 1'700'000'000'000);
}

TEST(Readers, a_schema_that_is_too_long_is_known_by_its_fingerprint_alone) {
  const ReaderRecord record =
      reader_record("g", "s", Language::avro, std::string(reader_schema_bytes + 1, 'x'), 0);
  EXPECT_TRUE(record.schema.empty());
  EXPECT_EQ(record.fingerprint.size(), 64U);
  EXPECT_TRUE(parse_reader(value_of(record)));
}

TEST(Readers, what_is_no_record_of_theirs_is_refused) {
  for (const std::string_view wrong :
       {"", "{}", "[]", R"({"group":"g","subject":"s","fingerprint":"f"})",
        R"({"group":"","subject":"s","schemaType":"AVRO","fingerprint":"f"})",
        R"({"group":7,"subject":"s","schemaType":"AVRO","fingerprint":"f"})"})
    EXPECT_EQ(parse_reader(wrong).error().code(), Errc::malformed) << wrong;
  EXPECT_TRUE(parse_reader(
      R"({"group":"g","subject":"s","schemaType":"JSON","fingerprint":"f","more":[1]})"));
}

}  // namespace
}  // namespace weir::contract
