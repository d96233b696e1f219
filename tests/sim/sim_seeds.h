// The seeds of a world's test and the runs over them.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

#include "invariants.h"
#include "simulation.h"

namespace weir::tests {

// Under a sanitizer a run takes ten times as long, and looks for other faults.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr std::uint64_t usual_seeds = 120;
#else
inline constexpr std::uint64_t usual_seeds = 2000;
#endif

inline std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// Runs the seeds of this world among [1, usual_seeds], or among those that WEIR_SIM_SEEDS and
/// WEIR_SIM_FIRST_SEED choose, and prints what they went through. The first that breaks a promise
/// fails the test and is the last. Runs that were not hard prove nothing: enough of them are held
/// against `minimums`.
inline void expect_no_anomaly(WorldKind kind, std::span<const Minimum> minimums) {
  const std::uint64_t first = number_from("WEIR_SIM_FIRST_SEED", 1);
  const std::uint64_t count = number_from("WEIR_SIM_SEEDS", usual_seeds);
  Counters total;
  for (std::uint64_t seed = first; seed < first + count && !::testing::Test::HasFailure(); ++seed) {
    if (kind_of(seed) != kind) continue;
    const SimResult result = simulate(seed);
    for (const auto& line : result.anomalies) {
      ADD_FAILURE() << line << "\n  ./run sim --seed " << seed << " --trace";
      EXPECT_NE(invariant_of(line), "") << "no invariant has that name";
    }
    total.add(result.counters);
  }
  std::printf("%s\n", total.to_string().c_str());
  if (::testing::Test::HasFailure() || total[Count::runs] < 50) return;
  for (const auto& line : missed(total, minimums)) ADD_FAILURE() << line;
}

}  // namespace weir::tests
