#include "client/leader_query.h"

#include <fmt/core.h>

#include <map>

namespace weir::client {

LeaderQuery::LeaderQuery(Cluster& cluster, std::set<TopicPartition> open, MonoTime deadline,
                         std::string what)
    : cluster_(cluster), open_(std::move(open)), deadline_(deadline), what_(std::move(what)) {}

void LeaderQuery::start(const std::shared_ptr<LeaderQuery>& query) {
  query->cluster_.later(Duration(0), [query] {
    for (const TopicPartition& partition : query->open_)
      if (query->watched_.insert(partition.topic).second) query->cluster_.watch(partition.topic);
    query->ask();
  });
}

Duration LeaderQuery::request_timeout() const {
  const Duration left = deadline_ - cluster_.loop().now();
  return std::clamp(left, Duration(std::chrono::milliseconds(1)),
                    cluster_.options().request_timeout);
}

void LeaderQuery::ask() {
  ++tries_;
  std::map<std::int32_t, std::vector<TopicPartition>> by_leader;
  for (const TopicPartition& partition : open_) {
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
bool LeaderQuery::note_missing(const TopicPartition& partition) {
  const TopicInfo* topic = cluster_.metadata().topic(partition.topic);
  Errc code = Errc::leader_not_available;
  if (topic != nullptr && topic->error != Errc::none) code = topic->error;
  if (topic != nullptr && !topic->partitions.empty() &&
      static_cast<std::size_t>(partition.partition) >= topic->partitions.size())
    code = Errc::unknown_topic_or_partition;
  if (topic == nullptr) code = Errc::timed_out;
  note(code, partition);
  return is_retriable(code);
}

void LeaderQuery::note(Errc code, const TopicPartition& partition, std::string_view said) {
  last_error_ = Error(code, fmt::format("{}-{}: {}", partition.topic, partition.partition,
                                        said.empty() ? name_of(code) : said));
}

bool LeaderQuery::answered(const TopicPartition& partition, std::int16_t wire,
                           std::string_view said) {
  const Errc code = errc_from_wire(wire);
  if (code == Errc::none) return open_.erase(partition) > 0;
  if (!open_.contains(partition)) return false;
  note(code, partition, said);
  if (!worth_a_retry(code) && !final_error_) final_error_ = last_error_;
  return false;
}

void LeaderQuery::settle() {
  if (final_error_) return finish(fail(*final_error_));
  if (under_way_ > 0) return;
  if (open_.empty()) return finish({});
  const Duration pause = cluster_.retry_pause(tries_);
  if (!last_error_) last_error_ = Error(Errc::timed_out, what_ + ": not in the broker's answer");
  if (cluster_.loop().now() + pause >= deadline_)
    return finish(fail(after_tries(*last_error_, tries_, Duration(0))));
  cluster_.refresh();
  cluster_.later(pause, [self = shared_from_this()] { self->ask(); });
}

void LeaderQuery::finish(Result<void> outcome) {
  over_ = true;
  for (const std::string& topic : std::exchange(watched_, {})) cluster_.unwatch(topic);
  finished(std::move(outcome));
}

}  // namespace weir::client
