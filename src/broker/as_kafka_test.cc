#include <gtest/gtest.h>

#include "broker/broker_test_kit.h"
#include "kafka/messages/api_versions.h"
#include "kafka/messages/create_partitions.h"
#include "kafka/messages/delete_topics.h"
#include "kafka/messages/describe_cluster.h"
#include "kafka/messages/init_producer_id.h"
#include "kafka/messages/join_group.h"
#include "kafka/messages/list_offsets.h"
#include "kafka/messages/metadata.h"
#include "kafka/messages/offset_for_leader_epoch.h"
#include "kafka/messages/txn_offset_commit.h"
#include "kafka/messages/write_txn_markers.h"

namespace weir::broker {
namespace {

/// Small answers in which Kafka is followed to the letter; tests/differential_test.py found them
/// apart.
class AsKafka : public ::testing::Test {
 protected:
  AsKafka() {
    machine_.start();
    check(machine_.create_topic("t") == Errc::none, "a topic");
  }

  Errc list(std::int16_t version, std::vector<std::int64_t> timestamps) {
    kafka::ListOffsetsRequest request;
    request.replica_id = -1;
    auto& topic = request.topics.emplace_back();
    topic.name = "t";
    for (const auto timestamp : timestamps) topic.partitions.emplace_back().timestamp = timestamp;
    Errc error = Errc::none;
    machine_.ask<kafka::ListOffsetsResponse>(request, version, [&](const auto& response) {
      error = errc_from_wire(response.topics.front().partitions.front().error_code);
    });
    return error;
  }

  BrokerMachine machine_;
};

TEST_F(AsKafka, a_fetch_of_uncommitted_records_has_no_list_of_aborted_transactions) {
  ASSERT_EQ(machine_.produce("t", "value"), Errc::none);
  for (const std::int8_t isolation : {std::int8_t{0}, std::int8_t{1}}) {
    kafka::FetchRequest request;
    request.isolation_level = isolation;
    auto& topic = request.topics.emplace_back();
    topic.topic = "t";
    topic.partitions.emplace_back().partition_max_bytes = 1000;
    machine_.ask<kafka::FetchResponse>(request, 12, [&](const auto& response) {
      const auto& part = response.responses.front().partitions.front();
      EXPECT_EQ(part.aborted_transactions.has_value(), isolation == 1);
    });
  }
}

TEST_F(AsKafka, a_reader_that_has_seen_a_later_epoch_is_told_that_its_place_is_not_there) {
  ASSERT_EQ(machine_.produce("t", "value"), Errc::none);
  for (const std::int32_t epoch : {0, 7}) {
    kafka::FetchRequest request;
    auto& topic = request.topics.emplace_back();
    topic.topic = "t";
    auto& partition = topic.partitions.emplace_back();
    partition.fetch_offset = 1;
    partition.last_fetched_epoch = epoch;
    machine_.ask<kafka::FetchResponse>(request, 12, [&](const auto& response) {
      EXPECT_EQ(errc_from_wire(response.responses.front().partitions.front().error_code),
                epoch == 0 ? Errc::none : Errc::offset_out_of_range);
    });
  }
}

TEST_F(AsKafka, a_special_time_is_answered_from_the_version_that_brought_it) {
  EXPECT_EQ(list(1, {-1}), Errc::none);
  EXPECT_EQ(list(1, {-2}), Errc::none);
  EXPECT_EQ(list(6, {-3}), Errc::unsupported_version);
  EXPECT_EQ(list(7, {-3}), Errc::none);
  EXPECT_EQ(list(7, {-4}), Errc::unsupported_version);
  EXPECT_EQ(list(8, {-4}), Errc::none);
  EXPECT_EQ(list(8, {-5}), Errc::unsupported_version);
  EXPECT_EQ(list(9, {-5}), Errc::none);
  EXPECT_EQ(list(10, {-6}), Errc::unsupported_version);
  EXPECT_EQ(list(11, {-6}), Errc::none);
  EXPECT_EQ(list(11, {-7}), Errc::unsupported_version);
}

TEST_F(AsKafka, a_partition_that_comes_twice_has_no_offset) {
  EXPECT_EQ(list(7, {-1, -2}), Errc::invalid_request);
}

TEST_F(AsKafka, an_epoch_that_is_none_has_no_end) {
  kafka::OffsetForLeaderEpochRequest request;
  auto& topic = request.topics.emplace_back();
  topic.topic = "t";
  topic.partitions.emplace_back().leader_epoch = -1;
  machine_.ask<kafka::OffsetForLeaderEpochResponse>(request, 4, [&](const auto& response) {
    const auto& part = response.topics.front().partitions.front();
    EXPECT_EQ(part.leader_epoch, -1);
    EXPECT_EQ(part.end_offset, -1);
  });
}

TEST_F(AsKafka, a_topic_named_twice_gets_no_partitions) {
  kafka::CreatePartitionsRequest request;
  for (int i = 0; i < 2; ++i) {
    auto& topic = request.topics.emplace_back();
    topic.name = "t";
    topic.count = 3;
    topic.assignments.reset();
  }
  machine_.ask<kafka::CreatePartitionsResponse>(request, 3, [&](const auto& response) {
    for (const auto& result : response.results)
      EXPECT_EQ(errc_from_wire(result.error_code), Errc::invalid_request);
  });
  kafka::MetadataRequest asked;
  asked.topics.reset();
  machine_.ask<kafka::MetadataResponse>(asked, 12, [&](const auto& response) {
    EXPECT_EQ(response.topics.front().partitions.size(), 1U);
  });
}

TEST_F(AsKafka, a_topic_is_not_deleted_by_its_name_and_its_id_together) {
  TopicId id;
  kafka::MetadataRequest asked;
  asked.topics.reset();
  machine_.ask<kafka::MetadataResponse>(
      asked, 12, [&](const auto& response) { id = response.topics.front().topic_id; });
  kafka::DeleteTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = "t";
  topic.topic_id = id;
  machine_.ask<kafka::DeleteTopicsResponse>(request, 6, [&](const auto& response) {
    EXPECT_EQ(errc_from_wire(response.responses.front().error_code), Errc::invalid_request);
  });
  EXPECT_EQ(machine_.produce("t", "it is there"), Errc::none);
}

TEST_F(AsKafka, a_producer_id_comes_with_its_epoch) {
  kafka::InitProducerIdRequest request;
  request.transactional_id = "x";
  request.transaction_timeout_ms = 1000;
  request.producer_id = 5;
  request.producer_epoch = -1;
  machine_.ask<kafka::InitProducerIdResponse>(request, 4, [&](const auto& response) {
    EXPECT_EQ(errc_from_wire(response.error_code), Errc::invalid_request);
  });
}

TEST_F(AsKafka, a_transaction_commits_no_offsets_of_a_group_without_a_name) {
  kafka::TxnOffsetCommitRequest request;
  request.transactional_id = "x";
  request.producer_id = 5;
  auto& topic = request.topics.emplace_back();
  topic.name = "t";
  topic.partitions.emplace_back();
  machine_.ask<kafka::TxnOffsetCommitResponse>(request, 3, [&](const auto& response) {
    EXPECT_EQ(errc_from_wire(response.topics.front().partitions.front().error_code),
              Errc::invalid_group_id);
  });
}

TEST_F(AsKafka, a_marker_of_a_coordinator_of_the_past_is_refused) {
  const auto mark = [&](std::int16_t epoch, std::int32_t coordinator) {
    kafka::WriteTxnMarkersRequest request;
    auto& marker = request.markers.emplace_back();
    marker.producer_id = 5;
    marker.producer_epoch = epoch;
    marker.coordinator_epoch = coordinator;
    auto& topic = marker.topics.emplace_back();
    topic.name = "t";
    topic.partition_indexes = {0};
    Errc error = Errc::none;
    machine_.ask<kafka::WriteTxnMarkersResponse>(request, 1, [&](const auto& response) {
      error = errc_from_wire(response.markers.front().topics.front().partitions.front().error_code);
    });
    return error;
  };
  EXPECT_EQ(mark(0, 5), Errc::none);
  EXPECT_EQ(mark(1, 3), Errc::transaction_coordinator_fenced);
  EXPECT_EQ(mark(1, 5), Errc::none);
}

TEST_F(AsKafka, a_batch_that_no_segment_can_hold_is_a_list_too_large) {
  kafka::CreateTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = "cramped";
  topic.num_partitions = 1;
  topic.replication_factor = 1;
  topic.configs.push_back({.name = "segment.bytes", .value = "1048576", .unknown_tags = {}});
  topic.configs.push_back({.name = "max.message.bytes", .value = "1500000", .unknown_tags = {}});
  machine_.ask<kafka::CreateTopicsResponse>(
      request, 5, [](const auto& response) { EXPECT_EQ(response.topics.front().error_code, 0); });
  EXPECT_EQ(machine_.produce("cramped", std::string(1'000'000, 'x')), Errc::none);
  EXPECT_EQ(machine_.produce("cramped", std::string(1'200'000, 'x')), Errc::record_list_too_large);
  EXPECT_EQ(machine_.produce("cramped", std::string(1'600'000, 'x')), Errc::message_too_large);
}

TEST_F(AsKafka, software_without_a_legal_name_is_told_nothing_more) {
  kafka::ApiVersionsRequest request;
  request.client_software_name = "no name at all!";
  request.client_software_version = "1";
  machine_.ask<kafka::ApiVersionsResponse>(request, 3, [](const auto& response) {
    EXPECT_EQ(errc_from_wire(response.error_code), Errc::invalid_request);
    EXPECT_TRUE(response.api_keys.empty());
  });
}

TEST_F(AsKafka, a_refused_join_names_no_protocol) {
  kafka::JoinGroupRequest request;
  request.group_id = "g";
  request.session_timeout_ms = 1;
  for (const std::int16_t version : {std::int16_t{6}, std::int16_t{7}})
    machine_.ask<kafka::JoinGroupResponse>(request, version, [&](const auto& response) {
      EXPECT_EQ(errc_from_wire(response.error_code), Errc::invalid_session_timeout);
      EXPECT_EQ(response.protocol_name.has_value(), version < 7);
    });
}

TEST_F(AsKafka, what_may_be_done_to_the_cluster_is_what_kafka_lists) {
  kafka::DescribeClusterRequest request;
  request.include_cluster_authorized_operations = true;
  machine_.ask<kafka::DescribeClusterResponse>(request, 0, [&](const auto& response) {
    EXPECT_EQ(response.cluster_authorized_operations, 8096);
  });
}

}  // namespace
}  // namespace weir::broker
