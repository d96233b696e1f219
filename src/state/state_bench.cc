// What databases cost: a million entries of 8 + 92 bytes, keys in random order.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "base/check.h"
#include "base/rng.h"
#include "state/database_kinds.h"

namespace weir::state {
namespace {

constexpr std::size_t entries = 1'000'000;
constexpr std::size_t batch_entries = 10'000;
constexpr std::size_t value_bytes = 92;

/// The i-th key of an order that is none; each comes once.
std::string key_of(std::uint64_t i) {
  std::uint64_t mixed = i * 0x9e3779b97f4a7c15U;  // odd: no two alike
  std::string key(8, '\0');
  for (std::size_t b = 8; b > 0; --b, mixed >>= 8U) key[b - 1] = static_cast<char>(mixed);
  return key;
}

/// Half of it is noise, as with data of programs.
std::string value_of(std::uint64_t i) {
  Rng rng(i);
  std::string value(value_bytes, 'v');
  for (std::size_t b = 0; b < value_bytes / 2; ++b) value[b] = static_cast<char>(rng.next());
  return value;
}

void fill(Database& database) {
  Batch batch;
  for (std::size_t i = 0; i < entries; ++i) {
    batch.put(key_of(i), value_of(i));
    if (batch.size() < batch_entries) continue;
    check(database.write(batch).has_value(), "a batch was refused");
    batch.clear();
  }
  check(database.flush().has_value(), "the flush failed");
}

/// A full database of a kind, for those that only read; filled once.
const Database& full(const Kind& kind) {
  struct Full {
    std::unique_ptr<Place> place;
    std::unique_ptr<Database> database;
  };
  // RocksDB's own statics are made before, and so go behind it.
  static std::map<std::string, Full> made = [] {
    for (const Kind* each : kinds()) each->make_place()->open();
    return std::map<std::string, Full>();
  }();
  Full& one = made[kind.name];
  if (!one.database) {
    one.place = kind.make_place();
    one.database = one.place->open();
    fill(*one.database);
  }
  return *one.database;
}

void count(benchmark::State& state, std::size_t number) {
  state.SetItemsProcessed(static_cast<std::int64_t>(number) * state.iterations());
}

/// Until the disk has it.
void put_in_batches(benchmark::State& state, const Kind& kind) {
  std::vector<Batch> batches(entries / batch_entries);
  for (std::size_t i = 0; i < entries; ++i) batches[i / batch_entries].put(key_of(i), value_of(i));
  for (auto unused : state) {
    state.PauseTiming();
    const auto place = kind.make_place();
    auto database = place->open();
    state.ResumeTiming();
    for (const Batch& batch : batches)
      check(database->write(batch).has_value(), "a batch was refused");
    check(database->flush().has_value(), "the flush failed");
    state.PauseTiming();
    state.counters["memory_MB"] = static_cast<double>(database->size().memory_bytes) / 1e6;
    state.counters["disk_MB"] = static_cast<double>(database->size().disk_bytes) / 1e6;
    database.reset();
    state.ResumeTiming();
  }
  count(state, entries);
}

class MadeRun final : public Run {
 public:
  explicit MadeRun(const std::vector<std::pair<std::string, std::string>>& made) : made_(made) {}
  bool next(std::string_view& key, std::optional<std::string_view>& value) override {
    if (at_ == made_.size()) return false;
    key = made_[at_].first;
    value = made_[at_].second;
    ++at_;
    return true;
  }

 private:
  const std::vector<std::pair<std::string, std::string>>& made_;
  std::size_t at_ = 0;
};

void ingest(benchmark::State& state, const Kind& kind) {
  std::vector<std::pair<std::string, std::string>> made;
  for (std::size_t i = 0; i < entries; ++i) made.emplace_back(key_of(i), value_of(i));
  std::sort(made.begin(), made.end());
  for (auto unused : state) {
    state.PauseTiming();
    const auto place = kind.make_place();
    auto database = place->open();
    MadeRun run(made);
    state.ResumeTiming();
    check(database->ingest({}, run).has_value(), "the run was refused");
    state.PauseTiming();
    database.reset();
    state.ResumeTiming();
  }
  count(state, entries);
}

/// Batches over keys that are there, in the state that many of them leave behind.
void put_over(benchmark::State& state, const Kind& kind) {
  const auto place = kind.make_place();
  const auto database = place->open();
  fill(*database);
  Rng rng(1);
  const std::string value = value_of(0);
  Batch batch;
  for (auto unused : state) {
    batch.clear();
    for (std::size_t i = 0; i < batch_entries; ++i) batch.put(key_of(rng.below(entries)), value);
    check(database->write(batch).has_value(), "a batch was refused");
  }
  count(state, batch_entries);
}

/// `there` tells whether the keys are.
void get(benchmark::State& state, const Kind& kind, bool there) {
  const Database& database = full(kind);
  Rng rng(1);
  std::string value;
  for (auto unused : state)
    benchmark::DoNotOptimize(
        database.get(key_of(rng.below(entries) + (there ? 0 : entries)), value));
  count(state, 1);
}

void multi_get(benchmark::State& state, const Kind& kind) {
  constexpr std::size_t keys = 1'000;
  const Database& database = full(kind);
  Rng rng(1);
  std::vector<std::string> wanted(keys);
  std::vector<std::string_view> views(keys);
  std::vector<std::optional<std::string>> found(keys);
  for (auto unused : state) {
    for (std::size_t i = 0; i < keys; ++i) views[i] = wanted[i] = key_of(rng.below(entries));
    check(database.multi_get(views, found).has_value(), "the keys cannot be read");
  }
  count(state, keys);
}

void scan_all(benchmark::State& state, const Kind& kind) {
  const Database& database = full(kind);
  std::size_t bytes = 0;
  for (auto unused : state)
    for (const auto cursor = database.scan({}); cursor->valid(); cursor->next())
      bytes += cursor->key().size() + cursor->value().size();
  benchmark::DoNotOptimize(bytes);
  count(state, entries);
}

/// Cursors over some 15 entries each.
void scan_prefixes(benchmark::State& state, const Kind& kind) {
  const Database& database = full(kind);
  Rng rng(1);
  std::size_t seen = 0;
  for (auto unused : state) {
    const PrefixRange range(key_of(rng.next()).substr(0, 2));
    for (const auto cursor = database.scan(range.range()); cursor->valid(); cursor->next()) ++seen;
  }
  benchmark::DoNotOptimize(seen);
  count(state, 1);
}

/// What windows do: a batch brings a new segment of keys and removes the oldest, between lookups.
void expire_segments(benchmark::State& state, const Kind& kind) {
  constexpr std::uint64_t keys = 100;
  constexpr std::uint64_t kept = 100;  // segments
  const auto place = kind.make_place();
  const auto database = place->open();
  const std::string value = value_of(0);
  const auto segment = [](std::uint64_t n) { return std::to_string(1'000'000'000 + n); };
  std::uint64_t now = 0;
  Batch batch;
  std::string found;
  for (auto unused : state) {
    batch.clear();
    ++now;
    for (std::uint64_t i = 0; i < keys; ++i) batch.put(segment(now) + key_of(i), value);
    if (now > kept) batch.remove(PrefixRange(segment(now - kept)).range());
    check(database->write(batch).has_value(), "a batch was refused");
    for (std::uint64_t i = 0; i < keys; ++i)
      check(*database->get(segment(now) + key_of(i), found), "a key is not there");
  }
  count(state, keys);
}

double resident_megabytes() {
  std::ifstream file("/proc/self/statm");
  double pages = 0;
  file >> pages >> pages;
  return pages * 4096 / 1e6;
}

/// Databases of one process, each written to once.
void open_a_hundred(benchmark::State& state, const Kind& kind) {
  for (auto unused : state) {
    std::vector<std::unique_ptr<Place>> places;
    std::vector<std::unique_ptr<Database>> databases;
    const double before = resident_megabytes();
    for (int i = 0; i < 100; ++i) {
      places.push_back(kind.make_place());
      databases.push_back(places.back()->open());
      Batch batch;
      batch.put("a", "1");
      check(databases.back()->write(batch).has_value(), "a batch was refused");
    }
    state.counters["more_resident_MB"] = resident_megabytes() - before;
    databases.clear();
  }
  count(state, 100);
}

void open_and_close(benchmark::State& state, const Kind& kind) {
  const auto place = kind.make_place();
  place->open();
  for (auto unused : state) place->open();
}

void add(const Kind& kind) {
  const auto named = [&](const char* what) { return kind.name + "/" + what; };
  const auto once = [&](const char* what, auto work) {
    benchmark::RegisterBenchmark(named(what).c_str(), work, kind)
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  };
  once("put_in_batches", put_in_batches);
  once("put_over", put_over);
  once("ingest", ingest);
  once("scan_all", scan_all);
  once("open_and_close", open_and_close);
  once("open_a_hundred", open_a_hundred);
  once("expire_segments", expire_segments);
  benchmark::RegisterBenchmark(named("get").c_str(), get, kind, true)->UseRealTime();
  benchmark::RegisterBenchmark(named("get_absent").c_str(), get, kind, false)->UseRealTime();
  benchmark::RegisterBenchmark(named("multi_get").c_str(), multi_get, kind)->UseRealTime();
  benchmark::RegisterBenchmark(named("scan_prefixes").c_str(), scan_prefixes, kind)->UseRealTime();
}

const bool added = [] {
  for (const Kind* kind : kinds()) add(*kind);
  return true;
}();

}  // namespace
}  // namespace weir::state
