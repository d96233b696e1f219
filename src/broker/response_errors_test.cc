#include "broker/response_errors.h"

#include <gtest/gtest.h>

#include "kafka/messages/api_versions.h"
#include "kafka/messages/create_topics.h"
#include "kafka/messages/describe_configs.h"
#include "kafka/messages/fetch.h"
#include "kafka/messages/find_coordinator.h"
#include "kafka/messages/leave_group.h"
#include "kafka/messages/metadata.h"
#include "kafka/messages/offset_fetch.h"
#include "kafka/messages/produce.h"

namespace weir::broker {
namespace {

TEST(ResponseErrors, an_answer_without_one_has_none) {
  EXPECT_EQ(first_error(kafka::ApiVersionsResponse{}), 0);
  kafka::ProduceResponse produce;
  produce.responses.emplace_back().partition_responses.emplace_back();
  EXPECT_EQ(first_error(produce), 0);
}

TEST(ResponseErrors, an_error_is_found_wherever_it_stands) {
  kafka::ApiVersionsResponse versions;
  versions.error_code = 35;
  EXPECT_EQ(first_error(versions), 35);

  kafka::ProduceResponse produce;
  produce.responses.resize(2);
  produce.responses[1].partition_responses.resize(2);
  produce.responses[1].partition_responses[1].error_code = 3;
  EXPECT_EQ(first_error(produce), 3);

  kafka::FetchResponse fetch;
  fetch.responses.emplace_back().partitions.emplace_back().error_code = 1;
  EXPECT_EQ(first_error(fetch), 1);

  kafka::MetadataResponse metadata;
  metadata.topics.emplace_back().partitions.emplace_back().error_code = 5;
  EXPECT_EQ(first_error(metadata), 5);

  kafka::CreateTopicsResponse create;
  create.topics.emplace_back().error_code = 36;
  EXPECT_EQ(first_error(create), 36);

  kafka::DescribeConfigsResponse describe;
  describe.results.emplace_back().error_code = 40;
  EXPECT_EQ(first_error(describe), 40);

  kafka::FindCoordinatorResponse find;
  find.coordinators.emplace_back().error_code = 15;
  EXPECT_EQ(first_error(find), 15);

  kafka::LeaveGroupResponse leave;
  leave.members.emplace_back().error_code = 25;
  EXPECT_EQ(first_error(leave), 25);

  kafka::OffsetFetchResponse offsets;
  offsets.groups.emplace_back().topics.emplace_back().partitions.emplace_back().error_code = 88;
  EXPECT_EQ(first_error(offsets), 88);
}

TEST(ResponseErrors, the_error_of_the_whole_comes_before_those_of_its_parts) {
  kafka::FetchResponse fetch;
  fetch.error_code = 70;
  fetch.responses.emplace_back().partitions.emplace_back().error_code = 1;
  EXPECT_EQ(first_error(fetch), 70);
}

}  // namespace
}  // namespace weir::broker
