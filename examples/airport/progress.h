// Progress of the demo: a bar on a terminal, a line a second otherwise.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace airport {

class Progress {
 public:
  Progress(std::string what, std::size_t total);
  ~Progress();
  void at(std::size_t done);

 private:
  void show();
  std::string what_;
  std::size_t total_;
  std::size_t done_ = 0;
  bool terminal_;
  std::chrono::steady_clock::time_point began_;
  std::chrono::steady_clock::time_point shown_;
};

}  // namespace airport
