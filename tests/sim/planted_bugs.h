// Planted bugs: ordinary runs, which do not know them, must find each.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "base/mutant.h"

namespace weir::tests {

inline std::string first_line(const std::vector<std::string>& lines) {
  return lines.empty() ? std::string() : lines.front();
}

#ifdef WEIR_MUTANTS  // else there are none

/// Runs the seeds [1, most_seeds] with `bug` planted, up to the first in which it shows; prints
/// which, and fails the test if there is none. `anomaly_of` gives a line of a seed's, or "".
template <class AnomalyOf>
void expect_found(Mutant bug, const char* name, std::uint64_t most_seeds, AnomalyOf anomaly_of) {
  active_mutant = bug;
  std::uint64_t seed = 0;
  std::string found;
  while (found.empty() && seed < most_seeds) found = anomaly_of(++seed);
  active_mutant = Mutant::none;
  std::printf("%s: seed %llu: %s\n", name, static_cast<unsigned long long>(seed), found.c_str());
  EXPECT_FALSE(found.empty()) << "not found in " << most_seeds << " seeds";
}

#endif

}  // namespace weir::tests
