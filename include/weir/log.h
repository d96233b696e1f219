// Where log lines go: one level and one sink for the whole process.
//
// Lines are for operators: lost connections, groups that a member fell out of, positions that were
// reset. None is written on the way of a record. Text from outside is escaped.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace weir {
inline namespace v1 {

enum class LogLevel : std::uint8_t { debug, info, warn, error, off };

struct LogLine {
  LogLevel level;
  std::string_view component;
  std::string_view text;
};
using LogSink = std::function<void(const LogLine&)>;

/// Lines below `level` are dropped; `info` at the start. Threads: any.
void set_log_level(LogLevel level);
LogLevel log_level();
/// Where lines go from now on; an empty function means standard error. Called one line at a time,
/// on any thread; it must not block long, and must not log. Threads: any.
void set_log_sink(LogSink sink);

}  // namespace v1
}  // namespace weir
