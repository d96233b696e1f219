// An event loop: tasks and timers of one thread.
#pragma once

#include <cstdint>
#include <functional>

#include "base/clock.h"

namespace weir::io {

using Task = std::move_only_function<void()>;

/// A timer that was set; zero is none.
enum class TimerId : std::uint64_t { none = 0 };

/// Runs tasks one after another, never two at once. Owner: the runtime. Threads: post() any, the
/// rest only from tasks of this loop (or before it runs).
class Loop {
 public:
  virtual ~Loop() = default;
  virtual const Clock& clock() const = 0;
  MonoTime now() const { return clock().now(); }
  /// Runs `task` later, after what is running now, in the order of the posts of one thread.
  virtual void post(Task task) = 0;
  /// Runs `task` once at `when` or soon after; a time in the past means soon.
  virtual TimerId call_at(MonoTime when, Task task) = 0;
  TimerId call_after(Duration delay, Task task) { return call_at(now() + delay, std::move(task)); }
  /// The task will not run; no effect if it ran or was cancelled, or for TimerId::none.
  virtual void cancel(TimerId id) = 0;
};

/// One thread for work that blocks. Works run one at a time in the order given. Owner: whoever made
/// it; destroying it waits for the works already given, and drops completions not yet run.
class Worker {
 public:
  virtual ~Worker() = default;
  /// Runs `work` on the worker's thread, then `done` on the loop. `work` may touch only what it
  /// owns or what nobody else touches until `done`.
  virtual void run(Task work, Task done) = 0;
};

}  // namespace weir::io
