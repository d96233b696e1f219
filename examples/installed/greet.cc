// Writes an event to a broker and reads it back: greet HOST:PORT
#include <weir/client.h>

#include <cstdio>

int main(int argc, char** argv) {
  using namespace std::chrono_literals;
  if (argc != 2) return 2;
  auto client = weir::Client::connect(argv[1]);
  if (!client) return std::puts(client.error().message().c_str()), 1;
  auto made = client->admin().create_topic({.name = "greetings", .partitions = 1});
  if (!made) return std::puts(made.error().message().c_str()), 1;
  auto producer = client->producer({.compression = weir::Compression::zstd}).value();
  auto sent = producer.send({.topic = "greetings", .value = "hello from outside"});
  if (!sent || !producer.flush(10s)) return 1;
  auto consumer = client->consumer({.auto_offset_reset = weir::OffsetReset::earliest}).value();
  if (!consumer.assign({{"greetings", 0}})) return 1;
  for (int i = 0; i < 100; ++i) {
    auto batches = consumer.poll(100ms);
    if (!batches) return std::puts(batches.error().message().c_str()), 1;
    for (const weir::Batch& batch : *batches)
      for (const weir::RecordView& record : batch)
        return std::printf("%s\n", std::string(*record.value()).c_str()), 0;
  }
  return 1;
}
