// The machine of a simulated run, the broker on it, and its faults.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/broker.h"
#include "io/sim_runtime.h"
#include "sim/fault_plan.h"
#include "simulation.h"

namespace weir::tests {

using namespace std::chrono_literals;

inline constexpr std::uint16_t sim_port = 9092;

/// Offsets that damage has cost, [first, last].
struct Loss {
  std::string partition;
  std::int64_t first = 0;
  std::int64_t last = 0;

  bool holds(std::string_view of, std::int64_t offset) const {
    return partition == of && offset >= first && offset <= last;
  }
};

/// Owner: a run. Threads: one.
class World {
 public:
  World(std::uint64_t seed, TraceSink trace);
  ~World();
  /// A broker's setting; before it starts.
  void set(std::string_view name, std::string_view value);

  void start_broker();
  /// The power fails: what is not synced is lost, torn or kept.
  void power_cut();
  /// The process dies, the machine lives.
  void die();
  void end_process();

  struct Roughness {
    Duration length{};
    int crashes = 0;  // and as many other faults
    int clock_jumps = 0;
  };
  /// Runs for so long, with faults at moments of the seed's choice.
  void run_through(const Roughness& roughness);
  /// The faults are over. Runs until `done`; false if that does not come.
  bool settle(const std::function<bool()>& done);
  bool run_until(const std::function<bool()>& done) { return sim.run_until(done, 60s); }

  /// Ends the run: what was found, in front of what the checker found.
  SimResult result(std::vector<std::string> of_history);

  /// `line`: "invariant: what".
  void anomaly(std::string line) { anomalies.push_back(std::move(line)); }
  bool traced() const { return static_cast<bool>(trace_); }
  void trace(std::string_view what) const;

  io::SimWorld sim;
  Rng rng;
  std::unique_ptr<io::SimProcess> clients;
  std::unique_ptr<io::SimProcess> process;
  std::unique_ptr<broker::Broker> broker;
  broker::BrokerOptions options;
  Counters counters;
  std::vector<std::string> anomalies;
  std::optional<Loss> loss;  // that may be found: nothing else
  Duration patience = 2s;    // of a client that is not answered

 private:
  void crash_again_soon();
  void restart_soon();
  void crash(const sim::PlannedFault& fault);
  /// A call to the disk has ended the process: what it would have done afterwards never happened.
  void watch_for_crash();
  void inject(const sim::PlannedFault& fault);
  void jump_clock();
  void note_start();
  /// Something was given up for a failing disk: an operator starts the broker anew.
  bool needs_restart() const;
  void note_end();
  bool is_expected(std::string_view damage) const;

  TraceSink trace_;
  std::uint64_t crashes_in_recovery_left_ = 0;
  bool faults_over_ = false;
};

/// Nothing is logged while it lives, unless WEIR_SIM_LOG is set: then one seed shows what the
/// broker says.
class QuietLog {
 public:
  QuietLog();
  ~QuietLog();
  QuietLog(const QuietLog&) = delete;
  QuietLog& operator=(const QuietLog&) = delete;

 private:
  int level_;
};

}  // namespace weir::tests
