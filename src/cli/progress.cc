#include "cli/progress.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace weir::cli {
namespace {

constexpr std::size_t bar_width = 24;
constexpr Duration on_terminal = std::chrono::milliseconds(100);
constexpr Duration elsewhere = std::chrono::seconds(1);

double seconds_between(MonoTime from, MonoTime to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

std::string with_thousands(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

Progress::Progress(Console& console, const Clock& clock, Work work)
    : console_(console),
      clock_(clock),
      work_(std::move(work)),
      screen_(console.err_screen()),
      began_(clock.now()),
      next_(began_ + (screen_.is_terminal ? on_terminal : elsewhere)) {}

void Progress::update(std::uint64_t done) {
  done_ = done;
  const MonoTime now = clock_.now();
  if (now >= next_) write(now, false);
}

void Progress::finish() { write(clock_.now(), true); }

void Progress::write(MonoTime now, bool last) {
  next_ = now + (screen_.is_terminal ? on_terminal : elsewhere);
  std::string text = line(now, last);
  if (!screen_.is_terminal) {
    console_.err(text + "\n");
    return;
  }
  const auto room = static_cast<std::size_t>(std::max(screen_.columns, 2) - 1);
  if (text.size() > room) text.resize(room);
  const std::size_t width = text.size();
  if (width < shown_width_) text.append(shown_width_ - width, ' ');
  shown_width_ = width;
  console_.err("\r" + text + (last ? "\n" : ""));
}

std::string Progress::line(MonoTime now, bool last) const {
  const double seconds = std::max(seconds_between(began_, now), 1e-3);
  const double rate = static_cast<double>(done_) / seconds;
  std::string text = work_.what + ": ";
  if (work_.total > 0) {
    const double share =
        std::min(1.0, static_cast<double>(done_) / static_cast<double>(work_.total));
    if (screen_.is_terminal) {
      const auto full = static_cast<std::size_t>(share * static_cast<double>(bar_width));
      text += "[" + std::string(full, '#') + std::string(bar_width - full, '-') + "] ";
    }
    text += fmt::format("{}/{} {} ({:.0f}%)", with_thousands(done_), with_thousands(work_.total),
                        work_.unit, share * 100);
  } else {
    text += fmt::format("{} {}", with_thousands(done_), work_.unit);
  }
  text += fmt::format(", {}/s", with_thousands(static_cast<std::uint64_t>(rate)));
  if (last) {
    text += fmt::format(", {:.1f} s", seconds);
  } else if (work_.total > done_ && rate > 0) {
    text += fmt::format(", {:.0f} s left", static_cast<double>(work_.total - done_) / rate);
  }
  return text;
}

}  // namespace weir::cli
