#include "kafka/batch_check.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "kafka/batch_builder.h"

namespace weir::kafka {
namespace {

constexpr std::int64_t now = 1'700'000'000'000;

std::string built(const BatchOptions& options = {}, int records = 3, std::size_t value_size = 10) {
  BatchBuilder builder;
  const Header headers[] = {{"trace", "1"}, {"none", std::nullopt}};
  std::string value(value_size, 'v');
  Rng rng(1);
  for (char& c : value) c = static_cast<char>('a' + rng.below(16));
  for (int i = 0; i < records; ++i)
    builder.append(now + i % 2, "key", value, std::span(headers).first(i % 3 == 0 ? 2 : 0));
  return std::string(builder.finish(options)->view());
}

template <class T>
std::string with(std::string batch, std::size_t position, T value, bool seal = true) {
  store_be(batch.data() + position, value);
  if (seal) store_be(batch.data() + batch_at::crc, BatchView::parse(batch)->compute_crc());
  return batch;
}

ProduceChecks checks() { return {.now_ms = now}; }

Errc code_of(const std::string& batch, const ProduceChecks& c = checks()) {
  const auto r = validate_produced(batch, c);
  return r ? Errc::none : r.error().error.code();
}

TEST(BatchCheck, a_good_batch_passes_in_every_codec) {
  for (std::uint8_t codec = 0; codec < compress::codec_count; ++codec) {
    const std::string batch = built({.codec = static_cast<compress::Codec>(codec)}, 5000, 100);
    const auto r = validate_produced(batch, checks());
    ASSERT_TRUE(r) << r.error().error.message();
    EXPECT_EQ(r->record_count, 5000);
    EXPECT_EQ(r->max_timestamp, now + 1);
    EXPECT_EQ(r->max_timestamp_delta, 1);
    EXPECT_TRUE(r->max_timestamp_is_right());
  }
}

TEST(BatchCheck, a_record_larger_than_a_piece_of_the_stream_passes) {
  for (std::uint8_t codec = 0; codec < compress::codec_count; ++codec)
    EXPECT_EQ(code_of(built({.codec = static_cast<compress::Codec>(codec)}, 3, 1'000'000)),
              Errc::none);
}

TEST(BatchCheck, each_wrong_field_of_the_header_has_its_code) {
  namespace at = batch_at;
  const std::string good = built();
  const std::string idempotent = built({.producer_id = 1, .producer_epoch = 0, .base_sequence = 5});
  ASSERT_EQ(code_of(good), Errc::none);
  ASSERT_EQ(code_of(idempotent), Errc::none);
  const auto size = static_cast<std::int32_t>(good.size() - batch_prefix_bytes);
  const auto attributes = [&](int bits) {
    return with(good, at::attributes, static_cast<std::int16_t>(bits));
  };
  const struct {
    const char* what;
    std::string batch;
    Errc code;
  } cases[] = {
      {"base offset is free", with(good, at::base_offset, std::int64_t{-7}, false), Errc::none},
      {"leader epoch is free", with(good, at::leader_epoch, 99, false), Errc::none},
      {"length too large", with(good, at::length, size + 1, false), Errc::invalid_record},
      {"length too small", with(good, at::length, size - 1, false), Errc::invalid_record},
      {"length below a header", with(good, at::length, 48, false), Errc::corrupt_message},
      {"length negative", with(good, at::length, -1, false), Errc::corrupt_message},
      {"magic 1", with(good, at::magic, std::int8_t{1}, false), Errc::invalid_record},
      {"magic 3", with(good, at::magic, std::int8_t{3}, false), Errc::invalid_record},
      {"crc", with(good, at::crc, std::int32_t{1}, false), Errc::corrupt_message},
      {"codec 5", attributes(5), Errc::unsupported_compression_type},
      {"codec 7", attributes(7), Errc::unsupported_compression_type},
      {"gzip that is none", attributes(1), Errc::invalid_record},
      {"snappy that is none", attributes(2), Errc::invalid_record},
      {"lz4 that is none", attributes(3), Errc::invalid_record},
      {"zstd that is none", attributes(4), Errc::invalid_record},
      {"LogAppendTime", attributes(batch_bits::log_append_time), Errc::invalid_timestamp},
      {"transactional, no producer", attributes(batch_bits::transactional), Errc::invalid_record},
      {"control", attributes(batch_bits::control), Errc::invalid_record},
      {"delete horizon", attributes(batch_bits::delete_horizon), Errc::invalid_record},
      {"unknown bit 7", attributes(0x80), Errc::invalid_record},
      {"unknown bit 15", attributes(-0x8000), Errc::invalid_record},
      {"last offset delta + 1", with(good, at::last_offset_delta, 3), Errc::invalid_record},
      {"last offset delta - 1", with(good, at::last_offset_delta, 1), Errc::invalid_record},
      {"base timestamp", with(good, at::base_timestamp, now + 3'600'001), Errc::invalid_timestamp},
      {"base timestamp overflows", with(good, at::base_timestamp, INT64_MAX),
       Errc::invalid_timestamp},
      {"max timestamp is corrected", with(good, at::max_timestamp, std::int64_t{-1}), Errc::none},
      {"no sequence", with(idempotent, at::base_sequence, -1), Errc::invalid_record},
      {"no epoch", with(idempotent, at::producer_epoch, std::int16_t{-1}), Errc::invalid_record},
      {"producer without sequence", with(good, at::producer_id, std::int64_t{1}),
       Errc::invalid_record},
      {"record count 0", with(good, at::record_count, 0), Errc::invalid_record},
      {"record count + 1", with(good, at::record_count, 4), Errc::invalid_record},
      {"record count negative", with(good, at::record_count, -1), Errc::invalid_record},
      {"empty", "", Errc::invalid_record},
      {"two batches", good + good, Errc::invalid_record},
      {"a byte behind", good + '\0', Errc::invalid_record},
  };
  for (const auto& c : cases) EXPECT_EQ(code_of(c.batch), c.code) << c.what;
}

TEST(BatchCheck, a_count_that_agrees_with_the_header_but_not_with_the_records_is_refused) {
  const std::string good = built();
  const auto counted = [&](std::int32_t n) {
    return with(with(good, batch_at::last_offset_delta, n - 1), batch_at::record_count, n);
  };
  EXPECT_EQ(code_of(counted(3)), Errc::none);
  EXPECT_EQ(code_of(counted(2)), Errc::invalid_record);
  EXPECT_EQ(code_of(counted(4)), Errc::invalid_record);
  EXPECT_EQ(code_of(counted(INT32_MAX)), Errc::invalid_record);
}

TEST(BatchCheck, the_whole_batch_counts_against_the_limit) {
  const std::string good = built();
  ProduceChecks c = checks();
  c.max_batch_bytes = good.size();
  EXPECT_EQ(code_of(good, c), Errc::none);
  c.max_batch_bytes = good.size() - 1;
  EXPECT_EQ(code_of(good, c), Errc::message_too_large);
}

TEST(BatchCheck, zstd_needs_a_later_produce) {
  ProduceChecks c = checks();
  c.zstd_allowed = false;
  EXPECT_EQ(code_of(built({.codec = compress::Codec::zstd}), c),
            Errc::unsupported_compression_type);
  EXPECT_EQ(code_of(built({.codec = compress::Codec::lz4}), c), Errc::none);
}

TEST(BatchCheck, a_wrong_max_timestamp_is_told_and_can_be_mended) {
  std::string batch = with(built(), batch_at::max_timestamp, std::int64_t{0});
  const auto r = validate_produced(batch, checks());
  ASSERT_TRUE(r);
  EXPECT_FALSE(r->max_timestamp_is_right());
  rewrite_max_timestamp(batch.data(), batch.size(), r->max_timestamp);
  EXPECT_TRUE(validate_produced(batch, checks())->max_timestamp_is_right());
}

TEST(BatchCheck, every_keyless_record_of_a_compacted_topic_is_named) {
  BatchBuilder builder;
  builder.append(now, "k", "v");
  builder.append(now, std::nullopt, "v");
  builder.append(now, "", "v");
  builder.append(now, std::nullopt, "v");
  const std::string batch(builder.finish({})->view());
  EXPECT_EQ(code_of(batch), Errc::none);
  ProduceChecks c = checks();
  c.compacted = true;
  const auto r = validate_produced(batch, c);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().error.code(), Errc::invalid_record);
  ASSERT_EQ(r.error().records.size(), 2U);
  EXPECT_EQ(r.error().records[0].index, 1);
  EXPECT_EQ(r.error().records[1].index, 3);
  EXPECT_EQ(r.error().records[1].message, "record 3 has no key, which a compacted topic needs");
}

TEST(BatchCheck, the_faults_that_are_named_are_bounded) {
  BatchBuilder builder;
  for (int i = 0; i < 1000; ++i) builder.append(now, std::nullopt, "v");
  ProduceChecks c = checks();
  c.compacted = true;
  const auto r = validate_produced(builder.finish({})->view(), c);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().records.size(), max_record_faults);
}

TEST(BatchCheck, timestamps_outside_their_limits_are_refused_and_none_is_allowed) {
  const auto at = [](std::int64_t timestamp) {
    BatchBuilder builder;
    builder.append(timestamp, "k", "v");
    return std::string(builder.finish({})->view());
  };
  ProduceChecks c = checks();
  c.timestamp_before_max_ms = 1000;
  EXPECT_EQ(code_of(at(now - 1000), c), Errc::none);
  EXPECT_EQ(code_of(at(now - 1001), c), Errc::invalid_timestamp);
  EXPECT_EQ(code_of(at(now + 3'600'000), c), Errc::none);
  EXPECT_EQ(code_of(at(now + 3'600'001), c), Errc::invalid_timestamp);
  EXPECT_EQ(code_of(at(-1), c), Errc::none);
  EXPECT_EQ(validate_produced(at(-1), c)->max_timestamp, -1);
  c.check_timestamps = false;
  EXPECT_EQ(code_of(at(now + 3'600'001), c), Errc::none);
}

/// A batch with these bytes as its records.
std::string around(std::string_view records, std::int32_t count = 1) {
  std::string batch = built().substr(0, batch_header_bytes);
  batch += records;
  batch = with(batch, batch_at::length,
               static_cast<std::int32_t>(batch.size() - batch_prefix_bytes), false);
  batch = with(batch, batch_at::last_offset_delta, count - 1);
  return with(batch, batch_at::record_count, count);
}

TEST(BatchCheck, each_malformed_record_is_refused) {
  using std::string_view_literals::operator""sv;
  // length 7, attributes, timestamp 0, offset 0, key null, value "v", no headers
  ASSERT_EQ(code_of(around("\x0e\0\0\0\1\2v\0"sv)), Errc::none);
  const std::string_view bad[] = {
      ""sv,                                     // no record at all
      "\x10\0\0\0\1\2v\0"sv,                    // length too large
      "\x0c\0\0\0\1\2v\0"sv,                    // length too small
      "\x0d\0\0\0\1\2v\0"sv,                    // length negative
      "\0"sv,                                   // length 0
      "\x0e\0\0\2\1\2v\0"sv,                    // offset delta 1
      "\x0e\0\0\1\1\2v\0"sv,                    // offset delta -1
      "\x0e\0\0\0\3\2v\0"sv,                    // key length -2
      "\x0e\0\0\0\1\3v\0"sv,                    // value length -2
      "\x0e\0\0\0\1\4v\0"sv,                    // value runs into the headers
      "\x0e\0\0\0\1\2v\1"sv,                    // header count -1
      "\x0e\0\0\0\1\2v\2"sv,                    // a header that is not there
      "\x12\0\0\0\1\2v\2\1\0"sv,                // header key null
      "\x12\0\0\0\1\2v\2\0\3"sv,                // header value length -2
      "\x0e\0\0\0\1\2v\0\0"sv,                  // a byte left over
      "\x16\0\0\0\xff\xff\xff\xff\x1f\2v\0"sv,  // a key length above 32 bits
  };
  for (const std::string_view records : bad)
    EXPECT_EQ(code_of(around(records)), Errc::invalid_record) << to_hex(records);
  EXPECT_EQ(code_of(around("\x12\0\0\0\1\2v\2\0\1"sv)), Errc::none) << "an empty header, null";
}

TEST(BatchCheck, a_batch_cut_anywhere_is_refused) {
  const std::string good = built();
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_NE(code_of(std::string(good, 0, size)), Errc::none) << size;
}

TEST(BatchCheck, a_flipped_bit_under_the_crc_is_corruption) {
  const std::string good = built();
  for (std::size_t i = batch_at::attributes; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    EXPECT_EQ(code_of(bad), Errc::corrupt_message) << i;
  }
}

TEST(BatchCheck, what_passes_is_read_by_the_reader_and_hostile_records_crash_nobody) {
  Rng rng(11);
  std::size_t passed = 0;
  for (std::uint8_t codec = 0; codec < compress::codec_count; ++codec) {
    const std::string good = built({.codec = static_cast<compress::Codec>(codec)}, 20, 20);
    for (int i = 0; i < 2000; ++i) {
      std::string batch = good;
      batch[batch_at::records + rng.below(batch.size() - batch_at::records)] =
          static_cast<char>(rng.below(256));
      batch = with(batch, batch_at::leader_epoch, 0);
      const auto r = validate_produced(batch, checks());
      auto reader = RecordReader::open(*BatchView::parse(batch));
      if (!reader) {
        EXPECT_FALSE(r);
        continue;
      }
      RecordView record;
      std::int32_t count = 0;
      while (reader->next(record)) ++count;
      if (!r) continue;
      ++passed;
      EXPECT_EQ(reader->error(), nullptr);
      EXPECT_EQ(count, r->record_count);
    }
  }
  EXPECT_GT(passed, 100U);
}

TEST(BatchCheck, a_bomb_is_refused) {
  BatchBuilder builder;
  const std::string zeros(8U << 20U, '\0');
  builder.append(now, "k", zeros);
  const std::string batch(builder.finish({.codec = compress::Codec::zstd})->view());
  ASSERT_LT(batch.size(), 2000U);
  const auto r = validate_produced(batch, checks());
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().error.code(), Errc::invalid_record);
  EXPECT_NE(r.error().error.message().find("over the limit"), std::string::npos);
}

}  // namespace
}  // namespace weir::kafka
