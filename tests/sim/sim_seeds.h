// The seeds of a simulation's test and the runs over them.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace weir::tests {

// Under a sanitizer a run takes ten times as long, and looks for other faults.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool under_sanitizer = true;
#else
constexpr bool under_sanitizer = false;
#endif

inline std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

template <class Counters>
struct SeedRuns {
  Counters total;
  std::uint64_t count = 0;
  bool telling = false;  // no promise is broken, and there are enough to hold against minimums
};

/// Runs the seeds [1, usual], or those that WEIR_SIM_SEEDS and WEIR_SIM_FIRST_SEED choose, and
/// prints what they went through. The first that breaks a promise fails the test and is the last.
/// `each` is given the counters of every other one.
template <class Result, class Each>
auto run_seeds(Result (*run)(std::uint64_t seed), std::uint64_t usual, Each each) {
  const std::uint64_t first = number_from("WEIR_SIM_FIRST_SEED", 1);
  SeedRuns<decltype(Result::counters)> runs;
  runs.count = number_from("WEIR_SIM_SEEDS", usual);
  for (std::uint64_t seed = first; seed < first + runs.count; ++seed) {
    const Result result = run(seed);
    for (const auto& line : result.anomalies) ADD_FAILURE() << "seed " << seed << ": " << line;
    if (::testing::Test::HasFailure()) break;
    runs.total.add(result.counters);
    each(result.counters);
  }
  std::printf("%s\n", runs.total.to_string().c_str());
  runs.telling = !::testing::Test::HasFailure() && runs.count >= 100;
  return runs;
}

template <class Result>
auto run_seeds(Result (*run)(std::uint64_t seed), std::uint64_t usual) {
  return run_seeds(run, usual, [](const auto&) {});
}

}  // namespace weir::tests
