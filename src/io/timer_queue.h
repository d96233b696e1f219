// Timers in order of time; a heap is not needed for the few thousand a loop holds.
#pragma once

#include <map>
#include <unordered_map>
#include <utility>

#include "io/loop.h"

namespace weir::io {

/// Holds tasks by due time, first in first out within one moment. Owner: a loop.
class TimerQueue {
 public:
  TimerId add(MonoTime when, Task task) {
    const std::uint64_t id = ++last_id_;
    tasks_.emplace(std::pair(when, id), std::move(task));
    times_.emplace(id, when);
    return static_cast<TimerId>(id);
  }

  /// Gives the task back, so that it is destroyed outside the queue; empty if it is gone.
  Task take(TimerId timer) {
    const auto id = static_cast<std::uint64_t>(timer);
    const auto found = times_.find(id);
    if (found == times_.end()) return {};
    auto node = tasks_.extract(std::pair(found->second, id));
    times_.erase(found);
    return std::move(node.mapped());
  }

  bool empty() const { return tasks_.empty(); }
  /// The earliest time; only when not empty.
  MonoTime next() const { return tasks_.begin()->first.first; }
  /// The earliest task if it is due at `now`, else an empty one.
  Task take_due(MonoTime now) {
    if (tasks_.empty() || next() > now) return {};
    return take(static_cast<TimerId>(tasks_.begin()->first.second));
  }

 private:
  std::uint64_t last_id_ = 0;
  std::map<std::pair<MonoTime, std::uint64_t>, Task> tasks_;
  std::unordered_map<std::uint64_t, MonoTime> times_;
};

}  // namespace weir::io
