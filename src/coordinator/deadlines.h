// What is due when, in order of time: one structure for the timers of all groups.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/clock.h"

namespace weir::coordinator {

struct Group;
struct Member;

/// Timers of groups. Whoever is named in a timer holds its handle and clears it before it dies, so
/// the pointers are always good. Cost of each call: the logarithm of the number of timers.
class Deadlines {
 public:
  enum class Kind : std::uint8_t { session, pending, phase };
  struct Timer {
    Kind kind = Kind::session;
    Group* group = nullptr;
    Member* member = nullptr;              // of a session
    const std::string* pending = nullptr;  // of a pending member: its id
  };
  using Map = std::multimap<MonoTime, Timer>;
  /// Empty: not set.
  using Handle = std::optional<Map::iterator>;

  void set(Handle& handle, MonoTime when, const Timer& timer) {
    clear(handle);
    handle = timers_.emplace(when, timer);
  }
  void clear(Handle& handle) {
    if (handle) timers_.erase(*handle);
    handle.reset();
  }
  std::optional<MonoTime> next() const {
    if (timers_.empty()) return std::nullopt;
    return timers_.begin()->first;
  }
  /// The earliest timer if it is due; whoever holds its handle resets that at once.
  std::optional<Timer> take_due(MonoTime now) {
    if (timers_.empty() || timers_.begin()->first > now) return std::nullopt;
    const Timer timer = timers_.begin()->second;
    timers_.erase(timers_.begin());
    return timer;
  }
  std::size_t size() const { return timers_.size(); }

 private:
  Map timers_;
};

}  // namespace weir::coordinator
