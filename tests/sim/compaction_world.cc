// Compaction beside appends, crashes, bad disks and a jumping clock, on the log alone.
//
// Promises that are checked: of every key the last acknowledged value can be read; a value that was
// deleted or replaced does not come back; an offset never names another record; the memory of an
// idempotent producer outlives compaction; a wall clock that jumped deletes nothing.

#include <fmt/core.h>

#include <map>
#include <optional>
#include <set>

#include "kafka/batch_builder.h"
#include "log/log_test_kit.h"
#include "simulation.h"

namespace weir::tests {
namespace {

using namespace std::chrono_literals;
using log::LogMachine;

constexpr int keys = 12;
constexpr std::int64_t hour_ms = 3'600'000;
constexpr int compacted = 0;  // the partition whose keys are checked
constexpr int timed = 1;      // the partition that a wrong clock must not delete

/// One record that was sent, and what became of it.
struct Attempt {
  std::string key;
  bool tombstone = false;
  std::optional<std::int64_t> offset;  // acknowledged
  bool refused = false;                // and certainly not in the log
};

class Run {
 public:
  Run(std::uint64_t seed, const TraceSink& trace)
      : rng_(seed * 2 + 1), trace_(trace), machine_(seed) {
    if (trace_)
      machine_.world().files().set_witness(
          [this](std::string_view op, const std::string& path, bool fails) {
            note(fmt::format("disk: {} {}{}", op, path, fails ? " fails" : ""));
          });
    machine_.settings.compact = true;
    machine_.settings.remove = false;
    machine_.settings.segment_bytes = 400 + rng_.below(3'000);
    machine_.settings.index_interval_bytes = 50 + rng_.below(400);
    machine_.settings.min_cleanable_dirty_ratio = rng_.one_in(2) ? 0.01 : 0.3;
    machine_.settings.delete_retention_ms = static_cast<std::int64_t>(rng_.below(1'500));
    machine_.settings.retention_ms = hour_ms;
    machine_.options.flush_bytes = 1 + rng_.below(2'000);
    machine_.options.tail_cache_bytes = rng_.below(2'000);
    machine_.options.checkpoint_interval = 100ms;
    machine_.options.compaction_interval = 20ms;
    machine_.options.compaction_step_bytes = 200 + rng_.below(3'000);
    machine_.options.compaction_map_bytes = rng_.one_in(4) ? 50'000 : 1U << 20U;
    machine_.options.retention_interval = 50ms;
  }

  SimResult run() {
    open();
    const std::uint64_t rounds = 3 + rng_.below(3);
    for (std::uint64_t round = 0; round < rounds && result_.anomalies.empty(); ++round) {
      const std::uint64_t operations = 20 + rng_.below(60);
      arm_fault();
      for (std::uint64_t i = 0; i < operations && alive(); ++i) operate();
      if (!alive() || rng_.one_in(2)) crash();
      check_offsets();
    }
    settle();
    check_tables();
    note_counters();
    result_.counters[Count::runs] = 1;
    return std::move(result_);
  }

 private:
  bool alive() { return !machine_.world().files().crashed(); }

  void open() {
    for (int tries = 0; !machine_.try_open(); ++tries) {
      check(tries < 5, "a whole disk opens");
      const bool power = rng_.one_in(2);
      power ? machine_.power_cut() : machine_.kill();
      machine_.world().files().clear_faults();
    }
    for (const auto& line : machine_.store().recovery().damage) anomaly("durable-prefix: " + line);
    log::PartitionSettings by_time = machine_.settings;
    by_time.compact = false;
    by_time.remove = true;
    machine_.partition(timed).change_settings(by_time);
  }

  void anomaly(const std::string& text) {
    note("anomaly: " + text);
    result_.anomalies.push_back(text);
  }
  void note(std::string_view what) {
    if (trace_)
      trace_(fmt::format("{} {}", machine_.world().clock().now().time_since_epoch().count(), what));
  }

  void arm_fault() {
    auto& files = machine_.world().files();
    switch (rng_.below(7)) {
      case 0: files.crash_after(20 + rng_.below(800)); break;
      case 1:
      case 2: {
        // The power fails at a certain call of the exchange.
        constexpr io::FileOp ops[] = {io::FileOp::open, io::FileOp::write, io::FileOp::sync,
                                      io::FileOp::rename, io::FileOp::remove};
        constexpr const char* names[] = {".cleaned", ".swap", ".deleted", ".index"};
        files.add_fault({.op = ops[rng_.below(std::size(ops))],
                         .path = names[rng_.below(std::size(names))],
                         .skip = rng_.below(6),
                         .count = 1,
                         .error = Errc::simulated_crash});
        break;
      }
      case 3:
        files.add_fault({.op = io::FileOp::write,
                         .path = ".cleaned",
                         .skip = rng_.below(3),
                         .count = 1,
                         .error = rng_.one_in(2) ? Errc::io_error : Errc::disk_full});
        break;
      case 4:
        files.add_fault({.op = io::FileOp::sync,
                         .path = rng_.one_in(2) ? ".cleaned" : ".log",
                         .skip = rng_.below(3),
                         .count = 1});
        break;
      default: break;
    }
  }

  void operate() {
    const std::uint64_t kind = rng_.below(12);
    if (trace_) note(fmt::format("operation of kind {}, {} records sent", kind, attempts_.size()));
    switch (kind) {
      case 0: machine_.world().run_for(Duration(rng_.between(0, 400'000'000))); break;
      case 1: repeat_batch(); break;
      case 2: jump_clock(); break;
      case 3: append_timed(); break;
      default: append(); break;
    }
    machine_.world().run_for(Duration(rng_.between(0, 4'000'000)));
  }

  // Some batches are of an idempotent producer, some hold several records of one key.
  void append() {
    const std::size_t count = 1 + rng_.below(4);
    kafka::BatchBuilder builder;
    const std::size_t first = attempts_.size();
    for (std::size_t i = 0; i < count; ++i) {
      Attempt attempt{
          .key = "k" + std::to_string(rng_.below(keys)), .tombstone = rng_.one_in(4), .offset = {}};
      const std::string value = std::to_string(attempts_.size()) + std::string(rng_.below(80), '.');
      builder.append(wall_ms(), attempt.key,
                     attempt.tombstone ? std::nullopt : std::optional<std::string_view>(value));
      attempts_.push_back(std::move(attempt));
    }
    kafka::BatchOptions options;
    options.codec = static_cast<compress::Codec>(rng_.below(compress::codec_count));
    const bool idempotent = rng_.one_in(3);
    if (idempotent)
      options.producer_id = 5, options.producer_epoch = 0, options.base_sequence = next_sequence_;
    const std::string bytes(builder.finish(options).value().view());
    if (idempotent) {
      if (unsure_) return give_up(first);  // one at a time, as after a lost reply
      sent_ = {.bytes = bytes, .first = first, .count = count};
      unsure_ = true;
    }
    send(bytes, first, count, idempotent);
  }

  void give_up(std::size_t first) {
    for (std::size_t i = first; i < attempts_.size(); ++i) attempts_[i].refused = true;
  }

  void send(const std::string& bytes, std::size_t first, std::size_t count, bool idempotent) {
    machine_.partition(compacted).append(
        Slice::copy_of(bytes), [this, first, count, idempotent](Result<log::Appended> r) {
          if (!r) {
            if (idempotent && r.error().code() != Errc::kafka_storage_error)
              anomaly("lawful-answer: a producer in order was refused: " + r.error().message());
            return;
          }
          for (std::size_t i = 0; i < count; ++i) {
            auto& known = attempts_[first + i].offset;
            const std::int64_t offset = r->base_offset.value + static_cast<std::int64_t>(i);
            if (known && *known != offset)
              anomaly("duplicate: a repeated batch got another offset");
            if (!known) ++result_.counters[Count::acknowledged];
            known = offset;
          }
          if (idempotent && unsure_ && sent_.first == first) {
            unsure_ = false;
            last_ = sent_;
            next_sequence_ += static_cast<std::int32_t>(count);
          }
        });
  }

  // A reply was lost, or the producer is too careful: the same batch again.
  void repeat_batch() {
    const Sent& again = unsure_ ? sent_ : last_;
    if (again.count == 0) return;
    ++result_.counters[Count::repeated_batches];
    send(again.bytes, again.first, again.count, true);
  }

  void append_timed() {
    kafka::BatchBuilder builder;
    builder.append(wall_ms(), "t", std::string(200, 't'));
    machine_.partition(timed).append(builder.finish({}).value(),
                                     [](const Result<log::Appended>&) {});
  }

  // A wrong time server for a moment: in this life nothing may be deleted by it.
  void jump_clock() {
    if (!rng_.one_in(3)) return;
    ++result_.counters[Count::clock_jumps];
    machine_.world().shift_wall_clock(48 * hour_ms);
    machine_.world().run_for(200ms);
    if (alive() && machine_.partition(timed).log_start().value > 0)
      anomaly("retention: a wall clock that jumped deleted records");
    machine_.world().shift_wall_clock(-48 * hour_ms);
  }

  std::int64_t wall_ms() { return machine_.process().loop().clock().wall_ms(); }

  void note_counters() {
    const auto& counters = machine_.store().counters();
    result_.counters[Count::compactions] += counters.compactions;
    result_.counters[Count::records_compacted] += counters.compacted_records;
    result_.counters[Count::failed_calls] += counters.failed_compactions + counters.repairs;
  }

  void crash() {
    note("fault: a crash");
    ++result_.counters[Count::crashes];
    note_counters();
    rng_.one_in(3) ? machine_.kill() : machine_.power_cut();
    const std::size_t unfinished =
        machine_.files_ending(".cleaned") + machine_.files_ending(".swap");
    result_.counters[Count::crashes_in_compaction] += unfinished > 0 ? 1U : 0U;
    machine_.world().files().clear_faults();
    if (rng_.one_in(3)) machine_.world().files().crash_after(1 + rng_.below(60));
    open();
  }

  struct Read {
    std::string key;
    std::optional<std::string> value;
  };
  std::map<std::int64_t, Read> read_log() {
    if (machine_.partition(compacted).fenced())
      anomaly("durable-prefix: fenced: " + machine_.partition(compacted).fenced()->message());
    std::map<std::int64_t, Read> out;
    Offset from = machine_.partition(compacted).log_start();
    while (from < machine_.partition(compacted).high_watermark()) {
      auto bytes = machine_.read(compacted, from, 1U << 20U);
      // A segment whose sync failed is being written again; a client asks again, too.
      for (int tries = 0; !bytes && alive() && tries < 100; ++tries) {
        machine_.world().run_for(10ms);
        bytes = machine_.read(compacted, from, 1U << 20U);
      }
      if (!bytes || bytes->empty()) {
        if (alive())
          anomaly(fmt::format("unseen: nothing can be read at {}: {}", from.value,
                              bytes ? "no bytes" : bytes.error().message()));
        return out;
      }
      kafka::BatchCursor cursor(*bytes);
      kafka::BatchView batch;
      while (cursor.next(batch).value_or(false)) {
        if (!batch.crc_is_right()) anomaly("durable-prefix: a checksum is wrong");
        auto reader = kafka::RecordReader::open(batch).value();
        kafka::RecordView record;
        while (reader.next(record)) {
          std::optional<std::string> value;
          if (record.value) value = std::string(*record.value);
          out[record.offset] = {std::string(record.key.value_or("?")), value};
        }
        from = Offset(batch.next_offset());
      }
    }
    return out;
  }

  void check_offsets() {
    if (!alive()) return;
    for (const auto& [offset, read] : read_log()) {
      const std::string text = read.key + "=" + read.value.value_or("(deleted)");
      const auto [at, fresh] = seen_.emplace(offset, text);
      if (!fresh && at->second != text)
        anomaly(fmt::format("inconsistent-offsets: {} was {} and is {}", offset, at->second, text));
    }
  }

  // Everything works again; all that is due is compacted, tombstones included.
  void settle() {
    machine_.world().files().clear_faults();
    machine_.world().files().crash_after(1'000'000'000);
    if (!alive() || rng_.one_in(2)) crash_quietly();
    if (unsure_) repeat_batch();
    machine_.world().run_for(90s);  // longer than what failed is left alone
    for (int i = 0; i < 6; ++i) {
      kafka::BatchBuilder builder;
      builder.append(wall_ms(), "~filler", std::string(4'000, '.'));
      machine_.partition(compacted).append(builder.finish({}).value(),
                                           [](const Result<log::Appended>&) {});
      machine_.world().run_for(2s);
    }
    if (machine_.partition(compacted).uncleanable())
      anomaly("compaction: left alone: " + machine_.partition(compacted).uncleanable()->message());
    if (unsure_) anomaly("progress: a producer's batch is never answered");
  }

  void crash_quietly() {
    ++result_.counters[Count::crashes];
    note_counters();
    machine_.power_cut();
    open();
  }

  void check_tables() {
    check_offsets();
    std::map<std::string, std::pair<std::int64_t, Read>> last;
    for (const auto& [offset, read] : read_log()) last[read.key] = {offset, read};
    for (int k = 0; k < keys; ++k) {
      const std::string key = "k" + std::to_string(k);
      std::int64_t acknowledged = -1;
      bool deleted = true;
      bool maybe_deleted = false;
      for (const auto& attempt : attempts_) {
        if (attempt.key != key) continue;
        if (attempt.offset && *attempt.offset > acknowledged) {
          acknowledged = *attempt.offset;
          deleted = attempt.tombstone;
        }
        if (!attempt.offset && !attempt.refused && attempt.tombstone) maybe_deleted = true;
      }
      const auto found = last.find(key);
      if (found == last.end()) {
        if (!deleted && !maybe_deleted)
          anomaly("lost-write: the last value of " + key + " is gone");
        result_.counters[Count::keys_gone] += acknowledged >= 0 ? 1U : 0U;
      } else if (found->second.first < acknowledged) {
        anomaly(fmt::format("compaction: of {} a value of offset {} is back, {} had replaced it",
                            key, found->second.first, acknowledged));
      }
    }
  }

  struct Sent {
    std::string bytes;
    std::size_t first = 0;
    std::size_t count = 0;
  };

  Rng rng_;
  const TraceSink& trace_;
  LogMachine machine_;
  std::vector<Attempt> attempts_;
  Sent sent_;
  Sent last_;
  bool unsure_ = false;
  std::int32_t next_sequence_ = 0;
  std::map<std::int64_t, std::string> seen_;
  SimResult result_;
};

}  // namespace

SimResult run_compaction_world(std::uint64_t seed, const TraceSink& trace) {
  return Run(seed, trace).run();
}

}  // namespace weir::tests
