// The simulated worlds: each run is made from one seed, bit for bit the same every time.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "counters.h"

namespace weir::tests {

/// Is given what happens, a line each, in simulated time; empty: nobody asks.
using TraceSink = std::function<void(std::string_view line)>;

struct SimResult {
  std::vector<std::string> anomalies;  // "invariant: what", see invariants.h
  Counters counters;
};

enum class WorldKind : std::uint8_t {
  whole,       // transactions, groups, idempotent producers, compaction
  log,         // idempotent producers and forged requests
  groups,      // members that come, stall and go
  compaction,  // the log alone, every call of a compaction cut
};
inline constexpr std::size_t world_kinds = 4;
std::string_view name_of(WorldKind kind);
std::optional<WorldKind> world_kind(std::string_view name);

/// Of ten seeds in a row five are of the whole, two of the log and of groups, one of compaction.
WorldKind kind_of(std::uint64_t seed);

SimResult run_whole_world(std::uint64_t seed, const TraceSink& trace);
SimResult run_log_world(std::uint64_t seed, const TraceSink& trace);
SimResult run_group_world(std::uint64_t seed, const TraceSink& trace);
SimResult run_compaction_world(std::uint64_t seed, const TraceSink& trace);

/// A run of the world that the seed is of.
SimResult simulate(std::uint64_t seed, const TraceSink& trace = {});

}  // namespace weir::tests
