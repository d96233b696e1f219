#include "cli/positions.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "base/log.h"
#include "cli/time_text.h"
#include "config/setting.h"
#include "config/suggest.h"

namespace weir::cli {
namespace {

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

Result<Position> position_from(std::string_view text, std::int64_t now_ms) {
  using Kind = Position::Kind;
  if (text == "earliest") return Position{Kind::earliest};
  if (text == "latest") return Position{Kind::latest};
  if (text.starts_with('-')) {
    if (const auto number = whole_number(text.substr(1)); number && *number > 0)
      return Position{Kind::before_end, *number};
  } else if (const auto number = whole_number(text)) {
    return Position{Kind::offset, *number};
  } else if (const auto time = time_from_text(text)) {
    return Position{Kind::time, *time};
  } else {
    std::string_view span = text;
    if (span.ends_with(" ago")) span.remove_suffix(4);
    const auto ms = config::parse_duration_ms(span);
    if (ms && *ms >= 0 && *ms <= now_ms) return Position{Kind::time, now_ms - *ms};
  }
  constexpr std::string_view words[] = {"earliest", "latest"};
  return fail(Errc::usage,
              fmt::format("\"{}\" is no place in a topic: earliest, latest, an offset, -10 for the "
                          "last ten, a time like 2013-01-01T10:00:00Z, or 1h for an hour ago{}",
                          escape_for_log(text, 64), config::did_you_mean(text, words)));
}

std::int64_t offset_of(const Position& position, const Bounds& bounds,
                       std::optional<std::int64_t> by_time) {
  switch (position.kind) {
    case Position::Kind::earliest: return bounds.begin;
    case Position::Kind::latest: return bounds.end;
    case Position::Kind::offset: return std::clamp(position.value, bounds.begin, bounds.end);
    case Position::Kind::before_end:
      return std::max(bounds.begin, bounds.end - std::min(position.value, bounds.end));
    case Position::Kind::time:
      return std::clamp(by_time.value_or(bounds.end), bounds.begin, bounds.end);
  }
  return bounds.begin;
}

}  // namespace weir::cli
