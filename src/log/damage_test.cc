// Damage of every kind of file: what is whole is served, no wrong byte is, and nothing is deleted.
#include "log/damage.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "kafka/batch_builder.h"
#include "log/log_store.h"
#include "log/log_test_kit.h"

namespace weir::log {
namespace {

using namespace std::chrono_literals;

constexpr int partitions = 3;

struct Kept {
  std::int64_t last;
  std::string bytes;
};
using Batches = std::map<std::int64_t, Kept>;  // by base offset

enum class Victim : std::uint8_t { wal, active, rolled, index, snapshot, checkpoint, other };
constexpr Victim victims[] = {Victim::wal,   Victim::active,   Victim::rolled,    Victim::index,
                              Victim::other, Victim::snapshot, Victim::checkpoint};

struct DamageCounters {
  int lost_batches = 0;
  std::uint64_t mended = 0;  // while it was read
  std::uint64_t mended_at_start = 0;
  int cut = 0;  // by a power cut, while mending
  int rounds = 0;
  std::map<Victim, int> of;
};

class DamageRun {
 public:
  DamageRun(std::uint64_t seed, Victim victim) : rng_(seed), machine_(seed), victim_(victim) {
    machine_.settings.segment_bytes = 600 + rng_.below(2000);
    machine_.settings.index_interval_bytes = 50 + rng_.below(300);
    machine_.options.flush_bytes = 1 + rng_.below(500);
    machine_.options.tail_cache_bytes = rng_.below(500);
    machine_.options.wal_file_bytes = 16U << 10U;
    machine_.options.checkpoint_interval = std::chrono::hours(1);
  }

  void run(DamageCounters& counters) {
    write();
    if (!pick()) return;
    const std::string before = content(path_);
    hurt();
    if (before == content(path_)) return;
    ++counters.rounds;
    ++counters.of[victim_];
    expect(before);
    SCOPED_TRACE(path_ + ": " + what_);
    for (int start = 0; start < 2; ++start) {  // the second must be no worse than the first
      ASSERT_TRUE(machine_.try_open()) << "start " << start;
      check_epoch(start > 0 || !stopped_);
      int refused = 0;
      for (int p = 0; p < partitions; ++p) (void)read_batches(p, &refused);
      if (start == 0 && rng_.one_in(3)) {  // in the middle of mending, perhaps
        for (std::uint64_t steps = rng_.below(20); steps > 0; --steps) machine_.world().step();
        counters.cut += machine_.store().mending() ? 1 : 0;
        machine_.power_cut();
        continue;
      }
      machine_.until([&] { return !machine_.store().mending(); });
      counters.mended += machine_.store().counters().mended_batches;
      counters.mended_at_start += machine_.store().recovery().mended_batches;
      for (int p = 0; p < partitions; ++p) check_partition(p, counters);
      if (start == 0) machine_.kill();
    }
    check_appends();
  }

 private:
  void write() {
    machine_.open();
    std::int32_t sequence = 0;
    for (int i = 0; i < 90; ++i) {
      const int p = static_cast<int>(rng_.below(partitions));
      const std::string text = std::to_string(i) + std::string(rng_.below(150), '.');
      if (p == 0) {
        ASSERT_TRUE(machine_.append_idempotent(p, text, 7, 0, sequence++));
      } else {
        ASSERT_TRUE(machine_.append(p, text, 1 + static_cast<int>(rng_.below(3))));
      }
      if (rng_.one_in(25)) {
        ASSERT_TRUE(machine_.checkpoint());
      }
      if (rng_.one_in(40)) {
        machine_.power_cut();
        machine_.open();
      }
    }
    ASSERT_TRUE(machine_.checkpoint());
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(machine_.append(1, "late" + std::to_string(i)));
    epoch_ = machine_.store().leader_epoch();
    for (int p = 0; p < partitions; ++p) original_[p] = read_batches(p, nullptr);
    for (int p = 0; p < partitions; ++p) ends_[p] = machine_.partition(p).next_offset();
    stopped_ = rng_.one_in(2);
    if (stopped_)
      machine_.close();
    else
      machine_.kill();
  }

  std::string content(const std::string& path) {
    auto text = io::read_file(machine_.world().files(), path, 64U << 20U);
    return text ? *text : std::string();
  }

  std::vector<std::string> names_in(const std::string& folder) {
    std::vector<std::string> out;
    const auto entries = machine_.world().files().list(folder);
    if (!entries) return out;
    for (const auto& entry : *entries)
      if (!entry.is_directory) out.push_back(folder + "/" + entry.name);
    return out;
  }

  bool pick() {
    std::vector<std::string> candidates;
    const auto keep = [&](const std::string& folder, const auto& wanted) {
      for (const auto& path : names_in(folder))
        if (wanted(path)) candidates.push_back(path);
    };
    const std::string folder = "data/t-" + std::to_string(rng_.below(partitions));
    const auto is = [](std::string_view path, std::string_view end) { return path.ends_with(end); };
    switch (victim_) {
      case Victim::wal: keep("data/wal", [&](auto& p) { return is(p, ".wal"); }); break;
      case Victim::active:
      case Victim::rolled: {
        keep(folder, [&](auto& p) { return is(p, ".log"); });
        std::sort(candidates.begin(), candidates.end());
        if (candidates.empty()) return false;
        if (victim_ == Victim::active)
          candidates = {candidates.back()};
        else
          candidates.pop_back();
        break;
      }
      case Victim::index:
        keep(folder, [&](auto& p) { return is(p, ".index") || is(p, ".timeindex"); });
        break;
      case Victim::snapshot: keep("data/t-0", [&](auto& p) { return is(p, ".snapshot"); }); break;
      case Victim::checkpoint: keep("data", [&](auto& p) { return is(p, "-checkpoint"); }); break;
      case Victim::other:
        keep(folder, [&](auto& p) { return is(p, "leader-epoch-checkpoint"); });
        break;
    }
    if (candidates.empty()) return false;
    path_ = candidates[rng_.below(candidates.size())];
    return true;
  }

  void hurt() {
    auto& files = machine_.world().files();
    std::string bytes = content(path_);
    if (bytes.empty()) return;
    const std::uint64_t at = rng_.below(bytes.size());
    switch (rng_.below(5)) {
      case 0:
        what_ = "deleted";
        check(files.remove(path_).has_value(), "a file is removed");
        return;
      case 1:
        what_ = "cut at " + std::to_string(at);
        bytes.resize(at);
        break;
      case 2: {
        what_ = "zeros from " + std::to_string(at);
        const std::uint64_t size = std::min<std::uint64_t>(1 + rng_.below(600), bytes.size() - at);
        std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), size, '\0');
        break;
      }
      case 3: {
        const std::uint64_t other = rng_.below(bytes.size());
        const std::uint64_t size =
            std::min<std::uint64_t>({1 + rng_.below(300), bytes.size() - at, bytes.size() - other});
        what_ = "swapped " + std::to_string(at) + " and " + std::to_string(other);
        const std::string a = bytes.substr(at, size);
        const std::string b = bytes.substr(other, size);
        bytes.replace(at, size, b);
        bytes.replace(other, size, a);
        break;
      }
      default:
        what_ = "a bit at " + std::to_string(at);
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng_.below(8)));
    }
    auto file = files.open(path_, io::OpenMode::create).value();
    check(file->truncate(0).has_value() && file->write_at(0, bytes).has_value() &&
              file->sync().has_value(),
          "a file is written");
  }

  // What must still be readable: each batch that stands whole in a segment or in the write-ahead
  // log. Read by other means than the log's own.
  void expect(const std::string& before) {
    for (int p = 0; p < partitions; ++p)
      for (const auto& path : names_in("data/t-" + std::to_string(p))) {
        if (!path.ends_with(".log")) continue;
        const std::string bytes = content(path);
        find_in(p, path == path_ ? before : bytes, bytes);
      }
    std::map<std::uint64_t, std::string> files;  // by id
    for (const auto& path : names_in("data/wal")) {
      const std::string bytes = content(path);
      if (bytes.starts_with("weirwal1")) files[load_be<std::uint64_t>(bytes.data() + 16)] = bytes;
    }
    for (const auto& [id, bytes] : files) find_in_wal(id, bytes);
  }

  // In their place: a block that was moved may hold whole batches, too.
  void find_in(int p, const std::string& before, const std::string& bytes) {
    for (const auto& [offset, batch] : original_[p]) {
      const std::size_t at = before.find(batch.bytes);
      if (at == std::string::npos) continue;
      if (bytes.substr(std::min(at, bytes.size())).starts_with(batch.bytes))
        must_be_read_[p].insert(offset);
      else
        ++hurt_batches_;
    }
  }

  void find_in_wal(std::uint64_t id, const std::string& bytes) {
    for (std::size_t at = 4096; at + 48 < bytes.size(); at += 4096) {
      const std::string_view record = std::string_view(bytes).substr(at);
      const std::size_t length = load_be<std::uint32_t>(record.data() + 8);
      if (!record.starts_with("WREC") || load_be<std::uint64_t>(record.data() + 16) != id ||
          48 + length > record.size() ||
          crc32c(record.substr(8, 40 + length)) != load_be<std::uint32_t>(record.data() + 4))
        continue;
      const std::string entries(record.substr(48, length));
      for (int p = 0; p < partitions; ++p) find_in(p, entries, entries);
    }
  }

  // Every batch that can be read, offset by offset where something is gone.
  Batches read_batches(int p, int* refused) {
    Batches out;
    Offset at = machine_.partition(p).log_start();
    while (at < machine_.partition(p).high_watermark()) {
      const auto bytes = machine_.read(p, at, 700);
      if (!bytes || bytes->empty()) {
        if (refused != nullptr) ++*refused;
        EXPECT_TRUE(refused != nullptr) << "at " << at.value;
        if (bytes) {
          ADD_FAILURE() << "nothing and no error at " << at.value;
        } else {
          EXPECT_EQ(bytes.error().code(), Errc::corrupt_message) << bytes.error().message();
        }
        ++at;
        continue;
      }
      std::string_view rest = *bytes;
      while (!rest.empty()) {
        const std::string_view batch = whole_batch(rest);
        EXPECT_FALSE(batch.empty()) << "a damaged batch was served near " << at.value;
        if (batch.empty()) return out;
        const BatchHeader header(batch);
        out[header.base_offset().value] = {header.last_offset().value, std::string(batch)};
        at = header.last_offset() + 1;
        rest.remove_prefix(batch.size());
      }
    }
    return out;
  }

  // A start that does not follow a clean stop has an epoch of its own, whatever was damaged.
  void check_epoch(bool after_a_kill) {
    const LeaderEpoch now = machine_.store().leader_epoch();
    EXPECT_GE(now, epoch_);
    if (after_a_kill) {
      EXPECT_GT(now, epoch_);
    }
    epoch_ = now;
  }

  void check_partition(int p, DamageCounters& counters) {
    if (machine_.partition(p).fenced())
      ADD_FAILURE() << "partition " << p
                    << " is fenced: " << machine_.partition(p).fenced()->message();
    int refused = 0;
    const Batches now = read_batches(p, &refused);
    for (const auto& [offset, batch] : now) {
      const auto known = original_[p].find(offset);
      if (known == original_[p].end())
        ADD_FAILURE() << p << "/" << offset << " was never written";
      else
        EXPECT_EQ(batch.bytes, known->second.bytes) << p << "/" << offset;
    }
    std::size_t lost = 0;
    for (const auto& [offset, batch] : original_[p]) {
      if (now.contains(offset)) continue;
      ++lost;
      // A block that was moved holds whole batches in a wrong place: which of two is in its own
      // cannot always be told, so there the number counts.
      const bool moved = what_.starts_with("swapped") && path_.ends_with(".log");
      const bool allowed = moved ? lost <= hurt_batches_ : !must_be_read_[p].contains(offset);
      EXPECT_TRUE(allowed) << p << "/" << offset << " is whole on the disk and cannot be read";
    }
    counters.lost_batches += static_cast<int>(lost);
    if (victim_ != Victim::wal || now.contains(original_[p].rbegin()->first)) {
      EXPECT_EQ(machine_.partition(p).next_offset(), ends_[p]) << "partition " << p;
    }
  }

  void check_appends() {
    for (int p = 0; p < partitions; ++p) {
      const Offset end = machine_.partition(p).next_offset();
      const auto appended = machine_.append(p, "after");
      ASSERT_TRUE(appended) << appended.error().message();
      EXPECT_EQ(appended->base_offset, end);
      EXPECT_FALSE(machine_.read(p, end).value().empty());
    }
    ASSERT_TRUE(machine_.checkpoint());
  }

  Rng rng_;
  LogMachine machine_;
  Victim victim_;
  std::map<int, Batches> original_;
  std::map<int, Offset> ends_;
  std::map<int, std::set<std::int64_t>> must_be_read_;
  std::size_t hurt_batches_ = 0;
  bool stopped_ = false;  // and not killed
  LeaderEpoch epoch_{0};
  std::string path_;
  std::string what_;
};

TEST(damage, what_is_whole_is_served_and_no_wrong_byte_is) {
  DamageCounters counters;
  for (std::uint64_t seed = 1; counters.rounds < 1000 && seed < 3000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    DamageRun(seed, victims[seed % std::size(victims)]).run(counters);
    if (HasFatalFailure() || HasNonfatalFailure()) break;
  }
  if (HasFailure()) return;
  EXPECT_EQ(counters.rounds, 1000);
  EXPECT_GT(counters.lost_batches, 100) << "damage that harms nothing proves nothing";
  EXPECT_GT(counters.mended, 40U);
  EXPECT_GT(counters.mended_at_start, 100U);
  EXPECT_GE(counters.cut, 3);
  for (const Victim victim : victims) EXPECT_GT(counters.of[victim], 50);
}

TEST(checked_bytes, are_what_was_added_and_what_is_ones_own) {
  CheckedBytes checked(1000);
  EXPECT_FALSE(checked.covers(0, 10));
  EXPECT_TRUE(checked.covers(1000, 5000));
  checked.add(0, 100);
  checked.add(200, 300);
  EXPECT_TRUE(checked.covers(10, 100));
  EXPECT_FALSE(checked.covers(10, 201));
  checked.add(100, 200);
  EXPECT_TRUE(checked.covers(0, 300));
  EXPECT_FALSE(checked.covers(0, 5000));
  checked.add(250, 1000);
  EXPECT_TRUE(checked.covers(0, 5000));
}

}  // namespace
}  // namespace weir::log
