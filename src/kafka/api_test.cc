#include "kafka/api.h"

#include <gtest/gtest.h>

#include "kafka/header.h"

namespace weir::kafka {
namespace {

TEST(Api, the_table_has_every_api_of_kafka) {
  EXPECT_EQ(all_apis().size(), 93U);
  EXPECT_EQ(find_api(0)->name, "Produce");
  EXPECT_EQ(find_api(92)->name, "DeleteShareGroupOffsets");
  EXPECT_EQ(find_api(93), nullptr);
  EXPECT_EQ(find_api(-1), nullptr);
  EXPECT_EQ(name_of(ApiKey::describe_topic_partitions), "DescribeTopicPartitions");
}

TEST(Api, a_removed_api_has_no_version) {
  EXPECT_FALSE(info_of(ApiKey::leader_and_isr).has_version(0));
  EXPECT_TRUE(info_of(ApiKey::fetch).has_version(4));
  EXPECT_FALSE(info_of(ApiKey::fetch).has_version(3));
  EXPECT_FALSE(info_of(ApiKey::fetch).has_version(19));
}

TEST(Api, unstable_versions_are_told_apart) {
  EXPECT_EQ(info_of(ApiKey::init_producer_id).max_version, 6);
  EXPECT_EQ(info_of(ApiKey::init_producer_id).stable_max, 5);
}

TEST(Api, flexible_versions_have_headers_with_tags) {
  EXPECT_EQ(request_header_version(ApiKey::produce, 8), 1);
  EXPECT_EQ(request_header_version(ApiKey::produce, 9), 2);
  EXPECT_EQ(response_header_version(ApiKey::produce, 8), 0);
  EXPECT_EQ(response_header_version(ApiKey::produce, 9), 1);
  EXPECT_EQ(request_header_version(ApiKey::sasl_handshake, 1), 1);
}

TEST(Api, the_response_header_of_api_versions_is_always_version_0) {
  EXPECT_EQ(request_header_version(ApiKey::api_versions, 3), 2);
  EXPECT_EQ(response_header_version(ApiKey::api_versions, 3), 0);
}

std::string request_header(ApiKey key, std::int16_t version) {
  RequestHeader header;
  header.api_key = static_cast<std::int16_t>(key);
  header.api_version = version;
  header.correlation_id = 7;
  header.client_id = "me";
  std::string out;
  EXPECT_TRUE(encode_all(header, request_header_version(key, version), out));
  return out;
}

TEST(Header, a_request_header_is_read_in_the_version_of_its_api) {
  for (const std::int16_t version : {std::int16_t{8}, std::int16_t{9}}) {
    const std::string frame = request_header(ApiKey::produce, version) + "body";
    Decoder decoder(frame);
    const auto header = decode_request_header(decoder);
    ASSERT_TRUE(header);
    EXPECT_EQ(header->api_version, version);
    EXPECT_EQ(header->correlation_id, 7);
    EXPECT_EQ(header->client_id, "me");
    EXPECT_EQ(decoder.rest(), "body");
  }
}

TEST(Header, a_version_that_nobody_knows_still_has_a_header) {
  const std::string frame = request_header(ApiKey::api_versions, 99);
  Decoder decoder(frame);
  EXPECT_EQ(decode_request_header(decoder)->api_version, 99);
}

TEST(Header, an_unknown_api_and_a_short_frame_are_refused) {
  const std::string unknown("\x7f\x00\x00\x01\x00\x00\x00\x01\xff\xff", 10);
  Decoder decoder(unknown);
  EXPECT_EQ(decode_request_header(decoder).error().code(), Errc::unsupported_version);
  const std::string whole = request_header(ApiKey::fetch, 12);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string cut = whole.substr(0, size);
    Decoder short_decoder(cut);
    const auto header = decode_request_header(short_decoder);
    ASSERT_FALSE(header) << size;
    EXPECT_EQ(header.error().code(), Errc::malformed);
  }
}

}  // namespace
}  // namespace weir::kafka
