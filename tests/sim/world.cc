#include "world.h"

#include <fmt/core.h>

#include <cstdlib>

#include "base/check.h"
#include "base/log.h"
#include "broker/group_service.h"
#include "broker/transaction_service.h"

namespace weir::tests {
namespace {

constexpr std::size_t most_anomalies = 20;  // more say nothing new

std::string_view name_of(sim::Fault fault) {
  using enum sim::Fault;
  switch (fault) {
    case power_cut: return "power cut";
    case kill: return "kill";
    case crash_at_call: return "crash at a call";
    case crash_at_sync: return "crash at a sync";
    case failed_wal_sync: return "failing sync of the write-ahead log";
    case failed_segment_sync: return "failing sync of a segment";
    case failed_write: return "failing call";
    case cut_connections: return "connections cut";
    case disk_full: return "disk full";
  }
  return "?";
}

}  // namespace

QuietLog::QuietLog() : level_(static_cast<int>(log_level())) {
  if (std::getenv("WEIR_SIM_LOG") == nullptr) set_log_level(LogLevel::off);
}
QuietLog::~QuietLog() { set_log_level(static_cast<LogLevel>(level_)); }

World::World(std::uint64_t seed, TraceSink trace)
    : sim(seed), rng(seed ^ 0x9e3779b97f4a7c15U), trace_(std::move(trace)) {
  if (trace_)
    sim.files().set_witness([this](std::string_view op, const std::string& path, bool fails) {
      this->trace(fmt::format("disk: {} {}{}", op, path, fails ? " fails" : ""));
    });
  clients = sim.start_process();
  options.log.folder = "data";
  options.log.wal_first_file_bytes = 4096;
  options.log.wal_file_bytes = 16384 + 4096 * rng.below(8);
  options.log.checkpoint_bytes = 8192 + rng.below(65'536);
  options.log.checkpoint_interval = 300ms;
  options.log.flush_bytes = 1 + rng.below(16'384);
  options.log.flush_partition_bytes = 0;
  // What goes together on other days is torn apart.
  if (rng.one_in(2)) options.log.cycle_bytes = 100 + rng.below(2000);
  options.log.tail_cache_bytes = rng.below(16'384);
  options.listeners.push_back(
      {.name = "PLAINTEXT", .at = {.host = "127.0.0.1", .port = sim_port}, .advertised = {}});
  set("auto.create.topics.enable", "false");
}

World::~World() = default;

void World::set(std::string_view name, std::string_view value) {
  check(options.settings.set(name, value).has_value(), "a setting");
}

void World::trace(std::string_view what) const {
  if (trace_) trace_(fmt::format("{} {}", sim.clock().now().time_since_epoch().count(), what));
}

void World::start_broker() {
  trace("broker: starts");
  process = sim.start_process();
  auto started = broker::Broker::start(*process, options);
  if (started) {
    broker = std::move(*started);
    trace("broker: is up");
    note_start();
    crash_again_soon();
    return;
  }
  const Errc code = started.error().code();
  if (traced()) trace(fmt::format("broker: does not start: {}", started.error().message()));
  end_process();
  // The disk of this run may fail a start; anything else is the broker's fault.
  if (!sim.files().crashed() && code != Errc::sync_failed && code != Errc::io_error &&
      code != Errc::disk_full)
    anomaly("no-crash-loop: the broker does not start: " + started.error().message());
  if (sim.files().crashed()) return watch_for_crash();
  restart_soon();
}

void World::note_start() {
  const auto& transactions = broker->transactions();
  counters[Count::found_open] += transactions.state().open_count();
  counters[Count::found_prepared] += transactions.state().counters().resumed;
  for (const auto& line : broker->log().recovery().damage)
    if (!is_expected(line)) anomaly("durable-prefix: " + line);
  for (const auto& fault : {broker->groups().unavailable(), transactions.unavailable()})
    if (fault && fault->code() != Errc::io_error && fault->code() != Errc::disk_full)
      anomaly("no-crash-loop: a coordinator cannot be loaded: " + fault->message());
}

bool World::needs_restart() const {
  if (broker == nullptr) return false;
  if (broker->groups().unavailable() || broker->transactions().unavailable()) return true;
  for (const auto& [name, topic] : broker->metadata().topics())
    for (const auto* log : topic.logs)
      if (log != nullptr && log->fenced()) return true;
  return false;
}

// "t0-1: offsets 3 to 7 are lost: why", or "t0-1: offset 3 is lost"
bool World::is_expected(std::string_view damage) const {
  if (!loss) return false;
  const std::string front = loss->partition + ": offset";
  if (!damage.starts_with(front)) return false;
  std::vector<std::int64_t> numbers;
  for (std::size_t i = front.size(); i < damage.size() && damage[i] != ':'; ++i)
    if (damage[i] >= '0' && damage[i] <= '9' && (damage[i - 1] < '0' || damage[i - 1] > '9'))
      numbers.push_back(std::strtoll(damage.data() + i, nullptr, 10));
  return !numbers.empty() && numbers.front() >= loss->first && numbers.back() <= loss->last;
}

// Twice in a row: what a start believed must hold when the power fails right after it.
void World::crash_again_soon() {
  if (counters[Count::crashes] == 0 || faults_over_ || !rng.one_in(3)) return;
  const std::int64_t latest = rng.one_in(2) ? 6'000'000 : 60'000'000;
  sim.at(sim.clock().now() + Duration(rng.between(100'000, latest)),
         [this, life = counters[Count::crashes]] {
           if (faults_over_ || broker == nullptr || life != counters[Count::crashes]) return;
           power_cut();
           restart_soon();
         });
}

void World::restart_soon() {
  sim.at(sim.clock().now() + Duration(rng.between(1, 50'000'000)), [this] {
    if (broker != nullptr) return;
    if (crashes_in_recovery_left_ > 0) {
      --crashes_in_recovery_left_;
      ++counters[Count::crashes_in_recovery];
      sim.files().crash_after(1 + rng.below(60));
    }
    start_broker();
  });
}

// In which state each transactional id was when the process ended.
void World::note_end() {
  using enum coordinator::TransactionState;
  counters[Count::repairs] += broker->log().counters().repairs;
  counters[Count::compactions] += broker->log().counters().compactions;
  counters[Count::records_compacted] += broker->log().counters().compacted_records;
  const auto& state = broker->transactions().state();
  counters[Count::timed_out] += state.counters().timed_out;
  for (const auto& [id, transaction] : state.transactions()) {
    switch (transaction->state) {
      case empty: ++counters[Count::cut_empty]; break;
      case ongoing: ++counters[Count::cut_ongoing]; break;
      case prepare_commit: ++counters[Count::cut_prepare_commit]; break;
      case prepare_abort: ++counters[Count::cut_prepare_abort]; break;
      case complete_commit:
      case complete_abort: ++counters[Count::cut_complete]; break;
    }
  }
}

void World::end_process() {
  if (process != nullptr) process->kill();
  if (broker != nullptr) note_end();
  broker.reset();
  process.reset();
}

void World::power_cut() {
  trace("fault: the power fails");
  end_process();
  sim.files().crash();
  ++counters[Count::crashes];
}

void World::die() {
  trace("fault: the process dies");
  end_process();
  sim.files().kill();
  ++counters[Count::crashes];
}

void World::crash(const sim::PlannedFault& fault) {
  crashes_in_recovery_left_ = fault.crashes_in_recovery;
  if (fault.fault == sim::Fault::crash_at_call && broker != nullptr) {
    sim.files().crash_after(fault.number);
    return;  // the watcher sees it
  }
  if (fault.fault == sim::Fault::crash_at_sync && broker != nullptr) {
    // A third of them at a directory's: what was renamed there may be forgotten.
    const bool of_directory = rng.one_in(3);
    sim.files().add_fault({.op = of_directory ? io::FileOp::sync_directory : io::FileOp::sync,
                           .path = "",
                           .skip = fault.number / (of_directory ? 64 : 8),
                           .count = 1,
                           .error = Errc::simulated_crash});
    return;
  }
  if (fault.fault == sim::Fault::kill) {
    die();
  } else {
    power_cut();
  }
  restart_soon();
}

// The machine may live on: what was written and not synced then looks fine to the next start.
void World::watch_for_crash() {
  if (!sim.files().crashed()) return;
  if (rng.one_in(2)) {
    power_cut();
  } else {
    die();
  }
  restart_soon();
}

void World::inject(const sim::PlannedFault& fault) {
  if (traced()) trace(fmt::format("fault: {}", name_of(fault.fault)));
  auto& files = sim.files();
  switch (fault.fault) {
    case sim::Fault::failed_wal_sync:
      files.add_fault({.op = io::FileOp::sync,
                       .path = ".wal",
                       .skip = rng.below(3),
                       .count = 1 + rng.below(2)});
      break;
    case sim::Fault::failed_segment_sync:
      files.add_fault({.op = io::FileOp::sync, .path = ".log", .skip = rng.below(2), .count = 1});
      break;
    case sim::Fault::failed_write: {
      // The Nth call of a kind from now on, mostly a write.
      constexpr io::FileOp ops[] = {
          io::FileOp::write,  io::FileOp::write,  io::FileOp::write,
          io::FileOp::open,   io::FileOp::read,   io::FileOp::truncate,
          io::FileOp::rename, io::FileOp::remove, io::FileOp::sync_directory};
      const auto op = ops[rng.below(std::size(ops))];
      files.add_fault({.op = op,
                       .path = "",
                       .skip = rng.below(op == io::FileOp::read ? 200 : 5),
                       .count = 1,
                       .error = rng.one_in(2) ? Errc::io_error : Errc::disk_full});
      break;
    }
    case sim::Fault::cut_connections: sim.cut_all_connections(); break;
    case sim::Fault::disk_full:
      files.set_capacity(1);
      sim.at(sim.clock().now() + 400ms, [this] { sim.files().set_capacity(UINT64_MAX); });
      break;
    default: crash(fault);
  }
}

// A wrong time server, for a while or for good; timers go by another clock.
void World::jump_clock() {
  const std::int64_t hours = rng.between(1, 24 * 30);
  const std::int64_t shift_ms = (rng.one_in(3) ? -hours : hours) * 3'600'000;
  if (traced()) trace(fmt::format("fault: the wall clock jumps by {} ms", shift_ms));
  ++counters[Count::clock_jumps];
  sim.shift_wall_clock(shift_ms);
  if (rng.one_in(3)) return;
  sim.at(sim.clock().now() + Duration(rng.between(1, 500'000'000)), [this, shift_ms] {
    trace("fault: the wall clock jumps back");
    sim.shift_wall_clock(-shift_ms);
  });
}

void World::run_through(const Roughness& roughness) {
  const MonoTime begin = sim.clock().now();
  for (const auto& fault : sim::plan_faults(rng, begin, roughness.length, roughness.crashes))
    sim.at(fault.at, [this, fault] { inject(fault); });
  for (int i = 0; i < roughness.clock_jumps; ++i)
    sim.at(begin + Duration(rng.between(1, roughness.length.count())), [this] { jump_clock(); });
  const MonoTime end = begin + roughness.length + 500ms;
  while (sim.clock().now() < end && sim.step()) watch_for_crash();
}

bool World::settle(const std::function<bool()>& done) {
  trace("faults are over");
  faults_over_ = true;
  sim.files().clear_faults();
  sim.files().set_capacity(UINT64_MAX);
  crashes_in_recovery_left_ = 0;
  auto calm = sim.options();
  calm.stall_one_in = 0;
  sim.set_options(calm);
  if (needs_restart()) {
    trace("the broker is started anew");
    die();
    restart_soon();
  }
  return sim.run_until(
      [&] {
        watch_for_crash();
        return done();
      },
      60s);
}

SimResult World::result(std::vector<std::string> of_history) {
  end_process();
  clients->kill();
  const auto& disk = sim.files().counters();
  counters[Count::runs] = 1;
  counters[Count::torn_writes] = disk.torn_writes;
  counters[Count::lost_renames] = disk.lost_renames;
  counters[Count::lost_names] = disk.lost_names;
  counters[Count::failed_syncs] = disk.failed_syncs;
  counters[Count::failed_calls] = disk.failed_calls;
  counters[Count::cut_connections] = sim.network_counters().cut;
  counters[Count::late_deliveries] = sim.network_counters().stalls;
  anomalies.insert(anomalies.end(), of_history.begin(), of_history.end());
  if (anomalies.size() > most_anomalies) anomalies.resize(most_anomalies);
  for (const auto& line : anomalies) trace("anomaly: " + line);
  return {.anomalies = std::move(anomalies), .counters = counters};
}

}  // namespace weir::tests
