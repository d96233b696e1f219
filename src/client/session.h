// What the public objects of one client share: a runtime, its thread, a transport, and how other
// threads wait for what happens there.
#pragma once

#include <weir/client.h>

#include <future>
#include <memory>

#include "base/check.h"
#include "client/cluster.h"
#include "io/runtime.h"

namespace weir::client {

/// Owner: shared by a Client and what it made, in whatever order they go; the last one ends the
/// thread. Threads: any.
class Session {
 public:
  /// `make_transport` is called once, before the thread starts.
  Session(std::function<std::unique_ptr<Transport>(io::Runtime&)> make_transport,
          ClusterOptions cluster);
  /// Not on the loop's own thread.
  ~Session();
  Session(const Session&) = delete;

  io::Loop& loop() { return runtime_->loop(); }
  Transport& transport() { return *transport_; }
  Rng& rng() { return runtime_->rng(); }
  const ClusterOptions& cluster() const { return cluster_; }
  MonoTime now() const { return runtime_->loop().clock().now(); }
  bool on_loop_thread() const;

  /// Runs `work` on the loop and returns what it returns. For what takes no time.
  template <class Work>
  auto run(Work work) {
    if (on_loop_thread()) return work();
    std::promise<decltype(work())> promise;
    auto result = promise.get_future();
    loop().post([&work, promise = std::move(promise)]() mutable {
      if constexpr (std::is_void_v<decltype(work())>) {
        work();
        promise.set_value();
      } else {
        promise.set_value(work());
      }
    });
    return result.get();
  }

  /// Starts `work(done)` on the loop and waits until it has called `done(Result<T>)`, which it must
  /// do by its own deadline: Errc::timed_out after `timeout` and some grace.
  template <class T, class Work>
  Result<T> wait(Duration timeout, Work work) {
    if (on_loop_thread())
      return fail(Errc::invalid_argument, "a call that waits was made inside a callback");
    struct Shared {
      std::promise<Result<T>> promise;
      bool told = false;  // on the loop alone
    };
    auto shared = std::make_shared<Shared>();  // the loop may come to it when we have given up
    auto result = shared->promise.get_future();
    loop().post([shared, work = std::move(work)]() mutable {
      work([shared](Result<T> value) {
        if (!std::exchange(shared->told, true)) shared->promise.set_value(std::move(value));
      });
    });
    if (result.wait_for(timeout + grace) != std::future_status::ready)
      return fail(Errc::timed_out,
                  "no answer within " + std::to_string(milliseconds(timeout)) + " ms");
    return result.get();
  }

 private:
  static constexpr Duration grace = std::chrono::seconds(1);
  static std::int64_t milliseconds(Duration time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  }

  std::unique_ptr<io::RealRuntime> runtime_;
  const ClusterOptions cluster_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<io::Worker> thread_;
};

}  // namespace weir::client
