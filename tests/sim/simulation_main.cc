// simulation: the whole broker over as many seeds as asked for, with progress; `./run sim`.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "broker_sim.h"

namespace {

constexpr const char* usage =
    "usage: simulation [--seeds N] [--first SEED]\n"
    "\n"
    "Runs the whole broker with scripted clients, crashes and failing disks, in one thread from "
    "one\n"
    "seed, N times. Stops at the first seed that breaks a promise; WEIR_SIM_LOG=1 with that seed\n"
    "alone shows what the broker says.\n";

bool number(const char* text, std::uint64_t& out) {
  char* end = nullptr;
  out = std::strtoull(text, &end, 10);
  return *text != '\0' && *end == '\0';
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t seeds = 500;
  std::uint64_t first = 1;
  for (int i = 1; i < argc; i += 2) {
    const std::string word = argv[i];
    std::uint64_t* const out = word == "--seeds" ? &seeds : word == "--first" ? &first : nullptr;
    if (out == nullptr || i + 1 >= argc || !number(argv[i + 1], *out)) {
      std::fputs(usage, stderr);
      return 2;
    }
  }
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  weir::tests::SimCounters total;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    const auto result = weir::tests::run_broker_simulation(seed);
    for (const auto& line : result.anomalies)
      std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), line.c_str());
    if (!result.anomalies.empty()) {
      std::printf("run it alone: simulation --seeds 1 --first %llu\n",
                  static_cast<unsigned long long>(seed));
      return 1;
    }
    total.add(result.counters);
    const std::uint64_t done = seed - first + 1;
    if (terminal || done % 100 == 0)
      std::fprintf(stderr, "%s%llu of %llu seeds%s", terminal ? "\r" : "",
                   static_cast<unsigned long long>(done), static_cast<unsigned long long>(seeds),
                   terminal ? "" : "\n");
  }
  if (terminal) std::fputc('\n', stderr);
  std::printf("%s\n", total.to_string().c_str());
  return 0;
}
