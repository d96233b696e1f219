#include "client/offset_lookup.h"

#include <fmt/core.h>

#include "kafka/messages/list_offsets.h"

namespace weir::client {
namespace {

struct Lookup : std::enable_shared_from_this<Lookup> {
  Cluster& cluster;
  TopicPartition partition;
  std::int64_t timestamp_ms;
  MonoTime start;
  MonoTime deadline;
  std::move_only_function<void(Result<std::optional<OffsetAndTimestamp>>)> done;
  unsigned tries = 0;

  Lookup(Cluster& c, TopicPartition p, std::int64_t t, MonoTime d,
         std::move_only_function<void(Result<std::optional<OffsetAndTimestamp>>)> f)
      : cluster(c),
        partition(std::move(p)),
        timestamp_ms(t),
        start(c.loop().now()),
        deadline(d),
        done(std::move(f)) {}

  void run() {
    ++tries;
    const auto leader = cluster.metadata().leader(partition.topic, partition.partition);
    Connection* to = leader ? cluster.node(*leader, Lane::control) : nullptr;
    if (to == nullptr) {
      const TopicInfo* topic = cluster.metadata().topic(partition.topic);
      const bool known = topic != nullptr && topic->error == Errc::none;
      return again(Error(topic != nullptr && topic->error != Errc::none
                             ? topic->error
                             : Errc::unknown_topic_or_partition,
                         fmt::format("{}-{}: {}", partition.topic, partition.partition,
                                     known ? "there is no such partition, or it has no leader"
                                           : "the topic is not known")));
    }
    auto request = std::make_shared<kafka::ListOffsetsRequest>();
    request->replica_id = -1;
    auto& topic = request->topics.emplace_back();
    topic.name = request->keep(partition.topic);
    auto& asked = topic.partitions.emplace_back();
    asked.partition_index = partition.partition;
    asked.timestamp = timestamp_ms;
    const Duration left =
        std::clamp<Duration>(deadline - cluster.loop().now(), std::chrono::milliseconds(1),
                             cluster.options().request_timeout);
    to->send(make_call<kafka::ListOffsetsRequest, kafka::ListOffsetsResponse>(
        std::move(request), left,
        [self = shared_from_this()](Result<Reply<kafka::ListOffsetsResponse>> reply) {
          self->on_reply(std::move(reply));
        }));
  }

  void on_reply(Result<Reply<kafka::ListOffsetsResponse>> reply) {
    if (!reply) return again(reply.error());
    const auto& topics = reply->message.topics;
    if (topics.size() != 1 || topics[0].partitions.size() != 1)
      return done(fail(Errc::protocol_error,
                       "ListOffsets: one partition was asked for, another number answered"));
    const auto& answer = topics[0].partitions[0];
    const Errc code = errc_from_wire(answer.error_code);
    if (code != Errc::none)
      return again(Error(
          code, fmt::format("{}-{}: {}", partition.topic, partition.partition, name_of(code))));
    if (answer.offset < 0) return done(std::optional<OffsetAndTimestamp>());
    done(OffsetAndTimestamp{.offset = answer.offset,
                            .timestamp = Timestamp(std::chrono::milliseconds(answer.timestamp)),
                            .leader_epoch = answer.leader_epoch});
  }

  void again(const Error& error) {
    const Duration pause = cluster.retry_pause(tries);
    const MonoTime now = cluster.loop().now();
    if (!worth_a_retry(error.code()) || now + pause >= deadline)
      return done(fail(after_tries(error, tries, now - start)));
    cluster.refresh();
    cluster.later(pause, [self = shared_from_this()] { self->run(); });
  }
};

}  // namespace

void look_up_offset(Cluster& cluster, const TopicPartition& partition, std::int64_t timestamp_ms,
                    MonoTime deadline,
                    std::move_only_function<void(Result<std::optional<OffsetAndTimestamp>>)> done) {
  cluster.watch(partition.topic);
  std::make_shared<Lookup>(cluster, partition, timestamp_ms, deadline, std::move(done))->run();
}

void look_up_offsets(Cluster& cluster, const std::map<TopicPartition, std::int64_t>& wanted,
                     MonoTime deadline,
                     std::move_only_function<
                         void(Result<std::map<TopicPartition, std::optional<OffsetAndTimestamp>>>)>
                         done) {
  struct All {
    std::map<TopicPartition, std::optional<OffsetAndTimestamp>> found;
    std::optional<Error> error;
    std::size_t waiting = 1;
    std::move_only_function<void(
        Result<std::map<TopicPartition, std::optional<OffsetAndTimestamp>>>)>
        done;
    void finish_one() {
      if (--waiting > 0) return;
      if (error) return done(fail(std::move(*error)));
      done(std::move(found));
    }
  };
  auto all = std::make_shared<All>();  // shared by the answers
  all->done = std::move(done);
  for (const auto& [partition, timestamp_ms] : wanted) {
    ++all->waiting;
    look_up_offset(cluster, partition, timestamp_ms, deadline,
                   [all, name = partition](Result<std::optional<OffsetAndTimestamp>> found) {
                     if (found) {
                       all->found[name] = *found;
                     } else if (!all->error) {
                       all->error = found.error();
                     }
                     all->finish_one();
                   });
  }
  all->finish_one();
}

}  // namespace weir::client
