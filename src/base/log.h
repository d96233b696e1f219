// Logging: one line a message, `TIME LEVEL component: text`, to standard error or a sink of a test.
//
// For what an operator must know; never on the way of an event. Text from outside is escaped.
#pragma once

#include <weir/log.h>

#include <string>
#include <string_view>

namespace weir {

void write_log(LogLevel level, std::string_view component, std::string_view text);
inline void log_debug(std::string_view component, std::string_view text) {
  write_log(LogLevel::debug, component, text);
}
inline void log_info(std::string_view component, std::string_view text) {
  write_log(LogLevel::info, component, text);
}
inline void log_warn(std::string_view component, std::string_view text) {
  write_log(LogLevel::warn, component, text);
}
inline void log_error(std::string_view component, std::string_view text) {
  write_log(LogLevel::error, component, text);
}

/// `text` with control characters and bytes that are not UTF-8 written as \xNN, cut at `max_bytes`:
/// what a peer sends cannot forge a line or fill the disk.
std::string escape_for_log(std::string_view text, std::size_t max_bytes = 256);

}  // namespace weir
