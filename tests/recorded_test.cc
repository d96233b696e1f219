// Requests as real clients sent them (tests/record_requests.py), decoded and encoded again byte for
// byte.
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "base/bytes.h"
#include "json/json.h"
#include "kafka/api.h"
#include "kafka/batch_check.h"
#include "kafka/header.h"
#include "kafka/message_codec.h"
#include "kafka/messages/produce.h"

namespace weir::tests {
namespace {

struct Recorded {
  std::string where;
  std::int64_t api = 0;
  std::int64_t version = 0;
  std::string frame;
};

std::vector<Recorded> recorded_of(const std::string& client) {
  std::ifstream file(WEIR_SOURCE_DIR "/tests/testdata/recorded/" + client + ".jsonl");
  EXPECT_TRUE(file) << client;
  std::vector<Recorded> out;
  for (std::string line; std::getline(file, line);) {
    const auto row = json::parse(line).value();
    out.push_back({.where = client + ":" + std::to_string(out.size() + 1),
                   .api = *row.find("api")->as_int(),
                   .version = *row.find("version")->as_int(),
                   .frame = from_hex(*row.find("hex")->as_string())});
  }
  return out;
}

void expect_both_ways(const Recorded& recorded) {
  kafka::Decoder decoder(recorded.frame);
  const auto header = kafka::decode_request_header(decoder);
  ASSERT_TRUE(header) << recorded.where << ": " << header.error().message();
  EXPECT_EQ(header->api_key, recorded.api) << recorded.where;
  EXPECT_EQ(header->api_version, recorded.version) << recorded.where;
  const auto* codec = kafka::find_codec(header->api_key, true);
  ASSERT_NE(codec, nullptr) << recorded.where;
  const auto body = codec->recode(decoder.rest(), header->api_version);
  ASSERT_TRUE(body) << recorded.where << ": " << body.error().message();

  std::string again;
  kafka::Encoder encoder(again);
  header->encode(encoder, kafka::request_header_version(static_cast<kafka::ApiKey>(header->api_key),
                                                        header->api_version));
  ASSERT_TRUE(encoder.status()) << recorded.where;
  EXPECT_EQ(to_hex(again + *body), to_hex(recorded.frame)) << recorded.where;
}

void expect_all_both_ways(const std::string& client, std::size_t apis) {
  std::set<std::int64_t> seen;
  for (const auto& recorded : recorded_of(client)) {
    expect_both_ways(recorded);
    seen.insert(recorded.api);
  }
  EXPECT_GE(seen.size(), apis) << client;
}

TEST(Recorded, every_request_of_kcat_comes_out_as_it_came_in) {
  expect_all_both_ways("kcat-1.7.1", 6);
}

TEST(Recorded, every_request_of_confluent_kafka_comes_out_as_it_came_in) {
  expect_all_both_ways("confluent-kafka-1.7.0", 12);
}

TEST(Recorded, every_request_of_kafkas_java_clients_comes_out_as_it_came_in) {
  expect_all_both_ways("kafka-clients-4.3.1", 14);
}

// Checked as the broker checks it: each client has its own way to build a batch.
TEST(Recorded, every_batch_that_was_produced_is_accepted) {
  std::size_t batches = 0;
  for (const std::string client : {"kcat-1.7.1", "confluent-kafka-1.7.0", "kafka-clients-4.3.1"}) {
    for (const auto& recorded : recorded_of(client)) {
      if (recorded.api != kafka::ProduceRequest::api_key) continue;
      kafka::Decoder decoder(recorded.frame);
      const auto header = kafka::decode_request_header(decoder).value();
      const auto request =
          kafka::decode_all<kafka::ProduceRequest>(decoder.rest(), header.api_version).value();
      for (const auto& topic : request.topic_data)
        for (const auto& partition : topic.partition_data) {
          kafka::ProduceChecks checks;
          checks.check_timestamps = false;  // they were right when they were recorded
          const auto produced = kafka::validate_produced(partition.records.bytes(), checks);
          EXPECT_TRUE(produced) << recorded.where << ": " << produced.error().error.message();
          ++batches;
        }
    }
  }
  EXPECT_GE(batches, 4U);
}

}  // namespace
}  // namespace weir::tests
