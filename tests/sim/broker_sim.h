// One simulated run of the whole broker: scripted clients, faults, a checked history; from one
// seed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim_counters.h"

namespace weir::tests {

struct SimResult {
  std::vector<std::string> anomalies;  // of the history, or of the run itself
  SimCounters counters;
};

SimResult run_broker_simulation(std::uint64_t seed);

}  // namespace weir::tests
