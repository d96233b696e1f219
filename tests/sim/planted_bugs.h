// Planted bugs: what the ordinary runs, which do not know them, must find.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/mutant.h"

namespace weir::tests {

struct PlantedBug {
  Mutant bug{};
  std::string_view name;
};
std::span<const PlantedBug> planted_bugs();

inline constexpr std::uint64_t most_seeds_for_a_bug = 2000;

struct FoundBug {
  std::uint64_t seeds = 0;  // that were run, the last of which found it; 0: none did
  std::string anomaly;
};
/// Runs the seeds from `first` on with the bug planted, up to the first in which it shows.
FoundBug find_bug(Mutant bug, std::uint64_t first, std::uint64_t most = most_seeds_for_a_bug);

}  // namespace weir::tests
