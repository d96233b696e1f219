// Pending<T>: a result that is on its way, to be waited for, asked about, or taken.
#pragma once

#include <weir/result.h>

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

namespace weir {
inline namespace v1 {

namespace detail {

/// A flag that threads wait for. Threads: any.
class Signal {
 public:
  Signal();
  ~Signal();
  Signal(const Signal&) = delete;
  void set();
  bool is_set() const;
  /// True once it is set; false after `timeout`, or at once inside a callback of a client, which
  /// would wait for itself.
  bool wait(std::chrono::milliseconds timeout) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace detail

/// The one end of it: what waits. Copies wait for the same result. Threads: any.
template <class T>
class Pending {
  struct State;

 public:
  /// Nothing is on its way: never ready.
  Pending() = default;

  bool ready() const { return state_ != nullptr && state_->signal.is_set(); }
  /// The result. Errc::timed_out after `timeout`, or at once inside a callback of a client, which
  /// would wait for itself; then it is still on its way, and may be waited for again.
  Result<T> wait(std::chrono::milliseconds timeout) const {
    if (state_ == nullptr) return fail(Errc::invalid_argument, "pending: nothing is on its way");
    if (!state_->signal.wait(timeout))
      return fail(Errc::timed_out, "pending: no result yet; inside a callback none is waited for");
    return *state_->result;
  }

  /// The other end: told once, from any thread. A result that is never told is Errc::cancelled once
  /// the last copy of this end is gone.
  class Teller {
   public:
    void operator()(Result<T> result) const { state_->tell(std::move(result)); }

   private:
    friend class Pending;
    struct Last {
      explicit Last(std::shared_ptr<State> s) : state(std::move(s)) {}
      ~Last() { state->tell(fail(Errc::cancelled, "pending: it was never told")); }
      Last(const Last&) = delete;
      void tell(Result<T> result) { state->tell(std::move(result)); }
      std::shared_ptr<State> state;
    };
    explicit Teller(std::shared_ptr<State> state)
        : state_(std::make_shared<Last>(std::move(state))) {}
    std::shared_ptr<Last> state_;
  };
  static std::pair<Pending, Teller> make() {
    Pending pending;
    pending.state_ = std::make_shared<State>();
    return {pending, Teller(pending.state_)};
  }

 private:
  struct State {
    void tell(Result<T> told) {
      if (signal.is_set()) return;
      result.emplace(std::move(told));
      signal.set();
    }
    std::optional<Result<T>> result;  // written before the signal, read after it
    detail::Signal signal;
  };
  std::shared_ptr<State> state_;
};

}  // namespace v1
}  // namespace weir
