// Writes and reads generated structs of Protobuf and JSON Schema through a schema registry, for
// serde_languages_test.py.
//
//   serde_languages_probe write|read PROTOBUF|JSON BOOTSTRAP TOPIC COUNT NAME=VALUE...
//
// Written are COUNT sightings, number 1 first; what is read is printed: "SPECIES COUNT TIME|PLACE".
#include <fmt/core.h>
#include <weir/client.h>
#include <weir/serde.h>

#include <charconv>
#include <map>
#include <string>

#include "birds/flock.h"
#include "nests/sighting.h"
#include "probe.h"

namespace {

using namespace std::chrono_literals;
using weir::tests::must;
using weir::tests::stop;
using FlockSighting = birds::Flock_Sighting;
using NestSighting = nests::Sighting;

constexpr std::int64_t a_trillion = 1'000'000'000'000;
constexpr std::chrono::sys_seconds first_seen{1'767'323'040s};  // 2026-01-02T03:04:00Z

void make(int n, FlockSighting& out) {
  out.species = fmt::format("species {}", n);
  out.head_count = n * a_trillion;
  out.seen_at = first_seen + std::chrono::seconds(n);
}
void make(int n, NestSighting& out) {
  out.species = fmt::format("species {}", n);
  out.count = n;
  if (n % 2 == 1) out.place = fmt::format("place {}", n);
}

std::string shown(const FlockSighting& sighting) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(
      sighting.seen_at.value_or(first_seen) - first_seen);
  return fmt::format("{} {} {}", sighting.species, sighting.head_count, seconds.count());
}
std::string shown(const NestSighting& sighting) {
  return fmt::format("{} {} {}", sighting.species, sighting.count, sighting.place.value_or("-"));
}

template <class T>
void run(weir::Client& client,
         const weir::RegistryTopic<std::string, T, weir::TopicKind::keyed>& topic, bool writes,
         int count) {
  if (writes) {
    auto producer = must("producer", client.producer({.linger = 2ms}));
    for (int n = 1; n <= count; ++n) {
      T sighting{};
      make(n, sighting);
      must("send", producer.send(topic, fmt::format("key {}", n), sighting));
    }
    must("flush", producer.flush(60s));
    return;
  }
  auto consumer = must("consumer", client.consumer({}));
  must("assign", consumer.assign({{std::string(topic.name), 0}}));
  must("seek", consumer.seek({std::string(topic.name), 0}, 0));
  for (int seen = 0; seen < count;) {
    const auto batches = must("poll", consumer.poll(20s));
    if (batches.empty()) stop("no record came");
    for (const weir::Batch& batch : batches)
      for (const auto& [key, sighting, record] : batch.as(topic)) {
        ++seen;
        fmt::print("{}\n", sighting ? shown(*sighting) : sighting.error().message());
      }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) return 2;
  const bool writes = std::string_view(argv[1]) == "write";
  const bool protobuf = std::string_view(argv[2]) == "PROTOBUF";
  const std::string name = argv[4];
  const std::string_view number = argv[5];
  int count = 0;
  std::from_chars(number.data(), number.data() + number.size(), count);
  std::map<std::string, std::string> settings;
  for (int i = 6; i < argc; ++i) {
    const std::string pair = argv[i];
    settings[pair.substr(0, pair.find('='))] = pair.substr(pair.find('=') + 1);
  }
  auto registry =
      must("registry", weir::SchemaRegistry::connect(
                           must("settings", weir::SchemaRegistryOptions::from_settings(settings))));
  const auto options = must("settings", weir::SerdeOptions::from_settings(settings));
  auto client = must("connect", weir::Client::connect(argv[3]));
  if (protobuf) {
    const weir::Topic<std::string, FlockSighting> plain{
        .name = name,
        .value_codec = &weir::protobuf_codec<FlockSighting>,
        .key_codec = &weir::string_codec};
    run(client, weir::RegistryTopic(plain, registry, options), writes, count);
  } else {
    const weir::Topic<std::string, NestSighting> plain{
        .name = name,
        .value_codec = &weir::json_codec<NestSighting>,
        .key_codec = &weir::string_codec};
    run(client, weir::RegistryTopic(plain, registry, options), writes, count);
  }
  return 0;
}
