// What a record of 100 bytes costs the application: send() into its batch, and walking a batch.
#include <benchmark/benchmark.h>

#include "client/accumulator.h"
#include "client/fetched.h"

namespace weir::client {
namespace {

constexpr std::size_t value_bytes = 100;

/// send() with a key, against an accumulator whose batches are taken away as a loop would.
void send_keyed_record(benchmark::State& state) {
  ProducerOptions options{.buffer_bytes = 64U * 1024 * 1024};
  SystemClock clock;
  Accumulator accumulator(options, clock, 1, [] {});
  accumulator.take_new_topics();
  DeliveryCallback none;
  const std::string value(value_bytes, 'v');
  auto first = accumulator.append({.topic = "orders", .key = "warm", .value = value}, none);
  accumulator.set_partitions("orders", 6, {0, 1, 2, 3, 4, 5});
  std::uint64_t key = 0;
  for (auto unused : state) {
    char text[16];
    std::memcpy(text, &++key, sizeof key);
    auto sent = accumulator.append(
        {.topic = "orders", .key = std::string_view(text, sizeof key), .value = value}, none);
    if (sent) [[likely]]
      continue;
    std::vector<std::unique_ptr<ProducerBatch>> taken;
    accumulator.each_active([&](PartitionQueue& queue) {
      while (!queue.batches.empty()) taken.push_back(accumulator.take_front(queue));
    });
    for (const auto& batch : taken) {
      accumulator.complete(*batch);
      accumulator.release(batch->charge);
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(send_keyed_record);

/// Opening a fetched batch (CRC, every record checked) and walking it.
void consume_batch(benchmark::State& state) {
  kafka::BatchBuilder builder(64U * 1024);
  const std::string value(value_bytes, 'v');
  constexpr int records = 500;
  for (int i = 0; i < records; ++i) builder.append(i, std::string_view("key-0017"), value);
  auto budget = std::make_shared<FetchBudget>(1U << 30U, [] {});
  const auto frame = std::make_shared<const FetchedBytes>(*builder.finish({}), budget);
  RawBatch raw{std::make_shared<const TopicPartition>(TopicPartition{"orders", 0}), frame,
               *kafka::BatchView::parse(frame->slice().view()), 0, 0};
  for (auto unused : state) {
    auto batch = open_batch(raw, true);
    std::size_t bytes = 0;
    for (const RecordView& record : **batch) bytes += record.value()->size() + record.key()->size();
    benchmark::DoNotOptimize(bytes);
  }
  state.SetItemsProcessed(state.iterations() * records);
}
BENCHMARK(consume_batch);

}  // namespace
}  // namespace weir::client
