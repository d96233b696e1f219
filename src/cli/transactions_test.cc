#include "cli/transactions.h"

#include <gtest/gtest.h>

#include "cli/commands.h"

namespace weir::cli {
namespace {

using namespace std::chrono_literals;

const TopicPartition first{"t", 0};
const TopicPartition second{"t", 1};

ProducerState producer(std::int64_t id, std::optional<std::int64_t> start,
                       std::int64_t written_ms) {
  return {.producer_id = id,
          .producer_epoch = 1,
          .last_sequence = 7,
          .last_write = Timestamp(std::chrono::milliseconds(written_ms)),
          .coordinator_epoch = 0,
          .transaction_start = start};
}

TEST(hanging, only_what_is_open_and_old_is_looked_at) {
  const ProducersByPartition producers = {
      {first, {producer(1, 10, 1000), producer(2, std::nullopt, 1000), producer(3, 11, 3000)}},
      {second, {producer(4, 5, 2000)}}};
  const auto found = open_transactions(producers, Timestamp(2s));
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].producer.producer_id, 1);
  EXPECT_EQ(found[1].partition, second);
}

TEST(hanging, an_open_transaction_has_an_owner_only_where_its_partition_is_part_of_it) {
  std::vector<TransactionDescription> known(2);
  known[0].id = "other";
  known[0].producer_id = 2;
  known[0].partitions = {first};
  known[1].id = "owner";
  known[1].producer_id = 1;
  known[1].partitions = {second};
  EXPECT_EQ(owner_of({first, producer(1, 10, 0)}, known), nullptr);
  ASSERT_NE(owner_of({second, producer(1, 10, 0)}, known), nullptr);
  EXPECT_EQ(owner_of({second, producer(1, 10, 0)}, known)->id, "owner");
  EXPECT_EQ(owner_of({second, producer(3, 10, 0)}, known), nullptr);
}

TEST(transaction_abort, takes_any_number_of_ids_and_none) {
  for (const std::vector<std::string_view>& words :
       {std::vector<std::string_view>{}, {"a"}, {"a", "b", "--yes"}})
    EXPECT_TRUE(parse(transaction_abort_command, words));
}

}  // namespace
}  // namespace weir::cli
