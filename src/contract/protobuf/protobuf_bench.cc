// What a service spends on one event in Protobuf: the order of avro/contract_bench.cc, by generated
// structs and by libprotobuf's dynamic messages.
#include <benchmark/benchmark.h>

#include "base/check.h"
#include "contract/protobuf/generated_kit.h"
#include "shop/proto/order.h"

namespace weir::contract::protobuf {
namespace {

using shop::proto::Order;

Order order() {
  Order out;
  out.id = "o-2026-0001742";
  out.customer = "c-88120-example";
  out.placed_at =
      std::chrono::sys_time<std::chrono::nanoseconds>(std::chrono::seconds(1'795'000'000));
  out.total = 129.9;
  out.status = Order::Status::PAID;
  out.currency = "EUR";
  out.coupon = "WINTER26-FIRST-10";
  out.lines = {{.sku = "sku-1200-black", .quantity = 1, .price = 79.9},
               {.sku = "sku-0042-white", .quantity = 2, .price = 20.0},
               {.sku = "sku-7733-green", .quantity = 1, .price = 10.0}};
  out.warehouse = 77123;
  out.revision = 3;
  out.channel = "web";
  return out;
}

std::string order_bytes() {
  std::string out;
  check(weir::protobuf::encode(order(), out).has_value(), "the order cannot be encoded");
  return out;
}

void count(benchmark::State& state, std::size_t bytes) {
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}

void protobuf_generated_decode(benchmark::State& state) {
  const std::string bytes = order_bytes();
  Order value;
  for (auto _ : state) {
    check(weir::protobuf::decode(bytes, value).has_value(), "the order cannot be decoded");
    benchmark::DoNotOptimize(value);
  }
  count(state, bytes.size());
}
BENCHMARK(protobuf_generated_decode);

void protobuf_generated_encode(benchmark::State& state) {
  const Order value = order();
  std::string out;
  for (auto _ : state) {
    out.clear();
    check(weir::protobuf::encode(value, out).has_value(), "the order cannot be encoded");
    benchmark::DoNotOptimize(out);
  }
  count(state, out.size());
}
BENCHMARK(protobuf_generated_encode);

std::unique_ptr<pb::Message> dynamic_order() {
  const auto schema = schema_of<Order>();
  const auto* type = schema->graph().pool.FindMessageTypeByName("shop.proto.Order");
  return std::unique_ptr<pb::Message>(schema->graph().factory.GetPrototype(type)->New());
}

void protobuf_dynamic_decode(benchmark::State& state) {
  const std::string bytes = order_bytes();
  const auto message = dynamic_order();
  for (auto _ : state) check(message->ParseFromString(bytes), "the order cannot be decoded");
  count(state, bytes.size());
}
BENCHMARK(protobuf_dynamic_decode);

void protobuf_dynamic_encode(benchmark::State& state) {
  const auto message = dynamic_order();
  check(message->ParseFromString(order_bytes()), "the order cannot be decoded");
  std::string out;
  for (auto _ : state) {
    out.clear();
    check(message->SerializeToString(&out), "the order cannot be encoded");
  }
  count(state, out.size());
}
BENCHMARK(protobuf_dynamic_encode);

void protobuf_read_as_json(benchmark::State& state) {
  const std::string bytes = order_bytes();
  const auto schema = schema_of<Order>();
  for (auto _ : state) benchmark::DoNotOptimize(schema->read(bytes));
  count(state, bytes.size());
}
BENCHMARK(protobuf_read_as_json);

void protobuf_parse_schema(benchmark::State& state) {
  const auto text = weir::protobuf::Contract<Order>::schema();
  for (auto _ : state) benchmark::DoNotOptimize(parse_protobuf(text));
}
BENCHMARK(protobuf_parse_schema);

}  // namespace
}  // namespace weir::contract::protobuf
