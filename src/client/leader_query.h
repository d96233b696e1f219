// A question about many partitions: divided among their leaders, asked again until a deadline.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/cluster.h"

namespace weir::client {

/// Shared by the calls and timers of one question; the last of them ends it. What is derived says
/// what is asked and keeps the answers. Threads: the loop's.
class LeaderQuery : public std::enable_shared_from_this<LeaderQuery> {
 public:
  LeaderQuery(Cluster& cluster, std::set<TopicPartition> open, MonoTime deadline, std::string what);
  LeaderQuery(const LeaderQuery&) = delete;
  virtual ~LeaderQuery() = default;

  /// Begins later, unless the cluster is gone by then; to be called once, of a shared object.
  static void start(const std::shared_ptr<LeaderQuery>& query);

 protected:
  /// Asks one leader about these, in order of their topics, by send().
  virtual void ask_leader(std::int32_t node, const std::vector<TopicPartition>& partitions) = 0;
  /// Called once: everything is answered, or the first error that is not worth a retry, or the last
  /// one at the deadline.
  virtual void finished(Result<void> outcome) = 0;

  /// How long a request may take that leaves now.
  Duration request_timeout() const;
  /// `take(response)` gives the outcome of each partition to answered().
  template <class Request, class Response, class Take>
  void send(std::int32_t node, std::shared_ptr<const Request> request, Take take);
  /// True if the answer is to be kept: the first that is none of an error. `said`: the broker's own
  /// words.
  bool answered(const TopicPartition& partition, std::int16_t wire, std::string_view said = {});

  Cluster& cluster() { return cluster_; }

 private:
  void ask();
  bool note_missing(const TopicPartition& partition);
  void note(Errc code, const TopicPartition& partition, std::string_view said = {});
  void settle();
  void finish(Result<void> outcome);

  Cluster& cluster_;
  std::set<TopicPartition> open_;
  const MonoTime deadline_;
  const std::string what_;
  std::set<std::string> watched_;
  std::optional<Error> last_error_;
  std::optional<Error> final_error_;
  unsigned tries_ = 0;
  int under_way_ = 0;
  bool over_ = false;
};

template <class Request, class Response, class Take>
void LeaderQuery::send(std::int32_t node, std::shared_ptr<const Request> request, Take take) {
  ++under_way_;
  const Duration timeout = request_timeout();
  cluster_.node(node, Lane::control)
      ->send(make_call<Request, Response>(
          std::move(request), timeout,
          [self = shared_from_this(), take = std::move(take)](Result<Reply<Response>> reply) {
            --self->under_way_;
            if (self->over_) return;
            if (reply) {
              take(reply->message);
            } else {
              self->last_error_ = reply.error();
              if (!worth_a_retry(reply.error().code())) self->final_error_ = reply.error();
            }
            self->settle();
          }));
}

}  // namespace weir::client
