// Drives the client over TLS and SASL against any Kafka-compatible cluster, for
// client_security_test.py.
//
//   secure_client_probe MODE TOPIC NAME=VALUE...
//
// The names are Kafka's settings, and probe.token: a token that a function gives. Modes:
//
//   connect            is it let in?
//   all                produce, consume, a group and a transaction, each read back
//   load SECONDS       produce and consume for so long; every record is acknowledged and read once,
//                      in order; says how often a session was renewed
//   produce N, consume N   flat out, 100 B; prints the processor time and the time it took
//
// Prints what it found, or exits 1 with the error's name and message.
#include <fmt/core.h>
#include <sys/resource.h>
#include <weir/client.h>
#include <weir/log.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <string>

#include "base/clock.h"
#include "probe.h"

namespace {

using namespace std::chrono_literals;
using weir::tests::must;
using weir::tests::stop;

constexpr int records = 2'000;

void make_topic(weir::Client& client, const std::string& topic) {
  must("create",
       client.admin().create_topic({.name = topic, .partitions = 1, .replication_factor = 1}));
}

void produce(weir::Client& client, const std::string& topic) {
  auto producer = must("producer", client.producer({.linger = 2ms}));
  for (int i = 0; i < records; ++i)
    must("send", producer.send({.topic = topic, .value = fmt::format("value {}", i)}));
  must("flush", producer.flush(60s));
}

/// Reads until `want` records have come, which must be "value 0" and so on.
void read(weir::Consumer& consumer, int want, std::string_view what) {
  int seen = 0;
  while (seen < want) {
    const auto batches = must(what, consumer.poll(20s));
    if (batches.empty()) stop(what);
    for (const weir::Batch& batch : batches)
      for (const weir::RecordView& record : batch)
        if (record.value() != fmt::format("value {}", seen++)) stop("another record than was sent");
  }
}

void do_all(weir::Client& client, const std::string& topic) {
  make_topic(client, topic);
  produce(client, topic);
  auto assigned = must("consumer", client.consumer({}));
  must("assign", assigned.assign({{topic, 0}}));
  must("seek", assigned.seek({topic, 0}, 0));
  read(assigned, records, "consume");

  auto member = must("member", client.consumer({.group = topic + "-group",
                                                .topics = {topic},
                                                .auto_offset_reset = weir::OffsetReset::earliest}));
  read(member, records, "group");

  const std::string out = topic + "-out";
  make_topic(client, out);
  auto producer = must("transactional", client.transactional_producer(topic + "-tx"));
  must("transaction", producer.in_transaction([&](weir::Transaction& tx) -> weir::Result<void> {
    for (int i = 0; i < 10; ++i) tx.send({.topic = out, .value = fmt::format("value {}", i)});
    return tx.commit_offsets(member);
  }));
  must("leave", member.close(20s));
  // The end of the transaction is on its way to the group: a reader of what is committed waits for
  // it, but only by name. Of all offsets of a group Kafka leaves out those that were never there.
  auto other = must("other", client.consumer({.group = topic + "-group",
                                              .isolation = weir::Isolation::read_committed}));
  const auto committed = must("committed", other.committed({{topic, 0}}, 20s)).at({topic, 0});
  if (!committed || committed->offset != records) stop("the offset is not committed");
  auto reader = must("reader", client.consumer({.isolation = weir::Isolation::read_committed}));
  must("assign", reader.assign({{out, 0}}));
  must("seek", reader.seek({out, 0}, 0));
  read(reader, 10, "transaction");
  fmt::print("all {} records\n", records);
}

void do_load(weir::Client& client, const std::string& topic, std::chrono::seconds time) {
  std::atomic<int> renewals{0};
  std::atomic<int> ends{0};
  weir::set_log_level(weir::LogLevel::debug);
  weir::set_log_sink([&](const weir::LogLine& line) {
    if (line.text.find("session renewed") != std::string_view::npos) {
      ++renewals;
    } else if (line.component == "client") {
      ++ends;
      fmt::print(stderr, "{}\n", line.text);
    }
  });
  make_topic(client, topic);
  auto producer = must("producer", client.producer({.linger = 1ms}));
  auto consumer =
      must("consumer", client.consumer({.group = topic + "-group",
                                        .topics = {topic},
                                        .auto_offset_reset = weir::OffsetReset::earliest}));
  std::atomic<int> acknowledged{0};
  int sent = 0;
  int seen = 0;
  const auto poll = [&](std::chrono::milliseconds wait) {
    for (const weir::Batch& batch : must("poll", consumer.poll(wait)))
      for (const weir::RecordView& record : batch)
        if (record.value() != fmt::format("value {}", seen++))
          stop("lost, doubled or out of order");
    must("commit", consumer.commit());
  };
  const auto end = weir::SystemClock().now() + time;
  while (weir::SystemClock().now() < end) {
    for (int i = 0; i < 20; ++i)
      must("send", producer.send({.topic = topic, .value = fmt::format("value {}", sent++)},
                                 [&](weir::Result<weir::RecordMetadata> where) {
                                   if (!where) stop("delivery", &where.error());
                                   ++acknowledged;
                                 }));
    poll(20ms);
  }
  must("flush", producer.flush(30s));
  while (seen < sent) poll(10s);
  if (acknowledged != sent) stop("not all were acknowledged");
  weir::set_log_sink({});
  fmt::print("sent={} renewals={} other={}\n", sent, renewals.load(), ends.load());
}

std::int64_t cpu_ms() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto ms = [](const timeval& t) { return t.tv_sec * 1000 + t.tv_usec / 1000; };
  return ms(usage.ru_utime) + ms(usage.ru_stime);
}

void flat_out(weir::Client& client, const std::string& topic, int count, bool produces) {
  const std::string value(100, 'v');
  const std::int64_t cpu = cpu_ms();
  const auto begin = weir::SystemClock().now();
  if (produces) {
    auto producer = must("producer", client.producer({.linger = 5ms, .batch_bytes = 256U * 1024}));
    for (int i = 0; i < count; ++i) must("send", producer.send({.topic = topic, .value = value}));
    must("flush", producer.flush(120s));
  } else {
    auto consumer = must("consumer", client.consumer({}));
    must("assign", consumer.assign({{topic, 0}}));
    must("seek", consumer.seek({topic, 0}, 0));
    for (int seen = 0; seen < count;)
      for (const weir::Batch& batch : must("poll", consumer.poll(20s)))
        for (const weir::RecordView& record : batch) seen += record.value()->size() == 100 ? 1 : 0;
  }
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(weir::SystemClock().now() - begin);
  fmt::print("cpu_ms={} wall_ms={}\n", cpu_ms() - cpu, took.count());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const std::string mode = argv[1];
  const std::string topic = argv[2];
  int next = 3;
  int number = 0;
  if (mode != "connect" && mode != "all")
    number = static_cast<int>(std::strtol(argv[next++], nullptr, 10));
  std::map<std::string, std::string> settings;
  std::string token;
  for (; next < argc; ++next) {
    const std::string pair = argv[next];
    const std::size_t equals = pair.find('=');
    if (pair.starts_with("probe.token=")) {
      token = pair.substr(equals + 1);
    } else {
      settings[pair.substr(0, equals)] = pair.substr(equals + 1);
    }
  }
  const std::string bootstrap = settings.extract("bootstrap.servers").mapped();
  auto options = must("settings", weir::ClientOptions::from_settings(settings));
  if (!token.empty())
    options.security.sasl.token_source = [token]() -> weir::Result<weir::OAuthToken> {
      return weir::OAuthToken{.value = token, .expires = {}, .extensions = {}};
    };
  auto client = must("connect", weir::Client::connect(bootstrap, options));
  if (mode == "connect") {
    fmt::print("connected to {}\n", must("describe", client.admin().describe_cluster()).cluster_id);
  } else if (mode == "all") {
    do_all(client, topic);
  } else if (mode == "load") {
    do_load(client, topic, std::chrono::seconds(number));
  } else {
    if (mode == "produce") make_topic(client, topic);
    flat_out(client, topic, number, mode == "produce");
  }
  return 0;
}
