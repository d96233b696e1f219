#include "progress.h"

#include <unistd.h>

#include <cstdio>

namespace airport {

using Clock = std::chrono::steady_clock;

// A demo program of its own: its only use of a clock is to pace what it prints.
Progress::Progress(std::string what, std::size_t total)
    : what_(std::move(what)), total_(total), terminal_(::isatty(STDERR_FILENO) != 0) {
  began_ = shown_ = Clock::now();
  if (terminal_) show();
}

Progress::~Progress() {
  show();
  if (terminal_) std::fprintf(stderr, "\n");
}

void Progress::at(std::size_t done) {
  done_ = done;
  const auto now = Clock::now();
  const auto pause = terminal_ ? std::chrono::milliseconds(50) : std::chrono::milliseconds(1000);
  if (now - shown_ < pause) return;
  shown_ = now;
  show();
}

void Progress::show() {
  const double share = total_ == 0 ? 1.0 : static_cast<double>(done_) / static_cast<double>(total_);
  const double seconds = std::chrono::duration<double>(Clock::now() - began_).count();
  if (!terminal_) {
    std::fprintf(stderr, "%s: %zu of %zu (%.0f %%), %.1f s\n", what_.c_str(), done_, total_,
                 share * 100, seconds);
    return;
  }
  constexpr int width = 30;
  const int full = static_cast<int>(share * width);
  std::string bar(static_cast<std::size_t>(full), '=');
  bar.resize(width, ' ');
  std::fprintf(stderr, "\r%-24s [%s] %zu of %zu, %.1f s ", what_.c_str(), bar.c_str(), done_,
               total_, seconds);
}

}  // namespace airport
