// Drives transactions of the client against any Kafka-compatible cluster, for
// client_transactions_test.py.
//
//   client_transactions_probe SCENARIO BOOTSTRAP NAME
//
// NAME makes topics, groups and transactional ids its own. Prints what it has seen, or exits 1.
#include <fmt/core.h>
#include <weir/client.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "probe.h"

namespace {

using namespace std::chrono_literals;
using weir::Errc;
using weir::TransactionState;
using weir::tests::must;
using weir::tests::stop;
using Values = std::vector<std::string>;

weir::MonoTime now() { return weir::SystemClock{}.now(); }

template <class T>
void must_fail(std::string_view what, const weir::Result<T>& result, Errc code) {
  if (result) stop(fmt::format("{}: succeeded", what));
  if (result.error().code() != code) stop(what, &result.error());
}

void must_be(const weir::TransactionalProducer& producer, TransactionState state) {
  if (producer.state() != state)
    stop(fmt::format("is {}, want {}", name_of(producer.state()), name_of(state)));
}

void make_topic(weir::Client& client, const std::string& name, std::int32_t partitions) {
  must("topic", client.admin().create_topic(
                    {.name = name, .partitions = partitions, .replication_factor = 1}));
}

/// Everything of a topic, and that the positions come to the end behind the last marker.
Values read_all(weir::Client& client, const std::string& topic, std::int32_t partitions,
                weir::Isolation isolation) {
  auto consumer = must(
      "consumer",
      client.consumer({.auto_offset_reset = weir::OffsetReset::earliest, .isolation = isolation}));
  std::vector<weir::TopicPartition> all;
  for (std::int32_t p = 0; p < partitions; ++p) all.push_back({topic, p});
  must("assign", consumer.assign(all));
  Values values;
  const auto deadline = now() + 30s;
  for (;;) {
    const auto ends = must("ends", consumer.end_offsets(all, 10s));
    const bool done = std::all_of(ends.begin(), ends.end(), [&](const auto& end) {
      return must("position", consumer.position(end.first, 10s)) >= end.second;
    });
    if (done) break;
    if (now() > deadline) stop("the end was never reached");
    for (const weir::Batch& batch : must("poll", consumer.poll(200ms)))
      for (const weir::RecordView& record : batch)
        values.emplace_back(record.value().value_or("<null>"));
  }
  std::sort(values.begin(), values.end());
  return values;
}

void must_read(weir::Client& client, const std::string& topic, std::int32_t partitions,
               weir::Isolation isolation, Values wanted) {
  std::sort(wanted.begin(), wanted.end());
  const Values found = read_all(client, topic, partitions, isolation);
  if (found != wanted)
    stop(fmt::format("{}: {} records were read, want {}", topic, found.size(), wanted.size()));
}

/// Every third transaction is aborted; who reads the committed sees the others alone.
void commit_and_abort(weir::Client& client, const std::string& name) {
  make_topic(client, name, 3);
  auto producer = must("producer", client.transactional_producer(name, {.linger = 1ms}));
  Values committed;
  Values all;
  for (int round = 0; round < 30; ++round) {
    const bool commit = round % 3 != 2;
    must("begin", producer.begin());
    for (int i = 0; i < 20; ++i) {
      const std::string value = fmt::format("{}-{}", round, i);
      must("send", producer.send({.topic = name, .key = std::to_string(i), .value = value}));
      all.push_back(value);
      if (commit) committed.push_back(value);
    }
    if (!commit) must("flush", producer.flush(10s));
    must("end", commit ? producer.commit() : producer.abort());
    must_be(producer, TransactionState::ready);
  }
  must_fail("outside", producer.send({.topic = name, .value = "x"}), Errc::invalid_txn_state);
  must_read(client, name, 3, weir::Isolation::read_committed, committed);
  must_read(client, name, 3, weir::Isolation::read_uncommitted, all);
  // An abort of what was never sent leaves nothing, and the id can be used on.
  must("begin", producer.begin());
  must("send", producer.send({.topic = name, .value = "never"}));
  must("abort", producer.abort());
  must("begin", producer.begin());
  must("send", producer.send({.topic = name, .value = "left open"}));
  must("close", producer.close(10s));
  must_fail("closed", producer.send({.topic = name, .value = "x"}), Errc::closed);
  must_read(client, name, 3, weir::Isolation::read_committed, committed);
  fmt::print("{} of {} records are committed\n", committed.size(), all.size());
}

void fencing(weir::Client& client, const std::string& name) {
  make_topic(client, name, 1);
  auto first = must("first", client.transactional_producer(name));
  must("begin", first.begin());
  must("send", first.send({.topic = name, .value = "zombie"}));
  must("flush", first.flush(10s));
  auto second = must("second", client.transactional_producer(name));
  must("work", second.in_transaction([&](weir::Transaction& tx) {
    return tx.send({.topic = name, .value = "alive"});
  }));
  const auto late = first.commit();
  if (late) stop("a fenced producer has committed");
  if (!late.error().fatal()) stop("fenced, but not fatal", &late.error());
  must_be(first, TransactionState::failed);
  auto third = must("third", client.transactional_producer(name));
  must("begin", second.begin());
  static_cast<void>(second.send({.topic = name, .value = "late"}));
  static_cast<void>(second.flush(10s));
  const auto aborted = second.abort();
  if (aborted || !aborted.error().fatal()) stop("a fenced producer has aborted");
  must_be(second, TransactionState::failed);
  must_read(client, name, 1, weir::Isolation::read_committed, {"alive"});
  fmt::print("fenced twice\n");
}

/// Reads, writes and commits in one transaction; is torn now and then, and by an abandoned
/// producer.
void copy(weir::Client& client, const std::string& name) {
  const std::string in = name + "-in";
  const std::string out = name + "-out";
  make_topic(client, in, 2);
  make_topic(client, out, 2);
  Values wanted;
  {
    auto producer = must("producer", client.producer());
    for (int i = 0; i < 400; ++i) {
      wanted.push_back(std::to_string(i));
      must("send", producer.send({.topic = in, .key = wanted.back(), .value = wanted.back()}));
    }
    must("flush", producer.flush(30s));
  }
  int copied = 0;
  int torn = 0;
  for (int incarnation = 0; copied < 400; ++incarnation) {
    if (incarnation > 40) stop("it never came to its end");
    auto producer =
        must("producer", client.transactional_producer(name, {.transaction_timeout = 20s}));
    auto consumer =
        must("consumer", client.consumer({.group = name,
                                          .topics = {in},
                                          .auto_offset_reset = weir::OffsetReset::earliest,
                                          .isolation = weir::Isolation::read_committed,
                                          .max_poll_bytes = 1}));
    for (int round = 0; copied < 400; ++round) {
      const auto batches = must("poll", consumer.poll(20s));
      if (batches.empty()) stop("nothing came");
      int here = 0;
      const auto work = [&](weir::Transaction& tx) -> weir::Result<void> {
        for (const weir::Batch& batch : batches) {
          for (const weir::RecordView& record : batch) {
            static_cast<void>(
                tx.send({.topic = out, .key = record.key(), .value = record.value()}));
            ++here;
          }
        }
        if (round == 1 && incarnation % 3 == 0) return weir::fail(Errc::cancelled, "torn");
        return tx.commit_offsets(consumer);
      };
      if (round == 1 && incarnation % 3 == 1) {
        // Abandoned in the middle: the next incarnation's start aborts it.
        must("begin", producer.begin());
        must("send", producer.send({.topic = out, .value = "abandoned"}));
        must("flush", producer.flush(10s));
        must("offsets", producer.commit_offsets(consumer));
        ++torn;
        break;
      }
      const auto done = producer.in_transaction(work);
      if (!done) {
        must_fail("torn", done, Errc::cancelled);
        ++torn;
        break;  // another incarnation begins at the committed offsets
      }
      copied += here;
      if (round == 2) break;
    }
    must("close", consumer.close(10s));
  }
  must_read(client, out, 2, weir::Isolation::read_committed, wanted);
  if (torn == 0) stop("nothing was torn");
  fmt::print("400 records copied, each once\n");
}

/// Offsets of one who is no member of that generation any more.
void stale_member(weir::Client& client, const std::string& name) {
  make_topic(client, name, 1);
  auto producer = must("producer", client.transactional_producer(name));
  auto consumer = must("consumer", client.consumer({.group = name,
                                                    .topics = {name},
                                                    .isolation = weir::Isolation::read_committed}));
  static_cast<void>(must("poll", consumer.poll(500ms)));
  const auto deadline = now() + 20s;
  while (consumer.group_metadata().generation < 0 || consumer.assignment().empty()) {
    if (now() > deadline) stop("it never became a member");
    static_cast<void>(must("poll", consumer.poll(100ms)));
  }
  weir::GroupMetadata member = consumer.group_metadata();
  const std::map<weir::TopicPartition, weir::OffsetAndMetadata> offsets{{{name, 0}, {.offset = 7}}};
  must("begin", producer.begin());
  must("offsets", producer.commit_offsets(offsets, member));
  must("commit", producer.commit());
  const auto committed = must("committed", consumer.committed({{name, 0}}, 10s));
  if (committed.begin()->second->offset != 7) stop("the offset is not the committed one");
  member.generation += 5;
  must("begin", producer.begin());
  must_fail("stale", producer.commit_offsets(offsets, member), Errc::illegal_generation);
  must_be(producer, TransactionState::must_abort);
  must("abort", producer.abort());
  member.member_id = "nobody";
  must("begin", producer.begin());
  must_fail("stranger", producer.commit_offsets(offsets, member), Errc::unknown_member_id);
  must("abort", producer.abort());
  must_be(producer, TransactionState::ready);
  must("close", consumer.close(10s));
  fmt::print("stale members are refused\n");
}

/// The coordinator ends what is open for too long.
void time_out(weir::Client& client, const std::string& name) {
  make_topic(client, name, 1);
  auto producer =
      must("producer", client.transactional_producer(name, {.transaction_timeout = 1s}));
  must("begin", producer.begin());
  must("send", producer.send({.topic = name, .value = "slow"}));
  must("flush", producer.flush(10s));
  // Its marker is an offset too; the coordinator looks every few seconds.
  auto reader = must("reader", client.consumer({}));
  const auto deadline = now() + 40s;
  while (must("ends", reader.end_offsets({{name, 0}}, 10s)).begin()->second < 2)
    if (now() > deadline) stop("it was never aborted");
  const auto committed = producer.commit();
  if (committed) stop("what was aborted has been committed");
  if (producer.state() == TransactionState::must_abort) must("abort", producer.abort());
  if (producer.state() == TransactionState::failed)
    producer = must("producer", client.transactional_producer(name));
  must("work", producer.in_transaction([&](weir::Transaction& tx) {
    return tx.send({.topic = name, .value = "next"});
  }));
  must_read(client, name, 1, weir::Isolation::read_committed, {"next"});
  fmt::print("aborted by the coordinator: {}\n", weir::name_of(committed.error().code()));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) stop("usage: client_transactions_probe SCENARIO BOOTSTRAP NAME");
  const std::map<std::string, void (*)(weir::Client&, const std::string&)> scenarios{
      {"commit-and-abort", commit_and_abort},
      {"fencing", fencing},
      {"copy", copy},
      {"stale-member", stale_member},
      {"time-out", time_out}};
  const auto scenario = scenarios.find(argv[1]);
  if (scenario == scenarios.end()) stop("no such scenario");
  auto client = must("connect", weir::Client::connect(argv[2]));
  scenario->second(client, argv[3]);
  return 0;
}
