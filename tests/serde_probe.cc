// Writes and reads typed records through a schema registry, for serde_clients_test.py.
//
//   serde_probe write BOOTSTRAP TOPIC COUNT NAME=VALUE...   COUNT sightings
//   serde_probe read  BOOTSTRAP TOPIC COUNT NAME=VALUE...   prints each: "SPECIES COUNT PLACE"
//   serde_probe check BOOTSTRAP TOPIC 0 NAME=VALUE...       can the type read the latest version?
//   serde_probe notice BOOTSTRAP TOPIC MS NAME=VALUE...     says every MS milliseconds, until its
//                                                           input ends, that the group billing
//                                                           reads
//
// The names are Confluent's settings. Or exits 1 with the error's name and message.
#include <fmt/core.h>
#include <weir/client.h>
#include <weir/readers.h>
#include <weir/serde.h>

#include <charconv>
#include <cstdio>
#include <map>
#include <string>

#include "birds/sighting.h"
#include "probe.h"

namespace {

using namespace std::chrono_literals;
using birds::Sighting;
using weir::tests::must;
using weir::tests::stop;
using Birds = weir::RegistryTopic<std::string, Sighting, weir::TopicKind::keyed>;

void write(weir::Client& client, const Birds& birds, int count) {
  auto producer = must("producer", client.producer({.linger = 2ms}));
  for (int i = 0; i < count; ++i) {
    Sighting sighting{.species = fmt::format("species {}", i), .count = i, .place = {}};
    if (i % 2 == 1) sighting.place = fmt::format("place {}", i);
    must("send", producer.send(birds, fmt::format("key {}", i), sighting));
  }
  must("flush", producer.flush(60s));
}

void read(weir::Client& client, const Birds& birds, int count) {
  auto consumer = must("consumer", client.consumer({}));
  must("assign", consumer.assign({{std::string(birds.name), 0}}));
  must("seek", consumer.seek({std::string(birds.name), 0}, 0));
  for (int seen = 0; seen < count;) {
    const auto batches = must("poll", consumer.poll(20s));
    if (batches.empty()) stop("no record came");
    for (const weir::Batch& batch : batches)
      for (const auto& [key, sighting, record] : batch.as(birds)) {
        ++seen;
        if (sighting)
          fmt::print("{} {} {}\n", sighting->species, sighting->count,
                     sighting->place.value_or("-"));
        else
          fmt::print("{}: {}\n", weir::name_of(sighting.error().code()),
                     sighting.error().message());
      }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  const std::string mode = argv[1];
  const std::string topic = argv[3];
  const std::string_view number = argv[4];
  int count = 0;
  std::from_chars(number.data(), number.data() + number.size(), count);
  std::map<std::string, std::string> settings;
  for (int i = 5; i < argc; ++i) {
    const std::string pair = argv[i];
    settings[pair.substr(0, pair.find('='))] = pair.substr(pair.find('=') + 1);
  }
  auto registry =
      must("registry", weir::SchemaRegistry::connect(
                           must("settings", weir::SchemaRegistryOptions::from_settings(settings))));
  const weir::Topic<std::string, Sighting> plain{
      .name = topic, .value_codec = &weir::avro_codec<Sighting>, .key_codec = &weir::string_codec};
  const Birds birds(plain, registry, must("settings", weir::SerdeOptions::from_settings(settings)));
  if (mode == "check") {
    must("check", birds.check_readable());
    fmt::print("readable\n");
    return 0;
  }
  auto client = must("connect", weir::Client::connect(argv[2]));
  if (mode == "notice") {
    const auto notice = must(
        "notice", weir::ReaderNotice::begin_with({.interval = std::chrono::milliseconds(count)},
                                                 client, "billing", birds));
    fmt::print("noticed\n");
    std::fflush(stdout);
    while (std::getchar() != EOF) {
    }
    return 0;
  }
  if (mode == "write")
    write(client, birds, count);
  else
    read(client, birds, count);
  fmt::print(stderr, "requests {}\n", registry.requests());
  return 0;
}
