// What a request costs without socket and Kafka: a schema by its id, a look-up by its text, a
// registration that is known already, a new one.
#include <benchmark/benchmark.h>

#include "registry/registry_test_kit.h"

namespace weir::registry {
namespace {

constexpr int subjects = 1000;

/// An order of some 25 fields.
std::string order(int number) {
  std::vector<std::string> fields;
  for (int i = 0; i < 25; ++i) fields.push_back("field_" + std::to_string(i));
  return record_schema("Order" + std::to_string(number), fields, R"(,"doc":"what it means")");
}

std::unique_ptr<TestRegistry> filled() {
  auto registry = std::make_unique<TestRegistry>();
  for (int i = 0; i < subjects; ++i) registry->add("orders-" + std::to_string(i), order(i));
  registry->reads_answers = false;
  return registry;
}

void by_id(benchmark::State& state) {
  const auto registry = filled();
  int id = 0;
  for (auto _ : state) {
    const auto answer =
        registry->call("GET", "/schemas/ids/" + std::to_string(id++ % subjects + 1));
    check(answer.status == 200, "the schema is there");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(by_id);

void by_text(benchmark::State& state, const char* path) {
  const auto registry = filled();
  std::vector<std::string> bodies;
  for (int i = 0; i < subjects; ++i)
    bodies.push_back(json::write(json::Object{{"schema", order(i)}}));
  std::size_t next = 0;
  for (auto _ : state) {
    const std::size_t i = next++ % bodies.size();
    const auto answer =
        registry->call("POST", "/subjects/orders-" + std::to_string(i) + path, bodies[i]);
    check(answer.status == 200, "the schema is there");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(by_text, look_up, "");
BENCHMARK_CAPTURE(by_text, known_registration, "/versions");

/// Text that is not the stored one: with blanks, as Python's clients write it.
void by_other_text(benchmark::State& state) {
  const auto registry = filled();
  std::vector<std::string> bodies;
  for (int i = 0; i < subjects; ++i)
    bodies.push_back(
        json::write(json::Object{{"schema", json::write(json::parse(order(i)).value(), 1)}}));
  std::size_t next = 0;
  for (auto _ : state) {
    const std::size_t i = next++ % bodies.size();
    const auto answer = registry->call("POST", "/subjects/orders-" + std::to_string(i), bodies[i]);
    check(answer.status == 200, "the schema is there");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(by_other_text);

void new_registration(benchmark::State& state) {
  auto registry = std::make_unique<TestRegistry>();
  int number = 0;
  for (auto _ : state) {
    const int id = registry->add("orders-" + std::to_string(number), order(number));
    ++number;
    check(id == number, "each is new");
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(new_registration);

}  // namespace
}  // namespace weir::registry
