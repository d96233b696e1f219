// What a service spends on one event: decoding, resolving, encoding an order of 12 fields.
#include <benchmark/benchmark.h>

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

// A later reader: a field gone, one new, int read as long, the enum grown and in another order, one
// renamed, the lines without their price.
constexpr std::string_view reader_schema = R"({"type":"record","name":"Order","namespace":"shop",
  "fields":[
    {"name":"id","type":"string"},
    {"name":"buyer","type":"string","aliases":["customer"]},
    {"name":"placed_at","type":{"type":"long","logicalType":"timestamp-micros"}},
    {"name":"total","type":"double"},
    {"name":"status","type":{"type":"enum","name":"Status",
      "symbols":["UNKNOWN","NEW","PAID","SENT","LOST","BACK"],"default":"UNKNOWN"}},
    {"name":"currency","type":"string"},
    {"name":"coupon","type":["null","string"]},
    {"name":"note","type":["null","string"]},
    {"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[
      {"name":"sku","type":"string"},{"name":"quantity","type":"long"}]}}},
    {"name":"revision","type":"long"},
    {"name":"channel","type":"string"},
    {"name":"priority","type":"string","default":"normal"}]})";

constexpr std::string_view order_json = R"({"id":"o-2026-0001742","customer":"c-88120-example",
  "placed_at":1795000000000000,"total":129.9,"status":"PAID","currency":"EUR",
  "coupon":{"string":"WINTER26-FIRST-10"},"note":null,
  "lines":[{"sku":"sku-1200-black","quantity":1,"price":79.9},{"sku":"sku-0042-white","quantity":2,"price":20.0},
           {"sku":"sku-7733-green","quantity":1,"price":10.0}],
  "warehouse":77123,"revision":3,"channel":"web"})";

SchemaPtr schema(std::string_view text) { return Schema::parse(text).value(); }

std::string order_bytes() {
  Arena arena;
  const SchemaPtr writer = schema(order_schema);
  std::string out;
  const View value = from_json(*writer, json::parse(order_json).value(), arena).value();
  check(encode(value, out).has_value(), "the order cannot be encoded");
  return out;
}

void count(benchmark::State& state, std::size_t bytes) {
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}

void decode_with(benchmark::State& state, std::string_view reader) {
  const PlanPtr plan = resolve(schema(order_schema), schema(reader)).value();
  const std::string bytes = order_bytes();
  const DecodeOptions options{.borrow = state.range(0) != 0};
  Arena arena;
  for (auto _ : state) {
    arena.reset();
    auto value = decode(*plan, bytes, arena, options);
    benchmark::DoNotOptimize(value);
  }
  count(state, bytes.size());
}
void generic_same_schema(benchmark::State& state) { decode_with(state, order_schema); }
void generic_resolved(benchmark::State& state) { decode_with(state, reader_schema); }
BENCHMARK(generic_same_schema)->Arg(1)->Arg(0)->ArgName("borrow");
BENCHMARK(generic_resolved)->Arg(1)->Arg(0)->ArgName("borrow");

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

// An earlier writer: fields in another order, one that is gone, one that was not yet there, one of
// another name, a narrower number, another enum.
constexpr std::string_view writer_schema = R"({"type":"record","name":"Order","namespace":"shop",
  "fields":[
    {"name":"id","type":"string"},{"name":"customer","type":"string"},{"name":"placed_at","type":"long"},
    {"name":"clerk","type":"string"},
    {"name":"total","type":"double"},
    {"name":"status","type":{"type":"enum","name":"Status","symbols":["OPEN","PAID","NEW"]}},
    {"name":"note","type":["null","string"]},{"name":"coupon","type":["null","string"]},
    {"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[
      {"name":"sku","type":"string"},{"name":"quantity","type":"int"},{"name":"price","type":"double"}]}}},
    {"name":"warehouse","type":"int"},{"name":"revision","type":"int"},{"name":"channel","type":"string"}]})";

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
  for (auto _ : state) benchmark::DoNotOptimize(Schema::parse(reader_schema));
}
BENCHMARK(parse_schema);

void resolve_schemas(benchmark::State& state) {
  const SchemaPtr writer = schema(order_schema);
  const SchemaPtr reader = schema(reader_schema);
  for (auto _ : state) benchmark::DoNotOptimize(resolve(writer, reader));
}
BENCHMARK(resolve_schemas);

}  // namespace
}  // namespace weir::contract::avro
