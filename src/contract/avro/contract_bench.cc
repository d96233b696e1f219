// What a service spends on one event: decoding, resolving, encoding an order of 12 fields.
#include <benchmark/benchmark.h>

#include <fstream>
#include <iterator>

#include "base/check.h"
#include "contract/avro/encode.h"
#include "contract/avro/json_codec.h"
#include "contract/avro/plan.h"
#include "contract/avro/schema.h"
#include "shop/order.h"

namespace weir::contract::avro {
namespace {

// What testdata/schemas/order.avsc says: the struct is generated from it.
const std::string_view order_schema = weir::avro::Contract<shop::Order>::schema();

const std::string order_json = [] {
  std::ifstream file("src/contract/testdata/schemas/order.json");
  return std::string(std::istreambuf_iterator<char>(file), {});
}();

SchemaPtr schema(std::string_view text) { return Schema::parse(text).value(); }

std::string order_bytes() {
  Arena arena;
  const SchemaPtr writer = schema(order_schema);
  std::string out;
  const View value = from_json(*writer, json::parse(order_json).value(), arena).value();
  check(encode(value, out).has_value(), "the order cannot be encoded");
  return out;
}

// An earlier writer: fields in another order, one that is gone, one that was not yet there, one of
// another name, a narrower number, another enum.
const std::string writer_schema = [] {
  std::ifstream file("src/contract/testdata/schemas/earlier-order.avsc");
  return std::string(std::istreambuf_iterator<char>(file), {});
}();

std::string earlier_bytes() {
  Arena arena;
  const SchemaPtr writer = schema(writer_schema);
  json::Value order = json::parse(order_json).value();
  order.as_object()->erase("currency");
  order.as_object()->set("clerk", "cl-77");
  std::string out;
  check(encode(from_json(*writer, order, arena).value(), out).has_value(),
        "the order cannot be encoded");
  return out;
}

void count(benchmark::State& state, std::size_t bytes) {
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}

void decode_with(benchmark::State& state, std::string_view writer, const std::string& bytes) {
  const PlanPtr plan = resolve(schema(writer), schema(order_schema)).value();
  const DecodeOptions options{.borrow = state.range(0) != 0};
  Arena arena;
  for (auto _ : state) {
    arena.reset();
    auto value = decode(*plan, bytes, arena, options);
    benchmark::DoNotOptimize(value);
  }
  count(state, bytes.size());
}
void generic_same_schema(benchmark::State& state) {
  decode_with(state, order_schema, order_bytes());
}
void generic_resolved(benchmark::State& state) {
  decode_with(state, writer_schema, earlier_bytes());
}
BENCHMARK(generic_resolved)->Arg(1)->Arg(0)->ArgName("borrow");
BENCHMARK(generic_same_schema)->Arg(1)->Arg(0)->ArgName("borrow");

void generic_encode(benchmark::State& state) {
  const SchemaPtr writer = schema(order_schema);
  const PlanPtr plan = resolve(writer, writer).value();
  const std::string bytes = order_bytes();
  Arena arena;
  const View value = decode(*plan, bytes, arena).value();
  std::string out;
  for (auto _ : state) {
    out.clear();
    check(encode(value, out).has_value(), "the order cannot be encoded");
    benchmark::DoNotOptimize(out);
  }
  count(state, bytes.size());
}
BENCHMARK(generic_encode);

/// Into the same object again and again, as a consumer's loop does.
template <class Order>
void generated_decode(benchmark::State& state) {
  const std::string bytes = order_bytes();
  Order order;
  for (auto _ : state) {
    check(weir::avro::decode(bytes, order).has_value(), "the order cannot be decoded");
    benchmark::DoNotOptimize(order);
  }
  count(state, bytes.size());
}
BENCHMARK(generated_decode<shop::OrderView>)->Name("generated_same_schema/view");
BENCHMARK(generated_decode<shop::Order>)->Name("generated_same_schema/owned");

void generated_decode_fresh(benchmark::State& state) {
  const std::string bytes = order_bytes();
  for (auto _ : state) {
    auto order = weir::avro::decode<shop::Order>(bytes);
    benchmark::DoNotOptimize(order);
  }
  count(state, bytes.size());
}
BENCHMARK(generated_decode_fresh)->Name("generated_same_schema/owned_fresh");

template <class Order>
void generated_resolved(benchmark::State& state) {
  const std::string bytes = earlier_bytes();
  auto reader = weir::avro::Reader<Order>::create(writer_schema).value();
  Order order;
  for (auto _ : state) {
    check(reader.decode(bytes, order).has_value(), "the order cannot be decoded");
    benchmark::DoNotOptimize(order);
  }
  count(state, bytes.size());
}
BENCHMARK(generated_resolved<shop::OrderView>)->Name("generated_resolved/view");
BENCHMARK(generated_resolved<shop::Order>)->Name("generated_resolved/owned");

template <class Order>
void generated_encode(benchmark::State& state) {
  const std::string bytes = order_bytes();
  Order order;
  check(weir::avro::decode(bytes, order).has_value(), "the order cannot be decoded");
  std::string out;
  for (auto _ : state) {
    out.clear();
    check(weir::avro::encode(order, out).has_value(), "the order cannot be encoded");
    benchmark::DoNotOptimize(out);
  }
  count(state, bytes.size());
}
BENCHMARK(generated_encode<shop::OrderView>)->Name("generated_encode/view");
BENCHMARK(generated_encode<shop::Order>)->Name("generated_encode/owned");

void parse_schema(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(Schema::parse(order_schema));
}
BENCHMARK(parse_schema);

void resolve_schemas(benchmark::State& state) {
  const SchemaPtr writer = schema(writer_schema);
  const SchemaPtr reader = schema(order_schema);
  for (auto _ : state) benchmark::DoNotOptimize(resolve(writer, reader));
}
BENCHMARK(resolve_schemas);

}  // namespace
}  // namespace weir::contract::avro
