#include "cli/time_text.h"

#include <fmt/core.h>

#include <chrono>
#include <optional>

#include "base/log.h"

namespace weir::cli {
namespace {

using std::chrono::days;
using std::chrono::milliseconds;

constexpr std::int64_t ms_of_minute = 60'000;
constexpr std::int64_t ms_of_hour = 60 * ms_of_minute;
// 0000-01-01 and 10000-01-01.
constexpr std::int64_t first_ms = -62'167'219'200'000;
constexpr std::int64_t end_ms = 253'402'300'800'000;

/// Reads fixed forms from the front; what does not fit leaves it failed.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool done() const { return ok_ && text_.empty(); }
  bool skip(char c) {
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    return true;
  }
  void expect(char c) { ok_ = skip(c) && ok_; }
  /// `count` digits that make a number in [low, high].
  int number(std::size_t count, int low, int high) {
    int value = 0;
    ok_ = ok_ && text_.size() >= count;
    for (std::size_t i = 0; ok_ && i < count; ++i) {
      ok_ = text_[i] >= '0' && text_[i] <= '9';
      value = value * 10 + (text_[i] - '0');
    }
    ok_ = ok_ && value >= low && value <= high;
    if (ok_) text_.remove_prefix(count);
    return value;
  }
  /// Digits behind a point, in thousandths; finer ones are dropped.
  int thousandths() {
    int value = 0;
    std::size_t count = 0;
    for (; !text_.empty() && text_[0] >= '0' && text_[0] <= '9'; text_.remove_prefix(1), ++count)
      if (count < 3) value = value * 10 + (text_[0] - '0');
    ok_ = ok_ && count > 0;
    for (; count < 3; ++count) value *= 10;
    return value;
  }

 private:
  std::string_view text_;
  bool ok_ = true;
};

/// What `+02:00`, `Z` or nothing says, in milliseconds east of UTC.
std::int64_t zone(Reader& in) {
  if (in.skip('Z') || in.skip('z')) return 0;
  const bool east = in.skip('+');
  if (!east && !in.skip('-')) return 0;
  const int hours = in.number(2, 0, 18);
  in.skip(':');
  const int minutes = in.number(2, 0, 59);
  return (hours * ms_of_hour + minutes * ms_of_minute) * (east ? 1 : -1);
}

std::optional<std::int64_t> read_time(std::string_view text) {
  Reader in(text);
  const int year = in.number(4, 0, 9999);
  in.expect('-');
  const int month = in.number(2, 1, 12);
  in.expect('-');
  const int day = in.number(2, 1, 31);
  std::int64_t of_day = 0;
  if (in.skip('T') || in.skip('t') || in.skip(' ')) {
    of_day = in.number(2, 0, 23) * ms_of_hour;
    in.expect(':');
    of_day += in.number(2, 0, 59) * ms_of_minute;
    if (in.skip(':')) {
      of_day += in.number(2, 0, 59) * 1000;
      if (in.skip('.') || in.skip(',')) of_day += in.thousandths();
    }
    of_day -= zone(in);
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!in.done() || !date.ok()) return std::nullopt;
  return milliseconds(std::chrono::sys_days(date).time_since_epoch()).count() + of_day;
}

}  // namespace

std::string time_to_text(std::int64_t ms) {
  if (ms < first_ms || ms >= end_ms) return std::to_string(ms);
  const std::chrono::sys_time<milliseconds> time{milliseconds(ms)};
  const auto day = std::chrono::floor<days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

Result<std::int64_t> time_from_text(std::string_view text) {
  if (const auto time = read_time(text)) return *time;
  return fail(Errc::usage, fmt::format("\"{}\" is no time like 2013-01-01T10:00:00Z or 2013-01-01",
                                       escape_for_log(text, 64)));
}

}  // namespace weir::cli
