// simulation: the worlds over as many seeds as asked for, with progress; `./run sim`.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/clock.h"
#include "simulation.h"

namespace weir::tests {
namespace {

constexpr const char* usage =
    "usage: simulation [SEEDS] [--seeds N] [--first SEED]\n"
    "       simulation --seed SEED [--trace]\n"
    "\n"
    "Runs the broker with scripted clients, crashes, failing disks and jumping clocks, in one\n"
    "thread, once for each seed from SEED (1) on; N: 500. Stops at the first seed that breaks a\n"
    "promise. A seed gives the same run every time: --seed runs one alone, --trace writes what\n"
    "happens in it, a line each with the simulated time in nanoseconds. With WEIR_SIM_LOG=1 the\n"
    "broker says on standard error what it would say to its log.\n";

struct Arguments {
  std::uint64_t seeds = 500;
  std::uint64_t first = 1;
  bool trace = false;
};

bool number(const char* text, std::uint64_t& out) {
  char* end = nullptr;
  out = std::strtoull(text, &end, 10);
  return *text >= '0' && *text <= '9' && *end == '\0';
}

bool parse(int argc, char** argv, Arguments& out) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--trace") {
      out.trace = true;
    } else if (word == "--seeds" || word == "--first" || word == "--seed") {
      if (++i == argc || !number(argv[i], word == "--seeds" ? out.seeds : out.first)) return false;
      if (word == "--seed") out.seeds = 1;
    } else if (!number(argv[i], out.seeds)) {
      return false;
    }
  }
  return !out.trace || out.seeds == 1;
}

/// A line a second; on a terminal a bar that is drawn again.
class Progress {
 public:
  explicit Progress(std::uint64_t seeds) : seeds_(seeds) {}

  void show(std::uint64_t done) {
    const MonoTime now = clock_.now();
    const Duration step = std::chrono::milliseconds(terminal_ ? 100 : 1000);
    if (now < next_ && (!terminal_ || done < seeds_)) return;
    next_ = now + step;
    const double seconds = std::chrono::duration<double>(now - begin_).count();
    const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
    std::string bar;
    if (terminal_) {
      constexpr std::uint64_t width = 30;
      const auto filled = static_cast<std::size_t>(done * width / seeds_);
      bar = "[" + std::string(filled, '#') + std::string(width - filled, '.') + "] ";
    }
    std::fprintf(stderr, "%s%s%llu of %llu seeds, %.0f a second%s", terminal_ ? "\r" : "",
                 bar.c_str(), static_cast<unsigned long long>(done),
                 static_cast<unsigned long long>(seeds_), rate, terminal_ ? "\033[K" : "\n");
  }
  void end() const {
    if (terminal_) std::fputc('\n', stderr);
  }

 private:
  const std::uint64_t seeds_;
  const bool terminal_ = ::isatty(STDERR_FILENO) != 0;
  const SystemClock clock_;
  const MonoTime begin_ = clock_.now();
  MonoTime next_ = begin_ + std::chrono::milliseconds(1000);
};

void write_line(std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
}

int run(const Arguments& arguments) {
  const TraceSink trace = arguments.trace ? TraceSink(write_line) : TraceSink();
  Progress progress(arguments.seeds);
  Counters total;
  for (std::uint64_t done = 0; done < arguments.seeds; ++done) {
    const std::uint64_t seed = arguments.first + done;
    const auto result = simulate(seed, trace);
    if (!result.anomalies.empty()) {
      progress.end();
      for (const auto& line : result.anomalies)
        std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), line.c_str());
      if (!arguments.trace)
        std::printf("again, with a trace: ./run sim --seed %llu --trace\n",
                    static_cast<unsigned long long>(seed));
      return 1;
    }
    total.add(result.counters);
    if (arguments.seeds > 1) progress.show(done + 1);
  }
  if (arguments.seeds > 1) progress.end();
  std::printf("%s\n", total.to_string().c_str());
  return 0;
}

}  // namespace
}  // namespace weir::tests

int main(int argc, char** argv) {
  weir::tests::Arguments arguments;
  if (weir::tests::parse(argc, argv, arguments)) return weir::tests::run(arguments);
  std::fputs(weir::tests::usage, stderr);
  return 2;
}
