// check(): the one way to say "only a bug of ours can make this false".
#pragma once

#include <source_location>
#include <string_view>

namespace weir {

/// Writes the message with its place to standard error and aborts.
[[noreturn]] void check_failed(std::string_view message, std::source_location where);

/// Always on, in every build. The world (network, disk, peers, users) never gets here: that is
/// Result.
inline void check(bool condition, std::string_view message,
                  std::source_location where = std::source_location::current()) {
  if (!condition) [[unlikely]]
    check_failed(message, where);
}

}  // namespace weir
