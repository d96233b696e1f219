// The log store on the simulated machine: what is acknowledged stays, whatever breaks.
#include "log/log_store.h"

#include <gtest/gtest.h>

#include <map>

#include "base/crc32c.h"
#include "base/log.h"
#include "io/sim_runtime.h"
#include "log/batch.h"
#include "log/leader_epochs.h"
#include "log/log_test_kit.h"
#include "log/segment.h"

namespace weir::log {
namespace {

using namespace std::chrono_literals;

TEST(log_store, what_is_acknowledged_is_readable_and_survives_a_power_cut) {
  LogMachine machine(1);
  machine.open();
  EXPECT_EQ(machine.append(0, "a").value().base_offset, Offset(0));
  EXPECT_EQ(machine.append(0, "b", 3).value().base_offset, Offset(1));
  EXPECT_EQ(machine.partition(0).high_watermark(), Offset(4));
  machine.power_cut();
  machine.open();
  EXPECT_FALSE(machine.store().recovery().clean);
  EXPECT_EQ(machine.read_all(0), (std::vector<std::string>{"0:a", "1:b"}));
  EXPECT_EQ(machine.append(0, "c").value().base_offset, Offset(4));
}

TEST(log_store, nothing_is_readable_before_its_sync_returned) {
  LogMachine machine(1);
  machine.open();
  bool acknowledged = false;
  machine.partition(0).append(make_batch("x", 1),
                              [&](Result<Appended> r) { acknowledged = r.has_value(); });
  EXPECT_EQ(machine.partition(0).high_watermark(), Offset(0));
  EXPECT_EQ(machine.partition(0).next_offset(), Offset(1));
  machine.until([&] { return acknowledged; });
  EXPECT_EQ(machine.partition(0).high_watermark(), Offset(1));
}

TEST(log_store, a_clean_stop_is_seen_as_clean_and_leaves_no_wal_to_read) {
  LogMachine machine(1);
  machine.open();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(machine.append(i % 3, "v" + std::to_string(i)));
  machine.close();
  machine.open();
  EXPECT_TRUE(machine.store().recovery().clean);
  EXPECT_EQ(machine.store().recovery().records, 0U);
  EXPECT_EQ(machine.read_all(1).size(), 7U);
  EXPECT_EQ(machine.store().leader_epoch(), LeaderEpoch(0));
}

TEST(log_store, the_end_that_a_clean_stop_noted_is_believed_only_if_nothing_stands_there) {
  LogMachine machine(1);
  machine.open();
  ASSERT_TRUE(machine.append(0, "a"));
  machine.close();
  // Twice without a write: the end is still known.
  for (int i = 0; i < 2; ++i) {
    machine.open();
    EXPECT_EQ(machine.read_all(0), (std::vector<std::string>{"0:a"}));
    machine.close();
  }
  const std::string mark = "data/.kafka_cleanshutdown";
  const auto text = io::read_file(machine.world().files(), mark, 1000).value();
  const auto end = wal_end_in(text);
  ASSERT_TRUE(end) << text;
  EXPECT_GT(end->position, 0U);
  // Records behind it, and a mark that speaks of an earlier stop.
  machine.open();
  ASSERT_TRUE(machine.append(0, "b"));
  machine.power_cut();
  ASSERT_TRUE(io::write_file_durably(machine.world().files(), mark, text));
  machine.open();
  EXPECT_EQ(machine.read_all(0), (std::vector<std::string>{"0:a", "1:b"}));
  // One that says nonsense.
  machine.close();
  for (const char* nonsense :
       {"", "{}", R"({"weirWalFile":1,"weirWalSequence":2,"weirWalEnd":7})",
        R"({"weirWalFile":1,"weirWalSequence":2,"weirWalEnd":8192})",
        R"({"weirWalFile":1,"weirWalSequence":2,"weirWalEnd":18446744073709547520})"}) {
    ASSERT_TRUE(io::write_file_durably(machine.world().files(), mark, nonsense));
    machine.open();
    EXPECT_EQ(machine.read_all(0).size(), 2U);
    machine.close();
  }
}

TEST(log_store, what_was_saved_of_a_segment_that_is_whole_again_goes_at_the_next_start) {
  LogMachine machine(3);
  machine.settings.segment_bytes = 700;
  machine.options.flush_bytes = 100;
  machine.open();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(machine.append(0, std::string(100, 'x')));
  const auto want = machine.read_all(0);
  machine.close();
  const std::string first = "data/t-0/" + segment_name(Offset(0));
  auto& files = machine.world().files();
  const auto log = io::read_file(files, first + ".log", 1U << 20U).value();
  ASSERT_TRUE(io::write_file_durably(files, first + ".log.found", log));
  machine.open();
  EXPECT_FALSE(files.exists(first + ".log.found").value());
  EXPECT_EQ(machine.read_all(0), want);
}

TEST(leader_epochs, a_file_that_is_newer_than_its_checkpoint_goes_back_to_it) {
  LeaderEpochs epochs;
  epochs.add(LeaderEpoch(0), Offset(0));
  epochs.add(LeaderEpoch(1), Offset(28));
  const std::uint32_t crc = crc32c(epochs.encode());
  epochs.add(LeaderEpoch(2), Offset(31));
  epochs.add(LeaderEpoch(4), Offset(40));
  ASSERT_TRUE(epochs.go_back_to(crc));
  EXPECT_EQ(epochs.latest(), LeaderEpoch(1));
  EXPECT_EQ(epochs.end_of(LeaderEpoch(0), Offset(99)).end, Offset(28));
  ASSERT_TRUE(epochs.go_back_to(crc));
  EXPECT_FALSE(epochs.go_back_to(crc + 1));
  EXPECT_EQ(epochs.entries().size(), 2U);
}

TEST(log_store, segments_roll_and_are_read_across) {
  LogMachine machine(2);
  machine.settings.segment_bytes = 2000;
  machine.settings.index_interval_bytes = 200;
  machine.options.flush_bytes = 500;
  machine.options.tail_cache_bytes = 0;
  machine.open();
  std::vector<std::string> want;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(machine.append(0, std::string(100, static_cast<char>('a' + i % 26))));
    want.push_back(std::to_string(i) + ":" + std::string(100, static_cast<char>('a' + i % 26)));
  }
  EXPECT_EQ(machine.read_all(0), want);
  machine.close();
  machine.open();
  EXPECT_EQ(machine.read_all(0), want);
  EXPECT_GT(machine.files_ending(".log"), 5U);
}

TEST(log_store, what_one_turn_of_the_loop_appends_is_in_one_cycle) {
  LogMachine machine(4);
  machine.open();
  ASSERT_TRUE(machine.append(0, "before"));
  const auto before = machine.store().counters();
  int acknowledged = 0;
  for (int p = 0; p < 3; ++p)
    for (int i = 0; i < 2; ++i)
      machine.partition(p).append(make_batch("x", 1),
                                  [&](Result<Appended> r) { acknowledged += r ? 1 : 0; });
  machine.until([&] { return acknowledged == 6; });
  EXPECT_EQ(machine.store().counters().batches - before.batches, 6U);
  EXPECT_EQ(machine.store().counters().cycles - before.cycles, 1U);
}

TEST(log_store, every_offset_and_time_is_found_in_an_index_of_several_blocks) {
  constexpr std::int64_t batches = 2400;  // each second one is indexed, 512 entries are a block
  constexpr std::int64_t first_ms = 1'700'000'000'000;
  LogMachine machine(3);
  machine.settings.index_interval_bytes = 100;
  machine.options.tail_cache_bytes = 0;
  machine.open();
  for (std::int64_t i = 0; i < batches; ++i)
    ASSERT_TRUE(machine.append(0, std::string(20, '.'), 1, first_ms + 10 * i));
  ASSERT_TRUE(machine.checkpoint());
  const auto expect_all_found = [&] {
    for (std::int64_t i = 0; i < batches; ++i) {
      const std::string bytes = machine.read(0, Offset(i), 200).value();
      ASSERT_EQ(BatchHeader(bytes).base_offset(), Offset(i));
      ASSERT_EQ(bytes.size(),
                std::min<std::int64_t>(2, batches - i) * BatchHeader(bytes).total_bytes());
      const std::int64_t found = i % 16 == 0 ? machine.offset_for(0, first_ms + 10 * i - 5) : i;
      ASSERT_EQ(found, i);
    }
  };
  expect_all_found();
  machine.close();
  machine.open();
  expect_all_found();
  machine.close();
  const auto index = machine.world().files().open("data/t-0/" + segment_name(Offset(0)) + ".index",
                                                  io::OpenMode::read);
  ASSERT_TRUE(index);
  EXPECT_GT((*index)->size().value(), 2 * 4096U);
}

TEST(log_store, a_segment_that_a_start_has_removed_does_not_come_back_after_a_checkpoint) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    LogMachine machine(seed);
    machine.settings.segment_bytes = 700;
    machine.options.flush_bytes = 100;
    machine.options.checkpoint_interval = 1h;
    machine.open();
    std::vector<std::string> want;
    const auto append = [&](int count) {
      for (int i = 0; i < count; ++i) {
        ASSERT_TRUE(machine.append(0, std::string(150, '.')));
        want.push_back(std::to_string(want.size()) + ":" + std::string(150, '.'));
      }
    };
    append(1);
    ASSERT_TRUE(machine.checkpoint());
    append(6);  // into segments that no checkpoint knows
    machine.world().run_for(1s);
    ASSERT_GT(machine.files_ending(".log"), 1U);
    machine.kill();
    machine.settings.segment_bytes = 1 << 20;  // now all go into the first
    machine.open();
    ASSERT_TRUE(machine.checkpoint());
    machine.power_cut();
    machine.open();
    ASSERT_EQ(machine.read_all(0), want) << "seed " << seed;
    EXPECT_TRUE(machine.store().recovery().damage.empty()) << "seed " << seed;
  }
}

TEST(log_store, a_repeated_batch_is_answered_with_its_first_offset_also_after_a_crash) {
  LogMachine machine(3);
  machine.open();
  EXPECT_EQ(machine.append_idempotent(0, "a", 7, 0, 0).value().base_offset, Offset(0));
  EXPECT_EQ(machine.append_idempotent(0, "b", 7, 0, 1).value().base_offset, Offset(1));
  const Appended again = machine.append_idempotent(0, "a", 7, 0, 0).value();
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.base_offset, Offset(0));
  machine.power_cut();
  machine.open();
  EXPECT_EQ(machine.append_idempotent(0, "b", 7, 0, 1).value().base_offset, Offset(1));
  EXPECT_EQ(machine.append_idempotent(0, "z", 7, 0, 5).error().code(),
            Errc::out_of_order_sequence_number);
  EXPECT_EQ(machine.append_idempotent(0, "c", 7, 0, 2).value().base_offset, Offset(2));
  machine.close();
  machine.open();
  EXPECT_TRUE(machine.append_idempotent(0, "c", 7, 0, 2).value().duplicate);
  EXPECT_EQ(machine.append_idempotent(0, "d", 7, 1, 0).value().base_offset, Offset(3));
  EXPECT_EQ(machine.append_idempotent(0, "e", 7, 0, 3).error().code(),
            Errc::invalid_producer_epoch);
}

TEST(log_store, a_failed_sync_of_the_wal_is_tried_once_in_a_new_file) {
  LogMachine machine(4);
  machine.open();
  ASSERT_TRUE(machine.append(0, "a"));
  machine.world().files().add_fault({.op = io::FileOp::sync, .path = ".wal"});
  EXPECT_EQ(machine.append(0, "b").value().base_offset, Offset(1));
  machine.power_cut();
  machine.open();
  EXPECT_EQ(machine.read_all(0), (std::vector<std::string>{"0:a", "1:b"}));
}

TEST(log_store, an_append_whose_syncs_fail_is_refused_and_its_offset_used_again) {
  LogMachine machine(4);
  machine.open();
  ASSERT_TRUE(machine.append_idempotent(0, "a", 1, 0, 0));
  machine.world().files().add_fault(
      {.op = io::FileOp::sync, .path = ".wal", .skip = 0, .count = 0});
  EXPECT_EQ(machine.append_idempotent(0, "b", 1, 0, 1).error().code(), Errc::kafka_storage_error);
  machine.world().files().clear_faults();
  machine.world().run_for(200ms);  // refused at once for a moment, without asking the disk
  const Appended again = machine.append_idempotent(0, "b", 1, 0, 1).value();
  EXPECT_FALSE(again.duplicate);
  EXPECT_EQ(again.base_offset, Offset(1));
  machine.power_cut();
  machine.open();
  EXPECT_EQ(machine.read_all(0), (std::vector<std::string>{"0:a", "1:b"}));
}

TEST(log_store, a_segment_whose_sync_failed_is_written_again_from_the_wal) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    LogMachine machine(seed);
    machine.options.flush_bytes = 1;
    machine.options.tail_cache_bytes = 0;
    machine.open();
    std::vector<std::string> want;
    for (int i = 0; i < 10; ++i) {
      ASSERT_TRUE(machine.append(0, "v" + std::to_string(i)));
      want.push_back(std::to_string(i) + ":v" + std::to_string(i));
      if (i == 3) {
        ASSERT_TRUE(machine.checkpoint());
      }
    }
    machine.world().files().add_fault({.op = io::FileOp::sync, .path = ".log"});
    EXPECT_FALSE(machine.checkpoint());
    machine.until([&] { return machine.store().counters().checkpoints >= 2; });
    EXPECT_EQ(machine.store().counters().repairs, 1U);
    EXPECT_EQ(machine.read_all(0), want) << seed;
    machine.power_cut();
    machine.open();
    EXPECT_EQ(machine.read_all(0), want) << seed;
  }
}

TEST(log_store, a_read_that_fails_once_while_a_segment_is_repaired_loses_nothing) {
  LogMachine machine(1);
  machine.options.flush_bytes = 1;
  machine.options.tail_cache_bytes = 0;
  machine.open();
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(machine.append(0, "v" + std::to_string(i)));
  machine.world().files().add_fault({.op = io::FileOp::sync, .path = ".log"});
  machine.world().files().add_fault({.op = io::FileOp::read, .path = ".wal"});
  EXPECT_FALSE(machine.checkpoint());
  machine.until([&] { return machine.store().counters().checkpoints >= 1; });
  EXPECT_FALSE(machine.partition(0).fenced());
  const std::vector<std::string> want{"0:v0", "1:v1", "2:v2", "3:v3"};
  EXPECT_EQ(machine.read_all(0), want);
  machine.power_cut();
  machine.open();
  EXPECT_EQ(machine.read_all(0), want);
}

TEST(log_store, what_a_producer_sent_behind_a_refused_first_batch_is_not_taken_for_its_first) {
  LogMachine machine(5);
  machine.open();
  machine.world().files().add_fault({.op = io::FileOp::write, .path = ".wal", .count = 0});
  EXPECT_FALSE(machine.append(1, "the cycle fails"));
  const auto send = [&](std::int32_t sequence) {
    const auto sent = machine.append_idempotent(0, std::to_string(sequence), 7, 0, sequence);
    return sent ? Errc::none : sent.error().code();
  };
  EXPECT_EQ(send(0), Errc::kafka_storage_error) << "at the door: the log pauses";
  machine.world().files().clear_faults();
  machine.world().run_for(5s);
  EXPECT_EQ(send(1), Errc::out_of_order_sequence_number);
  EXPECT_EQ(send(0), Errc::none);
  EXPECT_EQ(send(1), Errc::none);
  EXPECT_EQ(machine.read_all(0), (std::vector<std::string>{"0:0", "1:1"}));
}

TEST(log_store, a_repair_that_cannot_read_the_wal_loses_nothing_whatever_the_others_do) {
  for (const bool others : {false, true}) {
    LogMachine machine(1);
    machine.options.flush_bytes = 1;
    machine.options.tail_cache_bytes = 0;
    machine.options.wal_first_file_bytes = machine.options.wal_file_bytes = 16U << 10U;
    machine.open();
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(machine.append(0, "v" + std::to_string(i)));
    machine.world().files().add_fault({.op = io::FileOp::sync, .path = "t-0"});
    machine.world().files().add_fault({.op = io::FileOp::read, .path = ".wal", .count = 0});
    EXPECT_FALSE(machine.checkpoint());
    machine.until([&] { return machine.partition(0).fenced().has_value(); });
    machine.world().files().clear_faults();
    EXPECT_EQ(machine.append(0, "refused").error().code(), Errc::kafka_storage_error);
    for (int i = 0; others && i < 40; ++i) {
      ASSERT_TRUE(machine.append(1, std::string(900, 'x')));
      ASSERT_TRUE(machine.checkpoint());
    }
    machine.power_cut();
    machine.open();
    const std::vector<std::string> want{"0:v0", "1:v1", "2:v2", "3:v3"};
    EXPECT_EQ(machine.read_all(0), want);
    ASSERT_TRUE(machine.checkpoint());
    machine.power_cut();
    machine.open();
    EXPECT_EQ(machine.read_all(0), want);
    EXPECT_TRUE(machine.store().recovery().damage.empty());
  }
}

TEST(log_store, a_full_disk_refuses_appends_loses_nothing_and_recovers_by_itself) {
  LogMachine machine(5);
  machine.options.wal_limit_bytes = 64U << 10U;
  machine.options.checkpoint_bytes = 16U << 10U;
  machine.open();
  machine.world().files().set_capacity(300U << 10U);
  std::vector<std::string> acknowledged;
  int refused = 0;
  for (int i = 0; i < 2000 && refused < 3; ++i) {
    const std::string value = std::to_string(i) + std::string(1000, 'x');
    auto r = machine.append(0, value);
    if (r) {
      acknowledged.push_back(std::to_string(r->base_offset.value) + ":" + value);
    } else {
      EXPECT_EQ(r.error().code(), Errc::kafka_storage_error);
      ++refused;
    }
  }
  ASSERT_EQ(refused, 3);
  EXPECT_EQ(machine.read_all(0), acknowledged);
  machine.world().files().set_capacity(100U << 20U);
  machine.world().run_for(5s);
  auto r = machine.append(0, "after");
  ASSERT_TRUE(r) << r.error().message();
  acknowledged.push_back(std::to_string(r->base_offset.value) + ":after");
  machine.power_cut();
  machine.open();
  EXPECT_EQ(machine.read_all(0), acknowledged);
}

TEST(log_store, a_flipped_bit_in_an_acknowledged_record_is_damage_and_not_a_torn_tail) {
  LogMachine machine(6);
  machine.open();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(machine.append(0, "value-" + std::to_string(i)));
  machine.kill();
  // Records lie at multiples of 4096 behind the file's header; the third one is hit.
  machine.world().files().damage("data/wal/00000001.wal", 4096 * 3 + 100, "X");
  machine.open();
  ASSERT_EQ(machine.store().recovery().damage.size(), 2U);
  EXPECT_NE(machine.store().recovery().damage[0].find("records"), std::string::npos);
  const auto lost = machine.read(0, Offset(2));
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code(), Errc::corrupt_message);
  EXPECT_EQ(machine.read_all(0, Offset(3)), (std::vector<std::string>{"3:value-3", "4:value-4"}));
  EXPECT_EQ(machine.append(0, "next").value().base_offset, Offset(5));
}

/// Six records of 100 bytes a segment, kept by size alone; everything up to the checkpoint has left
/// the write-ahead log.
void fill(LogMachine& machine, std::int64_t retention_bytes, int records) {
  machine.settings.segment_bytes = 1000;
  machine.settings.retention_bytes = retention_bytes;
  machine.settings.retention_ms = -1;
  machine.options.flush_bytes = 1;
  machine.options.tail_cache_bytes = 0;
  machine.open();
  for (int i = 0; i < records; ++i) ASSERT_TRUE(machine.append(0, std::string(100, 'x')));
  ASSERT_TRUE(machine.checkpoint());
}

TEST(log_store, retention_by_size_and_time_removes_whole_segments_and_the_start_never_falls) {
  LogMachine machine(7);
  fill(machine, 3000, 60);
  machine.store().apply_retention();
  const Offset start = machine.partition(0).log_start();
  EXPECT_GT(start, Offset(20));
  EXPECT_EQ(machine.read(0, Offset(0)).error().code(), Errc::offset_out_of_range);
  machine.world().run_for(1s);
  machine.power_cut();
  machine.open();
  EXPECT_EQ(machine.partition(0).log_start(), start);
  EXPECT_EQ(machine.read_all(0, start).size(), static_cast<std::size_t>(Offset(60) - start));
}

TEST(log_store, retention_takes_no_segment_that_a_flush_is_about_to_close) {
  LogMachine machine(7);
  fill(machine, 1, 6);
  ASSERT_TRUE(machine.append(0, std::string(100, 'x')));  // its flush begins a second segment
  machine.store().apply_retention();
  machine.world().run_for(1s);
  EXPECT_EQ(machine.partition(0).log_start(), Offset(0)) << "the flush was under way";
  machine.store().apply_retention();
  machine.world().run_for(1s);
  EXPECT_EQ(machine.partition(0).log_start(), Offset(6));
  EXPECT_EQ(machine.read_all(0, Offset(6)).size(), 1U);
}

TEST(log_store, deleted_segments_whose_names_went_in_any_order_are_no_loss) {
  LogMachine machine(7);
  fill(machine, 3000, 60);
  std::map<std::string, std::string> first;
  for (const char* suffix : {".log", ".index", ".timeindex"}) {
    const std::string path = std::string("data/t-0/00000000000000000000") + suffix;
    first[path] = io::read_file(machine.world().files(), path, 100'000).value();
  }
  machine.store().apply_retention();
  const Offset start = machine.partition(0).log_start();
  machine.world().run_for(1s);
  machine.power_cut();
  // The first comes back, those behind it have gone, and nothing has them any more.
  machine.lose_wal();
  for (const auto& [path, bytes] : first)
    ASSERT_TRUE(io::write_file_durably(machine.world().files(), path, bytes));
  machine.open();
  EXPECT_TRUE(machine.store().recovery().damage.empty());
  EXPECT_EQ(machine.partition(0).log_start(), start);
  EXPECT_EQ(machine.read_all(0, start).size(), static_cast<std::size_t>(Offset(60) - start));
}

TEST(log_store, a_wall_clock_that_jumps_stops_retention_by_time) {
  LogMachine machine(8);
  machine.settings.segment_bytes = 500;
  machine.settings.retention_ms = 86'400'000;
  machine.options.flush_bytes = 1;
  machine.open();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(machine.append(0, std::string(100, 'x')));
  ASSERT_TRUE(machine.checkpoint());
  machine.world().shift_wall_clock(365LL * 86'400'000);
  machine.store().apply_retention();
  EXPECT_EQ(machine.partition(0).log_start(), Offset(0));
  machine.store().confirm_clock();
  machine.store().apply_retention();
  EXPECT_GT(machine.partition(0).log_start(), Offset(0));
}

TEST(log_store, finds_the_first_batch_with_a_timestamp_in_segments_and_tail) {
  LogMachine machine(9);
  machine.settings.segment_bytes = 1500;
  machine.settings.index_interval_bytes = 100;
  machine.options.flush_bytes = 1000;
  machine.options.tail_cache_bytes = 0;
  machine.open();
  for (int i = 0; i < 50; ++i)
    ASSERT_TRUE(machine.append(0, std::string(60, 'x'), 1, 1000 + i * 10));
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(machine.offset_for(0, 1000 + i * 10), i);
    EXPECT_EQ(machine.offset_for(0, 1000 + i * 10 - 5), i);
  }
  EXPECT_EQ(machine.offset_for(0, 5000), -1);
}

TEST(log_store, a_second_process_is_refused) {
  LogMachine machine(10);
  machine.open();
  auto other = LogStore::open(machine.process(), machine.options, machine.metadata_spec());
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), Errc::locked);
}

TEST(log_store, a_newer_format_is_refused_by_name) {
  LogMachine machine(11);
  machine.open();
  machine.close();
  auto& files = machine.world().files();
  auto text = io::read_file(files, "data/meta.properties", 1000).value();
  text.replace(text.find("weir.format=1"), 13, "weir.format=9");
  ASSERT_TRUE(io::write_file_durably(files, "data/meta.properties", text));
  const auto process = machine.world().start_process();
  auto r = LogStore::open(*process, machine.options, machine.metadata_spec());
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code(), Errc::newer_format);
}

TEST(log_store, a_removed_partition_is_gone_and_its_name_can_be_used_again) {
  LogMachine machine(12);
  machine.options.flush_bytes = 1;
  machine.open();
  ASSERT_TRUE(machine.append(0, "old"));
  ASSERT_TRUE(machine.checkpoint());
  machine.store().remove(machine.partition(0).spec().id);
  machine.new_topic_id(0);
  machine.add(0);
  EXPECT_EQ(machine.append(0, "new").value().base_offset, Offset(0));
  machine.power_cut();
  machine.open();
  EXPECT_EQ(machine.read_all(0), (std::vector<std::string>{"0:new"}));
}

// Random appends to three partitions, with crashes at any operation, also inside recovery: what was
// acknowledged is there afterwards, in its place; one offset means one batch for ever.
TEST(log_store, nothing_acknowledged_is_lost_in_300_runs_with_crashes) {
  std::uint64_t crashes_in_recovery = 0;
  std::uint64_t torn = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    LogMachine machine(seed);
    Rng rng(seed * 7919);
    machine.settings.segment_bytes = 1000 + rng.below(3000);
    machine.settings.index_interval_bytes = 100 + rng.below(400);
    machine.options.flush_bytes = 1 + rng.below(2000);
    machine.options.tail_cache_bytes = rng.below(3000);
    machine.options.checkpoint_bytes = 4096 + rng.below(20'000);
    machine.options.wal_first_file_bytes = 4096;
    machine.options.wal_file_bytes = 8192 + rng.below(16'384);
    machine.open();
    std::map<std::pair<int, std::int64_t>, std::string> acknowledged;
    std::map<std::pair<int, std::int64_t>, std::string> seen;
    int value = 0;
    for (int round = 0; round < 4; ++round) {
      const auto crash_in = rng.below(120);
      machine.world().files().crash_after(crash_in);
      for (int i = 0; i < 40 && !machine.world().files().crashed(); ++i) {
        const int p = static_cast<int>(rng.below(3));
        const std::string text = "v" + std::to_string(++value) + std::string(rng.below(200), '.');
        machine.partition(p).append(make_batch(text, 1 + static_cast<int>(rng.below(3))),
                                    [&, p, text](Result<Appended> r) {
                                      if (r) acknowledged[{p, r->base_offset.value}] = text;
                                    });
        machine.world().run_for(Duration(rng.below(3'000'000)));
      }
      if (rng.one_in(3)) {
        machine.kill();
      } else {
        machine.power_cut();
      }
      while (rng.one_in(3)) {
        machine.world().files().crash_after(1 + rng.below(60));
        if (machine.try_open()) {
          machine.world().files().crash_after(UINT64_MAX - 1);
          machine.power_cut();
          continue;
        }
        ++crashes_in_recovery;
        machine.power_cut();
      }
      machine.open();
      EXPECT_TRUE(machine.store().recovery().damage.empty())
          << "seed " << seed << ": " << machine.store().recovery().damage.front();
      for (int p = 0; p < 3; ++p) {
        for (const auto& line : machine.read_all(p)) {
          const auto colon = line.find(':');
          const std::pair key(p, static_cast<std::int64_t>(std::stoll(line.substr(0, colon))));
          const std::string text = line.substr(colon + 1);
          const auto [at, fresh] = seen.emplace(key, text);
          EXPECT_EQ(at->second, text)
              << "seed " << seed << " partition " << p << " offset " << key.second;
        }
      }
      for (const auto& [key, text] : acknowledged) {
        const auto found = seen.find(key);
        ASSERT_TRUE(found != seen.end())
            << "seed " << seed << ": lost " << text << " at " << key.first << "/" << key.second;
        EXPECT_EQ(found->second, text) << "seed " << seed;
      }
    }
    torn += machine.world().files().counters().torn_writes;
    if (HasFailure()) break;
  }
  EXPECT_GT(crashes_in_recovery, 100U);
  EXPECT_GT(torn, 300U);
}

}  // namespace
}  // namespace weir::log
