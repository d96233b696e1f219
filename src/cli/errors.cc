#include "cli/errors.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "base/check.h"

namespace weir::cli {

const Explanation& explain(Errc code) {
  const auto all = explanations();
  const auto at = std::ranges::lower_bound(all, code, {}, &Explanation::code);
  check(at != all.end() && at->code == code, "an error without an explanation");
  return *at;
}

std::string weir_code(Errc code) {
  const int number = static_cast<int>(code);
  return fmt::format("WEIR-{:04}", number < 0 ? 0 : number);
}

std::optional<Errc> find_code(std::string_view text) {
  std::string word;
  for (const char c : text) word += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  if (word.starts_with("weir-")) word.erase(0, 5);
  int number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  const bool is_number = error == std::errc{} && end == word.data() + word.size();
  if (is_number && number == 0) number = static_cast<int>(Errc::unknown_server_error);
  for (const Explanation& known : explanations())
    if (is_number ? static_cast<int>(known.code) == number : name_of(known.code) == word)
      return known.code;
  return std::nullopt;
}

Exit exit_for(Errc code) {
  switch (code) {
    case Errc::usage: return Exit::usage;
    case Errc::timed_out:
    case Errc::request_timed_out: return Exit::timeout;
    case Errc::not_found:
    case Errc::unknown_topic_or_partition:
    case Errc::unknown_topic_id:
    case Errc::group_id_not_found:
    case Errc::resource_not_found:
    case Errc::transactional_id_not_found:
    case Errc::log_dir_not_found: return Exit::not_found;
    case Errc::policy_violation:
    case Errc::topic_authorization_failed:
    case Errc::group_authorization_failed:
    case Errc::cluster_authorization_failed:
    case Errc::transactional_id_authorization_failed:
    case Errc::incompatible_schema:
    case Errc::invalid_schema:
    case Errc::schema_registry_refused:
    case Errc::permission_denied: return Exit::refused;
    default: return Exit::error;
  }
}

void say_error(Console& console, const Error& error) {
  const Screen screen = console.err_screen();
  const std::string_view red = screen.colour ? "\x1b[1;31m" : "";
  const std::string_view plain = screen.colour ? "\x1b[0m" : "";
  std::string text = fmt::format("{}error:{} {}\n", red, plain, error.message());
  if (error.code() != Errc::usage) {
    const Explanation& known = explain(error.code());
    text += fmt::format("  why:  {}\n", known.why);
    if (!known.mend.empty()) text += fmt::format("  mend: {}\n", known.mend);
    text += fmt::format("  code: {} {}\n", weir_code(error.code()), name_of(error.code()));
  }
  console.err(text);
}

}  // namespace weir::cli
