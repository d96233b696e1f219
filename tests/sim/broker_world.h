// The machine, the broker on it, its faults, and clients that connect again and again.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "broker/broker.h"
#include "io/sim_runtime.h"
#include "sim/fault_plan.h"
#include "sim/history.h"
#include "sim/scripted_client.h"
#include "sim_counters.h"

namespace weir::tests {

using namespace std::chrono_literals;
using sim::ScriptedClient;

inline constexpr std::uint16_t sim_port = 9092;

constexpr auto request_timeout = 2s;

/// The machine, the broker on it, and the faults.
class World {
 public:
  explicit World(std::uint64_t seed) : sim(seed), rng(seed ^ 0x9e3779b97f4a7c15U) {
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
    check(options.settings.set("auto.create.topics.enable", "false").has_value(), "a setting");
  }

  void start_broker() {
    process = sim.start_process();
    auto started = broker::Broker::start(*process, options);
    if (started) {
      broker = std::move(*started);
      auto& transactions = broker->transactions();
      open_transactions_found += transactions.state().open_count();
      prepared_transactions_found += transactions.state().counters().resumed;
      for (const auto& line : broker->log().recovery().damage)
        anomalies.push_back("damage: " + line);
      crash_again_soon();
      return;
    }
    const Errc code = started.error().code();
    end_process();
    // The disk of this run may fail a start; anything else is the broker's fault.
    if (!sim.files().crashed() && code != Errc::sync_failed && code != Errc::io_error &&
        code != Errc::disk_full)
      anomalies.push_back("the broker does not start: " + started.error().message());
    if (sim.files().crashed()) return watch_for_crash();
    restart_soon();
  }

  // Twice in a row: what a start believed must hold when the power fails right after it.
  void crash_again_soon() {
    if (counters.crashes == 0 || faults_over || !rng.one_in(3)) return;
    const std::int64_t latest = rng.one_in(2) ? 6'000'000 : 60'000'000;
    sim.at(sim.clock().now() + Duration(rng.between(100'000, latest)),
           [this, life = counters.crashes] {
             if (faults_over || broker == nullptr || life != counters.crashes) return;
             power_cut();
             restart_soon();
           });
  }

  void restart_soon() {
    sim.at(sim.clock().now() + Duration(rng.between(1, 50'000'000)), [this] {
      if (broker != nullptr) return;
      if (crashes_in_recovery_left > 0) {
        --crashes_in_recovery_left;
        ++counters.crashes_in_recovery;
        sim.files().crash_after(1 + rng.below(60));
      }
      start_broker();
    });
  }

  void end_process() {
    if (process != nullptr) process->kill();
    if (broker != nullptr) {
      counters.repairs += broker->log().counters().repairs;
      timed_out_transactions += broker->transactions().state().counters().timed_out;
    }
    broker.reset();
    process.reset();
  }

  void power_cut() {
    end_process();
    sim.files().crash();
    ++counters.crashes;
  }

  void die() {
    end_process();
    sim.files().kill();
    ++counters.crashes;
  }

  void crash(const sim::PlannedFault& fault) {
    crashes_in_recovery_left = fault.crashes_in_recovery;
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

  // A call to the disk has ended the process: what it would have done afterwards never happened.
  // The machine may live on: what was written and not synced then looks fine to the next start.
  void watch_for_crash() {
    if (!sim.files().crashed()) return;
    if (rng.one_in(2)) {
      power_cut();
    } else {
      die();
    }
    restart_soon();
  }

  void inject(const sim::PlannedFault& fault) {
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
      case sim::Fault::failed_write:
        files.add_fault({.op = io::FileOp::write,
                         .path = "",
                         .skip = rng.below(5),
                         .count = 1,
                         .error = Errc::io_error});
        break;
      case sim::Fault::cut_connections: sim.cut_all_connections(); break;
      case sim::Fault::disk_full:
        files.set_capacity(1);
        sim.at(sim.clock().now() + 400ms, [this] { sim.files().set_capacity(UINT64_MAX); });
        break;
      default: crash(fault);
    }
  }

  void heal() {
    faults_over = true;
    sim.files().clear_faults();
    sim.files().set_capacity(UINT64_MAX);
    crashes_in_recovery_left = 0;
  }

  io::SimWorld sim;
  Rng rng;
  std::unique_ptr<io::SimProcess> clients;
  std::unique_ptr<io::SimProcess> process;
  std::unique_ptr<broker::Broker> broker;
  broker::BrokerOptions options;
  sim::History history;
  SimCounters counters;
  std::vector<std::string> anomalies;
  std::uint64_t crashes_in_recovery_left = 0;
  bool faults_over = false;
  std::uint64_t open_transactions_found = 0;  // by starts
  std::uint64_t prepared_transactions_found = 0;
  std::uint64_t timed_out_transactions = 0;
};

/// Connects again and again; what a connection is for is up to the actor.
class Actor {
 public:
  explicit Actor(World& world) : world_(world) {}
  virtual ~Actor() = default;
  void start() { connect(); }

 protected:
  virtual void on_connected() = 0;
  virtual void on_disconnected() {}
  io::Loop& loop() { return world_.clients->loop(); }
  MonoTime now() { return loop().now(); }

  void connect() {
    world_.clients->network().connect(
        {.host = "127.0.0.1", .port = sim_port},
        [this](Result<std::unique_ptr<io::Stream>> stream) {
          if (!stream) {
            loop().call_after(Duration(world_.rng.between(1'000'000, 30'000'000)),
                              [this] { connect(); });
            return;
          }
          client_ = std::make_unique<ScriptedClient>(
              io::make_stream_channel(loop(), std::move(*stream), 64U << 20U));
          client_->on_close([this] { reconnect(); });
          on_connected();
        });
  }

  void reconnect() {
    on_disconnected();
    loop().call_after(1ms, [this] { connect(); });
  }

  /// Gives a connection up that says nothing: the broker may be gone.
  void expect_progress() {
    const std::uint64_t mark = ++progress_;
    loop().call_after(request_timeout, [this, mark] {
      if (progress_ != mark || client_ == nullptr || !client_->open()) return;
      client_->close();
      reconnect();
    });
  }
  void progress() { ++progress_; }

  World& world_;
  std::unique_ptr<ScriptedClient> client_;
  std::uint64_t progress_ = 0;
};

}  // namespace weir::tests
