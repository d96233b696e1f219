// What a record costs an application with weir's client: produce, or consume a topic that is full.
#include <weir/client.h>

#include <cstring>

#include "client_cost/cost.h"

namespace {

using namespace std::chrono_literals;

template <class T>
T must(const char* what, weir::Result<T> result) {
  if (!result) cost::stop(what, result.error().message());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

void send(weir::Producer& producer, const cost::Arguments& a, long records, long rate) {
  const std::string value(a.size, 'v');
  cost::Pace pace(rate);
  for (long i = 0; i < records; ++i) {
    pace.wait_for(i);
    char key[8];
    std::memcpy(key, &i, sizeof key);
    must("send", producer.send(
                     {.topic = a.topic, .key = std::string_view(key, sizeof key), .value = value}));
  }
  must("flush", producer.flush(60s));
}

void produce(weir::Client& client, const cost::Arguments& a) {
  auto producer =
      must("producer", client.producer({.linger = std::chrono::milliseconds(cost::linger_ms),
                                        .batch_bytes = cost::batch_bytes,
                                        .buffer_bytes = cost::buffer_bytes}));
  send(producer, a, a.records / 5, 0);
  const cost::Meter meter;
  send(producer, a, a.records, a.rate);
  meter.report(a.records);
}

long read(weir::Consumer& consumer, long records) {
  std::size_t bytes = 0;
  long count = 0;
  while (count < records) {
    for (const weir::Batch& batch : must("poll", consumer.poll(10s))) {
      for (const weir::RecordView& record : batch)
        bytes += record.key()->size() + record.value()->size();
      count += batch.size();
    }
  }
  if (bytes == 0) cost::stop("consume", "no bytes");
  return count;
}

void consume(weir::Client& client, const cost::Arguments& a) {
  auto consumer =
      must("consumer", client.consumer({.auto_offset_reset = weir::OffsetReset::earliest}));
  std::vector<weir::TopicPartition> all;
  for (std::int32_t p = 0; p < cost::partitions; ++p) all.push_back({a.topic, p});
  must("assign", consumer.assign(all));
  read(consumer, a.records);
  for (const auto& partition : all) must("seek", consumer.seek(partition, 0));
  const cost::Meter meter;
  meter.report(read(consumer, a.records));
}

}  // namespace

int main(int argc, char** argv) {
  const cost::Arguments a = cost::parse(argc, argv);
  auto client = must("connect", weir::Client::connect(a.address));
  if (a.mode == "produce") {
    produce(client, a);
  } else {
    consume(client, a);
  }
  return 0;
}
