// The lines of a checker: so many as say something new.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace weir::tests {

class AnomalyLines {
 public:
  void add(std::string line) {
    if (lines_.size() < most) lines_.push_back(std::move(line));
  }
  std::vector<std::string> take() { return std::move(lines_); }

 private:
  static constexpr std::size_t most = 20;
  std::vector<std::string> lines_;
};

}  // namespace weir::tests
