#include "kafka/batch_rewrite.h"

#include <gtest/gtest.h>

#include <vector>

#include "kafka/batch_builder.h"

namespace weir::kafka {
namespace {

struct Got {
  std::int64_t offset;
  std::int64_t timestamp;
  std::string key;
  std::optional<std::string> value;
  std::string headers;
  bool operator==(const Got&) const = default;
};

std::vector<Got> records_of(const BatchView& batch) {
  std::vector<Got> out;
  auto reader = RecordReader::open(batch).value();
  RecordView record;
  while (reader.next(record)) {
    std::optional<std::string> value;
    if (record.value) value = std::string(*record.value);
    out.push_back({record.offset, record.timestamp, std::string(record.key.value_or("-")), value,
                   std::string(record.headers.bytes())});
  }
  EXPECT_EQ(reader.error(), nullptr);
  return out;
}

Slice sample(compress::Codec codec) {
  BatchBuilder builder;
  const Header header{.key = "h", .value = "x"};
  for (int i = 0; i < 10; ++i) {
    const std::string value(200, static_cast<char>('a' + i));
    builder.append(1'000 + (i * 7) % 5, "key" + std::to_string(i),
                   i == 4 ? std::nullopt : std::optional<std::string_view>(value),
                   std::span(&header, i == 6 ? 1 : 0));
  }
  return builder
      .finish({.codec = codec,
               .producer_id = 77,
               .producer_epoch = 3,
               .base_sequence = 40,
               .base_offset = 500,
               .leader_epoch = 2})
      .value();
}

constexpr compress::Codec codecs[] = {compress::Codec::none, compress::Codec::gzip,
                                      compress::Codec::snappy, compress::Codec::lz4,
                                      compress::Codec::zstd};

TEST(batch_rewrite, keeps_offsets_times_headers_and_the_producer_of_what_stays) {
  for (const auto codec : codecs) {
    const Slice bytes = sample(codec);
    const BatchView batch = BatchView::parse(bytes.view()).value();
    for (const auto horizon : {std::optional<std::int64_t>(), std::optional<std::int64_t>(9'000)}) {
      BatchRewriter rewriter(batch, horizon);
      std::vector<Got> want;
      auto reader = RecordReader::open(batch).value();
      RecordView record;
      const auto all = records_of(batch);
      for (std::size_t i = 0; reader.next(record); ++i) {
        if (i % 2 == 1) continue;
        rewriter.keep(record);
        want.push_back(all[i]);
      }
      const Slice made = rewriter.finish().value();
      const BatchView out = BatchView::parse(made.view()).value();
      EXPECT_TRUE(out.crc_is_right());
      EXPECT_EQ(records_of(out), want);
      EXPECT_EQ(out.record_count(), 5);
      EXPECT_EQ(out.base_offset(), 500);
      EXPECT_EQ(out.last_offset(), 509);
      EXPECT_EQ(out.leader_epoch(), 2);
      EXPECT_EQ(out.producer_id(), 77);
      EXPECT_EQ(out.producer_epoch(), 3);
      EXPECT_EQ(out.base_sequence(), 40);
      EXPECT_EQ(out.last_sequence(), 49);
      EXPECT_EQ(out.codec(), codec);
      EXPECT_EQ(out.max_timestamp(), 1'004);
      EXPECT_EQ(out.has_delete_horizon(), horizon.has_value());
      EXPECT_EQ(out.base_timestamp(), horizon.value_or(batch.base_timestamp()));
    }
  }
}

TEST(batch_rewrite, a_batch_without_records_still_says_its_offsets_and_sequence) {
  const Slice bytes = sample(compress::Codec::gzip);
  const BatchView batch = BatchView::parse(bytes.view()).value();
  const Slice made = BatchRewriter(batch, std::nullopt).finish().value();
  EXPECT_EQ(made.size(), batch_header_bytes);
  const BatchView out = BatchView::parse(made.view()).value();
  EXPECT_TRUE(out.crc_is_right());
  EXPECT_EQ(out.record_count(), 0);
  EXPECT_EQ(out.last_offset(), 509);
  EXPECT_EQ(out.last_sequence(), 49);
  EXPECT_EQ(out.max_timestamp(), batch.max_timestamp());
  EXPECT_TRUE(records_of(out).empty());
}

TEST(batch_rewrite, another_codec_holds_the_same_records) {
  for (const auto from : codecs)
    for (const auto to : codecs) {
      const Slice bytes = sample(from);
      const BatchView batch = BatchView::parse(bytes.view()).value();
      const Slice made = recompress(batch, to, compress::default_level).value();
      const BatchView out = BatchView::parse(made.view()).value();
      EXPECT_TRUE(out.crc_is_right());
      EXPECT_EQ(out.codec(), to);
      EXPECT_EQ(records_of(out), records_of(batch));
      EXPECT_EQ(out.base_timestamp(), batch.base_timestamp());
      EXPECT_EQ(out.max_timestamp(), batch.max_timestamp());
      EXPECT_EQ(out.base_sequence(), batch.base_sequence());
    }
}

TEST(batch_rewrite, what_does_not_decompress_is_refused) {
  Slice bytes = sample(compress::Codec::zstd);
  Slice broken = Slice::copy_of(bytes.view());
  broken.mutable_data()[batch_header_bytes] ^= 0x55;
  const BatchView batch = BatchView::parse(broken.view()).value();
  EXPECT_EQ(recompress(batch, compress::Codec::none, 0).error().code(), Errc::invalid_record);
}

}  // namespace
}  // namespace weir::kafka
