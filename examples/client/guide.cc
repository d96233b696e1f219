// Every example of docs/client.md, compiled and run against a broker in this process.
#include <poll.h>
#include <stdlib.h>
#include <weir/embed.h>
#include <weir/log.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>

using namespace std::chrono_literals;

namespace {

weir::Result<void> administer(weir::Client& client) {
  auto made = client.admin().create_topic({.name = "orders", .partitions = 3});
  if (!made && made.error().code() != weir::Errc::topic_already_exists) return made;
  return {};
}

weir::Result<void> produce(weir::Client& client) {
  auto producer = client.producer({.linger = 5ms, .compression = weir::Compression::zstd});
  if (!producer) return weir::fail(producer.error());
  // Copied into a batch; does not wait for the network.
  if (auto sent = producer->send({.topic = "orders", .key = "o-17", .value = "paid"}); !sent)
    return sent;
  // A callback, on the client's thread.
  auto sent = producer->send({.topic = "orders", .key = "o-18", .value = "open"},
                             [](weir::Result<weir::RecordMetadata> where) {
                               if (!where) std::puts(where.error().message().c_str());
                             });
  // Or something to wait for.
  auto pending = producer->send_pending({.topic = "orders", .key = "o-19", .value = "open"});
  if (auto where = pending.wait(10s); !where) return weir::fail(where.error());
  return producer->close(10s);
}

weir::Result<int> consume(weir::Client& client) {
  auto consumer = client.consumer(
      {.group = "billing", .topics = {"orders"}, .auto_offset_reset = weir::OffsetReset::earliest});
  if (!consumer) return weir::fail(consumer.error());
  int seen = 0;
  while (seen < 3) {
    auto batches = consumer->poll(1s);
    if (!batches) return weir::fail(batches.error());
    for (const weir::Batch& batch : *batches)       // owns the bytes
      for (const weir::RecordView& record : batch)  // borrows from its batch
        seen += record.value().has_value() ? 1 : 0;
    if (auto done = consumer->commit(); !done) return weir::fail(done.error());
  }
  if (auto left = consumer->close(10s); !left) return weir::fail(left.error());
  return seen;
}

/// docs/client.md has its table of states and shows in_transaction(); see <weir/transaction.h>.
weir::Result<void> transact(weir::TransactionalProducer& producer, weir::Consumer& consumer,
                            const std::vector<weir::Batch>& batches) {
  return producer.in_transaction([&](weir::Transaction& tx) -> weir::Result<void> {
    for (const weir::Batch& batch : batches)
      for (const weir::RecordView& record : batch)
        tx.send({.topic = "invoices", .key = record.key(), .value = record.value()});
    return tx.commit_offsets(consumer);
  });
}

struct TraceContext final : weir::ProducerInterceptor {
  void on_send(const weir::ProducerRecord&, weir::OutgoingHeaders& headers) override {
    headers.add("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  }
};

weir::Result<int> drive(const weir::embed::Broker& broker) {
  auto client = weir::Client::connect(broker.local(), {.user_driven = true});
  if (!client) return weir::fail(client.error());
  auto producer = client->producer({.interceptors = {std::make_shared<TraceContext>()}});
  if (!producer) return weir::fail(producer.error());
  int delivered = 0;
  for (int i = 0; i < 10; ++i)
    static_cast<void>(producer->send({.topic = "orders", .value = "driven"},
                                     [&](auto where) { delivered += where.has_value() ? 1 : 0; }));
  pollfd ready{.fd = client->descriptor(), .events = POLLIN, .revents = 0};
  while (delivered < 10 && ::poll(&ready, 1, 10'000) == 1) client->drive();
  return delivered;
}

int failed(const char* what, const weir::Error& why) {
  std::printf("%s: %s\n", what, why.message().c_str());
  return 1;
}

}  // namespace

int main() {
  std::array<char, 32> folder{"/tmp/weir-guide-XXXXXX"};
  if (::mkdtemp(folder.data()) == nullptr) return 1;
  int code = 0;
  {
    weir::set_log_sink([](const weir::LogLine& line) {
      if (line.level >= weir::LogLevel::warn) std::printf("%s\n", std::string(line.text).c_str());
    });
    auto broker = weir::embed::Broker::open({.data = folder.data()});
    if (!broker) return failed("broker", broker.error());
    auto client = weir::Client::connect(broker->local());
    if (!client) return failed("client", client.error());
    if (auto r = administer(*client); !r) code = failed("administer", r.error());
    if (auto r = produce(*client); !r) code = failed("produce", r.error());
    if (auto r = consume(*client); !r) code = failed("consume", r.error());
    if (auto r = drive(*broker); !r || *r != 10) code = r ? 1 : failed("drive", r.error());
    if (client->metrics().find("weir_client_sent_records_total") == std::string::npos) code = 1;
    static_cast<void>(&transact);
  }
  std::filesystem::remove_all(folder.data());
  if (code == 0) std::puts("every example has run");
  return code;
}
