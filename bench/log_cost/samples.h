// Durations of one thing that was measured often, and their quantiles.
#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/clock.h"

namespace weir::log_cost {

class Samples {
 public:
  void add(Duration took) { us_.push_back(static_cast<double>(took.count()) / 1e3); }
  std::size_t count() const { return us_.size(); }
  double total_us() const {
    double sum = 0;
    for (const double us : us_) sum += us;
    return sum;
  }

  /// "count", "p50_us", "p99_us" and "max_us" as members of a JSON object.
  std::string json() {
    std::sort(us_.begin(), us_.end());
    return fmt::format(R"("count": {}, "p50_us": {:.1f}, "p99_us": {:.1f}, "max_us": {:.1f})",
                       us_.size(), at(0.5), at(0.99), us_.empty() ? 0.0 : us_.back());
  }

 private:
  double at(double fraction) const {
    if (us_.empty()) return 0;
    return us_[std::min(us_.size() - 1,
                        static_cast<std::size_t>(fraction * static_cast<double>(us_.size())))];
  }

  std::vector<double> us_;
};

}  // namespace weir::log_cost
