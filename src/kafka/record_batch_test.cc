#include "kafka/record_batch.h"

#include <gtest/gtest.h>

#include <map>

#include "kafka/batch_builder.h"
#include "kafka/batch_check.h"
#include "kafka/partitioner.h"
#include "kafka/testdata.h"

namespace weir::kafka {
namespace {

std::int64_t integer(const json::Value& row, std::string_view key) {
  return *row.find(key)->as_int();
}
const std::string& text(const json::Value& row, std::string_view key) {
  return *row.find(key)->as_string();
}
bool flag(const json::Value& row, std::string_view key) {
  const json::Value* value = row.find(key);
  return value != nullptr && *value->as_bool();
}
std::optional<std::string> bytes_of(const json::Value& value) {
  if (value.is_null()) return std::nullopt;
  return from_hex(*value.as_string());
}

struct Golden {
  json::Value row;
  std::string bytes;
};

std::vector<Golden> golden(std::string_view kind) {
  std::vector<Golden> rows;
  for (json::Value& row : read_testdata("batches.jsonl.zst")) {
    if (row.find(kind) == nullptr) continue;
    std::string bytes = row.find("hex") != nullptr ? from_hex(text(row, "hex")) : "";
    rows.push_back({std::move(row), std::move(bytes)});
  }
  return rows;
}

void expect_header(const Golden& golden, const BatchView& batch) {
  EXPECT_EQ(compress::name_of(batch.codec()), text(golden.row, "codec"));
  EXPECT_EQ(batch.base_offset(), integer(golden.row, "baseOffset"));
  EXPECT_EQ(batch.last_offset(), integer(golden.row, "lastOffset"));
  EXPECT_EQ(batch.max_timestamp(), integer(golden.row, "maxTimestamp"));
  EXPECT_EQ(batch.is_log_append_time(), text(golden.row, "timestampType") == "LogAppendTime");
  EXPECT_EQ(batch.producer_id(), integer(golden.row, "producerId"));
  EXPECT_EQ(batch.producer_epoch(), integer(golden.row, "producerEpoch"));
  EXPECT_EQ(batch.base_sequence(), integer(golden.row, "baseSequence"));
  EXPECT_EQ(batch.last_sequence(), integer(golden.row, "lastSequence"));
  EXPECT_EQ(batch.is_transactional(), flag(golden.row, "transactional"));
  EXPECT_EQ(batch.leader_epoch(), integer(golden.row, "leaderEpoch"));
  EXPECT_EQ(batch.crc(), integer(golden.row, "crc"));
  EXPECT_TRUE(batch.crc_is_right());
}

void expect_record(const json::Value& want, const RecordView& record) {
  EXPECT_EQ(record.offset, integer(want, "offset"));
  EXPECT_EQ(record.timestamp, integer(want, "timestamp"));
  EXPECT_EQ(record.key, bytes_of(*want.find("key")));
  EXPECT_EQ(record.value, bytes_of(*want.find("value")));
  const json::Array& headers = *want.find("headers")->as_array();
  ASSERT_EQ(record.headers.size(), headers.size());
  std::size_t i = 0;
  for (const Header header : record.headers) {
    const json::Array& pair = *headers[i++].as_array();
    EXPECT_EQ(header.key, *pair[0].as_string());
    EXPECT_EQ(header.value, bytes_of(pair[1]));
  }
}

TEST(RecordBatch, kafkas_own_batches_are_read_field_by_field) {
  const auto rows = golden("records");
  EXPECT_EQ(rows.size(), 80U);
  std::map<std::string, int> codecs;
  for (const Golden& row : rows) {
    ++codecs[text(row.row, "codec")];
    const auto batch = BatchView::parse(row.bytes);
    ASSERT_TRUE(batch) << batch.error().message();
    EXPECT_EQ(batch->size(), row.bytes.size());
    expect_header(row, *batch);
    auto reader = RecordReader::open(*batch);
    ASSERT_TRUE(reader) << reader.error().message();
    RecordView record;
    for (const json::Value& want : *row.row.find("records")->as_array()) {
      ASSERT_TRUE(reader->next(record));
      expect_record(want, record);
    }
    EXPECT_FALSE(reader->next(record));
    EXPECT_EQ(reader->error(), nullptr);
  }
  EXPECT_EQ(codecs.size(), 5U);
}

TEST(RecordBatch, kafkas_control_batches_are_read_and_made_byte_for_byte) {
  const auto rows = golden("control");
  EXPECT_EQ(rows.size(), 2U);
  for (const Golden& row : rows) {
    const auto batch = BatchView::parse(row.bytes);
    ASSERT_TRUE(batch);
    EXPECT_TRUE(batch->is_control());
    EXPECT_TRUE(batch->is_transactional());
    EXPECT_TRUE(batch->crc_is_right());
    auto reader = RecordReader::open(*batch);
    RecordView record;
    ASSERT_TRUE(reader->next(record));
    const auto marker = parse_end_marker(record);
    ASSERT_TRUE(marker) << marker.error().message();
    EXPECT_EQ(marker->commit, text(row.row, "control") == "COMMIT");
    EXPECT_EQ(marker->coordinator_epoch, integer(row.row, "coordinatorEpoch"));
    const Slice made = make_end_marker({.marker = *marker,
                                        .base_offset = batch->base_offset(),
                                        .timestamp = record.timestamp,
                                        .leader_epoch = batch->leader_epoch(),
                                        .producer_id = batch->producer_id(),
                                        .producer_epoch = batch->producer_epoch()});
    EXPECT_EQ(to_hex(made.view()), to_hex(row.bytes));
  }
}

/// The same records through our builder.
Slice rebuilt(const BatchView& batch) {
  auto reader = RecordReader::open(batch);
  BatchBuilder builder(100);
  RecordView record;
  while (reader->next(record)) {
    std::vector<Header> headers;
    for (const Header header : record.headers) headers.push_back(header);
    const std::size_t reckoned =
        builder.size_with(record.timestamp, record.key, record.value, headers);
    builder.append(record.timestamp, record.key, record.value, headers);
    EXPECT_EQ(builder.size(), reckoned);
  }
  auto made = builder.finish({.codec = batch.codec(),
                              .producer_id = batch.producer_id(),
                              .producer_epoch = batch.producer_epoch(),
                              .base_sequence = batch.base_sequence(),
                              .transactional = batch.is_transactional(),
                              .base_offset = batch.base_offset(),
                              .leader_epoch = batch.leader_epoch()});
  EXPECT_TRUE(made);
  return *made;
}

TEST(RecordBatch, our_builder_makes_what_kafkas_makes) {
  std::size_t equal = 0;
  for (const Golden& row : golden("records")) {
    const auto batch = BatchView::parse(row.bytes);
    const Slice made = rebuilt(*batch);
    if (batch->codec() == compress::Codec::none && !batch->is_log_append_time()) {
      EXPECT_EQ(to_hex(made.view()), to_hex(row.bytes));
      ++equal;
    }
    const auto again = BatchView::parse(made.view());
    ASSERT_TRUE(again);
    EXPECT_TRUE(again->crc_is_right());
    auto reader = RecordReader::open(*again);
    RecordView record;
    for (const json::Value& want : *row.row.find("records")->as_array()) {
      ASSERT_TRUE(reader->next(record));
      EXPECT_EQ(record.key, bytes_of(*want.find("key")));
      EXPECT_EQ(record.value, bytes_of(*want.find("value")));
    }
  }
  EXPECT_GT(equal, 5U);
}

TEST(RecordBatch, kafkas_batches_pass_the_judgement_of_a_broker) {
  std::size_t passed = 0;
  for (const Golden& row : golden("records")) {
    const auto r = validate_produced(row.bytes, {.now_ms = 1'700'000'000'000});
    if (BatchView::parse(row.bytes)->is_log_append_time()) {
      ASSERT_FALSE(r);
      EXPECT_EQ(r.error().error.code(), Errc::invalid_timestamp);
      continue;
    }
    ASSERT_TRUE(r) << r.error().error.message();
    EXPECT_EQ(r->record_count, row.row.find("records")->as_array()->size());
    EXPECT_TRUE(r->max_timestamp_is_right());
    const json::Array& records = *row.row.find("records")->as_array();
    EXPECT_EQ(integer(records[static_cast<std::size_t>(r->max_timestamp_delta)], "timestamp"),
              r->max_timestamp);
    ++passed;
  }
  EXPECT_GT(passed, 50U);
}

TEST(RecordBatch, a_cursor_walks_batches_and_stops_at_a_cut_one) {
  std::string run;
  std::size_t count = 0;
  for (const Golden& row : golden("records")) {
    run += row.bytes;
    ++count;
  }
  const std::size_t whole = run.size();
  run += golden("control")[0].bytes.substr(0, 70);
  BatchCursor cursor(run);
  BatchView batch;
  std::size_t walked = 0;
  for (;;) {
    const auto more = cursor.next(batch);
    ASSERT_TRUE(more);
    if (!*more) break;
    ++walked;
  }
  EXPECT_EQ(walked, count);
  EXPECT_EQ(cursor.rest().size(), run.size() - whole);
}

TEST(RecordBatch, a_cursor_refuses_what_is_no_batch) {
  const std::string zeros(100, '\0');
  BatchCursor cursor(zeros);
  BatchView batch;
  EXPECT_EQ(cursor.next(batch).error().code(), Errc::corrupt_message);
}

TEST(RecordBatch, offset_and_leader_epoch_lie_outside_the_crc) {
  std::string bytes = golden("records")[0].bytes;
  set_base_offset(bytes.data(), 1'000'000);
  set_leader_epoch(bytes.data(), 77);
  const auto batch = BatchView::parse(bytes);
  EXPECT_EQ(batch->base_offset(), 1'000'000);
  EXPECT_EQ(batch->leader_epoch(), 77);
  EXPECT_TRUE(batch->crc_is_right());
}

TEST(RecordBatch, rewriting_time_or_producer_seals_the_batch_again) {
  std::string bytes = golden("records")[0].bytes;
  rewrite_max_timestamp(bytes.data(), bytes.size(), 5);
  EXPECT_EQ(BatchView::parse(bytes)->max_timestamp(), 5);
  EXPECT_TRUE(BatchView::parse(bytes)->crc_is_right());
  rewrite_producer(bytes.data(), bytes.size(), 9, 3, 100);
  EXPECT_EQ(BatchView::parse(bytes)->base_sequence(), 100);
  EXPECT_TRUE(BatchView::parse(bytes)->crc_is_right());
  rewrite_log_append_time(bytes.data(), bytes.size(), 42);
  const auto batch = BatchView::parse(bytes);
  EXPECT_TRUE(batch->is_log_append_time());
  EXPECT_TRUE(batch->crc_is_right());
  auto reader = RecordReader::open(*batch);
  RecordView record;
  while (reader->next(record)) EXPECT_EQ(record.timestamp, 42);
  EXPECT_EQ(reader->error(), nullptr);
}

TEST(RecordBatch, a_builder_starts_anew_after_each_batch) {
  BatchBuilder builder;
  builder.append(10, "k", std::nullopt);
  const Slice first = *builder.finish({});
  EXPECT_TRUE(builder.empty());
  builder.append(10, "k", std::nullopt);
  const Slice second = *builder.finish({});
  EXPECT_EQ(first.view(), second.view());
}

TEST(RecordBatch, a_record_larger_than_the_builder_grows_it) {
  BatchBuilder builder(64);
  const std::string value(100'000, 'v');
  builder.append(1, std::nullopt, "small");
  builder.append(1, std::nullopt, value);
  const Slice made = *builder.finish({});
  auto reader = RecordReader::open(*BatchView::parse(made.view()));
  RecordView record;
  ASSERT_TRUE(reader->next(record));
  EXPECT_EQ(record.value, "small");
  ASSERT_TRUE(reader->next(record));
  EXPECT_EQ(record.value, value);
}

TEST(RecordBatch, a_key_that_is_no_marker_is_refused) {
  RecordView record;
  EXPECT_FALSE(parse_end_marker(record));
  record.key = std::string_view("\0\0\0\2", 4);  // leader change, of the metadata log
  record.value = std::string_view("\0\0\0\0\0\1", 6);
  EXPECT_FALSE(parse_end_marker(record));
  record.key = std::string_view("\0\0\0\1", 4);
  EXPECT_TRUE(parse_end_marker(record));
  record.value = std::string_view("\0\0\0\0\0", 5);
  EXPECT_FALSE(parse_end_marker(record));
}

TEST(Partitioner, murmur2_is_that_of_java) {
  const auto rows = golden("murmur2");
  EXPECT_EQ(rows.size(), 9U);
  for (const Golden& row : rows) {
    const std::string key = from_hex(text(row.row, "key"));
    EXPECT_EQ(murmur2(key), integer(row.row, "murmur2")) << text(row.row, "key");
    EXPECT_EQ(partition_for_key(key, 17), integer(row.row, "positive") % 17);
  }
}

}  // namespace
}  // namespace weir::kafka
