// Counters and histograms: plain numbers that one loop owns, no allocation and no lock.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace weir::metrics {

/// Owner: whoever counts. Threads: the owner's loop.
class Counter {
 public:
  void add(std::uint64_t n = 1) { value_ += n; }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0;
};

/// How long something took. Buckets are log-linear: 1, 2, 3, 5 and 7 times each power of ten from
/// 10 us to 70 s, and one for what is longer; a quantile is so known within a factor of two.
/// Owner: whoever observes. Threads: the owner's loop.
///
/// An observation finds its bucket by the position of its highest bit and at most three
/// comparisons, because at most three bounds lie between two powers of two.
class Histogram {
 public:
  static constexpr std::size_t bounds_count = 35;
  /// Upper bounds, inclusive, in nanoseconds.
  static constexpr std::array<std::uint64_t, bounds_count> bounds = [] {
    std::array<std::uint64_t, bounds_count> out{};
    std::uint64_t decade = 10'000;
    for (std::size_t i = 0; i < bounds_count; decade *= 10)
      for (const std::uint64_t step : {1U, 2U, 3U, 5U, 7U}) out[i++] = step * decade;
    return out;
  }();

  /// A negative time counts as none: clocks that were read in another order than one thinks.
  void observe(Duration took) {
    const auto ns = took.count() < 0 ? std::uint64_t{0} : static_cast<std::uint64_t>(took.count());
    std::size_t bucket = first_[static_cast<std::size_t>(std::bit_width(ns))];
    while (bucket < bounds_count && ns > bounds[bucket]) ++bucket;
    ++buckets_[bucket];
    sum_ns_ += ns;
  }

  Histogram& operator+=(const Histogram& other) {
    for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
    sum_ns_ += other.sum_ns_;
    return *this;
  }

  /// Of one bucket, not of all below; index bounds_count is what is longer than the last bound.
  std::uint64_t in_bucket(std::size_t index) const { return buckets_[index]; }
  std::uint64_t count() const {
    std::uint64_t all = 0;
    for (const std::uint64_t n : buckets_) all += n;
    return all;
  }
  Duration sum() const { return Duration(static_cast<Duration::rep>(sum_ns_)); }

 private:
  /// By bit width, the first bucket that can hold such a number.
  static constexpr std::array<std::uint8_t, 65> first_ = [] {
    std::array<std::uint8_t, 65> out{};
    for (std::size_t width = 1; width <= 64; ++width) {
      const std::uint64_t smallest = std::uint64_t{1} << (width - 1);
      while (out[width] < bounds_count && smallest > bounds[out[width]]) ++out[width];
    }
    return out;
  }();

  std::array<std::uint64_t, bounds_count + 1> buckets_{};
  std::uint64_t sum_ns_ = 0;
};

}  // namespace weir::metrics
