// The same as weir_cost with librdkafka: produce, consume (one record a call), consume-batch.
#include <librdkafka/rdkafka.h>

#include <array>
#include <cstring>
#include <initializer_list>
#include <utility>

#include "client_cost/cost.h"

namespace {

constexpr int timeout_ms = 10'000;

rd_kafka_t* open(rd_kafka_type_t type, const cost::Arguments& a,
                 std::initializer_list<std::pair<const char*, std::string>> settings) {
  std::array<char, 512> error{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", a.address.c_str(), error.data(), error.size());
  for (const auto& [name, value] : settings)
    if (rd_kafka_conf_set(conf, name, value.c_str(), error.data(), error.size()) !=
        RD_KAFKA_CONF_OK)
      cost::stop(name, error.data());
  rd_kafka_t* client = rd_kafka_new(type, conf, error.data(), error.size());
  if (client == nullptr) cost::stop("client", error.data());
  return client;
}

void send(rd_kafka_t* producer, rd_kafka_topic_t* topic, std::size_t size, long records,
          long rate) {
  std::string value(size, 'v');
  cost::Pace pace(rate);
  for (long i = 0; i < records; ++i) {
    pace.wait_for(i);
    while (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, value.data(), size,
                            &i, sizeof i, nullptr) != 0) {
      if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
        cost::stop("produce", rd_kafka_err2str(rd_kafka_last_error()));
      rd_kafka_poll(producer, 1);
    }
  }
  if (rd_kafka_flush(producer, 60'000) != RD_KAFKA_RESP_ERR_NO_ERROR) cost::stop("flush", "late");
}

void produce(const cost::Arguments& a) {
  rd_kafka_t* producer =
      open(RD_KAFKA_PRODUCER, a,
           {{"enable.idempotence", "true"},
            {"acks", "all"},
            {"partitioner", "murmur2_random"},
            {"linger.ms", std::to_string(cost::linger_ms)},
            {"batch.size", std::to_string(cost::batch_bytes)},
            {"queue.buffering.max.messages", "1000000"},
            {"queue.buffering.max.kbytes", std::to_string(cost::buffer_bytes / 1024)}});
  rd_kafka_topic_t* topic = rd_kafka_topic_new(producer, a.topic.c_str(), nullptr);
  send(producer, topic, a.size, a.records / 5, 0);
  const cost::Meter meter;
  send(producer, topic, a.size, a.records, a.rate);
  meter.report(a.records);
}

std::size_t bytes_seen = 0;

long look_at(rd_kafka_message_t* message) {
  const bool right = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
  if (right) bytes_seen += message->key_len + message->len;
  rd_kafka_message_destroy(message);
  return right ? 1 : 0;
}

long read(rd_kafka_t* consumer, rd_kafka_queue_t* queue, long records) {
  std::array<rd_kafka_message_t*, 10'000> messages{};
  long count = 0;
  while (count < records) {
    if (queue == nullptr) {
      rd_kafka_message_t* message = rd_kafka_consumer_poll(consumer, timeout_ms);
      if (message == nullptr) cost::stop("consume", "nothing came");
      count += look_at(message);
      continue;
    }
    const auto got =
        rd_kafka_consume_batch_queue(queue, timeout_ms, messages.data(), messages.size());
    if (got <= 0) cost::stop("consume", "nothing came");
    for (ssize_t i = 0; i < got; ++i) count += look_at(messages[static_cast<std::size_t>(i)]);
  }
  return count;
}

void consume(const cost::Arguments& a, bool batches) {
  rd_kafka_t* consumer = open(RD_KAFKA_CONSUMER, a,
                              {{"group.id", "cost"},
                               {"enable.auto.commit", "false"},
                               {"check.crcs", "true"},
                               {"auto.offset.reset", "earliest"}});
  rd_kafka_poll_set_consumer(consumer);
  rd_kafka_queue_t* queue = batches ? rd_kafka_queue_get_consumer(consumer) : nullptr;
  rd_kafka_topic_partition_list_t* all = rd_kafka_topic_partition_list_new(cost::partitions);
  for (int p = 0; p < cost::partitions; ++p)
    rd_kafka_topic_partition_list_add(all, a.topic.c_str(), p)->offset = 0;
  rd_kafka_assign(consumer, all);
  read(consumer, queue, a.records);
  rd_kafka_assign(consumer, nullptr);
  rd_kafka_assign(consumer, all);
  const cost::Meter meter;
  meter.report(read(consumer, queue, a.records));
}

}  // namespace

int main(int argc, char** argv) {
  const cost::Arguments a = cost::parse(argc, argv);
  if (a.mode == "produce") {
    produce(a);
  } else {
    consume(a, a.mode == "consume-batch");
  }
  // Its teardown is not measured, and takes its time.
  std::fflush(stdout);
  std::_Exit(0);
}
