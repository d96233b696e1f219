// What the programs of this folder share: arguments, pace, and what a run cost its process.
#pragma once

#include <poll.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace cost {

// The same for every client, so that batches and fetches are alike.
constexpr int partitions = 6;
constexpr int batch_bytes = 64 * 1024;
constexpr int linger_ms = 5;
constexpr int buffer_bytes = 32 * 1024 * 1024;

struct Arguments {
  std::string mode, address, topic;
  std::size_t size = 0;
  long records = 0;
  long rate = 0;  // a second; 0: flat out
};

inline Arguments parse(int argc, char** argv) {
  if (argc != 7) {
    std::fprintf(stderr, "usage: %s MODE BOOTSTRAP TOPIC SIZE RECORDS RATE\n", argv[0]);
    std::exit(2);
  }
  return {argv[1],
          argv[2],
          argv[3],
          static_cast<std::size_t>(std::atol(argv[4])),
          std::atol(argv[5]),
          std::atol(argv[6])};
}

[[noreturn]] inline void stop(const char* what, const std::string& why) {
  std::fprintf(stderr, "%s: %s\n", what, why.c_str());
  std::exit(1);
}

using Clock = std::chrono::steady_clock;

/// Lets record number i pass when it is due; once a millisecond at the most it looks.
class Pace {
 public:
  explicit Pace(long rate) : rate_(rate), start_(Clock::now()) {}
  void wait_for(long record) {
    if (rate_ == 0 || record < passed_) return;
    for (;;) {
      const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
      passed_ = static_cast<long>(seconds * static_cast<double>(rate_));
      if (record < passed_) return;
      ::poll(nullptr, 0, 1);
    }
  }

 private:
  long rate_;
  Clock::time_point start_;
  long passed_ = 0;
};

/// From its making to report(): one line of JSON.
class Meter {
 public:
  void report(long records) const {
    const Usage now = usage();
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    std::printf("{\"records\": %ld, \"seconds\": %.6f, \"user_ns\": %.2f, \"system_ns\": %.2f}\n",
                records, seconds, (now.user - before_.user) * 1e9 / static_cast<double>(records),
                (now.system - before_.system) * 1e9 / static_cast<double>(records));
  }

 private:
  struct Usage {
    double user, system;
  };
  static Usage usage() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return {seconds(used.ru_utime), seconds(used.ru_stime)};
  }

  Usage before_ = usage();
  Clock::time_point start_ = Clock::now();
};

}  // namespace cost
