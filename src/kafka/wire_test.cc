#include "kafka/wire.h"

#include <gtest/gtest.h>

#include "kafka/messages/alter_client_quotas.h"
#include "kafka/messages/api_versions.h"
#include "kafka/messages/fetch.h"
#include "kafka/messages/metadata.h"
#include "kafka/messages/produce.h"

namespace weir::kafka {
namespace {

template <class Message>
std::string encoded(const Message& message, std::int16_t version) {
  std::string out;
  const auto r = encode_all(message, version, out);
  EXPECT_TRUE(r) << r.error().message();
  return out;
}

template <class Message>
std::string refusal(std::string_view body, std::int16_t version) {
  const auto r = decode_all<Message>(body, version);
  return r ? "accepted" : r.error().message();
}

TEST(Wire, an_error_names_message_field_and_byte) {
  EXPECT_EQ(refusal<ProduceRequest>(std::string_view("\xff\xff\0", 3), 3),
            "ProduceRequest v3: acks: cut short: wants 2 bytes, 1 are left (byte 2)");
}

TEST(Wire, a_count_that_the_bytes_cannot_hold_is_refused_before_anything_is_allocated) {
  EXPECT_EQ(refusal<MetadataRequest>(std::string_view("\x7f\xff\xff\xff\0\0\0\0", 8), 1),
            "MetadataRequest v1: topics: 2147483647 elements cannot stand in the 4 bytes left "
            "(byte 4)");
}

TEST(Wire, arrays_that_take_more_memory_than_a_message_may_are_refused) {
  MetadataRequest request;
  request.topics->resize(1000);
  const std::string body = encoded(request, 0);
  Decoder tight(body, 1000 * sizeof(MetadataRequest::MetadataRequestTopic) - 1);
  MetadataRequest decoded;
  decoded.decode(tight, 0);
  EXPECT_FALSE(tight.ok());
  Decoder wide(body, 1000 * sizeof(MetadataRequest::MetadataRequestTopic));
  MetadataRequest again;
  again.decode(wide, 0);
  EXPECT_TRUE(wide.ok());
}

// Entries without content: three bytes on the wire, a struct of 56 in memory.
std::string empty_quotas(std::size_t entries) {
  AlterClientQuotasRequest request;
  request.entries.resize(entries);
  return encoded(request, 1);
}

TEST(Wire, the_memory_of_a_message_is_bounded_by_its_bytes) {
  EXPECT_TRUE(decode_all<AlterClientQuotasRequest>(empty_quotas(1000), 1));
  EXPECT_NE(refusal<AlterClientQuotasRequest>(empty_quotas(10'000), 1)
                .find("10000 elements take more memory than one message may"),
            std::string::npos);
}

TEST(Wire, ten_thousand_empty_partitions_of_a_fetch_response_are_decoded) {
  FetchResponse response;
  auto& topic = response.responses.emplace_back();
  topic.topic = "t";
  topic.partitions.resize(10'000);
  for (auto& partition : topic.partitions) partition.records = Records("");
  const std::string body = encoded(response, 4);
  const auto again = decode_all<FetchResponse>(body, 4);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(again->responses[0].partitions.size(), 10'000U);
}

TEST(Wire, null_is_refused_where_the_version_forbids_it) {
  EXPECT_EQ(refusal<MetadataRequest>(std::string_view("\xff\xff\xff\xff", 4), 0),
            "MetadataRequest v0: topics: is null, which this version forbids (byte 4)");
  EXPECT_TRUE(decode_all<MetadataRequest>(std::string_view("\xff\xff\xff\xff", 4), 1));
  MetadataRequest request;
  request.topics.reset();
  std::string out = "kept";
  const auto r = encode_all(request, 0, out);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().message(), "MetadataRequest v0: topics: is null, which this version forbids");
  EXPECT_EQ(out, "kept");
}

TEST(Wire, negative_lengths_are_refused) {
  EXPECT_NE(refusal<ProduceRequest>(std::string_view("\xff\xfe", 2), 3).find("negative length -2"),
            std::string::npos);
  EXPECT_NE(refusal<MetadataRequest>(std::string_view("\x80\0\0\0", 4), 1).find("negative count"),
            std::string::npos);
}

TEST(Wire, a_string_that_the_wire_cannot_carry_is_an_error_and_no_abort) {
  ProduceRequest request;
  const std::string name(40'000, 'x');
  request.transactional_id = name;
  std::string out;
  EXPECT_EQ(encode_all(request, 3, out).error().code(), Errc::invalid_argument);
}

// ApiVersionsRequest v3: two empty compact strings, then tags.
std::string with_tags(std::string_view tags) { return "\1\1" + std::string(tags); }

TEST(Wire, unknown_tagged_fields_are_kept_in_order) {
  const std::string body = with_tags("\2\5\1a\x87\x01\2bc");
  auto request = decode_all<ApiVersionsRequest>(body, 3);
  ASSERT_TRUE(request) << request.error().message();
  ASSERT_EQ(request->unknown_tags.size(), 2U);
  EXPECT_EQ(request->unknown_tags.begin()[1], (TaggedField{0x87, "bc"}));
  EXPECT_EQ(encoded(*request, 3), body);
}

TEST(Wire, unknown_tagged_fields_count_against_the_memory_of_the_message) {
  ApiVersionsRequest request;
  for (std::uint32_t tag = 0; tag < 5000; ++tag) request.unknown_tags.add({tag + 10, ""});
  EXPECT_NE(refusal<ApiVersionsRequest>(encoded(request, 3), 3).find("more unknown tags"),
            std::string::npos);
}

TEST(Wire, tags_that_fall_or_repeat_or_overrun_are_refused) {
  for (const std::string_view tags :
       {std::string_view("\2\5\0\5\0", 5), std::string_view("\2\5\0\4\0", 5),
        std::string_view("\1\5\3ab"), std::string_view("\2\5\0", 3),
        std::string_view("\xff\xff\xff\xff\x0f")})
    EXPECT_FALSE(decode_all<ApiVersionsRequest>(with_tags(tags), 3));
}

TEST(Wire, a_known_tag_of_the_wrong_length_is_refused) {
  FetchRequest request;
  request.cluster_id = "c";
  std::string body = encoded(request, 12);
  ASSERT_TRUE(decode_all<FetchRequest>(body, 12));
  // The body ends with: one tag, number 0, 2 bytes, "\2c".
  ASSERT_EQ(body.substr(body.size() - 5), std::string("\1\0\2\2c", 5));
  body[body.size() - 3] = '\3';
  body += 'x';
  EXPECT_NE(refusal<FetchRequest>(body, 12).find("tag 0 has 1 bytes too many"), std::string::npos);
}

TEST(Wire, known_and_unknown_tags_are_written_in_ascending_order) {
  FetchRequest request;
  request.cluster_id = "c";
  request.replica_state.replica_id = 3;
  request.unknown_tags.add({9, "late"});
  const std::string body = encoded(request, 15);
  const auto again = decode_all<FetchRequest>(body, 15);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(again->cluster_id, "c");
  EXPECT_EQ(again->replica_state.replica_id, 3);
  EXPECT_EQ(again->unknown_tags, request.unknown_tags);
}

TEST(Wire, records_of_external_size_leave_a_gap_to_splice) {
  ProduceRequest request;
  auto& topic = request.topic_data.emplace_back();
  topic.name = "t";
  topic.partition_data.resize(2);
  topic.partition_data[0].records = Records::external(5);
  topic.partition_data[1].records = Records::external(0);

  std::string out = "head";
  Encoder encoder(out);
  request.encode(encoder, 9);
  ASSERT_TRUE(encoder.ok());
  ASSERT_EQ(encoder.splices().size(), 1U);
  EXPECT_EQ(encoder.spliced_bytes(), 5U);
  const Splice splice = encoder.splices()[0];
  EXPECT_EQ(splice.size, 5U);

  topic.partition_data[0].records = Records("batch");
  topic.partition_data[1].records = Records("");
  out.insert(splice.position, "batch");
  EXPECT_EQ(out, "head" + encoded(request, 9));
}

TEST(Wire, external_records_need_an_encoder) {
  ProduceRequest request;
  request.topic_data.emplace_back().partition_data.emplace_back().records = Records::external(5);
  std::string out;
  EXPECT_FALSE(encode_all(request, 9, out));
}

TEST(Wire, a_kept_string_outlives_the_move_of_its_message) {
  MetadataResponse response;
  response.cluster_id = response.keep("short");
  MetadataResponse moved = std::move(response);
  EXPECT_EQ(moved.cluster_id, "short");
  for (int i = 0; i < 100; ++i) static_cast<void>(moved.keep(std::to_string(i)));
  EXPECT_EQ(moved.cluster_id, "short");
}

}  // namespace
}  // namespace weir::kafka
