// The C++ examples of docs/contracts.md, compiled and run with a broker and a registry in this
// process.
#include <weir/embed.h>
#include <weir/embed_registry.h>
#include <weir/readers.h>
#include <weir/serde.h>

#include <cstdio>

#include "birds/sighting.h"

namespace {

using namespace std::chrono_literals;
using weir::Result;

Result<void> write_and_read(const std::string& url, weir::Client& client) {
  auto registry = weir::SchemaRegistry::connect({.url = url});
  if (!registry) return weir::fail(registry.error());
  const weir::RegistryTopic sightings(birds::birds_sightings, *registry);

  auto producer = client.producer();
  if (!producer) return weir::fail(producer.error());
  auto sent = producer->send(sightings, {.species = "Troglodytes troglodytes", .count = 2});
  if (!sent) return sent;  // the registry is away, say: nothing was sent
  if (auto done = producer->flush(10s); !done) return done;

  auto consumer = client.consumer({.auto_offset_reset = weir::OffsetReset::earliest});
  if (!consumer) return weir::fail(consumer.error());
  if (auto done = consumer->assign({{"birds.sightings", 0}}); !done) return done;
  auto batches = consumer->poll(10s);
  if (!batches) return weir::fail(batches.error());
  for (const weir::Batch& batch : *batches)
    for (const auto& [key, sighting, record] : batch.as(sightings)) {
      if (!sighting) return weir::fail(sighting.error());  // beside it, the record as it came
      std::printf("%s: %d\n", sighting->species.c_str(), sighting->count);
    }
  return {};
}

Result<void> before_it_begins(
    const weir::RegistryTopic<weir::NoKey, birds::Sighting, weir::TopicKind::unkeyed>& sightings) {
  if (auto done = sightings.check_readable(); !done) return done;  // says which field, and why
  return {};
}

Result<void> tell_others(
    weir::Client& client,
    const weir::RegistryTopic<weir::NoKey, birds::Sighting, weir::TopicKind::unkeyed>& sightings) {
  auto notice = weir::ReaderNotice::begin(client, "watch", sightings);
  if (!notice) return weir::fail(notice.error());
  return {};
}

Result<weir::SerdeOptions> by_names(const std::string& url) {
  const std::map<std::string, std::string> settings = {{"schema.registry.url", url},
                                                       {"auto.register.schemas", "false"},
                                                       {"use.latest.version", "true"}};
  auto registry = weir::SchemaRegistryOptions::from_settings(settings);
  if (!registry) return weir::fail(registry.error());
  auto options = weir::SerdeOptions::from_settings(settings);
  return options;
}

Result<void> ask(weir::SchemaRegistry& registry) {
  auto latest = registry.version("birds.sightings-value");
  if (!latest) return weir::fail(latest.error());
  auto verdict = registry.check("birds.sightings-value", {.text = R"("string")"});
  if (!verdict) return weir::fail(verdict.error());
  if (!verdict->compatible) std::printf("%s\n", verdict->messages.front().c_str());
  return {};
}

Result<void> run() {
  auto broker = weir::embed::Broker::in_memory();
  if (!broker) return weir::fail(broker.error());
  auto registry = weir::embed::Registry::start(broker->local());
  if (!registry) return weir::fail(registry.error());
  auto client = weir::Client::connect(broker->local());
  if (!client) return weir::fail(client.error());
  if (auto done = client->admin().create_topic({.name = "birds.sightings"}); !done) return done;
  if (auto done = write_and_read(registry->url(), *client); !done) return done;
  auto schemas = weir::SchemaRegistry::connect({.url = registry->url()});
  if (!schemas) return weir::fail(schemas.error());
  const weir::RegistryTopic sightings(birds::birds_sightings, *schemas);
  if (auto done = before_it_begins(sightings); !done) return done;
  if (auto done = tell_others(*client, sightings); !done) return done;
  if (auto options = by_names(registry->url()); !options) return weir::fail(options.error());
  return ask(*schemas);
}

}  // namespace

int main() {
  const auto done = run();
  std::puts(done ? "every example has run" : done.error().message().c_str());
  return done ? 0 : 1;
}
