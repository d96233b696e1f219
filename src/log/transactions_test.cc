// Transactions in the log: what is decided, what a reader of committed data is told, and what a
// start makes of it, whatever broke.
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <set>

#include "kafka/batch_builder.h"
#include "log/log_store.h"
#include "log/log_test_kit.h"

namespace weir::log {
namespace {

using namespace std::chrono_literals;

using Strings = std::vector<std::string>;

struct Visible {
  std::vector<std::string> committed;  // "offset:value"
  Offset stable{0};
};

/// A machine with transactional producers on partition 0.
struct TransactionalMachine : LogMachine {
  explicit TransactionalMachine(std::uint64_t seed) : LogMachine(seed) {}

  Result<Appended> send(std::int64_t producer, std::int16_t epoch, std::int32_t sequence,
                        std::string_view value, bool transactional = true,
                        std::string_view key = "k") {
    kafka::BatchBuilder builder;
    builder.append(process().loop().clock().wall_ms(), key, value);
    std::optional<Result<Appended>> out;
    partition(0).append(
        builder
            .finish({.producer_id = producer,
                     .producer_epoch = epoch,
                     .base_sequence = sequence,
                     .transactional = transactional})
            .value(),
        [&](Result<Appended> r) { out = std::move(r); }, true);
    until([&] { return out.has_value(); });
    return *out;
  }
  Result<Appended> end(std::int64_t producer, std::int16_t epoch, bool commit,
                       bool raises_epoch = true) {
    std::optional<Result<Appended>> out;
    partition(0).append_end({.producer = ProducerId(producer),
                             .epoch = ProducerEpoch(epoch),
                             .commit = commit,
                             .raises_epoch = raises_epoch},
                            [&](Result<Appended> r) { out = std::move(r); });
    until([&] { return out.has_value(); });
    return *out;
  }

  ReadData read_committed(Offset from, std::uint64_t max_bytes) {
    std::optional<Result<ReadData>> out;
    partition(0).read(
        from, {.max_bytes = max_bytes, .at_least_one = true, .isolation = Isolation::committed},
        [&](Result<ReadData> r) { out = std::move(r); });
    until([&] { return out.has_value(); });
    return std::move(out->value());
  }
  static std::string bytes_of(const ReadData& data) {
    std::string bytes;
    for (const auto& piece : data.pieces) {
      if (const auto* slice = std::get_if<Slice>(&piece)) {
        bytes += slice->view();
        continue;
      }
      const auto& range = std::get<io::FileRange>(piece);
      std::string part(range.size, '\0');
      EXPECT_EQ(range.file->read_at(range.offset, part.data(), part.size()).value(), part.size());
      bytes += part;
    }
    return bytes;
  }

  /// Every value before `end`, aborted or not.
  Strings everything(Offset end) {
    Strings out;
    for (Offset from = partition(0).log_start(); from < end;) {
      const std::string bytes = read(0, from, 1U << 20U).value();
      kafka::BatchCursor cursor(bytes);
      kafka::BatchView batch;
      while (cursor.next(batch).value()) {
        auto reader = kafka::RecordReader::open(batch).value();
        kafka::RecordView record;
        while (reader.next(record) && !batch.is_control())
          if (record.offset < end.value) out.emplace_back(*record.value);
        from = Offset(batch.next_offset());
      }
    }
    return out;
  }

  /// Each aborted transaction once, in order, and only those that overlap what was read: a client
  /// takes one off its list at each marker, so another of the same producer would hide what it
  /// commits next.
  void expect_exact(const std::vector<AbortedTransaction>& aborted, Offset from,
                    std::string_view bytes) {
    kafka::BatchCursor cursor(bytes);
    kafka::BatchView batch;
    std::int64_t end = from.value;
    while (cursor.next(batch).value()) end = batch.next_offset();
    for (std::size_t i = 0; i < aborted.size(); ++i) {
      EXPECT_GE(aborted[i].marker, from);
      // Behind the last batch there may be a gap, which is read with it.
      EXPECT_TRUE(settings.compact || aborted[i].first.value < end);
      EXPECT_TRUE(i == 0 || aborted[i - 1].first < aborted[i].first) << "twice, or out of order";
    }
  }

  /// As Kafka's consumer finds it: aborted data dropped by the list, which each read brings anew.
  std::vector<std::string> committed(Offset from = Offset(0), std::uint64_t max_bytes = 300) {
    std::vector<std::string> out;
    while (from < partition(0).last_stable_offset()) {
      const ReadData data = read_committed(from, max_bytes);
      const std::string bytes = bytes_of(data);
      EXPECT_FALSE(bytes.empty()) << "nothing at " << from.value;
      if (bytes.empty()) break;
      std::deque<AbortedTransaction> aborted(data.aborted.begin(), data.aborted.end());
      expect_exact(data.aborted, from, bytes);
      std::set<std::int64_t> aborting;
      kafka::BatchCursor cursor(bytes);
      kafka::BatchView batch;
      while (cursor.next(batch).value()) {
        EXPECT_LT(batch.base_offset(), partition(0).last_stable_offset().value);
        while (!aborted.empty() && aborted.front().first.value <= batch.last_offset()) {
          aborting.insert(aborted.front().producer.value);
          aborted.pop_front();
        }
        auto reader = kafka::RecordReader::open(batch).value();
        kafka::RecordView record;
        const bool dropped = batch.is_transactional() && aborting.contains(batch.producer_id());
        while (reader.next(record)) {
          if (batch.is_control()) {
            if (!kafka::parse_end_marker(record).value().commit)
              aborting.erase(batch.producer_id());
          } else if (!dropped && record.offset >= from.value) {
            out.push_back(std::to_string(record.offset) + ":" + std::string(*record.value));
          }
        }
        from = Offset(batch.next_offset());
      }
    }
    return out;
  }
};

TEST(transactions, what_is_open_is_not_stable_and_an_abort_is_told) {
  TransactionalMachine machine(1);
  machine.open();
  ASSERT_TRUE(machine.send(7, 0, 0, "a"));
  ASSERT_TRUE(machine.send(-1, -1, -1, "plain", false));
  EXPECT_EQ(machine.partition(0).high_watermark(), Offset(2));
  EXPECT_EQ(machine.partition(0).last_stable_offset(), Offset(0));
  EXPECT_EQ(machine.committed(), Strings{});
  ASSERT_TRUE(machine.end(7, 1, false));
  EXPECT_EQ(machine.partition(0).last_stable_offset(), Offset(3));
  EXPECT_EQ(machine.committed(), Strings{"1:plain"});
  ASSERT_TRUE(machine.send(7, 1, 0, "b"));
  ASSERT_TRUE(machine.end(7, 2, true));
  EXPECT_EQ(machine.committed(), (Strings{"1:plain", "3:b"}));
}

TEST(transactions, an_end_is_not_stable_before_its_marker_is_synced) {
  TransactionalMachine machine(2);
  machine.open();
  ASSERT_TRUE(machine.send(7, 0, 0, "a"));
  bool done = false;
  machine.partition(0).append_end(
      {.producer = ProducerId(7), .epoch = ProducerEpoch(1), .commit = true, .raises_epoch = true},
      [&](Result<Appended> r) { done = r.has_value(); });
  EXPECT_EQ(machine.partition(0).last_stable_offset(), Offset(0));
  machine.until([&] { return done; });
  EXPECT_EQ(machine.partition(0).last_stable_offset(), Offset(2));
}

TEST(transactions, the_rules_of_epochs_and_sequences) {
  TransactionalMachine machine(3);
  machine.open();
  ASSERT_TRUE(machine.send(7, 0, 0, "a"));
  EXPECT_EQ(machine.send(7, 0, 1, "b", false).error().code(), Errc::invalid_txn_state);
  EXPECT_EQ(machine.end(7, 0, true).error().code(), Errc::invalid_producer_epoch);
  ASSERT_TRUE(machine.end(7, 1, true));
  // The same marker again: it stands there, nothing is written.
  const auto again = machine.end(7, 1, true);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(machine.partition(0).next_offset(), Offset(2));
  EXPECT_EQ(machine.send(7, 0, 1, "late").error().code(), Errc::invalid_producer_epoch);
  EXPECT_EQ(machine.send(7, 1, 3, "hole").error().code(), Errc::out_of_order_sequence_number);
  // The same sequence under a new epoch is a new batch.
  const auto fresh = machine.send(7, 1, 0, "c");
  ASSERT_TRUE(fresh);
  EXPECT_FALSE(fresh->duplicate);
}

TEST(transactions, the_old_protocol_keeps_its_epoch_and_its_sequences) {
  TransactionalMachine machine(4);
  machine.open();
  ASSERT_TRUE(machine.send(7, 3, 0, "a"));
  ASSERT_TRUE(machine.end(7, 3, true, false));
  ASSERT_TRUE(machine.send(7, 3, 1, "b"));
  ASSERT_TRUE(machine.end(7, 3, false, false));
  EXPECT_EQ(machine.committed(), Strings{"0:a"});
  const auto again = machine.send(7, 3, 1, "b");
  EXPECT_TRUE(again->duplicate);
}

TEST(transactions, a_failed_cycle_takes_back_what_it_opened_and_what_it_ended) {
  TransactionalMachine machine(5);
  machine.open();
  ASSERT_TRUE(machine.send(7, 0, 0, "a"));
  machine.world().files().add_fault({.op = io::FileOp::sync, .path = ".wal", .count = 20});
  EXPECT_FALSE(machine.end(7, 1, false));
  EXPECT_EQ(machine.partition(0).last_stable_offset(), Offset(0));
  machine.world().files().clear_faults();
  const MonoTime later = machine.process().loop().now() + 200ms;
  machine.until([&] { return machine.process().loop().now() >= later; });
  ASSERT_TRUE(machine.end(7, 1, true));
  EXPECT_EQ(machine.committed(), Strings{"0:a"});
}

/// What the log should say, kept beside it.
class Model {
 public:
  struct Batch {
    std::int64_t offset;
    std::int64_t producer;
    std::string value;
    enum { plain, open, committed, aborted } state;
  };

  void sent(std::int64_t offset, std::int64_t producer, std::string value, bool transactional) {
    batches_.push_back(
        {offset, producer, std::move(value), transactional ? Batch::open : Batch::plain});
    end_ = offset + 1;
  }
  void ended(std::int64_t marker, std::int64_t producer, bool commit) {
    for (auto& batch : batches_)
      if (batch.producer == producer && batch.state == Batch::open)
        batch.state = commit ? Batch::committed : Batch::aborted;
    end_ = marker + 1;
  }
  std::set<std::string> aborted() const {
    std::set<std::string> out;
    for (const auto& batch : batches_)
      if (batch.state == Batch::aborted) out.insert(batch.value);
    return out;
  }
  Visible visible() const {
    Visible out;
    out.stable = Offset(end_);
    for (const auto& batch : batches_)
      if (batch.state == Batch::open) {
        out.stable = Offset(batch.offset);
        break;
      }
    for (const auto& batch : batches_)
      if (batch.offset < out.stable.value &&
          (batch.state == Batch::plain || batch.state == Batch::committed))
        out.committed.push_back(std::to_string(batch.offset) + ":" + batch.value);
    return out;
  }

 private:
  std::vector<Batch> batches_;
  std::int64_t end_ = 0;
};

struct ProducerModel {
  std::int16_t epoch = 0;
  std::int32_t sequence = 0;
  bool open = false;
};

void damage_an_index(TransactionalMachine& machine, Rng& rng) {
  auto& files = machine.world().files();
  std::vector<std::string> names;
  const auto entries = files.list("data/t-0");
  if (!entries) return;
  for (const auto& entry : *entries)
    if (entry.name.ends_with(".txnindex")) names.push_back("data/t-0/" + entry.name);
  if (names.empty()) return;
  const std::string& path = names[rng.below(names.size())];
  if (rng.one_in(3)) {
    ASSERT_TRUE(files.remove(path));
    return;
  }
  auto file = files.open(path, io::OpenMode::read_write).value();
  const std::uint64_t size = file->size().value();
  if (size == 0) return;
  if (rng.one_in(2)) {
    ASSERT_TRUE(file->truncate(rng.below(size)));
    return;
  }
  const std::uint64_t at = rng.below(size);
  char byte = 0;
  ASSERT_EQ(file->read_at(at, &byte, 1).value(), 1U);
  byte = static_cast<char>(byte ^ 0x41);
  ASSERT_TRUE(file->write_at(at, std::string_view(&byte, 1)));
}

void run_against_model(std::uint64_t seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  Rng rng(seed);
  TransactionalMachine machine(seed);
  machine.settings.segment_bytes = 400 + rng.below(2000);
  machine.settings.index_interval_bytes = 50 + rng.below(300);
  machine.options.flush_bytes = 1 + rng.below(500);
  machine.options.tail_cache_bytes = rng.below(800);
  machine.options.checkpoint_interval = std::chrono::hours(1);
  machine.open();
  Model model;
  std::map<std::int64_t, ProducerModel> producers;
  for (int step = 0; step < 120; ++step) {
    const auto id = static_cast<std::int64_t>(1 + rng.below(4));
    ProducerModel& producer = producers[id];
    const std::string value = "v" + std::to_string(step);
    switch (rng.below(12)) {
      case 0: {
        const auto at = machine.send(-1, -1, -1, value, false);
        model.sent(at.value().base_offset.value, -1, value, false);
        break;
      }
      case 1:
      case 2:
      case 3: {  // an end, also of nothing
        const bool commit = rng.one_in(2);
        const auto at = machine.end(id, static_cast<std::int16_t>(producer.epoch + 1), commit);
        model.ended(at.value().base_offset.value, id, commit);
        ++producer.epoch;
        producer.sequence = 0;
        break;
      }
      case 4: ASSERT_TRUE(machine.checkpoint()); break;
      case 5:
        if (rng.one_in(3))
          machine.close();
        else if (rng.one_in(2))
          machine.power_cut();
        else
          machine.kill();
        if (rng.one_in(3)) damage_an_index(machine, rng);
        machine.open();
        break;
      default: {
        const auto at = machine.send(id, producer.epoch, producer.sequence++, value);
        model.sent(at.value().base_offset.value, id, value, true);
      }
    }
    if (step % 10 != 0) continue;
    const Visible want = model.visible();
    ASSERT_EQ(machine.partition(0).last_stable_offset(), want.stable) << "step " << step;
    ASSERT_EQ(machine.committed(Offset(0), 50 + rng.below(2000)), want.committed)
        << "step " << step;
    // From anywhere: the list fits the beginning.
    if (want.stable.value == 0) continue;
    const Offset from(
        static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(want.stable.value))));
    Strings rest;
    for (const auto& line : want.committed)
      if (std::stoll(line) >= from.value) rest.push_back(line);
    ASSERT_EQ(machine.committed(from), rest) << "from " << from.value << " at step " << step;
  }
}

TEST(transactions, every_reader_sees_what_a_model_says_across_restarts_and_damaged_indexes) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    run_against_model(seed);
    if (HasFatalFailure() || HasNonfatalFailure()) break;
  }
}

using Table = std::map<std::string, std::string>;

/// What a reader of committed data ends up with; values are "key=text".
Table table_of(const Strings& lines) {
  Table table;
  for (const auto& line : lines) {
    const std::string value = line.substr(line.find(':') + 1);
    const std::size_t equals = value.find('=');
    table[value.substr(0, equals)] = value;
  }
  return table;
}

// Until all that is due is compacted, and every marker that nobody needs has had its time.
void compact_all(TransactionalMachine& machine, Model& model) {
  for (int i = 0; i < 5; ++i) {
    const std::string filler = "filler=" + std::string(2500, '.');
    const auto at = machine.send(-1, -1, -1, filler, false, "filler");
    model.sent(at.value().base_offset.value, -1, filler, false);
    ASSERT_TRUE(machine.checkpoint());
    machine.world().run_for(2s);
  }
  EXPECT_FALSE(machine.partition(0).uncleanable().has_value());
}

void compact_against_model(std::uint64_t seed, std::uint64_t& aborted_dropped) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  Rng rng(seed);
  TransactionalMachine machine(seed);
  machine.settings.compact = true;
  machine.settings.remove = false;
  machine.settings.min_cleanable_dirty_ratio = 0.01;
  machine.settings.delete_retention_ms = static_cast<std::int64_t>(rng.below(1500));
  machine.settings.segment_bytes = 400 + rng.below(2000);
  machine.settings.index_interval_bytes = 50 + rng.below(300);
  machine.options.flush_bytes = 1 + rng.below(500);
  machine.options.tail_cache_bytes = rng.below(800);
  machine.options.checkpoint_interval = 50ms;
  machine.options.compaction_interval = 10ms;
  machine.options.compaction_step_bytes = 200 + rng.below(2000);
  machine.open();
  Model model;
  std::map<std::int64_t, ProducerModel> producers;
  const auto look = [&] {
    ASSERT_EQ(machine.partition(0).last_stable_offset(), model.visible().stable);
    ASSERT_EQ(table_of(machine.committed(machine.partition(0).log_start(), 50 + rng.below(2000))),
              table_of(model.visible().committed));
  };
  const auto end = [&](std::int64_t id, bool commit) {
    ProducerModel& producer = producers[id];
    const auto at = machine.end(id, static_cast<std::int16_t>(producer.epoch + 1), commit);
    model.ended(at.value().base_offset.value, id, commit);
    producer = {.epoch = static_cast<std::int16_t>(producer.epoch + 1), .sequence = 0};
  };
  for (int step = 0; step < 120; ++step) {
    const auto id = static_cast<std::int64_t>(1 + rng.below(4));
    const std::string key = "k" + std::to_string(rng.below(5));
    const std::string value = key + "=" + std::to_string(step);
    switch (rng.below(12)) {
      case 0: {
        const auto at = machine.send(-1, -1, -1, value, false, key);
        model.sent(at.value().base_offset.value, -1, value, false);
        break;
      }
      case 1:
      case 2:
      case 3: end(id, rng.one_in(2)); break;
      case 4: machine.world().run_for(Duration(rng.between(0, 300'000'000))); break;
      case 5:
        aborted_dropped += machine.store().counters().aborted_records_dropped;
        rng.one_in(2) ? machine.power_cut() : machine.kill();
        if (rng.one_in(4)) damage_an_index(machine, rng);
        machine.open();
        break;
      default: {
        const auto at =
            machine.send(id, producers[id].epoch, producers[id].sequence++, value, true, key);
        model.sent(at.value().base_offset.value, id, value, true);
      }
    }
    if (step % 10 == 0) look();
    if (::testing::Test::HasFatalFailure()) return;
  }
  for (std::int64_t id = 1; id <= 4; ++id) end(id, id % 2 == 0);
  compact_all(machine, model);
  look();
  aborted_dropped += machine.store().counters().aborted_records_dropped;
  // Of the compacted part nothing aborted is left, whoever reads it.
  const std::set<std::string> aborted = model.aborted();
  for (const auto& line : machine.everything(machine.partition(0).clean_end()))
    EXPECT_FALSE(aborted.contains(line)) << line;
}

TEST(transactions, compaction_keeps_the_newest_committed_value_and_drops_what_was_aborted) {
  std::uint64_t aborted_dropped = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    compact_against_model(seed, aborted_dropped);
    if (HasFatalFailure() || HasNonfatalFailure()) break;
  }
  EXPECT_GT(aborted_dropped, 500U);
}

TEST(transactions, a_marker_goes_when_its_data_and_its_producer_have_gone) {
  TransactionalMachine machine(6);
  machine.settings.compact = true;
  machine.settings.remove = false;
  machine.settings.min_cleanable_dirty_ratio = 0.01;
  machine.settings.delete_retention_ms = 1000;
  machine.settings.segment_bytes = 1000;
  machine.options.flush_bytes = 1;
  machine.options.compaction_interval = 10ms;
  machine.options.tail_cache_bytes = 0;
  machine.options.producer_expiration = 500ms;
  machine.options.retention_interval = 100ms;
  machine.open();
  const auto markers = [&] {
    std::size_t count = 0;
    for (Offset from(0); from < machine.partition(0).clean_end();) {
      const std::string bytes = machine.read(0, from, 1U << 20U).value();
      kafka::BatchCursor cursor(bytes);
      kafka::BatchView batch;
      while (cursor.next(batch).value()) {
        count += batch.is_control() && batch.base_offset() < 5 ? 1 : 0;
        from = Offset(batch.next_offset());
      }
    }
    return count;
  };
  Model model;
  ASSERT_TRUE(machine.send(7, 0, 0, "k=committed"));
  ASSERT_TRUE(machine.end(7, 1, true));
  ASSERT_TRUE(machine.send(8, 0, 0, "k=aborted"));
  ASSERT_TRUE(machine.end(8, 1, false));
  compact_all(machine, model);
  // The committed value is the newest of its key: what says that it is committed stays with it.
  EXPECT_EQ(markers(), 1U);
  EXPECT_EQ(machine.committed().front(), "0:k=committed");
  ASSERT_TRUE(machine.send(-1, -1, -1, "k=newer", false));
  compact_all(machine, model);
  compact_all(machine, model);
  EXPECT_EQ(markers(), 0U);
}

/// Damages the batch at `offset` of partition 0, on a stopped machine: all of it, or a bit of its
/// last record.
void damage_batch(TransactionalMachine& machine, std::int64_t offset, bool whole) {
  auto& files = machine.world().files();
  const auto entries = files.list("data/t-0").value();
  for (const auto& entry : entries) {
    if (!entry.name.ends_with(".log")) continue;
    auto file = files.open("data/t-0/" + entry.name, io::OpenMode::read_write).value();
    SegmentScanner scanner(*file, 0, file->size().value());
    while (const auto found = scanner.next(false).value()) {
      if (BatchHeader(found->bytes).base_offset().value != offset) continue;
      const std::uint64_t at = whole ? found->at : scanner.position() - 1;
      std::string bytes(scanner.position() - at, '\0');
      ASSERT_EQ(file->read_at(at, bytes.data(), bytes.size()).value(), bytes.size());
      for (char& c : bytes) c = static_cast<char>(whole ? 0 : c ^ 1);
      ASSERT_TRUE(file->write_at(at, bytes));
      ASSERT_TRUE(file->sync());
      return;
    }
  }
  FAIL() << "no batch at " << offset;
}

void remove_files(TransactionalMachine& machine, std::string_view suffix) {
  auto& files = machine.world().files();
  const auto entries = files.list("data/t-0").value();
  for (const auto& entry : entries) {
    if (entry.name.ends_with(suffix)) {
      ASSERT_TRUE(files.remove("data/t-0/" + entry.name));
    }
  }
}

/// Two segments, and no write-ahead log that has them, too: plain 0, aborted 1, its marker 2, plain
/// 3, committed 4, its marker 5, and so on.
void write_ended_transactions(TransactionalMachine& machine) {
  machine.settings.segment_bytes = 500;
  machine.options.flush_bytes = 1;
  machine.options.tail_cache_bytes = 0;
  machine.open();
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(machine.send(-1, -1, -1, "plain", false));
    ASSERT_TRUE(machine.send(7, static_cast<std::int16_t>(i), 0, "of a transaction"));
    ASSERT_TRUE(machine.end(7, static_cast<std::int16_t>(i + 1), i % 2 == 1));
  }
  ASSERT_TRUE(machine.checkpoint());
  machine.close();
  machine.lose_wal();
}

const Strings behind_the_damage{"3:plain", "4:of a transaction", "6:plain", "9:plain",
                                "10:of a transaction"};

TEST(transactions, behind_damage_what_was_aborted_stays_so) {
  for (const bool checkpoint_lost : {false, true}) {
    SCOPED_TRACE(checkpoint_lost);
    TransactionalMachine machine(7);
    write_ended_transactions(machine);
    damage_batch(machine, 0, true);
    for (const auto* suffix : {".txnindex", ".index", ".timeindex"}) remove_files(machine, suffix);
    if (checkpoint_lost) {
      ASSERT_TRUE(machine.world().files().remove("data/weir-checkpoint"));
    }
    machine.open();
    EXPECT_EQ(machine.committed(Offset(1)), behind_the_damage);
    EXPECT_EQ(machine.read(0, Offset(0)).error().code(), Errc::corrupt_message);
    EXPECT_EQ(machine.offset_for(0, 0), 1);  // its time is known, too
  }
}

TEST(transactions, a_damaged_marker_does_not_close_the_partition) {
  TransactionalMachine machine(8);
  write_ended_transactions(machine);
  damage_batch(machine, 5, false);
  damage_batch(machine, 9, false);
  remove_files(machine, ".snapshot");
  for (int start = 0; start < 3; ++start) {
    if (start == 2) damage_batch(machine, 3, false);
    machine.open();
    ASSERT_FALSE(machine.partition(0).fenced());
    EXPECT_EQ(machine.partition(0).high_watermark(), Offset(12));
    EXPECT_FALSE(machine.read(0, Offset(6), 10).value().empty());
    for (const int gone : {5, 9}) {
      const auto refused = machine.read(0, Offset(gone));
      ASSERT_FALSE(refused) << gone;
      EXPECT_EQ(refused.error().code(), Errc::corrupt_message);
    }
    if (start == 2) {
      EXPECT_FALSE(machine.read(0, Offset(3)));
    }
    ASSERT_TRUE(machine.checkpoint());  // and with it what the background writes
    machine.kill();
    // Each start meets it again; it is written down once.
    EXPECT_EQ(io::read_file(machine.world().files(), "data/t-0/lost-offsets", 1000).value(),
              start == 2 ? "0\n3\n3 4\n5 6\n9 10\n" : "0\n2\n5 6\n9 10\n");
  }
}

TEST(producer_states, a_snapshot_tells_of_the_moment_that_it_is_of) {
  ProducerStates states;
  const ProducedSequence batch{.producer = ProducerId(7),
                               .epoch = ProducerEpoch(0),
                               .first_sequence = 0,
                               .record_count = 1,
                               .transactional = true};
  states.apply(batch, Offset(10), 5, MonoTime{});
  ASSERT_TRUE(states.apply_end(
      {.producer = ProducerId(7), .epoch = ProducerEpoch(1), .commit = false}, Offset(20), {}));
  // The marker is not below 15: then the transaction was open.
  auto then = ProducerStates::decode_snapshot(states.encode_snapshot(Offset(15)), {}).value();
  EXPECT_EQ(then.first_open(), Offset(10));
  EXPECT_EQ(then.entries().at(ProducerId(7)).epoch, ProducerEpoch(0));
  auto later = ProducerStates::decode_snapshot(states.encode_snapshot(Offset(21)), {}).value();
  EXPECT_EQ(later.first_open(), Offset(INT64_MAX));
  EXPECT_EQ(later.entries().at(ProducerId(7)).epoch, ProducerEpoch(1));
}

TEST(producer_states, a_producer_with_an_open_transaction_is_never_forgotten) {
  ProducerStates states;
  states.apply({.producer = ProducerId(7),
                .epoch = ProducerEpoch(0),
                .first_sequence = 0,
                .record_count = 1,
                .transactional = true},
               Offset(0), 5, MonoTime{});
  states.expire(MonoTime::max());
  EXPECT_EQ(states.first_open(), Offset(0));
}

}  // namespace
}  // namespace weir::log
