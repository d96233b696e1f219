// What counting costs on the way of a request, and what showing costs.
#include <benchmark/benchmark.h>

#include "base/rng.h"
#include "metrics/exposition.h"

namespace weir::metrics {
namespace {

void add_to_a_counter(benchmark::State& state) {
  Counter counter;
  for (auto unused : state) {
    counter.add(100);
    benchmark::ClobberMemory();
  }
  benchmark::DoNotOptimize(counter.value());
}
BENCHMARK(add_to_a_counter);

/// Times from all over the scale, so that no branch is foreseen.
void observe_a_duration(benchmark::State& state) {
  Histogram histogram;
  Rng rng(1);
  std::array<Duration, 1024> times;
  for (auto& time : times)
    time = Duration(std::int64_t{1} << rng.between(1, 36)) + Duration(rng.between(0, 1'000));
  std::size_t i = 0;
  for (auto unused : state) {
    histogram.observe(times[i++ % times.size()]);
    benchmark::ClobberMemory();
  }
  benchmark::DoNotOptimize(histogram.count());
}
BENCHMARK(observe_a_duration);

void expose_a_thousand_samples(benchmark::State& state) {
  for (auto unused : state) {
    Exposition out(Format::text);
    out.begin(Metric::high_water_mark);
    for (int i = 0; i < 1000; ++i)
      out.sample({"orders", std::to_string(i)}, std::int64_t{1'000'000} + i);
    benchmark::DoNotOptimize(std::move(out).finish());
  }
}
BENCHMARK(expose_a_thousand_samples);

}  // namespace
}  // namespace weir::metrics
