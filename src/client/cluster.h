// The way from "who leads orders-3" to a connection: metadata kept fresh, requests routed, retried.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/connection.h"
#include "client/metadata.h"

namespace weir::client {

struct ClusterOptions {
  std::vector<io::Endpoint> bootstrap;
  ConnectionOptions connection = {};
  BackoffRange retry = {};
  Duration metadata_max_age = std::chrono::minutes(5);
  Duration request_timeout = std::chrono::seconds(30);
  /// May a broker make a topic because we ask about it (if it is set to do so)?
  bool auto_create_topics = false;
};

/// A broker answers one connection in order, so what may wait long has a connection of its own.
/// JoinGroup and SyncGroup are parked for minutes, so heartbeats and commits go beside them.
enum class Lane : std::uint8_t { control, data, coordinator, rebalance };
enum class Route : std::uint8_t { any, controller };

/// Whom to ask. A broker that is not in the metadata is looked for once; then another is asked.
struct Target {
  Target(Route to) : route(to) {}  // NOLINT(google-explicit-constructor): call(Route::any, ...)
  static Target broker(std::int32_t id) {
    Target target(Route::any);
    target.node = id;
    return target;
  }
  Route route;
  std::optional<std::int32_t> node;
};

/// Owner: one producer, consumer or admin. Threads: the loop's.
class Cluster final : private Telemetry::Source {
 public:
  Cluster(io::Loop& loop, Transport& transport, Rng& rng, ClusterOptions options);
  ~Cluster() override;
  Cluster(const Cluster&) = delete;

  io::Loop& loop() { return loop_; }
  Rng& rng() { return rng_; }
  const ClusterOptions& options() const { return options_; }
  Telemetry& telemetry() { return *options_.connection.telemetry; }
  /// Asked when the client's numbers are shown.
  void on_show(std::function<void(Telemetry::Gauges&)> show) { show_ = std::move(show); }
  const Metadata& metadata() const { return metadata_; }

  /// Keeps this topic in the metadata until it was unwatched as often as it was watched.
  void watch(std::string_view topic);
  void unwatch(std::string_view topic);
  /// Keeps every topic in the metadata, or only those that are watched.
  void watch_all(bool all);
  /// Asks for the metadata as soon as the backoff allows.
  void refresh();
  /// Called after each answer or failure of a refresh; an error if it failed.
  void on_metadata(std::move_only_function<void(const Result<void>&)> handler) {
    on_metadata_ = std::move(handler);
  }

  Connection& at(const io::Endpoint& endpoint, Lane lane) { return open(endpoint, lane); }
  /// nullptr if the metadata does not have this broker.
  Connection* node(std::int32_t id, Lane lane);
  /// The target, else some broker that can be reached as far as we know; never nullptr.
  Connection* route(const Target& target);

  /// Sends until it is answered for good: connection errors and retriable ones (of the `judge`, who
  /// finds them in the response) are tried again, on another broker, until `deadline`; then the
  /// last error is given, with how often it was tried.
  template <class Request, class Response, class Judge>
  void call(Target target, MonoTime deadline, std::shared_ptr<const Request> request, Judge judge,
            ReplyDone<Response> done);

  /// The level of a feature as the newest answer of any broker has it; 0 if it is not finalized.
  std::int16_t feature_level(std::string_view feature) const;

  /// The pause before try number `tries` + 1.
  Duration retry_pause(unsigned tries) { return backoff(options_.retry, tries, rng_); }
  /// Runs `task` after `pause` unless this cluster is gone by then.
  void later(Duration pause, io::Task task);
  /// Runs `task` when the metadata has been asked for again, at `deadline` at the latest.
  void after_refresh(MonoTime deadline, std::function<void()> task);

 private:
  void show(Telemetry::Gauges& gauges) const override;
  void send_refresh();
  void on_refreshed(Result<Reply<kafka::MetadataResponse>> reply);
  void plan_refresh(Duration pause);
  Connection& open(const io::Endpoint& to, Lane lane);

  io::Loop& loop_;
  Transport& transport_;
  Rng& rng_;
  const ClusterOptions options_;
  Metadata metadata_;
  std::map<std::string, int, std::less<>> watched_;  // how often
  bool watch_all_ = false;
  std::function<void(Telemetry::Gauges&)> show_;
  std::map<std::pair<io::Endpoint, Lane>, std::unique_ptr<Connection>> connections_;
  std::move_only_function<void(const Result<void>&)> on_metadata_;
  std::vector<std::function<void()>> after_refresh_;
  bool refreshing_ = false;
  bool refresh_again_ = false;
  unsigned refresh_failures_ = 0;
  MonoTime last_refresh_{};
  io::TimerId refresh_timer_ = io::TimerId::none;
  std::size_t next_any_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// `error` with what was tried: "...; tried 3 times in 1.2 s".
Error after_tries(const Error& error, unsigned tries, Duration time);
/// True if the same request may succeed at another time or broker.
bool worth_a_retry(Errc code);
/// True if a broker does not believe us, or we do not believe it: no other try mends that.
bool is_about_identity(Errc code);

template <class Request, class Response, class Judge>
void Cluster::call(Target target, MonoTime deadline, std::shared_ptr<const Request> request,
                   Judge judge, ReplyDone<Response> done) {
  struct Attempt {
    Target target;
    MonoTime start, deadline;
    std::shared_ptr<const Request> request;
    Judge judge;
    ReplyDone<Response> done;
    unsigned tries = 0;
    bool looked = false;         // for the broker
    std::optional<Error> cause;  // the last failure that says more than "timed out"

    static void run(Cluster& cluster, std::shared_ptr<Attempt> self) {
      const bool unknown =
          self->target.node && !cluster.metadata().brokers().contains(*self->target.node);
      if (unknown && !std::exchange(self->looked, true))
        return cluster.after_refresh(self->deadline, [&cluster, self] { run(cluster, self); });
      const Duration left = self->deadline - cluster.loop().now();
      const Duration timeout = std::clamp(left, Duration(std::chrono::milliseconds(1)),
                                          cluster.options().request_timeout);
      ++self->tries;
      Connection* to = cluster.route(self->target);
      to->send(make_call<Request, Response>(
          self->request, timeout, [&cluster, self](Result<Reply<Response>> reply) mutable {
            Result<void> verdict;
            if (!reply) {
              verdict = fail(reply.error());
            } else {
              verdict = self->judge(std::as_const(reply->message));
            }
            if (verdict) return self->done(std::move(reply));
            if (verdict.error().code() != Errc::timed_out) self->cause = verdict.error();
            const Duration pause = cluster.retry_pause(self->tries);
            const MonoTime now = cluster.loop().now();
            if (!worth_a_retry(verdict.error().code()) || now + pause >= self->deadline)
              return self->done(fail(after_tries(self->cause.value_or(verdict.error()), self->tries,
                                                 now - self->start)));
            cluster.refresh();
            cluster.later(pause, [&cluster, self] { run(cluster, self); });
          }));
    }
  };
  auto attempt = std::make_shared<Attempt>(  // shared by the tasks of its tries
      Attempt{.target = target,
              .start = loop_.now(),
              .deadline = deadline,
              .request = std::move(request),
              .judge = std::move(judge),
              .done = std::move(done),
              .cause = {}});
  Attempt::run(*this, std::move(attempt));
}

}  // namespace weir::client
