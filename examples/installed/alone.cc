// A broker and its client in one program.
#include <weir/embed.h>

#include <cstdio>

int main() {
  auto broker = weir::embed::Broker::in_memory();
  if (!broker) return std::puts(broker.error().message().c_str()), 1;
  auto client = weir::Client::connect(broker->local());
  if (!client || !client->admin().create_topic({.name = "t"})) return 1;
  std::printf("%zu topic\n", client->admin().list_topics().value().size());
  return 0;
}
