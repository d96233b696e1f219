// What a broker and a client spend on one record: judging, reading, building batches.
#include <benchmark/benchmark.h>

#include "base/rng.h"
#include "kafka/batch_builder.h"
#include "kafka/batch_check.h"

namespace weir::kafka {
namespace {

constexpr std::int64_t now = 1'700'000'000'000;

/// Text that shrinks to about a half; each record takes another part of it.
std::string text() {
  Rng rng(1);
  std::string text(1U << 20U, '\0');
  for (char& c : text) c = static_cast<char>('a' + rng.below(16));
  return text;
}

void fill(BatchBuilder& builder, std::size_t value_size, std::size_t size) {
  static const std::string source = text();
  std::size_t at = 0;
  for (;;) {
    const std::string_view value = std::string_view(source).substr(at, value_size);
    if (builder.size_with(now, std::nullopt, value) > size) return;
    builder.append(now, std::nullopt, value);
    at = (at + value_size) % (source.size() - value_size);
  }
}

void count_records(benchmark::State& state, std::int32_t records, std::size_t bytes) {
  state.SetItemsProcessed(state.iterations() * records);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}

// Arguments: bytes of a value, codec.
void judge(benchmark::State& state) {
  const auto value_size = static_cast<std::size_t>(state.range(0));
  BatchBuilder builder(1U << 18U);
  fill(builder, value_size, 256U * 1024);
  const auto records = builder.record_count();
  const Slice batch = *builder.finish({.codec = static_cast<compress::Codec>(state.range(1))});
  const ProduceChecks checks{.now_ms = now};
  for (auto _ : state) benchmark::DoNotOptimize(validate_produced(batch.view(), checks));
  count_records(state, records, batch.size());
}
BENCHMARK(judge)->ArgsProduct({{100, 1024}, {0, 1, 2, 3, 4}})->ArgNames({"value", "codec"});

void crc_alone(benchmark::State& state) {
  BatchBuilder builder(1U << 18U);
  fill(builder, 100, 256U * 1024);
  const auto records = builder.record_count();
  const Slice batch = *builder.finish({});
  for (auto _ : state) benchmark::DoNotOptimize(BatchView::parse(batch.view())->compute_crc());
  count_records(state, records, batch.size());
}
BENCHMARK(crc_alone);

void read(benchmark::State& state) {
  const auto value_size = static_cast<std::size_t>(state.range(0));
  BatchBuilder builder(1U << 18U);
  fill(builder, value_size, 256U * 1024);
  const auto records = builder.record_count();
  const Slice batch = *builder.finish({.codec = static_cast<compress::Codec>(state.range(1))});
  RecordView record;
  for (auto _ : state) {
    auto reader = RecordReader::open(*BatchView::parse(batch.view()));
    while (reader->next(record)) benchmark::DoNotOptimize(record.value);
  }
  count_records(state, records, batch.size());
}
BENCHMARK(read)->ArgsProduct({{100, 1024}, {0, 3, 4}})->ArgNames({"value", "codec"});

void build(benchmark::State& state) {
  const auto value_size = static_cast<std::size_t>(state.range(0));
  const BatchOptions options{.codec = static_cast<compress::Codec>(state.range(1))};
  BatchBuilder builder(16U * 1024);
  std::int32_t records = 0;
  std::size_t bytes = 0;
  for (auto _ : state) {
    fill(builder, value_size, 16U * 1024);
    records = builder.record_count();
    bytes = builder.size();
    benchmark::DoNotOptimize(builder.finish(options));
  }
  count_records(state, records, bytes);
}
BENCHMARK(build)->ArgsProduct({{100, 1024}, {0, 1, 2, 3, 4}})->ArgNames({"value", "codec"});

}  // namespace
}  // namespace weir::kafka
