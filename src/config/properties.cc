#include "config/properties.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

namespace weir::config {
namespace {

constexpr std::string_view blanks = " \t\f";

std::string_view without_leading_blanks(std::string_view text) {
  const std::size_t at = text.find_first_not_of(blanks);
  return at == std::string_view::npos ? "" : text.substr(at);
}

/// Takes the next line off `text`, without its end ("\n", "\r\n" or "\r").
std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find_first_of("\r\n");
  const std::string_view line = text.substr(0, end);
  if (end == std::string_view::npos) {
    text = {};
  } else {
    const bool two = text.substr(end, 2) == "\r\n";
    text.remove_prefix(end + (two ? 2 : 1));
  }
  return line;
}

bool continues(std::string_view line) {
  const std::size_t last = line.find_last_not_of('\\');
  const std::size_t slashes = line.size() - (last == std::string_view::npos ? 0 : last + 1);
  return slashes % 2 == 1;
}

void append_utf8(std::string& out, unsigned code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0U | (code >> 6U));
    out += static_cast<char>(0x80U | (code & 0x3fU));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0U | (code >> 12U));
    out += static_cast<char>(0x80U | ((code >> 6U) & 0x3fU));
    out += static_cast<char>(0x80U | (code & 0x3fU));
  } else {
    out += static_cast<char>(0xf0U | (code >> 18U));
    out += static_cast<char>(0x80U | ((code >> 12U) & 0x3fU));
    out += static_cast<char>(0x80U | ((code >> 6U) & 0x3fU));
    out += static_cast<char>(0x80U | (code & 0x3fU));
  }
}

/// Four hexadecimal digits at the front of `text`; -1 if they are not there.
int take_hex4(std::string_view& text) {
  if (text.size() < 4) return -1;
  int code = 0;
  for (const char c : text.substr(0, 4)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return -1;
    code = code * 16 + digit;
  }
  text.remove_prefix(4);
  return code;
}

/// The character of `\uXXXX`, the `\u` being taken: with a second escape if it is half of a pair.
bool take_unicode(std::string_view& text, std::string& out) {
  const int first = take_hex4(text);
  if (first < 0 || (first >= 0xdc00 && first < 0xe000)) return false;
  if (first < 0xd800 || first >= 0xe000) {
    append_utf8(out, static_cast<unsigned>(first));
    return true;
  }
  if (!text.starts_with("\\u")) return false;
  text.remove_prefix(2);
  const int second = take_hex4(text);
  if (second < 0xdc00 || second >= 0xe000) return false;
  append_utf8(out, 0x10000U + (static_cast<unsigned>(first - 0xd800) << 10U) +
                       static_cast<unsigned>(second - 0xdc00));
  return true;
}

bool unescape(std::string_view text, std::string& out) {
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c != '\\' || text.empty()) {
      if (c != '\\') out += c;
      continue;
    }
    const char escaped = text.front();
    text.remove_prefix(1);
    switch (escaped) {
      case 't': out += '\t'; break;
      case 'n': out += '\n'; break;
      case 'r': out += '\r'; break;
      case 'f': out += '\f'; break;
      case 'u':
        if (!take_unicode(text, out)) return false;
        break;
      default: out += escaped;
    }
  }
  return true;
}

/// Where the name ends: at the first blank, '=' or ':' that no backslash escapes.
std::size_t end_of_name(std::string_view line) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\') {
      ++i;
    } else if (line[i] == '=' || line[i] == ':' || blanks.find(line[i]) != std::string_view::npos) {
      return i;
    }
  }
  return line.size();
}

}  // namespace

Result<std::vector<Property>> read_properties(std::string_view text, std::string_view origin) {
  std::vector<Property> found;
  std::map<std::string, std::size_t, std::less<>> lines;
  std::size_t number = 0;
  while (!text.empty()) {
    std::string logical(without_leading_blanks(take_line(text)));
    const std::size_t first = ++number;
    if (logical.empty() || logical.front() == '#' || logical.front() == '!') continue;
    while (continues(logical)) {
      logical.pop_back();
      if (text.empty()) break;
      logical += without_leading_blanks(take_line(text));
      ++number;
    }
    Property property{.name = {}, .value = {}, .line = first};
    const std::size_t end = end_of_name(logical);
    std::string_view rest = without_leading_blanks(std::string_view(logical).substr(end));
    if (rest.starts_with('=') || rest.starts_with(':'))
      rest = without_leading_blanks(rest.substr(1));
    if (!unescape(std::string_view(logical).substr(0, end), property.name) ||
        !unescape(rest, property.value))
      return fail(
          Errc::invalid_setting,
          fmt::format("{}:{}: \\u must be followed by four hexadecimal digits", origin, first));
    if (property.name.empty())
      return fail(Errc::invalid_setting,
                  fmt::format("{}:{}: a value without a name", origin, first));
    const auto [earlier, is_new] = lines.emplace(property.name, first);
    if (!is_new)
      return fail(Errc::invalid_setting, fmt::format("{}:{}: {} is set in line {} already", origin,
                                                     first, property.name, earlier->second));
    found.push_back(std::move(property));
  }
  return found;
}

}  // namespace weir::config
