// planted_bugs: how soon the ordinary runs find each planted bug, as a table; `./run sim
// --planted-bugs`.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <vector>

#include "invariants.h"
#include "planted_bugs.h"

namespace weir::tests {
namespace {

constexpr std::uint64_t apart = 10'000;  // first seeds

std::string most_frequent(const std::map<std::string, int>& names) {
  return std::max_element(names.begin(), names.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

/// False: not found from every first seed.
bool print_row(const PlantedBug& bug, std::uint64_t starts) {
  std::vector<std::uint64_t> seeds;
  std::map<std::string, int> invariants;
  for (std::uint64_t start = 0; start < starts; ++start) {
    const std::uint64_t first = 1 + start * apart;
    const auto found = find_bug(bug.bug, first);
    if (found.seeds == 0) {
      std::printf("| `%s` | not found from seed %llu on | | |\n", std::string(bug.name).c_str(),
                  static_cast<unsigned long long>(first));
      return false;
    }
    seeds.push_back(found.seeds);
    ++invariants[std::string(invariant_of(found.anomaly))];
  }
  std::sort(seeds.begin(), seeds.end());
  std::printf("| `%s` | %llu | %llu | %s |\n", std::string(bug.name).c_str(),
              static_cast<unsigned long long>(seeds[seeds.size() / 2]),
              static_cast<unsigned long long>(seeds.back()), most_frequent(invariants).c_str());
  std::fflush(stdout);
  return true;
}

}  // namespace
}  // namespace weir::tests

int main(int argc, char** argv) {
  const std::uint64_t starts = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 5;
  if (starts == 0 || argc > 2) {
    std::fputs("usage: planted_bugs [STARTS]\n", stderr);
    return 2;
  }
  std::printf(
      "| planted bug | seeds until it is found, median | most | mostly as |\n"
      "|---|---|---|---|\n");
  bool all = true;
  for (const auto& bug : weir::tests::planted_bugs())
    all = weir::tests::print_row(bug, starts) && all;
  return all ? 0 : 1;
}
