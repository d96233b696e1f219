#include "sasl/jaas.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/log.h"

namespace weir::sasl {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/// Cuts words, quoted texts and single characters from the front.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool at_end() {
    skip_blanks();
    return at_ == text_.size();
  }
  bool take(char c) {
    skip_blanks();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  /// Up to a blank, '=', ';' or quote.
  std::string_view word() {
    skip_blanks();
    const std::size_t begin = at_;
    while (at_ < text_.size() && !is_blank(text_[at_]) &&
           !std::string_view("=;\"'").contains(text_[at_]))
      ++at_;
    return text_.substr(begin, at_ - begin);
  }
  /// "text" or 'text' with \ before any character, or a word.
  Result<Secret> value() {
    skip_blanks();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '"' && quote != '\'') {
      const std::string_view plain = word();
      if (plain.empty()) return wrong("want a value");
      return Secret(plain);
    }
    ++at_;
    std::string out;
    out.reserve(text_.size() - at_);  // so that no copy is left behind in memory
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      out.push_back(text_[at_++]);
    }
    if (at_ == text_.size()) {
      wipe(out);
      return wrong("a quote without its end");
    }
    ++at_;
    return Secret(std::move(out));
  }
  tl::unexpected<Error> wrong(std::string_view what) const {
    return fail(Errc::invalid_setting, fmt::format("sasl.jaas.config: at byte {}: {}", at_, what));
  }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Result<JaasEntry> parse_jaas(std::string_view text) {
  if (text.size() > jaas_bytes_max)
    return fail(Errc::invalid_setting,
                fmt::format("sasl.jaas.config: {} bytes, at most {}", text.size(), jaas_bytes_max));
  Scanner scan(text);
  JaasEntry entry;
  const std::string_view module = scan.word();
  if (module.empty()) return scan.wrong("want the class of a login module");
  entry.module = module.substr(module.rfind('.') + 1);  // npos + 1 is 0
  constexpr std::array<std::string_view, 4> flags{"required", "requisite", "sufficient",
                                                  "optional"};
  std::string flag(scan.word());
  for (char& c : flag)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  if (std::ranges::find(flags, flag) == flags.end()) return scan.wrong("want \"required\"");
  while (!scan.take(';')) {
    const std::string_view name = scan.word();
    if (name.empty() || !scan.take('=')) return scan.wrong("want NAME=VALUE or ;");
    auto value = scan.value();
    if (!value) return fail(value.error());
    entry.options[std::string(name)] = std::move(*value);
  }
  if (!scan.at_end()) return scan.wrong("one login module, and nothing behind its ;");
  return entry;
}

}  // namespace weir::sasl
