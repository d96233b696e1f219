// What is left of a RocksDB database after crashes at any moment, over a disk that loses what was
// not synced: always the state behind some batch, and behind the last flush at least.
#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "base/rng.h"
#include "state/crash_disk.h"
#include "state/rocksdb_files.h"
#include "state/state_test_kit.h"

namespace weir::state {
namespace {

enum class Fault : std::uint8_t {
  none,
  syncs_lost,           // the disk forgets what it has synced
  zeros_in_tails,       // it has kept the size of a file, and zeros for what was not synced
  batches_split,        // a batch is written operation by operation
  batch_behind_ingest,  // what is ingested is there before the batch that was written before it
};

/// A database with a planted fault in front of a good one.
class Faulty final : public Database {
 public:
  Faulty(std::unique_ptr<Database> good, Fault fault) : good_(std::move(good)), fault_(fault) {}

  Result<bool> get(std::string_view key, std::string& value) const override {
    return good_->get(key, value);
  }
  Result<void> multi_get(std::span<const std::string_view> keys,
                         std::span<std::optional<std::string>> found) const override {
    return good_->multi_get(keys, found);
  }
  std::unique_ptr<Cursor> scan(const Range& range, Order order) const override {
    return good_->scan(range, order);
  }
  Result<void> write(const Batch& batch) override {
    if (fault_ == Fault::batches_split) return write_split(batch);
    if (auto done = write_held_back(); !done) return done;
    held_back_ = batch;
    return fault_ == Fault::batch_behind_ingest ? Result<void>() : write_held_back();
  }
  Result<void> ingest(const Range& range, Run& run) override {
    auto done = good_->ingest(range, run);
    if (!done && done.error().code() == Errc::invalid_argument) {
      // The batch that is held back removes the range first.
      if (auto written = write_held_back(); !written) return written;
      done = good_->ingest(range, run);
    }
    return done ? write_held_back() : done;
  }
  Result<void> flush() override {
    if (auto done = write_held_back(); !done) return done;
    return good_->flush();
  }
  Size size() const override { return good_->size(); }

 private:
  Result<void> write_held_back() {
    auto done = good_->write(held_back_);
    held_back_.clear();
    return done;
  }
  Result<void> write_split(const Batch& batch) {
    Result<void> done;
    batch.for_each([&](const Batch::Operation& operation) {
      if (!done) return;
      Batch one;
      switch (operation.kind) {
        case Batch::Kind::put: one.put(operation.key, operation.value); break;
        case Batch::Kind::remove: one.remove(operation.key); break;
        case Batch::Kind::remove_range: one.remove(Range{operation.key, operation.value}); break;
        case Batch::Kind::remove_to_end: one.remove(Range{operation.key, std::nullopt}); break;
      }
      done = good_->write(one);
    });
    return done;
  }

  std::unique_ptr<Database> good_;
  const Fault fault_;
  Batch held_back_;
};

/// Some lives of one database, each with batches, flushes and ingestions, each ended at any moment.
class Lives {
 public:
  Lives(std::uint64_t seed, Fault fault)
      : rng_(seed),
        fault_(fault),
        disk_(rng_.next(), {.loses_syncs = fault == Fault::syncs_lost,
                            .zeros_in_tails = fault == Fault::zeros_in_tails}),
        // With the smaller ones files are written behind every few batches, and compacted.
        memory_({.cache_bytes = 1U << 20U,
                 .write_buffer_bytes = (rng_.one_in(2) ? 64U : 600U) << 10U}) {}

  /// What was wrong; empty if nothing was.
  std::string run(int lives) {
    for (int life = 0; life < lives && fault_found_.empty(); ++life) {
      disk_.stop_after(1 + rng_.below(rng_.one_in(3) ? 30 : 600));
      live();
      if (fault_found_.empty()) die();
    }
    if (fault_found_.empty()) open_and_compare();
    return fault_found_;
  }

  int crashes() const { return crashes_; }
  int lost_batches() const { return lost_batches_; }

 private:
  using Model = std::map<std::string, std::string>;

  void live() {
    open_and_compare();
    if (!database_) return;
    const std::uint64_t steps = 5 + rng_.below(60);
    for (std::uint64_t step = 0; step < steps && !disk_.stopped() && fault_found_.empty(); ++step) {
      const std::uint64_t what = rng_.below(20);
      if (what < 2)
        flush();
      else if (what < 4)
        ingest();
      else
        write();
    }
  }

  void die() {
    const bool closed = !disk_.stopped() && rng_.one_in(4);
    if (!closed) disk_.stop_after(0);
    database_.reset();
    if (closed && !disk_.stopped()) durable_ = states_.size() - 1;  // closing writes what is left
    disk_.stop_after(0);
    if (!closed && rng_.one_in(4)) {
      disk_.revive();
    } else {
      disk_.power_fails();
      ++crashes_;
    }
  }

  void open_and_compare() {
    auto opened = open_rocksdb_on({"/var/state/0_1", memory_}, disk_.env());
    if (!opened) {
      if (!disk_.stopped()) fault_found_ = opened.error().message();
      return;
    }
    database_ = std::make_unique<Faulty>(std::move(*opened), fault_);
    const Entries found = all(*database_);
    for (std::size_t i = states_.size(); i-- > durable_;) {
      if (found != Entries(states_[i].begin(), states_[i].end())) continue;
      lost_batches_ += static_cast<int>(states_.size() - 1 - i);
      states_ = {states_[i]};
      durable_ = 0;
      return;
    }
    if (disk_.stopped())
      return database_.reset();  // reading changes nothing, but may not have read
    fault_found_ = "there are " + std::to_string(found.size()) + " entries, which is no state of " +
                   std::to_string(durable_) + " to " + std::to_string(states_.size() - 1);
  }

  std::string key() { return "k" + std::to_string(100 + rng_.below(60)); }

  void write() {
    Model next = states_.back();
    Batch batch;
    for (std::uint64_t n = rng_.below(12); n > 0; --n) {
      const std::string k = key();
      if (rng_.below(8) < 6) {
        const std::string value = std::to_string(rng_.next()) + std::string(rng_.below(3'000), 'v');
        batch.put(k, value);
        next[k] = value;
      } else if (rng_.one_in(2)) {
        batch.remove(k);
        next.erase(k);
      } else {
        const PrefixRange range(k.substr(0, 3));
        batch.remove(range.range());
        next.erase(next.lower_bound(std::string(range.range().from)),
                   next.lower_bound(std::string(*range.range().to)));
      }
    }
    ++number_;
    batch.put("batch", std::to_string(number_));
    next["batch"] = std::to_string(number_);
    states_.push_back(std::move(next));  // if it fails, it may still be there
    expect(database_->write(batch));
  }

  void ingest() {
    const std::string name = "run" + std::to_string(rng_.below(4));
    const PrefixRange range(name);
    Model next = states_.back();
    const auto at = next.lower_bound(name);
    if (at != next.end() && at->first.starts_with(name) && rng_.one_in(2)) return remove_run(range);
    Changes changes;
    for (int n = 100; n < 130; ++n) {
      if (rng_.one_in(3)) continue;
      const std::string key = name + "/" + std::to_string(n);
      if (rng_.one_in(4)) {
        next.erase(key);
        changes.emplace_back(key, std::nullopt);
      } else {
        changes.emplace_back(key, next[key] = std::to_string(rng_.next()));
      }
    }
    EntriesRun run(std::move(changes));
    states_.push_back(std::move(next));
    const bool empty = states_.back() == states_[states_.size() - 2];
    if (expect(database_->ingest(range.range(), run)) && !empty) durable_ = states_.size() - 1;
  }

  void remove_run(const PrefixRange& range) {
    Model next = states_.back();
    Batch batch;
    batch.remove(range.range());
    batch.put("batch", std::to_string(++number_));
    next.erase(next.lower_bound(std::string(range.range().from)),
               next.lower_bound(std::string(*range.range().to)));
    next["batch"] = std::to_string(number_);
    states_.push_back(std::move(next));
    expect(database_->write(batch));
  }

  void flush() {
    if (expect(database_->flush())) durable_ = states_.size() - 1;
  }

  /// Only a disk that has stopped is a reason for an error.
  bool expect(const Result<void>& done) {
    if (!done && !disk_.stopped()) fault_found_ = done.error().message();
    return done.has_value();
  }

  Rng rng_;
  const Fault fault_;
  CrashDisk disk_;
  SharedMemory memory_;
  std::unique_ptr<Database> database_;
  std::vector<Model> states_ = {{}};  // behind each batch since the last opening
  std::size_t durable_ = 0;           // the first of them that must not be lost
  int number_ = 0;
  int crashes_ = 0;
  int lost_batches_ = 0;
  std::string fault_found_;
};

TEST(crash, leaves_the_state_behind_a_batch_and_no_flushed_one_is_lost) {
  int crashes = 0;
  int lost = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Lives lives(seed, Fault::none);
    ASSERT_EQ(lives.run(4), "") << "seed " << seed;
    crashes += lives.crashes();
    lost += lives.lost_batches();
  }
  EXPECT_GT(crashes, 400);
  EXPECT_GT(lost, 1'000);  // else nothing was proved
  RecordProperty("crashes", crashes);
  RecordProperty("batches_lost_that_were_not_flushed", lost);
}

TEST(crash, between_the_making_of_the_folder_and_its_sync_is_made_good_by_who_opens_next) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    CrashDisk disk(seed, {});
    ASSERT_TRUE(disk.make_folder("/var", false).ok());
    ASSERT_TRUE(disk.sync_folder("/").ok());
    ASSERT_TRUE(disk.make_folder("/var/0_1", false).ok());
    const SharedMemory memory;
    {
      const auto database = open_rocksdb_on({"/var/0_1", memory}, disk.env());
      Batch batch;
      batch.put("a", "1");
      ASSERT_TRUE((*database)->write(batch));
      ASSERT_TRUE((*database)->flush());
      disk.stop_after(0);
    }
    disk.power_fails();
    ASSERT_TRUE(disk.is_folder("/var/0_1")) << "seed " << seed;
    const auto database = open_rocksdb_on({"/var/0_1", memory}, disk.env());
    EXPECT_EQ(all(**database), (Entries{{"a", "1"}}));
  }
}

/// RocksDB takes the end of a MANIFEST that is zeros for damage. So it may be restored without
/// need, but is never believed.
TEST(crash, that_leaves_zeros_in_what_was_not_synced_is_told_as_damage_or_does_no_harm) {
  int damaged = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const std::string seen = Lives(seed, Fault::zeros_in_tails).run(4);
    if (seen.empty()) continue;
    ++damaged;
    EXPECT_NE(seen.find("delete the folder"), std::string::npos) << seen << ", seed " << seed;
  }
  EXPECT_LT(damaged, 30);
}

/// How many of so many seeds see the fault, and not another.
int seeds_that_find(Fault fault, int seeds) {
  int found = 0;
  for (int seed = 1; seed <= seeds; ++seed) {
    const std::string seen = Lives(static_cast<std::uint64_t>(seed), fault).run(4);
    // A disk that forgets is seen by RocksDB's own checksums too.
    if (seen.find("is no state") != std::string::npos ||
        (fault == Fault::syncs_lost && seen.find("delete the folder") != std::string::npos))
      ++found;
    else
      EXPECT_EQ(seen, "") << "seed " << seed;
  }
  return found;
}

TEST(crash, a_disk_that_loses_what_it_synced_is_found) {
  EXPECT_GT(seeds_that_find(Fault::syncs_lost, 20), 5);
}

TEST(crash, a_database_whose_batches_are_not_atomic_is_found) {
  EXPECT_GT(seeds_that_find(Fault::batches_split, 40), 5);
}

TEST(crash, an_ingestion_that_overtakes_a_batch_is_found) {
  EXPECT_GT(seeds_that_find(Fault::batch_behind_ingest, 40), 2);
}

}  // namespace
}  // namespace weir::state
