// What every kind of database refuses, in the same words.
#pragma once

#include <weir/result.h>

#include <optional>
#include <string>
#include <string_view>

#include "state/database.h"

namespace weir::state {

/// A key in printable bytes, cut if it is long: for messages.
std::string shown(std::string_view key);

/// Looks at the entries of a run as they come. Threads: its owner's.
class RunCheck {
 public:
  explicit RunCheck(const Range& range);
  /// Errc::invalid_argument: out of order or outside the range; message_too_large.
  Result<void> next(std::string_view key, std::string_view value);

 private:
  const std::string from_;
  const std::optional<std::string> to_;
  std::optional<std::string> last_;
};

}  // namespace weir::state
