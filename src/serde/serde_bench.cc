// What it costs that a record names its schema: the codec with a registry beside plain Avro.
#include <benchmark/benchmark.h>
#include <weir/serde.h>

#include "base/bytes.h"
#include "birds/sighting.h"
#include "serde/fake_registry.h"

namespace weir::serde {
namespace {

using birds::Sighting;

const Sighting wren{.species = "Troglodytes troglodytes", .count = 2, .place = "the old wall"};

struct Setup {
  FakeRegistry fake;
  RegistryCodec<Sighting> codec{SchemaRegistry::connect({.url = fake.url()}).value(), "birds",
                                false};
};

void encode_plain(benchmark::State& state) {
  std::string out;
  for (auto _ : state) {
    out.clear();
    benchmark::DoNotOptimize(avro::encode(wren, out));
  }
}
void encode_with_registry(benchmark::State& state) {
  const Setup setup;
  std::string out;
  for (auto _ : state) {
    out.clear();
    benchmark::DoNotOptimize(setup.codec.encode(wren, out));
  }
}
void decode_plain(benchmark::State& state) {
  std::string bytes;
  (void)avro::encode(wren, bytes);
  for (auto _ : state) benchmark::DoNotOptimize(avro::decode<Sighting>(bytes));
}
void decode_with_registry(benchmark::State& state) {
  const Setup setup;
  std::string bytes;
  (void)setup.codec.encode(wren, bytes);
  for (auto _ : state) benchmark::DoNotOptimize(setup.codec.decode(bytes));
}
void decode_another_schema(benchmark::State& state) {
  Setup setup;
  const int id = setup.fake.add(
      "birds-value", R"({"type":"record","name":"Sighting","namespace":"birds","fields":[)"
                     R"({"name":"species","type":"string"},{"name":"sure","type":"boolean"}]})");
  std::string bytes(1, '\0');
  append_be<std::int32_t>(bytes, id);
  bytes += "\x2eTroglodytes troglodytes\x01";
  for (auto _ : state) benchmark::DoNotOptimize(setup.codec.decode(bytes));
}
BENCHMARK(encode_plain);
BENCHMARK(encode_with_registry);
BENCHMARK(decode_plain);
BENCHMARK(decode_with_registry);
BENCHMARK(decode_another_schema);

}  // namespace
}  // namespace weir::serde
