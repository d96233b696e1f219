// The coordinator of a group or of a transactional id: found, asked, and found anew when it has
// moved.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/cluster.h"

namespace weir::client {

enum class CoordinatorKind : std::uint8_t { group = 0, transaction = 1 };  // as on the wire

/// Owner: whoever asks the coordinator of one key; does not outlive the cluster. Threads: the
/// loop's.
class Coordinator {
 public:
  Coordinator(Cluster& cluster, std::string key, CoordinatorKind kind = CoordinatorKind::group);
  ~Coordinator();
  Coordinator(const Coordinator&) = delete;

  /// The group or the transactional id.
  const std::string& key() const { return key_; }
  /// "group billing", for messages.
  std::string name() const;
  /// nullptr while it is not known.
  Connection* connection(Lane lane);
  /// Looks for it until it is found, unless it is known; told by on_change. `lost`: what is known
  /// is not true any more.
  void find(bool lost);
  /// Called, later, when it was found, or with an error that is not worth another try.
  void on_change(std::move_only_function<void(const Result<void>&)> handler) {
    on_change_ = std::move(handler);
  }

  /// Asks until it is answered for good or `deadline` is over. `make` gives the request of each
  /// try, or the error that ends it; `judge` finds the error of an answer, whose code says whether
  /// another coordinator, another try or neither may help.
  template <class Request, class Response>
  void call(Lane lane, MonoTime deadline,
            std::move_only_function<Result<std::shared_ptr<const Request>>()> make,
            std::function<Result<void>(const Response&)> judge, ReplyDone<Response> done,
            std::int16_t max_version = Request::max_version);

 private:
  void ask();
  void told(const Result<void>& outcome);
  Duration pause_after(Errc code, unsigned tries);
  /// Runs `task` at the next outcome of a search, or at `deadline`.
  void await(MonoTime deadline, std::function<void()> task);

  Cluster& cluster_;
  const std::string key_;
  const CoordinatorKind kind_;
  std::optional<io::Endpoint> endpoint_;
  bool finding_ = false;
  unsigned failures_ = 0;  // in a row
  std::optional<Error> refused_;
  std::move_only_function<void(const Result<void>&)> on_change_;
  std::vector<std::function<void()>> waiting_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// After CONCURRENT_TRANSACTIONS: what the answer waits for takes a few syncs.
inline constexpr Duration concurrent_pause = std::chrono::milliseconds(20);

/// True for errors that say that the coordinator is another one.
bool is_about_coordinator(Errc code);

template <class Request, class Response>
void Coordinator::call(Lane lane, MonoTime deadline,
                       std::move_only_function<Result<std::shared_ptr<const Request>>()> make,
                       std::function<Result<void>(const Response&)> judge, ReplyDone<Response> done,
                       std::int16_t max_version) {
  struct Attempt {
    Coordinator& self;
    Lane lane;
    MonoTime start, deadline;
    std::move_only_function<Result<std::shared_ptr<const Request>>()> make;
    std::function<Result<void>(const Response&)> judge;
    ReplyDone<Response> done;
    std::int16_t max_version;
    std::shared_ptr<bool> alive;
    bool waited = false;  // for the coordinator to be found
    unsigned tries = 0;
    std::optional<Error> cause;

    MonoTime now() const { return self.cluster_.loop().now(); }
    void give_up() {
      const Error why = cause.value_or(Error(Errc::timed_out, self.name() + ": no coordinator"));
      done(fail(after_tries(why, tries, now() - start)));
    }
    static void run(std::shared_ptr<Attempt> attempt) {
      if (!*attempt->alive) return;
      Coordinator& self = attempt->self;
      if (attempt->waited && self.refused_) return attempt->done(fail(*self.refused_));
      if (attempt->now() >= attempt->deadline) return attempt->give_up();
      Connection* to = self.connection(attempt->lane);
      if (to == nullptr) {
        attempt->waited = true;
        self.find(false);
        return self.await(attempt->deadline, [attempt] { run(attempt); });
      }
      auto request = attempt->make();
      if (!request) return attempt->done(fail(request.error()));
      ++attempt->tries;
      const Duration timeout = std::min<Duration>(attempt->deadline - attempt->now(),
                                                  self.cluster_.options().request_timeout);
      to->send(make_call<Request, Response>(
          std::move(*request), timeout,
          [attempt](Result<Reply<Response>> reply) { answered(attempt, std::move(reply)); },
          attempt->max_version));
    }
    static void answered(const std::shared_ptr<Attempt>& attempt, Result<Reply<Response>> reply) {
      if (!*attempt->alive) return;
      Coordinator& self = attempt->self;
      Result<void> verdict;
      if (!reply) {
        verdict = fail(reply.error());
      } else {
        verdict = attempt->judge(reply->message);
      }
      if (verdict) return attempt->done(std::move(reply));
      const Errc code = verdict.error().code();
      if (code != Errc::timed_out || !attempt->cause) attempt->cause = verdict.error();
      if (!worth_a_retry(code)) return attempt->done(fail(verdict.error()));
      if (!reply || is_about_coordinator(code)) self.find(true);
      const Duration pause = self.pause_after(code, attempt->tries);
      if (attempt->now() + pause >= attempt->deadline) return attempt->give_up();
      self.cluster_.later(pause, [attempt] { run(attempt); });
    }
  };
  auto attempt = std::make_shared<Attempt>(  // shared by the tasks of its tries
      Attempt{*this,
              lane,
              cluster_.loop().now(),
              deadline,
              std::move(make),
              std::move(judge),
              std::move(done),
              max_version,
              alive_,
              false,
              0,
              {}});
  cluster_.later(Duration(0), [attempt] { Attempt::run(attempt); });
}

}  // namespace weir::client
