// Progress of long work, on standard error: a bar on a terminal, a line a second elsewhere.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "cli/console.h"

namespace weir::cli {

/// Made when the work begins. Cheap to update for every record: the clock is read then, and
/// something is written at most ten times (a terminal) or once (elsewhere) a second.
class Progress {
 public:
  struct Work {
    std::string what;         // "publishing flights"
    std::string unit;         // "flights"
    std::uint64_t total = 0;  // 0: not known
  };
  Progress(Console& console, const Clock& clock, Work work);
  /// `done` of the total so far; it does not go back.
  void update(std::uint64_t done);
  /// The last line: how much and how fast. To be called once; without it the bar stays as it is.
  void finish();

 private:
  std::string line(MonoTime now, bool last) const;
  void write(MonoTime now, bool last);

  Console& console_;
  const Clock& clock_;
  Work work_;
  Screen screen_;
  MonoTime began_;
  MonoTime next_;
  std::uint64_t done_ = 0;
  std::size_t shown_width_ = 0;
};

/// 336776 as "336,776".
std::string with_thousands(std::uint64_t number);

}  // namespace weir::cli
