// What the public objects of one client share: a runtime, its thread, a transport, and how other
// threads wait for what happens there.
#pragma once

#include <pthread.h>
#include <weir/client.h>

#include <future>
#include <memory>
#include <type_traits>

#include "base/check.h"
#include "client/cluster.h"
#include "io/runtime.h"

namespace weir::client {

/// The loop runs on a thread of its own, or, `driven`, inside drive() and the calls that wait, on
/// the thread that made the session. Owner: shared by a Client and what it made, in whatever order
/// they go; the last one ends the thread. Threads: any.
///
/// After a fork() the child has neither the thread nor the connections: there every call fails with
/// Errc::closed, and nothing is destroyed that the parent's kernel objects would notice.
class Session {
 public:
  /// `make_transport` is called once, before the loop runs.
  Session(std::function<std::unique_ptr<Transport>(io::Runtime&)> make_transport,
          ClusterOptions cluster, bool driven = false);
  /// Not inside a callback.
  ~Session();
  Session(const Session&) = delete;

  io::Loop& loop() { return runtime_->loop(); }
  io::Runtime& runtime() { return *runtime_; }
  Transport& transport() { return *transport_; }
  Rng& rng() { return runtime_->rng(); }
  const ClusterOptions& cluster() const { return cluster_; }
  MonoTime now() const { return runtime_->loop().clock().now(); }
  /// True inside a task of this session's loop: in a callback.
  bool on_loop_thread() const;
  /// True inside a callback of any session.
  static bool in_callback();
  bool is_forked() const;

  bool driven() const { return driven_; }
  int descriptor() { return driven_ ? runtime_->descriptor() : -1; }
  void drive();

  /// Runs `work` on the loop and returns what it returns. For what takes no time. In a forked child
  /// it does nothing, and returns Errc::closed or an empty value.
  template <class Work>
  auto run(Work work) {
    using Value = decltype(work());
    if (is_forked()) return forked_value<Value>();
    if (on_loop_thread()) return work();
    if (is_driver()) {
      const Inside mark(*this);
      return work();
    }
    std::promise<Value> promise;
    auto result = promise.get_future();
    loop().post([&work, promise = std::move(promise)]() mutable {
      if constexpr (std::is_void_v<Value>) {
        work();
        promise.set_value();
      } else {
        promise.set_value(work());
      }
    });
    return result.get();
  }

  /// Destroys what belongs to the loop, on the loop, one after another.
  template <class... Object>
  void destroy(std::unique_ptr<Object>&... objects) {
    // The child of a fork leaves it as it is: it may have been in the middle of anything.
    if (is_forked()) {
      (static_cast<void>(objects.release()), ...);
      return;
    }
    run([&] { (objects.reset(), ...); });
  }

  /// Starts `work(done)` on the loop and waits until it has called `done(Result<T>)`, which it must
  /// do by its own deadline: Errc::timed_out after `timeout` and some grace.
  template <class T, class Work>
  Result<T> wait(Duration timeout, Work work) {
    if (is_forked()) return fail(forked_error());
    if (on_loop_thread())
      return fail(Errc::invalid_argument, "a call that waits was made inside a callback");
    struct Shared {
      std::promise<Result<T>> promise;
      bool told = false;  // on the loop alone
    };
    auto shared = std::make_shared<Shared>();  // the loop may come to it when we have given up
    auto result = shared->promise.get_future();
    auto start = [shared, work = std::move(work)]() mutable {
      work([shared](Result<T> value) {
        if (!std::exchange(shared->told, true)) shared->promise.set_value(std::move(value));
      });
    };
    const MonoTime deadline = now() + timeout + grace;
    if (is_driver()) {
      run([&] { start(); });
      while (!shared->told && drive_until(deadline)) {
      }
    } else {
      loop().post(std::move(start));
    }
    if (result.wait_for(deadline - now()) != std::future_status::ready)
      return fail(Errc::timed_out,
                  "no answer within " + std::to_string(milliseconds(timeout)) + " ms");
    return result.get();
  }

 private:
  /// This thread runs the loop while it lives.
  class Inside {
   public:
    explicit Inside(const Session& session);
    ~Inside();
    Inside(const Inside&) = delete;

   private:
    const Session* before_;
  };

  template <class Value>
  static Value forked_value() {
    if constexpr (std::is_constructible_v<Value, tl::unexpected<Error>>) {
      return tl::unexpected<Error>(forked_error());
    } else if constexpr (!std::is_void_v<Value>) {
      return Value{};
    }
  }
  static Error forked_error();
  bool is_driver() const { return driven_ && ::pthread_equal(::pthread_self(), driver_) != 0; }
  /// Waits until there is something to do and does it; false once `deadline` is over.
  bool drive_until(MonoTime deadline);

  static constexpr Duration grace = std::chrono::seconds(1);
  static std::int64_t milliseconds(Duration time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  }

  std::unique_ptr<io::RealRuntime> runtime_;
  const ClusterOptions cluster_;
  const bool driven_;
  const unsigned forks_;  // that this process had seen
  const pthread_t driver_ = ::pthread_self();
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<io::Worker> thread_;  // absent: driven
};

}  // namespace weir::client
