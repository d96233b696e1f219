// A runtime with a thread of its own, shared by a client and everything that it made.
#pragma once

#include <weir/result.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

#include "client/cluster.h"
#include "io/runtime_thread.h"

namespace weir::client {

/// Shared because producers and consumers may outlive their client. The last owner joins the
/// thread, and so must not be on it. Threads: any.
class Engine {
 public:
  Engine(std::vector<io::Endpoint> bootstrap, std::shared_ptr<LocalBroker> local,
         const ClientOptions& options);
  ~Engine();

  io::Loop& loop() { return runtime_->loop(); }
  Rng& rng() { return runtime_->rng(); }
  Transport& transport() { return *transport_; }
  ClusterOptions cluster_options() const { return cluster_options_; }
  MonoTime deadline(Duration timeout) { return loop().now() + timeout; }

  /// Runs `start` on the loop, with a callback for its outcome, and waits for that. The callback is
  /// called by a deadline that `start` knows, or `limit` later the wait ends with timed_out.
  template <class T, class Start>
  Result<T> wait_for(Start start, std::optional<Duration> limit = std::nullopt) {
    struct Shared {
      std::mutex mutex;
      std::condition_variable done;
      std::optional<Result<T>> outcome;
    };
    auto shared = std::make_shared<Shared>();  // with the callback, which may come after the limit
    loop().post([shared, start = std::move(start)]() mutable {
      start([shared](Result<T> outcome) {
        const std::lock_guard lock(shared->mutex);
        if (!shared->outcome) shared->outcome = std::move(outcome);
        shared->done.notify_all();
      });
    });
    std::unique_lock lock(shared->mutex);
    const auto there = [&] { return shared->outcome.has_value(); };
    if (!limit) {
      shared->done.wait(lock, there);
    } else if (!shared->done.wait_for(lock, *limit, there)) {
      return fail(Errc::timed_out, "no answer in time");
    }
    return std::move(*shared->outcome);
  }
  /// True on the client's thread, where nothing may wait.
  bool on_thread() const { return on_thread_; }
  /// Runs `task` on the loop and waits until it has run.
  template <class Run>
  void run(Run task) {
    (void)wait_for<bool>([task = std::move(task)](auto done) mutable {
      task();
      done(true);
    });
  }

 private:
  std::unique_ptr<io::RealRuntime> runtime_ = io::RealRuntime::create();
  std::unique_ptr<Transport> transport_;
  ClusterOptions cluster_options_;
  inline static thread_local bool on_thread_ = false;
  std::unique_ptr<io::RuntimeThread> thread_;
};

}  // namespace weir::client
