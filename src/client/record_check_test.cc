#include "client/record_check.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "kafka/batch_builder.h"

namespace weir::client {
namespace {

bool reader_accepts(const kafka::BatchView& batch) {
  auto reader = kafka::RecordReader::open(batch);
  if (!reader) return false;
  kafka::RecordView record;
  while (reader->next(record)) {
  }
  return reader->error() == nullptr;
}

TEST(RecordCheck, agrees_with_the_reader_on_every_damage) {
  Rng dice(3);
  int good = 0;
  int bad = 0;
  for (int round = 0; round < 40'000; ++round) {
    kafka::BatchBuilder builder;
    const int records = static_cast<int>(dice.between(1, 4));
    for (int i = 0; i < records; ++i) {
      const std::string key(dice.below(3) * 70, 'k');
      const std::string value(dice.below(4) * 90, 'v');
      const std::vector<kafka::Header> headers(dice.below(3), kafka::Header{"h", std::nullopt});
      builder.append(static_cast<std::int64_t>(dice.below(1U << 20U)),
                     dice.one_in(4) ? std::nullopt : std::optional<std::string_view>(key),
                     dice.one_in(4) ? std::nullopt : std::optional<std::string_view>(value),
                     headers);
    }
    Slice bytes = *builder.finish({});
    char* payload = bytes.mutable_data() + kafka::batch_header_bytes;
    const std::size_t size = bytes.size() - kafka::batch_header_bytes;
    for (std::uint64_t flips = dice.below(3); flips > 0; --flips)
      payload[dice.below(size)] = static_cast<char>(dice.below(256));
    const auto batch = *kafka::BatchView::parse(bytes.view());
    const bool want = reader_accepts(batch);
    ASSERT_EQ(records_are_well_formed(batch.payload(), batch.record_count()), want) << round;
    ++(want ? good : bad);
    // Cut short, and with something behind.
    EXPECT_FALSE(records_are_well_formed(batch.payload().substr(0, size - 1), records));
  }
  EXPECT_GT(good, 1000);
  EXPECT_GT(bad, 1000);
}

TEST(RecordCheck, no_records_are_no_bytes) {
  EXPECT_TRUE(records_are_well_formed("", 0));
  EXPECT_FALSE(records_are_well_formed("x", 0));
  EXPECT_FALSE(records_are_well_formed("", 1));
}

}  // namespace
}  // namespace weir::client
