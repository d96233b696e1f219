// Backups of a folder that is being written to: each is a moment of it, whatever cuts it short.
#include "log/backup.h"

#include <gtest/gtest.h>

#include <map>

#include "log/backup_manifest.h"
#include "log/log_test_kit.h"

namespace weir::log {
namespace {

constexpr int partitions = 3;

struct Counters {
  int backups = 0;
  int cut = 0;       // by a crash in the middle
  int kept = 0;      // bytes that a later backup did not copy: backups with some
  int from_wal = 0;  // backups with records that no segment had
};

/// "offset:text" of every batch in order, by partition.
using Contents = std::map<int, std::vector<std::string>>;

class BackupRun {
 public:
  explicit BackupRun(std::uint64_t seed) : rng_(seed), machine_(seed) {
    machine_.settings.segment_bytes = 600 + rng_.below(2000);
    machine_.options.flush_bytes = 1 + rng_.below(500);
    machine_.options.tail_cache_bytes = rng_.below(500);
    machine_.options.wal_file_bytes = 16U << 10U;
    machine_.options.checkpoint_interval = std::chrono::hours(1);
  }

  void run(Counters& counters) {
    machine_.open();
    for (int round = 0; round < 4; ++round) {
      write();
      // Every append so far is acknowledged, and so it must be in a backup that is taken now.
      const Contents now = contents(machine_);
      const bool cut = rng_.one_in(3);
      if (cut) cut_short();
      auto report = back_up(files(), "data", "backup", 1000 + round, {});
      files().clear_faults();
      if (!report) {
        ASSERT_TRUE(cut) << report.error().message();
        ++counters.cut;
        if (round == 0) continue;
      } else {
        ASSERT_TRUE(report->damage.empty()) << report->damage.front();
        ++counters.backups;
        counters.kept += report->bytes_done < report->bytes ? 1 : 0;
        held_ = now;
        taken_ = 1000 + round;
      }
      if (!held_) continue;
      if (rng_.one_in(4)) reopen();
      check_restored(counters);
      if (::testing::Test::HasFatalFailure()) return;
    }
  }

 private:
  io::SimFileSystem& files() { return machine_.world().files(); }

  void write() {
    for (int i = 0; i < 40; ++i) {
      const int p = static_cast<int>(rng_.below(partitions));
      const std::string text = std::to_string(i) + std::string(rng_.below(150), '.');
      ASSERT_TRUE(machine_.append(p, text, 1 + static_cast<int>(rng_.below(3))));
      if (rng_.one_in(12)) {
        ASSERT_TRUE(machine_.checkpoint());
      }
      if (rng_.one_in(40)) reopen();
    }
  }

  void reopen() {
    machine_.power_cut();
    machine_.open();
  }

  // The disk of the backup fails, or is full.
  void cut_short() {
    const io::FileOp ops[] = {io::FileOp::write, io::FileOp::sync, io::FileOp::rename,
                              io::FileOp::open};
    files().add_fault(
        {.op = ops[rng_.below(4)], .path = "backup/", .skip = rng_.below(30), .count = 1000});
  }

  static Contents contents(LogMachine& machine) {
    Contents out;
    for (int p = 0; p < partitions; ++p)
      out[p] = machine.read_all(p, machine.partition(p).log_start());
    return out;
  }

  // As a machine that holds the backup alone.
  void check_restored(Counters& counters) {
    auto verified = verify_backup(files(), "backup", {});
    ASSERT_TRUE(verified) << verified.error().message();
    ASSERT_TRUE(verified->damage.empty()) << verified->damage.front();
    EXPECT_EQ(verified->taken_ms, taken_);
    const std::string folder = "restored-" + std::to_string(++restored_);
    auto restored = restore_backup(files(), "backup", folder, {});
    ASSERT_TRUE(restored) << restored.error().message();
    ASSERT_TRUE(restored->damage.empty());
    const LeaderEpoch before = machine_.store().leader_epoch();
    LogOptions options = machine_.options;
    options.folder = folder;
    auto process = machine_.world().start_process();
    auto store = LogStore::open(*process, options, machine_.metadata_spec());
    ASSERT_TRUE(store) << store.error().message();
    std::vector<PartitionSpec> specs;
    for (int p = 0; p < partitions; ++p) specs.push_back(machine_.spec(p));
    ASSERT_TRUE((*store)->start(std::move(specs)));
    EXPECT_TRUE((*store)->recovery().damage.empty());
    EXPECT_TRUE((*store)->restored());
    EXPECT_GT((*store)->leader_epoch(), before);
    counters.from_wal += (*store)->recovery().records > 0 ? 1 : 0;
    for (int p = 0; p < partitions; ++p)
      EXPECT_EQ(read_all(**store, p), (*held_)[p]) << "partition " << p;
    process->kill();
    store->reset();
  }

  std::vector<std::string> read_all(LogStore& store, int p) {
    std::vector<std::string> out;
    PartitionLog& log = *store.find(machine_.spec(p).id);
    for (Offset from = log.log_start(); from < log.high_watermark();) {
      std::optional<Result<ReadData>> read;
      log.read(from, {.max_bytes = 1U << 20U, .at_least_one = true},
               [&](Result<ReadData> r) { read = std::move(r); });
      machine_.until([&] { return read.has_value(); });
      check(read->has_value(), "a restored batch is read");
      std::string bytes;
      for (const auto& piece : (*read)->pieces) {
        if (const auto* slice = std::get_if<Slice>(&piece)) {
          bytes += slice->view();
          continue;
        }
        const auto& range = std::get<io::FileRange>(piece);
        std::string part(range.size, '\0');
        check(range.file->read_at(range.offset, part.data(), part.size()).has_value(), "read");
        bytes += part;
      }
      for (std::string_view rest = bytes; !rest.empty();) {
        const std::string_view batch = whole_batch(rest);
        check(!batch.empty(), "a restored batch is whole");
        const BatchHeader header(batch);
        out.push_back(std::to_string(header.base_offset().value) + ":" +
                      std::string(batch.substr(batch_header_bytes)));
        from = header.last_offset() + 1;
        rest.remove_prefix(batch.size());
      }
    }
    return out;
  }

  Rng rng_;
  LogMachine machine_;
  std::optional<Contents> held_;  // by the backup
  std::int64_t taken_ = 0;
  int restored_ = 0;
};

TEST(backup, is_a_moment_of_the_folder_and_survives_what_cuts_the_next_one_short) {
  Counters counters;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    BackupRun(seed).run(counters);
    if (HasFatalFailure() || HasNonfatalFailure()) break;
  }
  EXPECT_GT(counters.backups, 300);
  EXPECT_GT(counters.cut, 50);
  EXPECT_GT(counters.kept, 100);
  EXPECT_GT(counters.from_wal, 100);
}

TEST(backup, another_topic_of_the_same_name_is_not_taken_for_the_first_one) {
  LogMachine machine(3);
  machine.options.flush_bytes = 1;
  machine.open();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(machine.append(0, "first " + std::to_string(i)));
  ASSERT_TRUE(machine.checkpoint());
  auto& files = machine.world().files();
  ASSERT_TRUE(back_up(files, "data", "backup", 1, {}));
  machine.store().remove(machine.spec(0).id);
  machine.new_topic_id(0);
  machine.add(0);
  for (int i = 0; i < 9; ++i) ASSERT_TRUE(machine.append(0, "second " + std::to_string(i)));
  ASSERT_TRUE(machine.checkpoint());
  ASSERT_TRUE(back_up(files, "data", "backup", 2, {}));
  machine.close();
  ASSERT_TRUE(restore_backup(files, "backup", "again", {}));
  machine.options.folder = "again";
  machine.open();
  const auto all = machine.read_all(0);
  ASSERT_EQ(all.size(), 9U);
  EXPECT_EQ(all.front(), "0:second 0");
}

TEST(backup, refuses_what_it_would_spoil_and_tells_damage) {
  LogMachine machine(4);
  machine.options.flush_bytes = 1;
  machine.open();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(machine.append(0, "event " + std::to_string(i)));
  ASSERT_TRUE(machine.checkpoint());
  auto& files = machine.world().files();
  EXPECT_EQ(back_up(files, "nowhere", "backup", 1, {}).error().code(), Errc::not_found);
  ASSERT_TRUE(io::write_file_durably(files, "data/other", "x"));
  EXPECT_EQ(back_up(files, "data", "data", 1, {}).error().code(), Errc::locked);
  ASSERT_TRUE(files.make_directories("full"));
  ASSERT_TRUE(io::write_file_durably(files, "full/letter", "x"));
  EXPECT_EQ(back_up(files, "data", "full", 1, {}).error().code(), Errc::already_exists);
  EXPECT_EQ(verify_backup(files, "full", {}).error().code(), Errc::not_found);
  ASSERT_TRUE(back_up(files, "data", "backup", 1, {}));
  EXPECT_EQ(restore_backup(files, "backup", "full", {}).error().code(), Errc::already_exists);

  const std::string log = "backup/data/t-0/00000000000000000000.log";
  auto file = files.open(log, io::OpenMode::read_write).value();
  ASSERT_TRUE(file->write_at(65, "?"));
  auto verified = verify_backup(files, "backup", {});
  ASSERT_TRUE(verified);
  ASSERT_EQ(verified->damage.size(), 1U);
  EXPECT_EQ(verified->damage.front(), "t-0/00000000000000000000.log: wrong checksum");
  auto restored = restore_backup(files, "backup", "again", {});
  ASSERT_TRUE(restored);
  EXPECT_EQ(restored->damage, verified->damage);
  machine.close();
  machine.options.folder = "again";
  machine.open();
  EXPECT_FALSE(machine.read(0, Offset(0)));
  EXPECT_EQ(machine.read_all(0, Offset(1)).size(), 4U);

  ASSERT_TRUE(io::write_file_durably(files, "backup/weir-backup", "0\n1\nsequence 5\n"));
  EXPECT_EQ(verify_backup(files, "backup", {}).error().code(), Errc::damaged);
}

TEST(backup_manifest, has_the_bytes_of_its_page) {
  BackupManifest manifest{.cluster = {},
                          .taken_ms = 1'795'645'604'955,
                          .sequence = 102,
                          .epoch = LeaderEpoch(1),
                          .files = {}};
  check(Uuid::parse("cPjnLHxYQLKY6LjeOmF_xg", manifest.cluster), "an id");
  manifest.files["meta.properties"] = {
      .stored = "data/meta.properties", .bytes = 104, .crc = 123456};
  manifest.files["t-0/00000000000000000000.log"] = {
      .stored = "data/t-0/00000000000000000000.log~2", .bytes = 66, .crc = 7};
  EXPECT_EQ(encode(manifest),
            "0\n7\ncluster cPjnLHxYQLKY6LjeOmF_xg\ntaken 1795645604955\nsequence 102\nepoch 1\n"
            "file meta.properties data/meta.properties 104 123456\n"
            "file t-0/00000000000000000000.log data/t-0/00000000000000000000.log~2 66 7\n"
            "crc 743586591\n");
}

TEST(backup_manifest, what_is_written_is_read_and_nothing_else) {
  BackupManifest manifest{
      .cluster = {}, .taken_ms = 5, .sequence = 7, .epoch = LeaderEpoch(3), .files = {}};
  manifest.files["t-0/00000000000000000000.log"] = {
      .stored = "data/t-0/00000000000000000000.log~2", .bytes = 100, .crc = 0xffffffff};
  const std::string text = encode(manifest);
  auto read = decode_manifest(text);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(encode(*read), text);
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(decode_manifest(changed)) << i;
  }
  manifest.files.begin()->second.stored = "../outside";
  EXPECT_FALSE(decode_manifest(encode(manifest)));
}

}  // namespace
}  // namespace weir::log
