// What the programs that run an application of streams for a benchmark have in common.
#pragma once

#include <weir/streams.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

namespace weir::bench {

[[noreturn]] inline void stop(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

inline long number(const char* text) {
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  if (end == text || *end != '\0') stop(std::string(text) + " is no number");
  return value;
}

/// Of the words `WHAT ADDRESS exactly_once|at_least_once COMMIT_MS STATE_DIR CACHE_BYTES
/// APPLICATION`; runs until the process is told to end. `make` gives a topology of WHAT and
/// APPLICATION.
template <class Make>
[[noreturn]] void run_application(int argc, char** argv, Make make) {
  if (argc < 8) stop("see the top of its source");
  streams::ApplicationOptions options;
  options.guarantee = std::strcmp(argv[3], "exactly_once") == 0 ? streams::Guarantee::exactly_once
                                                                : streams::Guarantee::at_least_once;
  options.commit_interval = std::chrono::milliseconds(number(argv[4]));
  options.state_dir = argv[5];
  options.cache_bytes = static_cast<std::size_t>(number(argv[6]));
  auto application = streams::Application::start(make(argv[1], argv[7]), argv[2], options);
  if (!application) stop(application.error().message());
  auto ended = application->wait();
  stop(ended ? "ended" : ended.error().message());
}

}  // namespace weir::bench
