#include "base/log.h"

#include <fmt/core.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <mutex>

namespace weir {
namespace {

std::atomic<LogLevel> threshold{LogLevel::info};
std::mutex sink_mutex;
LogSink& sink() {
  static LogSink the_sink;
  return the_sink;
}

constexpr std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return "DEBUG";
    case LogLevel::info: return "INFO ";
    case LogLevel::warn: return "WARN ";
    case LogLevel::error: return "ERROR";
    case LogLevel::off: break;
  }
  return "     ";
}

void write_to_standard_error(const LogLine& line) {
  const auto now = std::chrono::system_clock::now();
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  const std::time_t seconds = static_cast<std::time_t>(ms / 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  const std::string text =
      fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z {} {}: {}\n", utc.tm_year + 1900,
                  utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, ms % 1000,
                  level_name(line.level), line.component, line.text);
  std::fwrite(text.data(), 1, text.size(), stderr);
}

/// Bytes of the UTF-8 sequence at the front of `text`, 0 if it is not one.
std::size_t utf8_sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const std::size_t n = lead < 0x80                   ? 1
                        : lead >= 0xf0 && lead < 0xf5 ? 4
                        : lead >= 0xe0 && lead < 0xf0 ? 3
                        : lead >= 0xc2 && lead < 0xe0 ? 2
                                                      : 0;
  if (n == 0 || n > text.size()) return 0;
  for (std::size_t i = 1; i < n; ++i)
    if ((byte(i) & 0xc0U) != 0x80U) return 0;
  return n;
}

}  // namespace

inline namespace v1 {

void set_log_level(LogLevel level) { threshold.store(level, std::memory_order_relaxed); }
LogLevel log_level() { return threshold.load(std::memory_order_relaxed); }

void set_log_sink(LogSink new_sink) {
  const std::lock_guard lock(sink_mutex);
  sink() = std::move(new_sink);
}

}  // namespace v1

void write_log(LogLevel level, std::string_view component, std::string_view text) {
  if (level < log_level()) return;
  const LogLine line{level, component, text};
  const std::lock_guard lock(sink_mutex);
  if (sink()) {
    sink()(line);
  } else {
    write_to_standard_error(line);
  }
}

std::string escape_for_log(std::string_view text, std::size_t max_bytes) {
  std::string out;
  const bool cut = text.size() > max_bytes;
  text = text.substr(0, max_bytes);
  while (!text.empty()) {
    const std::size_t n = utf8_sequence(text);
    const auto c = static_cast<unsigned char>(text.front());
    if (n == 0 || (n == 1 && (c < 0x20 || c == 0x7f)) || c == '\\') {
      out += fmt::format("\\x{:02x}", c);
      text.remove_prefix(1);
    } else {
      out += text.substr(0, n);
      text.remove_prefix(n);
    }
  }
  if (cut) out += "...";
  return out;
}

}  // namespace weir
