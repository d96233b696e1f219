#include "contract/lint/words.h"

#include <algorithm>
#include <utility>

namespace weir::contract::lint {
namespace {

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
char lower(char c) { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

WordList words_of(std::string_view name) {
  WordList out;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) out.push_back(std::exchange(word, {}));
  };
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (!is_upper(c) && !is_lower(c) && !is_digit(c)) {
      end_word();
      continue;
    }
    const char before = i == 0 ? '\0' : name[i - 1];
    const char after = i + 1 < name.size() ? name[i + 1] : '\0';
    // "orderId" parts before I; "HTTPServer" before S.
    if (is_upper(c) &&
        (is_lower(before) || is_digit(before) || (is_upper(before) && is_lower(after))))
      end_word();
    word += lower(c);
  }
  end_word();
  return out;
}

bool has_any(const WordList& words, std::span<const std::string_view> wanted) {
  return std::ranges::any_of(words, [&](const std::string& word) {
    return std::ranges::find(wanted, word) != wanted.end();
  });
}

bool has_any(const WordList& words, std::initializer_list<std::string_view> wanted) {
  return has_any(words, std::span(wanted.begin(), wanted.size()));
}

bool ends_with_any(const WordList& words, std::initializer_list<std::string_view> wanted) {
  return !words.empty() && std::ranges::find(wanted, words.back()) != wanted.end();
}

WordList words_of_text(std::string_view text) {
  WordList out;
  std::string word;
  for (const char c : text) {
    if (is_upper(c) || is_lower(c) || is_digit(c) || static_cast<unsigned char>(c) >= 0x80 ||
        c == '\'' || c == '-') {
      word += lower(c);
    } else if (!word.empty()) {
      out.push_back(std::exchange(word, {}));
    }
  }
  if (!word.empty()) out.push_back(std::move(word));
  return out;
}

}  // namespace weir::contract::lint
