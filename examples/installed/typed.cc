// Typed events with a schema registry, all in one program.
#include <weir/embed.h>
#include <weir/embed_registry.h>
#include <weir/serde.h>

#include <cstdio>

#include "shop/order.h"

namespace {

constexpr weir::Topic<std::string, shop::Order> orders{
    .name = "orders",
    .value_codec = &weir::avro_codec<shop::Order>,
    .key_codec = &weir::string_codec};

weir::Result<void> run() {
  auto broker = weir::embed::Broker::in_memory();
  if (!broker) return weir::fail(broker.error());
  auto registry = weir::embed::Registry::start(broker->local());
  if (!registry) return weir::fail(registry.error());
  auto client = weir::Client::connect(broker->local());
  auto schemas = weir::SchemaRegistry::connect({.url = registry->url()});
  if (!client || !schemas) return weir::fail(weir::Errc::closed, "no client");
  const weir::RegistryTopic typed(orders, *schemas);
  if (auto made = client->admin().create_topic({.name = "orders"}); !made) return made;
  auto producer = client->producer();
  if (!producer) return weir::fail(producer.error());
  if (auto sent =
          producer->send(typed, std::string("o-17"), shop::Order{.id = "o-17", .cents = 1999});
      !sent)
    return sent;
  if (auto sent = producer->flush(std::chrono::seconds(10)); !sent) return sent;
  auto consumer = client->consumer({.auto_offset_reset = weir::OffsetReset::earliest});
  if (!consumer) return weir::fail(consumer.error());
  if (auto done = consumer->assign({{"orders", 0}}); !done) return done;
  auto batches = consumer->poll(std::chrono::seconds(10));
  if (!batches) return weir::fail(batches.error());
  for (const weir::Batch& batch : *batches)
    for (const auto& [key, order, record] : batch.as(typed)) {
      if (!order) return weir::fail(order.error());
      std::printf("%s costs %lld cents\n", key->c_str(), static_cast<long long>(order->cents));
    }
  return {};
}

}  // namespace

int main() {
  const auto done = run();
  if (!done) std::fprintf(stderr, "%s\n", done.error().message().c_str());
  return done ? 0 : 1;
}
