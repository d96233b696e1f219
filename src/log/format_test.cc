// The readers of the log's own files, byte by byte; docs/formats has their pages, format_fuzz.cc
// and segment_fuzz.cc the hostile ones.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "io/sim_files.h"
#include "log/backup_manifest.h"
#include "log/batch.h"
#include "log/checkpoint_file.h"
#include "log/damage.h"
#include "log/leader_epochs.h"
#include "log/log_test_kit.h"
#include "log/segment.h"
#include "log/wal_scan.h"

namespace weir::log {
namespace {

TEST(checkpoint_rows, are_read_one_after_the_other) {
  auto rows = CheckpointRows::open("0\n3\na b\n\nc").value();
  EXPECT_EQ(rows.rows_left(), 3U);
  ASSERT_TRUE(rows.next());
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0], "a");
  EXPECT_EQ(rows[1], "b");
  ASSERT_TRUE(rows.next());
  EXPECT_EQ(rows.size(), 0U);
  ASSERT_TRUE(rows.next());
  EXPECT_EQ(rows[0], "c");
  EXPECT_EQ(rows.rows_left(), 0U);
  EXPECT_FALSE(rows.next());
}

TEST(checkpoint_rows, a_count_that_is_not_that_of_the_rows_is_refused) {
  for (const char* text : {"", "0\n", "0\n1\n", "0\n0\na\n", "0\n-1\n", "0 0\n0\n", "x\n0\n"})
    EXPECT_EQ(CheckpointRows::open(text).error().code(), Errc::malformed) << text;
  EXPECT_EQ(CheckpointRows::open("1\n0\n").error().code(), Errc::newer_format);
  EXPECT_TRUE(CheckpointRows::open("0\n0\n"));
}

TEST(checkpoint_rows, words_beyond_those_of_any_row_are_not_dropped_unseen) {
  auto eleven = CheckpointRows::open("0\n1\n1 2 3 4 5 6 7 8 9 10 11\n").value();
  auto many = CheckpointRows::open("0\n1\n1 2 3 4 5 6 7 8 9 10 11 12 13 14\n").value();
  ASSERT_TRUE(eleven.next() && many.next());
  EXPECT_EQ(eleven.size(), 11U);
  EXPECT_EQ(many.size(), 12U);
}

TEST(wal_scan, of_a_log_without_records_leaves_the_first_sequence_to_the_first_record) {
  io::SimFileSystem files(1);
  ASSERT_TRUE(files.make_directories("wal"));
  for (const std::uint64_t from : {std::uint64_t{0}, std::uint64_t{1}}) {
    const WalScan scan = scan_wal(files, "wal", Uuid{}, from).value();
    EXPECT_EQ(scan.last_sequence + 1, 1U);
  }
  EXPECT_EQ(scan_wal(files, "wal", Uuid{}, 8).value().last_sequence, 7U);
}

TEST(leader_epochs, are_read_as_they_were_written_and_nothing_else_is) {
  LeaderEpochs epochs;
  epochs.add(LeaderEpoch(1), Offset(0));
  epochs.add(LeaderEpoch(4), Offset(70));
  const auto again = LeaderEpochs::decode(epochs.encode()).value();
  ASSERT_EQ(again.entries().size(), 2U);
  EXPECT_EQ(again.entries()[1].start, Offset(70));
  EXPECT_FALSE(LeaderEpochs::decode("0\n1\n4 70 1\n"));
  EXPECT_FALSE(LeaderEpochs::decode("0\n1\n4\n"));
}

TEST(backup_manifest, a_row_behind_its_checksum_is_refused) {
  BackupManifest manifest;
  manifest.files["a/b.log"] = {.stored = "a/b.log.1", .bytes = 3, .crc = 7};
  const std::string text = encode(manifest);
  ASSERT_EQ(decode_manifest(text).value().files.size(), 1U);
  std::string more = text + "file x y 1 1\n";
  more.replace(0, 4, "0\n7\n");
  EXPECT_EQ(decode_manifest(more).error().code(), Errc::malformed);
  EXPECT_EQ(decode_manifest("0\n0\n").error().code(), Errc::malformed);
}

// The base offset is not under the checksum of a batch.
std::string at_offset(std::int64_t base, int records) {
  std::string batch(make_batch("text", records).view());
  store_be(batch.data(), base);
  return batch;
}

TEST(batch_offsets, that_cannot_be_counted_on_are_no_batch) {
  EXPECT_TRUE(BatchHeader(at_offset(0, 1)).offsets_are_possible());
  EXPECT_TRUE(BatchHeader(at_offset(INT64_MAX - 2, 2)).offsets_are_possible());
  EXPECT_FALSE(BatchHeader(at_offset(INT64_MAX - 1, 2)).offsets_are_possible());
  EXPECT_FALSE(BatchHeader(at_offset(INT64_MAX, 1)).offsets_are_possible());
  EXPECT_FALSE(BatchHeader(at_offset(-1, 1)).offsets_are_possible());
}

TEST(batch_offsets, that_a_disk_made_impossible_are_damage_of_their_segment) {
  io::SimFileSystem files(1);
  const std::string good = at_offset(0, 2);
  const std::string bad = at_offset(INT64_MAX, 2);
  const std::string behind = at_offset(4, 1);
  auto file = files.open("s.log", io::OpenMode::create).value();
  const std::vector<std::string_view> pieces{good, bad, behind};
  ASSERT_TRUE(file->write_at(0, pieces));
  const std::uint64_t bytes = good.size() + bad.size() + behind.size();

  SegmentScanner scanner(*file, 0, bytes);
  EXPECT_TRUE(scanner.next(true).value().has_value());
  EXPECT_FALSE(scanner.next(true).value().has_value());
  EXPECT_EQ(scanner.position(), good.size());

  const auto found = verify_segment(*file, Offset(0), Offset(INT64_MAX), bytes, false).value();
  EXPECT_EQ(found.batches, 2U);
  EXPECT_EQ(found.next, Offset(5));
  ASSERT_EQ(found.damage.size(), 1U);
  EXPECT_EQ(found.damage[0].from, Offset(2));
  EXPECT_EQ(found.damage[0].to, Offset(4));
}

}  // namespace
}  // namespace weir::log
