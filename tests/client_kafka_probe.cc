// Drives the client against any Kafka-compatible cluster, for client_kafka_test.py.
//
//   client_kafka_probe BOOTSTRAP TOPIC CODEC RECORDS
//
// Makes the topic, produces, reads everything back, and compares; prints what it found, or exits 1.
#include <fmt/core.h>
#include <weir/client.h>

#include <array>
#include <cstdlib>
#include <map>
#include <string>

#include "probe.h"

namespace {

using namespace std::chrono_literals;
using weir::tests::must;
using weir::tests::stop;

constexpr std::int32_t partition_count = 4;
constexpr std::int64_t first_time_ms = 1'700'000'000'000;

weir::Compression codec_named(std::string_view name) {
  constexpr std::array<std::string_view, 5> names{"none", "gzip", "snappy", "lz4", "zstd"};
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return static_cast<weir::Compression>(i);
  stop("no such codec");
}

/// FNV-1a over what makes a record, so that order and content both count.
struct Checksum {
  std::uint64_t value = 0xcbf29ce484222325U;
  void add(std::string_view bytes) {
    for (const char c : bytes) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    value = (value ^ 0xffU) * 0x100000001b3U;
  }
};

std::string value_of(int i) {
  return fmt::format("value {} {}", i, std::string(80, static_cast<char>('a' + i % 26)));
}

void make_topic(weir::Client& client, const std::string& topic) {
  weir::Admin& admin = client.admin();
  must("create", admin.create_topic(
                     {.name = topic,
                      .partitions = partition_count,
                      .replication_factor = 1,
                      // The records are old: by default they would soon be gone.
                      .settings = {{"retention.ms", "-1"}, {"min.compaction.lag.ms", "1000"}}}));
  const auto again = admin.create_topic({.name = topic, .partitions = 1});
  if (again || again.error().code() != weir::Errc::topic_already_exists)
    stop("a topic was made twice", again ? nullptr : &again.error());
  bool set = false;
  for (const auto& entry :
       must("settings", admin.describe_configs(weir::ConfigResource::topic, topic)))
    set = set || (entry.name == "retention.ms" && entry.value == "-1" && !entry.is_default());
  if (!set) stop("retention.ms is not what it was made with");
  must("alter", admin.alter_configs(
                    weir::ConfigResource::topic, topic,
                    {{.name = "min.compaction.lag.ms", .op = weir::ConfigChange::Op::remove}}));
  if (must("cluster", admin.describe_cluster()).brokers.empty()) stop("a cluster without brokers");
}

std::map<std::int32_t, Checksum> produce(weir::Client& client, const std::string& topic,
                                         std::string_view codec, int records) {
  auto producer = must("producer", client.producer({.linger = 2ms,
                                                    .batch_bytes = 64U * 1024,
                                                    .compression = codec_named(codec)}));
  std::map<std::int32_t, Checksum> sums;  // filled on the client's thread, read after the flush
  const std::array<weir::Header, 1> headers{weir::Header{"origin", "probe"}};
  for (int i = 0; i < records; ++i) {
    const std::string key = fmt::format("key {}", i % 1000);
    std::string value = value_of(i);
    must("send",
         producer.send({.topic = topic,
                        .key = key,
                        .value = value,
                        .headers = headers,
                        .timestamp = weir::Timestamp(std::chrono::milliseconds(first_time_ms + i))},
                       [&sums, key, value](weir::Result<weir::RecordMetadata> r) {
                         if (!r) stop("delivery", &r.error());
                         Checksum& sum = sums[r->partition];
                         sum.add(key);
                         sum.add(value);
                       }));
  }
  must("flush", producer.flush(60s));
  return sums;
}

std::map<std::int32_t, Checksum> consume(weir::Consumer& consumer, const std::string& topic,
                                         int records) {
  std::vector<weir::TopicPartition> all;
  for (std::int32_t p = 0; p < partition_count; ++p) all.push_back({topic, p});
  must("assign", consumer.assign(all));
  std::map<std::int32_t, Checksum> sums;
  std::map<std::int32_t, std::int64_t> next;
  int seen = 0;
  while (seen < records) {
    const auto batches = must("poll", consumer.poll(20s));
    if (batches.empty()) stop("no more records came");
    for (const weir::Batch& batch : batches) {
      for (const weir::RecordView& record : batch) {
        if (record.offset() != next[batch.partition()]++) stop("an offset is out of order");
        if (record.headers().last("origin") != "probe") stop("a header is missing");
        sums[batch.partition()].add(record.key().value_or(""));
        sums[batch.partition()].add(record.value().value_or(""));
        ++seen;
      }
    }
  }
  const auto ends = must("ends", consumer.end_offsets(all, 10s));
  for (const auto& [partition, end] : ends)
    if (end != next[partition.partition]) stop("the end is not where the records end");
  return sums;
}

/// The offset found for a time must be that of the first record not before it.
void look_up_times(weir::Consumer& consumer, const std::string& topic, int records) {
  const auto middle = weir::Timestamp(std::chrono::milliseconds(first_time_ms + records / 2));
  const auto after = weir::Timestamp(std::chrono::milliseconds(first_time_ms + records));
  for (std::int32_t p = 0; p < partition_count; ++p) {
    const weir::TopicPartition partition{topic, p};
    const auto found =
        must("times", consumer.offsets_for_times({{partition, middle}}, 10s)).at(partition);
    if (!found) stop("no offset for a time in the middle");
    if (must("times", consumer.offsets_for_times({{partition, after}}, 10s)).at(partition))
      stop("an offset for a time behind all records");
    must("assign", consumer.assign({partition}));
    must("seek", consumer.seek(partition, found->offset > 0 ? found->offset - 1 : 0));
    bool checked = false;
    while (!checked) {
      for (const weir::Batch& batch : must("poll", consumer.poll(20s))) {
        for (const weir::RecordView& record : batch) {
          if (record.offset() == found->offset - 1 && record.timestamp() >= middle)
            stop("an earlier record is not before the time");
          if (record.offset() != found->offset) continue;
          if (record.timestamp() < middle || record.timestamp() != found->timestamp)
            stop("the record found has another time");
          checked = true;
        }
      }
    }
  }
}

/// Batches larger than the topic takes arrive in parts; a record that is alone too large fails.
void divide_batches(weir::Client& client, const std::string& topic) {
  must("create", client.admin().create_topic({.name = topic,
                                              .partitions = 1,
                                              .replication_factor = 1,
                                              .settings = {{"max.message.bytes", "2000"}}}));
  auto producer = must("producer", client.producer({.linger = 20ms, .batch_bytes = 64U * 1024}));
  int delivered = 0;
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    const bool large = i == 777;
    const std::string value = large ? std::string(5000, 'x') : value_of(i);
    must("send",
         producer.send({.topic = topic, .value = value, .partition = 0},
                       [&, large](weir::Result<weir::RecordMetadata> r) {
                         if (!large && !r) stop("delivery", &r.error());
                         if (large && (r || r.error().code() != weir::Errc::message_too_large))
                           stop("a record that is too large", r ? nullptr : &r.error());
                         ++(large ? refused : delivered);
                       }));
  }
  must("flush", producer.flush(60s));
  if (delivered != 1999 || refused != 1) stop("not every record was told");
  auto consumer =
      must("consumer", client.consumer({.auto_offset_reset = weir::OffsetReset::earliest}));
  must("assign", consumer.assign({{topic, 0}}));
  int next = 0;
  while (next < 2000) {
    const auto batches = must("poll", consumer.poll(20s));
    if (batches.empty()) stop("no more records came");
    for (const weir::Batch& batch : batches) {
      for (const weir::RecordView& record : batch) {
        if (next == 777) ++next;
        if (record.value() != value_of(next++)) stop("a record is out of order");
      }
    }
  }
  must("delete", client.admin().delete_topic(topic));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) stop("usage: client_kafka_probe BOOTSTRAP TOPIC CODEC RECORDS");
  const std::string topic = argv[2];
  const int records = static_cast<int>(std::strtol(argv[4], nullptr, 10));
  auto client = must("connect", weir::Client::connect(argv[1]));
  make_topic(client, topic);
  const auto sent = produce(client, topic, argv[3], records);
  auto consumer =
      must("consumer", client.consumer({.auto_offset_reset = weir::OffsetReset::earliest}));
  const auto read = consume(consumer, topic, records);
  if (sent.size() != partition_count) stop("a partition got no record");
  for (const auto& [partition, sum] : sent)
    if (read.at(partition).value != sum.value) stop("what was read is not what was sent");
  look_up_times(consumer, topic, records);
  must("delete", client.admin().delete_topic(topic));
  divide_batches(client, topic + "-small");
  fmt::print("{} records read back as they were sent\n", records);
  return 0;
}
