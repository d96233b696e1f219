// Compaction on the simulated machine: the newest record of every key stays, whatever breaks.
#include <gtest/gtest.h>

#include <map>

#include "kafka/batch_builder.h"
#include "log/log_store.h"
#include "log/log_test_kit.h"

namespace weir::log {
namespace {

using namespace std::chrono_literals;

struct Record {
  std::string key;
  std::optional<std::string> value;
};
using Table = std::map<std::string, std::string>;

/// A machine whose partition 0 is compacted, in small segments.
struct CompactedMachine : LogMachine {
  explicit CompactedMachine(std::uint64_t seed) : LogMachine(seed) {
    settings.compact = true;
    settings.remove = false;
    settings.segment_bytes = 1000;
    settings.index_interval_bytes = 200;
    settings.min_cleanable_dirty_ratio = 0.01;
    settings.delete_retention_ms = 3'600'000;
    options.flush_bytes = 1;
    options.tail_cache_bytes = 0;
    options.compaction_interval = 1s;
  }

  std::int64_t now_ms() { return process().loop().clock().wall_ms(); }

  Result<Appended> put(const std::vector<Record>& records, kafka::BatchOptions batch = {}) {
    kafka::BatchBuilder builder;
    for (const auto& record : records)
      builder.append(now_ms(), record.key,
                     record.value ? std::optional<std::string_view>(*record.value) : std::nullopt);
    std::optional<Result<Appended>> out;
    partition(0).append(builder.finish(batch).value(),
                        [&](Result<Appended> r) { out = std::move(r); });
    until([&] { return out.has_value(); });
    return *out;
  }
  Result<Appended> put(const std::string& key, const std::string& value) {
    return put(std::vector<Record>{{key, value}});
  }

  /// Rolls, syncs and compacts until nothing more is due.
  void compact() {
    ASSERT_TRUE(put("~filler", std::string(1100, '.')).has_value());
    ASSERT_TRUE(put("~filler", std::string(1100, '.')).has_value());
    ASSERT_TRUE(checkpoint().has_value());
    const auto before = store().counters().compactions;
    until([&] { return store().counters().compactions > before && !store().compacting(); });
  }

  struct Read {
    std::int64_t offset;
    std::string key;
    std::optional<std::string> value;
    bool operator==(const Read&) const = default;
  };
  std::vector<Read> records(Offset from = Offset(0)) {
    std::vector<Read> out;
    while (from < partition(0).high_watermark()) {
      const std::string bytes = read(0, from, 1U << 20U).value();
      EXPECT_FALSE(bytes.empty()) << "nothing at " << from.value;
      if (bytes.empty()) break;
      kafka::BatchCursor cursor(bytes);
      kafka::BatchView batch;
      while (cursor.next(batch).value()) {
        EXPECT_TRUE(batch.crc_is_right());
        EXPECT_GE(batch.last_offset(), from.value);
        auto reader = kafka::RecordReader::open(batch).value();
        kafka::RecordView record;
        while (reader.next(record)) {
          std::optional<std::string> value;
          if (record.value) value = std::string(*record.value);
          out.push_back({record.offset, std::string(record.key.value_or("(none)")), value});
        }
        EXPECT_EQ(reader.error(), nullptr);
        from = Offset(batch.next_offset());
      }
    }
    return out;
  }
  /// What a reader of the whole log ends up with.
  Table table() {
    Table out;
    for (const auto& record : records()) {
      if (record.key == "~filler") continue;
      if (record.value)
        out[record.key] = *record.value;
      else
        out.erase(record.key);
    }
    return out;
  }
  std::size_t count(const std::string& key) {
    std::size_t n = 0;
    for (const auto& record : records()) n += record.key == key ? 1 : 0;
    return n;
  }
};

TEST(compaction, keeps_the_newest_record_of_every_key_at_its_offset) {
  CompactedMachine machine(1);
  machine.open();
  Table want;
  std::map<std::string, std::int64_t> offsets;
  for (int i = 0; i < 200; ++i) {
    const std::string key = "k" + std::to_string(i % 7);
    const auto at = machine.put({{key, "a" + std::to_string(i)}, {key, "b" + std::to_string(i)}});
    want[key] = "b" + std::to_string(i);
    offsets[key] = at.value().base_offset.value + 1;
  }
  machine.compact();
  EXPECT_EQ(machine.table(), want);
  std::size_t found = 0;
  for (const auto& record : machine.records()) {
    const auto at = offsets.find(record.key);
    if (at == offsets.end()) continue;
    EXPECT_EQ(record.offset, at->second) << record.key;
    ++found;
  }
  EXPECT_EQ(found, 7U);
  EXPECT_LT(machine.partition(0).size_bytes(), 6'000U);
  machine.close();
  machine.open();
  EXPECT_EQ(machine.table(), want);
  EXPECT_TRUE(machine.store().recovery().damage.empty());
  machine.power_cut();
  machine.open();
  EXPECT_EQ(machine.table(), want);
}

TEST(compaction, puts_small_segments_together) {
  CompactedMachine machine(2);
  machine.open();
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(machine.put("k" + std::to_string(i % 3), "some value"));
  const std::size_t before = machine.files_ending(".log");
  machine.compact();
  EXPECT_GT(before, 10U);
  EXPECT_LE(machine.files_ending(".log"), 5U);
  EXPECT_EQ(machine.files_ending(".cleaned") + machine.files_ending(".swap"), 0U);
  // The old ones stay for those who read them, and go a minute later.
  EXPECT_GT(machine.files_ending(".deleted"), 0U);
  machine.world().run_for(61s);
  EXPECT_EQ(machine.files_ending(".deleted"), 0U);
}

TEST(compaction, every_codec_is_read_and_written) {
  for (const auto codec : {compress::Codec::none, compress::Codec::gzip, compress::Codec::snappy,
                           compress::Codec::lz4, compress::Codec::zstd}) {
    CompactedMachine machine(3);
    machine.open();
    Table want;
    for (int i = 0; i < 60; ++i) {
      const std::string n = std::to_string(i);
      ASSERT_TRUE(
          machine.put({{"x", "x" + n}, {"only" + n, "y"}, {"x", "z" + n}}, {.codec = codec}));
      want["x"] = "z" + n;
      want["only" + n] = "y";
    }
    machine.compact();
    EXPECT_EQ(machine.table(), want) << compress::name_of(codec);
    EXPECT_EQ(machine.count("x"), 1U);
  }
}

TEST(compaction, a_tombstone_stays_for_its_time_and_then_goes_with_its_key) {
  CompactedMachine machine(4);
  machine.open();
  ASSERT_TRUE(machine.put("dead", "was here"));
  ASSERT_TRUE(machine.put("alive", "is here"));
  ASSERT_TRUE(machine.put({{"dead", std::nullopt}}));
  machine.compact();
  EXPECT_EQ(machine.count("dead"), 1U);  // the tombstone, for readers that saw the value
  machine.world().run_for(30min);
  machine.compact();
  EXPECT_EQ(machine.count("dead"), 1U);
  machine.world().run_for(31min);
  machine.compact();
  EXPECT_EQ(machine.count("dead"), 0U);
  EXPECT_EQ(machine.table(), (Table{{"alive", "is here"}}));
}

TEST(compaction, a_wall_clock_that_jumped_removes_no_tombstone) {
  CompactedMachine machine(5);
  machine.open();
  ASSERT_TRUE(machine.put("dead", "was here"));
  ASSERT_TRUE(machine.put({{"dead", std::nullopt}}));
  machine.compact();
  machine.world().shift_wall_clock(24 * 3'600'000);
  machine.compact();
  EXPECT_EQ(machine.count("dead"), 1U);
  machine.store().confirm_clock();
  machine.compact();
  EXPECT_EQ(machine.count("dead"), 0U);
}

TEST(compaction, the_last_batch_of_a_producer_stays_to_tell_its_sequence) {
  CompactedMachine machine(6);
  machine.open();
  const kafka::BatchOptions first{.producer_id = 9, .producer_epoch = 0, .base_sequence = 0};
  const kafka::BatchOptions second{.producer_id = 9, .producer_epoch = 0, .base_sequence = 1};
  ASSERT_TRUE(machine.put({{"k", "1"}}, first));
  const Offset at = machine.put({{"k", "2"}}, second).value().base_offset;
  ASSERT_TRUE(machine.put("k", "of another"));
  machine.compact();
  EXPECT_EQ(machine.count("k"), 1U);
  machine.power_cut();
  // Without snapshots the producers are read from the batches.
  const auto entries = machine.world().files().list("data/t-0").value();
  for (const auto& entry : entries) {
    if (!entry.name.ends_with(".snapshot")) continue;
    ASSERT_TRUE(machine.world().files().remove("data/t-0/" + entry.name));
  }
  machine.open();
  const Appended again = machine.put({{"k", "2"}}, second).value();
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.base_offset, at);
  EXPECT_EQ(machine.table(), (Table{{"k", "of another"}}));
}

TEST(compaction, more_keys_than_the_map_holds_take_several_rounds) {
  CompactedMachine machine(7);
  machine.options.compaction_map_bytes = 64U << 10U;
  machine.open();
  Table want;
  for (int round = 0; round < 2; ++round)
    for (int i = 0; i < 1'500; ++i) {
      const std::string key = "key-with-some-length-" + std::to_string(i);
      if (i % 10 == 0) {
        std::vector<Record> records;
        for (int k = i; k < i + 10; ++k) {
          records.push_back({"key-with-some-length-" + std::to_string(k), std::to_string(round)});
          want[records.back().key] = std::to_string(round);
        }
        ASSERT_TRUE(machine.put(records));
      }
    }
  machine.compact();
  machine.until([&] {
    return machine.partition(0).clean_end().value >= 2'990 && !machine.store().compacting();
  });
  EXPECT_GT(machine.store().counters().compactions, 1U);
  EXPECT_EQ(machine.table(), want);
  std::size_t records = 0;
  for (const auto& record : machine.records()) records += record.key == "~filler" ? 0U : 1U;
  EXPECT_EQ(records, want.size());
}

TEST(compaction, records_younger_than_the_least_lag_stay) {
  CompactedMachine machine(8);
  machine.settings.min_compaction_lag_ms = 600'000;
  machine.open();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(machine.put("k", std::string(50, 'v')));
  ASSERT_TRUE(machine.checkpoint());
  machine.world().run_for(1min);
  EXPECT_EQ(machine.store().counters().compactions, 0U);
  EXPECT_EQ(machine.count("k"), 50U);
  machine.world().run_for(15min);
  EXPECT_GT(machine.store().counters().compactions, 0U);
  EXPECT_LT(machine.count("k"), 20U);
}

TEST(compaction, what_has_waited_for_the_largest_lag_is_compacted_without_another_append) {
  CompactedMachine machine(9);
  machine.settings.min_cleanable_dirty_ratio = 1.0;
  machine.settings.segment_bytes = 1U << 20U;
  machine.settings.max_compaction_lag_ms = 60'000;
  machine.open();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(machine.put("k", "v" + std::to_string(i)));
  ASSERT_TRUE(machine.checkpoint());
  machine.world().run_for(3min);
  EXPECT_EQ(machine.count("k"), 1U);
  EXPECT_EQ(machine.table(), (Table{{"k", "v49"}}));
}

TEST(compaction, damage_leaves_the_partition_alone_and_loses_nothing_else) {
  CompactedMachine machine(10);
  machine.open();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(machine.put("k" + std::to_string(i), "value"));
  ASSERT_TRUE(machine.checkpoint());
  machine.world().files().damage("data/t-0/00000000000000000000.log", 80, "?");
  ASSERT_TRUE(machine.put("~filler", std::string(1100, '.')));
  ASSERT_TRUE(machine.put("~filler", std::string(1100, '.')));
  ASSERT_TRUE(machine.checkpoint());
  machine.until([&] { return machine.partition(0).uncleanable().has_value(); });
  EXPECT_EQ(machine.store().counters().failed_compactions, 1U);
  machine.world().run_for(1min);
  EXPECT_EQ(machine.store().counters().failed_compactions, 1U);
  EXPECT_EQ(machine.files_ending(".cleaned") + machine.files_ending(".deleted"), 0U);
  EXPECT_FALSE(machine.read(0, Offset(50)).value().empty());
  EXPECT_TRUE(machine.put("k", "goes on"));
}

TEST(compaction, a_full_disk_stops_it_for_a_while_and_loses_nothing) {
  CompactedMachine machine(11);
  machine.open();
  Table want;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(machine.put("k" + std::to_string(i % 50), "value " + std::to_string(i)));
    want["k" + std::to_string(i % 50)] = "value " + std::to_string(i);
  }
  machine.world().files().add_fault({.op = io::FileOp::write,
                                     .path = ".cleaned",
                                     .skip = 0,
                                     .count = 0,
                                     .error = Errc::disk_full});
  ASSERT_TRUE(machine.put("~filler", std::string(1100, '.')));
  ASSERT_TRUE(machine.put("~filler", std::string(1100, '.')));
  ASSERT_TRUE(machine.checkpoint());
  machine.until([&] { return machine.store().counters().failed_compactions > 0; });
  EXPECT_EQ(machine.table(), want);
  machine.world().files().clear_faults();
  machine.until([&] { return machine.store().counters().compactions > 0; });
  EXPECT_EQ(machine.table(), want);
  EXPECT_EQ(machine.count("k7"), 1U);
}

TEST(compaction, an_exchange_that_fails_loses_nothing_of_what_was_acknowledged_meanwhile) {
  CompactedMachine machine(1);
  machine.options.flush_bytes = 1U << 20U;
  machine.open();
  ASSERT_TRUE(machine.put("k", "old"));
  ASSERT_TRUE(machine.put("k", "new"));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(machine.put("~filler", std::string(1100, '.')));
  ASSERT_TRUE(machine.checkpoint());
  ASSERT_TRUE(machine.put("last", "of the tail"));
  machine.world().files().add_fault({.op = io::FileOp::rename, .path = ".index", .count = 1});
  machine.until([&] { return machine.partition(0).fenced().has_value(); });
  ASSERT_TRUE(machine.checkpoint());
  machine.power_cut();
  machine.open();
  EXPECT_EQ(machine.table(), (Table{{"k", "new"}, {"last", "of the tail"}}));
}

TEST(compaction, a_power_cut_at_any_moment_of_it_keeps_every_key) {
  std::uint64_t crashes = 0;
  for (std::uint64_t seed = 1; seed <= 120; ++seed) {
    CompactedMachine machine(seed);
    machine.options.compaction_interval = 100s;
    machine.open();
    Rng rng(seed);
    Table want;
    for (int i = 0; i < 60; ++i) {
      const std::string key = "k" + std::to_string(rng.below(9));
      if (rng.below(5) == 0) {
        ASSERT_TRUE(machine.put({{key, std::nullopt}}));
        want.erase(key);
      } else {
        ASSERT_TRUE(machine.put(key, std::to_string(i)));
        want[key] = std::to_string(i);
      }
    }
    ASSERT_TRUE(machine.put("~filler", std::string(1100, '.')));
    ASSERT_TRUE(machine.put("~filler", std::string(1100, '.')));
    ASSERT_TRUE(machine.checkpoint());
    machine.world().files().crash_after(rng.below(70));
    machine.store().compact_most_dirty();
    machine.world().run_for(10s);
    crashes += machine.world().files().crashed() ? 1 : 0;
    machine.power_cut();
    machine.open();
    EXPECT_EQ(machine.table(), want) << "seed " << seed;
    EXPECT_TRUE(machine.store().recovery().damage.empty()) << "seed " << seed;
    machine.compact();
    EXPECT_EQ(machine.table(), want) << "seed " << seed;
    // And a crash of what completes an exchange.
    machine.power_cut();
    machine.world().files().crash_after(rng.below(30));
    if (!machine.try_open()) {
      machine.power_cut();
      machine.open();
    }
    machine.world().files().crash_after(1'000'000'000);
    EXPECT_EQ(machine.table(), want) << "seed " << seed;
  }
  EXPECT_GT(crashes, 60U);
}

TEST(compaction, a_policy_of_compact_alone_removes_nothing_by_age_but_with_delete_it_does) {
  for (const bool remove : {false, true}) {
    CompactedMachine machine(12);
    machine.settings.remove = remove;
    machine.settings.retention_ms = 60'000;
    machine.options.retention_interval = 10s;
    machine.open();
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(machine.put("k" + std::to_string(i), "value"));
    ASSERT_TRUE(machine.checkpoint());
    machine.world().run_for(3min);
    EXPECT_EQ(machine.partition(0).log_start().value > 0, remove);
  }
}

TEST(compaction, deleted_records_stay_deleted_and_the_answer_is_durable) {
  CompactedMachine machine(13);
  machine.open();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(machine.put("k" + std::to_string(i), "value"));
  std::optional<Result<Offset>> answer;
  const auto ask = [&](std::int64_t before) {
    answer.reset();
    machine.store().delete_records(machine.spec(0).id, Offset(before),
                                   [&](Result<Offset> r) { answer = std::move(r); });
    machine.until([&] { return answer.has_value(); });
  };
  ask(42);
  EXPECT_EQ(answer->value(), Offset(42));
  machine.power_cut();
  machine.open();
  EXPECT_EQ(machine.partition(0).log_start(), Offset(42));
  EXPECT_EQ(machine.read(0, Offset(41)).error().code(), Errc::offset_out_of_range);
  EXPECT_EQ(machine.records(Offset(42)).front().key, "k42");
  ask(7);  // never back
  EXPECT_EQ(answer->value(), Offset(42));
  ask(101);
  EXPECT_EQ(answer->error().code(), Errc::offset_out_of_range);
  ask(100);
  EXPECT_EQ(answer->value(), Offset(100));
  EXPECT_EQ(machine.put("next", "one").value().base_offset, Offset(100));
}

TEST(compaction, a_partition_that_is_removed_in_the_middle_takes_its_files_along) {
  CompactedMachine machine(14);
  machine.options.compaction_step_bytes = 500;
  machine.options.compaction_bytes_per_second = 10'000;
  machine.open();
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(machine.put("k" + std::to_string(i), "value"));
  ASSERT_TRUE(machine.checkpoint());
  machine.until([&] { return machine.store().compacting(); });
  machine.store().remove(machine.spec(0).id);
  machine.new_topic_id(0);
  machine.add(0);
  ASSERT_TRUE(machine.put("fresh", "topic"));
  ASSERT_TRUE(machine.checkpoint());
  machine.until([&] { return !machine.store().compacting(); });
  EXPECT_EQ(machine.table(), (Table{{"fresh", "topic"}}));
  EXPECT_EQ(machine.files_ending(".cleaned") + machine.files_ending(".swap"), 0U);
}

TEST(compaction, its_throttle_is_kept) {
  CompactedMachine machine(15);
  machine.options.compaction_step_bytes = 1'000;
  machine.options.compaction_bytes_per_second = 1'000;
  machine.open();
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(machine.put("k" + std::to_string(i), "value"));
  ASSERT_TRUE(machine.checkpoint());
  machine.until([&] { return machine.store().compacting(); });
  const MonoTime began = machine.process().loop().now();
  machine.until([&] { return machine.store().counters().compactions > 0; });
  const auto& done = machine.store().counters();
  const double seconds =
      std::chrono::duration<double>(machine.process().loop().now() - began).count();
  EXPECT_GE(seconds, 0.8 * static_cast<double>(done.compacted_bytes_read) / 1'000);
}

}  // namespace
}  // namespace weir::log
