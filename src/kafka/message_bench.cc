// The messages on the way of an event, and the largest one of a client's start.
#include <benchmark/benchmark.h>

#include "kafka/messages/fetch.h"
#include "kafka/messages/metadata.h"
#include "kafka/messages/produce.h"

namespace weir::kafka {
namespace {

// Argument: partitions, each with 16 KiB of records that lie elsewhere.
FetchResponse fetch_response(std::int64_t partitions, const Records& records) {
  FetchResponse response;
  auto& topic = response.responses.emplace_back();
  for (std::int32_t i = 0; i < partitions; ++i) {
    auto& partition = topic.partitions.emplace_back();
    partition.partition_index = i;
    partition.high_watermark = partition.last_stable_offset = 123'456;
    partition.records = records;
  }
  return response;
}

void encode_fetch(benchmark::State& state) {
  const auto response = fetch_response(state.range(0), Records::external(16384));
  std::string out;
  for (auto _ : state) {
    out.clear();
    Encoder encoder(out);
    response.encode(encoder, 17);
    benchmark::DoNotOptimize(encoder.spliced_bytes());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(encode_fetch)->Arg(1)->Arg(100);

void decode_fetch(benchmark::State& state) {
  const std::string batch(1000, 'b');
  std::string body;
  if (!encode_all(fetch_response(state.range(0), Records(batch)), 17, body)) return;
  for (auto _ : state) benchmark::DoNotOptimize(decode_all<FetchResponse>(body, 17));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(decode_fetch)->Arg(1)->Arg(100);

void decode_produce(benchmark::State& state) {
  const std::string batch(1000, 'b');
  ProduceRequest request;
  auto& topic = request.topic_data.emplace_back();
  topic.name = "flights.departures";
  for (std::int32_t i = 0; i < state.range(0); ++i) {
    auto& partition = topic.partition_data.emplace_back();
    partition.index = i;
    partition.records = Records(batch);
  }
  std::string body;
  if (!encode_all(request, 12, body)) return;
  for (auto _ : state) benchmark::DoNotOptimize(decode_all<ProduceRequest>(body, 12));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(decode_produce)->Arg(1)->Arg(100);

// 100 topics with 10 partitions each.
void metadata(benchmark::State& state) {
  MetadataResponse response;
  for (int i = 0; i < 100; ++i) {
    auto& topic = response.topics.emplace_back();
    topic.name = "a.topic.with.a.usual.name";
    for (std::int32_t n = 0; n < 10; ++n) {
      auto& partition = topic.partitions.emplace_back();
      partition.partition_index = n;
      partition.replica_nodes = partition.isr_nodes = {0};
    }
  }
  std::string body;
  for (auto _ : state) {
    body.clear();
    if (!encode_all(response, 12, body)) return;
    if (state.range(0) != 0) benchmark::DoNotOptimize(decode_all<MetadataResponse>(body, 12));
  }
  state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(metadata)->Arg(0)->Arg(1)->ArgName("decode");

}  // namespace
}  // namespace weir::kafka
