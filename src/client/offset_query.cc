#include "client/offset_query.h"

#include <fmt/core.h>

#include <set>

#include "kafka/messages/list_offsets.h"

namespace weir::client {
namespace {

using Request = kafka::ListOffsetsRequest;
using Response = kafka::ListOffsetsResponse;

/// Shared by the calls and timers of one query; the last of them ends it.
class Query : public std::enable_shared_from_this<Query> {
 public:
  Query(Cluster& cluster, std::map<TopicPartition, std::int64_t> timestamps, MonoTime deadline,
        Isolation isolation, std::move_only_function<void(Result<ListedOffsets>)> done)
      : cluster_(cluster),
        isolation_(isolation),
        open_(std::move(timestamps)),
        deadline_(deadline),
        done_(std::move(done)) {}

  void start() {
    for (const auto& [partition, timestamp] : open_)
      if (watched_.insert(partition.topic).second) cluster_.watch(partition.topic);
    ask();
  }

 private:
  void ask() {
    ++tries_;
    std::map<std::int32_t, std::vector<TopicPartition>> by_leader;
    for (const auto& [partition, timestamp] : open_) {
      const auto leader = cluster_.metadata().leader(partition.topic, partition.partition);
      if (leader) {
        by_leader[*leader].push_back(partition);
      } else if (!note_missing(partition)) {
        return finish(fail(*last_error_));
      }
    }
    for (const auto& [node, partitions] : by_leader) ask_leader(node, partitions);
    if (by_leader.empty()) settle();
  }

  /// False if it will not come.
  bool note_missing(const TopicPartition& partition) {
    const TopicInfo* topic = cluster_.metadata().topic(partition.topic);
    Errc code = Errc::leader_not_available;
    if (topic != nullptr && topic->error != Errc::none) code = topic->error;
    if (topic != nullptr && !topic->partitions.empty() &&
        static_cast<std::size_t>(partition.partition) >= topic->partitions.size())
      code = Errc::unknown_topic_or_partition;
    if (topic == nullptr) code = Errc::timed_out;
    note(code, partition.topic, partition.partition);
    return is_retriable(code);
  }

  void note(Errc code, std::string_view topic, std::int32_t partition) {
    last_error_ = Error(code, fmt::format("{}-{}: {}", topic, partition, name_of(code)));
  }

  void ask_leader(std::int32_t node, const std::vector<TopicPartition>& partitions) {
    auto request = std::make_shared<Request>();
    request->replica_id = -1;
    request->isolation_level = static_cast<std::int8_t>(isolation_);
    for (const TopicPartition& partition : partitions) {
      if (request->topics.empty() || request->topics.back().name != partition.topic)
        request->topics.emplace_back().name = request->keep(partition.topic);
      auto& asked = request->topics.back().partitions.emplace_back();
      asked.partition_index = partition.partition;
      asked.timestamp = open_.at(partition);
    }
    const Duration left = deadline_ - cluster_.loop().now();
    const Duration timeout = std::clamp(left, Duration(std::chrono::milliseconds(1)),
                                        cluster_.options().request_timeout);
    request->timeout_ms = static_cast<std::int32_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count());
    ++under_way_;
    cluster_.node(node, Lane::control)
        ->send(make_call<Request, Response>(
            std::move(request), timeout,
            [self = shared_from_this()](auto reply) { self->on_reply(std::move(reply)); }));
  }

  void on_reply(Result<Reply<Response>> reply) {
    --under_way_;
    if (done_ == nullptr) return;
    if (!reply) {
      last_error_ = reply.error();
      if (!worth_a_retry(reply.error().code())) return finish(fail(*last_error_));
    } else {
      for (const auto& topic : reply->message.topics) {
        for (const auto& told : topic.partitions) {
          const TopicPartition partition{std::string(topic.name), told.partition_index};
          const Errc code = errc_from_wire(told.error_code);
          if (code != Errc::none) {
            note(code, topic.name, told.partition_index);
            if (!worth_a_retry(code)) return finish(fail(*last_error_));
          } else if (open_.erase(partition) > 0) {
            found_[partition] = {told.offset, told.timestamp, told.leader_epoch};
          }
        }
      }
    }
    if (under_way_ == 0) settle();
  }

  void settle() {
    if (open_.empty()) return finish(std::move(found_));
    const Duration pause = cluster_.retry_pause(tries_);
    if (!last_error_) last_error_ = Error(Errc::timed_out, "offsets: not in the broker's answer");
    if (cluster_.loop().now() + pause >= deadline_)
      return finish(fail(after_tries(*last_error_, tries_, Duration(0))));
    cluster_.refresh();
    cluster_.later(pause, [self = shared_from_this()] { self->ask(); });
  }

  void finish(Result<ListedOffsets> result) {
    for (const std::string& topic : std::exchange(watched_, {})) cluster_.unwatch(topic);
    if (done_ != nullptr) std::exchange(done_, nullptr)(std::move(result));
  }

  Cluster& cluster_;
  const Isolation isolation_;
  std::map<TopicPartition, std::int64_t> open_;
  const MonoTime deadline_;
  std::move_only_function<void(Result<ListedOffsets>)> done_;
  ListedOffsets found_;
  std::set<std::string> watched_;
  std::optional<Error> last_error_;
  unsigned tries_ = 0;
  int under_way_ = 0;
};

}  // namespace

std::map<TopicPartition, std::optional<OffsetAndTimestamp>> to_public(const ListedOffsets& found) {
  std::map<TopicPartition, std::optional<OffsetAndTimestamp>> out;
  for (const auto& [partition, at] : found) {
    auto& told = out[partition];
    if (at.offset >= 0)
      told = {at.offset, Timestamp(std::chrono::milliseconds(at.timestamp_ms)), at.leader_epoch};
  }
  return out;
}

void query_offsets(Cluster& cluster, std::map<TopicPartition, std::int64_t> timestamps,
                   MonoTime deadline, std::move_only_function<void(Result<ListedOffsets>)> done,
                   Isolation isolation) {
  auto query =
      std::make_shared<Query>(cluster, std::move(timestamps), deadline, isolation, std::move(done));
  cluster.later(Duration(0), [query] { query->start(); });
}

}  // namespace weir::client
