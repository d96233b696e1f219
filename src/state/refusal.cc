#include "state/refusal.h"

#include <fmt/core.h>

#include "state/limits.h"

namespace weir::state {

std::string shown(std::string_view key) {
  constexpr std::size_t most = 40;
  std::string text;
  for (const char c : key.substr(0, most)) {
    if (c >= ' ' && c <= '~' && c != '\\')
      text += c;
    else
      text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  if (key.size() > most) text += fmt::format("... ({} bytes)", key.size());
  return text;
}

RunCheck::RunCheck(const Range& range) : from_(range.from), to_(range.to) {}

Result<void> RunCheck::next(std::string_view key, std::string_view value) {
  if (key.size() > limits::key_bytes || value.size() > limits::value_bytes)
    return fail(Errc::message_too_large,
                fmt::format("a key of {} bytes with a value of {}: at most {} and {}", key.size(),
                            value.size(), limits::key_bytes, limits::value_bytes));
  if (key < from_ || (to_ && key >= *to_))
    return fail(
        Errc::invalid_argument,
        fmt::format("an ingested run has the key '{}', which is outside its range", shown(key)));
  if (last_ && key <= *last_)
    return fail(Errc::invalid_argument,
                fmt::format("an ingested run has the key '{}' behind '{}': it must be sorted",
                            shown(key), shown(*last_)));
  if (last_)
    last_->assign(key);
  else
    last_.emplace(key);
  return {};
}

}  // namespace weir::state
