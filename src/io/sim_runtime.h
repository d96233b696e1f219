// Simulated time, network and processes: everything runs in one thread, from one seed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/rng.h"
#include "io/runtime.h"
#include "io/sim_files.h"
#include "io/timer_queue.h"

namespace weir::io {

struct NetworkCounters {
  std::uint64_t connections = 0;
  std::uint64_t cut = 0;          // connections that cut_all or cut_some ended
  std::uint64_t stalls = 0;       // deliveries that came late
  std::uint64_t split_reads = 0;  // deliveries that were a part of what was written
};

/// How rough the simulated machine is.
struct SimOptions {
  Duration disk_delay_max = std::chrono::milliseconds(2);
  Duration network_delay_max = std::chrono::milliseconds(1);
  /// One in this many deliveries is split at a random byte; 0: never.
  std::uint64_t split_one_in = 4;
  /// One in this many deliveries is late, by up to `stall_max`, and all behind it on its
  /// connection: what a client asks on its next one overtakes it. 0: never.
  std::uint64_t stall_one_in = 0;
  Duration stall_max = std::chrono::seconds(1);
};

class SimProcess;
class SimStream;

/// The scheduler: virtual clock, events in order of time. Owner: a test or the simulator.
/// Equal seed and equal calls give equal runs, event for event.
class SimWorld {
 public:
  explicit SimWorld(std::uint64_t seed, SimOptions options = {});
  ~SimWorld();

  const Clock& clock() const { return clock_; }
  Rng& rng() { return rng_; }
  const SimOptions& options() const { return options_; }
  void set_options(const SimOptions& options) { options_ = options; }
  SimFileSystem& files() { return files_; }

  /// A process of this machine; its tasks and timers die with it.
  std::unique_ptr<SimProcess> start_process();

  /// Runs the earliest event. False if there is none.
  bool step();
  /// Runs events until `done` or until virtual time has passed `deadline`; true if done.
  bool run_until(const std::function<bool()>& done, Duration deadline);
  void run_for(Duration time);

  TimerId at(MonoTime when, Task task) { return events_.add(when, std::move(task)); }
  void cancel(TimerId id) { const Task gone = events_.take(id); }

  /// Ends every connection of the machine, as a cut cable does.
  void cut_all_connections();
  /// Moves the wall clock alone, as a wrong time server does.
  void shift_wall_clock(std::int64_t ms) { clock_.wall_shift_ms += ms; }
  std::uint64_t events_run() const { return events_run_; }
  const NetworkCounters& network_counters() const { return network_counters_; }

 private:
  friend class SimProcess;
  friend class SimStream;
  friend class SimNetwork;
  friend class SimListener;

  struct VirtualClock final : Clock {
    MonoTime time{std::chrono::hours(1)};
    std::int64_t wall_shift_ms = 1'700'000'000'000;
    MonoTime now() const override { return time; }
    std::int64_t wall_ms() const override {
      return wall_shift_ms +
             std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
    }
  };

  Rng rng_;
  SimOptions options_;
  VirtualClock clock_;
  TimerQueue events_;
  SimFileSystem files_;
  std::map<std::uint16_t, class SimListener*> listeners_;
  std::map<std::uint64_t, std::weak_ptr<struct SimLink>> links_;
  std::uint64_t last_link_ = 0;
  std::uint16_t last_port_ = 40'000;
  std::uint64_t events_run_ = 0;
  NetworkCounters network_counters_;
};

/// One process: what it posted, its timers, workers and connections are gone when it is destroyed.
class SimProcess final : public Runtime {
 public:
  explicit SimProcess(SimWorld& world);
  ~SimProcess() override;

  Loop& loop() override;
  Network& network() override;
  FileSystem& files() override { return world_.files(); }
  Rng& rng() override { return world_.rng(); }
  using Runtime::make_worker;
  std::unique_ptr<Worker> make_worker(const std::string& name, Turns turns) override;
  /// Nothing of this process runs from now on. (The objects on it can be destroyed afterwards.)
  void kill();

 private:
  struct Parts;
  SimWorld& world_;
  std::unique_ptr<Parts> parts_;
};

}  // namespace weir::io
