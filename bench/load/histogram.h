// Latencies of a run in microseconds, counted in buckets that are at most one percent wide.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace weir::load {

/// Log-linear: below 128 every value has its bucket, above it each power of two has 128. Largest
/// value, count and sum are exact. Threads: its owner's.
class Histogram {
 public:
  void add(std::uint64_t us) {
    us = std::min(us, largest_value);
    ++counts_[index_of(us)];
    ++count_;
    max_ = std::max(max_, us);
    sum_ += us;
  }
  std::uint64_t count() const { return count_; }
  std::uint64_t max() const { return max_; }
  double mean() const {
    return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_);
  }

  /// The smallest bucket end that at least `fraction` of the values do not exceed; 0 if empty.
  std::uint64_t quantile(double fraction) const {
    const auto wanted = static_cast<std::uint64_t>(fraction * static_cast<double>(count_) + 0.5);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen >= wanted && seen > 0) return std::min(last_of(i), max_);
    }
    return max_;
  }

 private:
  static constexpr unsigned sub_bits = 7;
  static constexpr std::uint64_t sub_count = 1U << sub_bits;
  static constexpr std::uint64_t largest_value = (std::uint64_t{1} << 40U) - 1;

  static std::size_t index_of(std::uint64_t v) {
    if (v < sub_count) return v;
    const auto shift = static_cast<unsigned>(std::bit_width(v)) - sub_bits - 1;
    return (shift + 1) * sub_count + ((v >> shift) - sub_count);
  }
  static std::uint64_t last_of(std::size_t index) {
    if (index < sub_count) return index;
    const std::uint64_t shift = index / sub_count - 1;
    return ((index % sub_count + sub_count + 1) << shift) - 1;
  }

  std::array<std::uint64_t, (40 - sub_bits + 1) * sub_count> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
  std::uint64_t sum_ = 0;
};

}  // namespace weir::load
