#include "contract/json_schema/format.h"

#include <algorithm>
#include <array>
#include <utility>

#include "contract/json_schema/pattern.h"

namespace weir::contract::json_schema {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// Takes `count` digits from the front.
bool number(std::string_view& text, std::size_t count, int& out) {
  if (text.size() < count || !std::ranges::all_of(text.substr(0, count), is_digit)) return false;
  out = 0;
  for (std::size_t i = 0; i < count; ++i) out = out * 10 + (text[i] - '0');
  text.remove_prefix(count);
  return true;
}
bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

bool take_date(std::string_view& text) {
  int year = 0;
  int month = 0;
  int day = 0;
  if (!number(text, 4, year) || !take(text, '-') || !number(text, 2, month) || !take(text, '-') ||
      !number(text, 2, day))
    return false;
  constexpr std::array<int, 12> days = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (month < 1 || month > 12 || day < 1 || day > days[static_cast<std::size_t>(month - 1)])
    return false;
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month != 2 || day < 29 || leap;
}

bool take_time(std::string_view& text) {
  int hour = 0;
  int minute = 0;
  int second = 0;
  if (!number(text, 2, hour) || !take(text, ':') || !number(text, 2, minute) || !take(text, ':') ||
      !number(text, 2, second) || hour > 23 || minute > 59 || second > 60)
    return false;
  if (take(text, '.')) {
    if (text.empty() || !is_digit(text[0])) return false;
    while (!text.empty() && is_digit(text[0])) text.remove_prefix(1);
  }
  int offset = 0;
  if (!take(text, 'Z') && !take(text, 'z')) {
    const bool east = text.starts_with('+');
    int off_hour = 0;
    int off_minute = 0;
    if ((!take(text, '+') && !take(text, '-')) || !number(text, 2, off_hour) || !take(text, ':') ||
        !number(text, 2, off_minute) || off_hour > 23 || off_minute > 59)
      return false;
    offset = (east ? 1 : -1) * (off_hour * 60 + off_minute);
  }
  // A leap second is the last of a day of UTC.
  constexpr int day = 24 * 60;
  return second < 60 || (hour * 60 + minute - offset + 2 * day) % day == day - 1;
}

bool is_date_time(std::string_view text) {
  return take_date(text) && (take(text, 'T') || take(text, 't')) && take_time(text) && text.empty();
}

/// Parts in the order of `units`, none twice, each a number and its unit; a gap ends the run, as
/// the grammar has it. False if there is none.
bool take_parts(std::string_view& text, std::string_view units) {
  bool some = false;
  std::size_t last = 0;
  while (!text.empty() && is_digit(text[0])) {
    while (!text.empty() && is_digit(text[0])) text.remove_prefix(1);
    if (text.empty()) return false;
    const auto unit = units.find(text[0]);
    if (unit == std::string_view::npos || (some && unit != last + 1)) return false;
    text.remove_prefix(1);
    last = unit;
    some = true;
  }
  return some;
}

bool is_duration(std::string_view text) {
  if (!take(text, 'P') || text.empty()) return false;
  if (text.ends_with('W')) return take_parts(text, "W") && text.empty();
  if (!text.starts_with('T') && !take_parts(text, "YMD")) return false;
  if (text.empty()) return true;
  return take(text, 'T') && take_parts(text, "HMS") && text.empty();
}

bool is_hostname(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  while (!text.empty()) {
    const auto end = std::min(text.find('.'), text.size());
    const std::string_view label = text.substr(0, end);
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-' ||
        !std::ranges::all_of(label, [](char c) { return is_letter(c) || is_digit(c) || c == '-'; }))
      return false;
    if (end + 1 == text.size()) return false;
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  return true;
}

bool is_ipv4(std::string_view text) {
  for (int part = 0; part < 4; ++part) {
    if (part != 0 && !take(text, '.')) return false;
    int value = 0;
    std::size_t count = 0;
    while (count < text.size() && count < 4 && is_digit(text[count])) ++count;
    if (count == 0 || count > 3 || (count > 1 && text[0] == '0')) return false;
    if (!number(text, count, value) || value > 255) return false;
  }
  return text.empty();
}

bool is_ipv6(std::string_view text) {
  int groups = 0;
  bool gap = false;
  if (text.starts_with("::")) {
    gap = true;
    text.remove_prefix(2);
  }
  while (!text.empty()) {
    if (const auto dot = text.find('.');
        dot != std::string_view::npos && text.find(':') == std::string_view::npos) {
      if (!is_ipv4(text)) return false;
      groups += 2;
      break;
    }
    std::size_t count = 0;
    while (count < text.size() && is_hex(text[count])) ++count;
    if (count == 0 || count > 4) return false;
    text.remove_prefix(count);
    ++groups;
    if (text.empty()) break;
    if (!take(text, ':') || text.empty()) return false;
    if (text[0] != ':') continue;
    if (gap) return false;
    gap = true;
    text.remove_prefix(1);
  }
  return gap ? groups <= 7 : groups == 8;
}

bool is_email(std::string_view text) {
  const auto at = text.rfind('@');
  if (at == std::string_view::npos || at == 0 || at > 64) return false;
  const std::string_view local = text.substr(0, at);
  const std::string_view domain = text.substr(at + 1);
  if (local.size() >= 2 && local.front() == '"' && local.back() == '"') {
    for (std::size_t i = 1; i + 1 < local.size(); ++i) {
      if (local[i] == '\\') {
        if (++i + 1 >= local.size()) return false;
      } else if (local[i] == '"' || static_cast<unsigned char>(local[i]) < 0x20) {
        return false;
      }
    }
  } else {
    constexpr std::string_view marks = "!#$%&'*+-/=?^_`{|}~.";
    const auto legal = [&](char c) {
      return is_letter(c) || is_digit(c) || marks.find(c) != std::string_view::npos;
    };
    if (!std::ranges::all_of(local, legal) || local.front() == '.' || local.back() == '.' ||
        local.find("..") != std::string_view::npos)
      return false;
  }
  if (domain.starts_with('[') && domain.ends_with(']')) {
    const std::string_view address = domain.substr(1, domain.size() - 2);
    return address.starts_with("IPv6:") ? is_ipv6(address.substr(5)) : is_ipv4(address);
  }
  return is_hostname(domain);
}

bool is_authority(std::string_view text) {
  if (const auto at = text.rfind('@'); at != std::string_view::npos) {
    if (text.substr(0, at).find_first_of("@[]") != std::string_view::npos) return false;
    text.remove_prefix(at + 1);
  }
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos || !is_ipv6(text.substr(1, end - 1))) return false;
    text.remove_prefix(end + 1);
    return text.empty() || (text[0] == ':' && std::ranges::all_of(text.substr(1), is_digit));
  }
  const auto colon = text.find(':');
  return colon == std::string_view::npos || std::ranges::all_of(text.substr(colon + 1), is_digit);
}

bool is_uri(std::string_view text, bool needs_scheme) {
  constexpr std::string_view marks = "-._~:/?#[]@!$&'()*+,;=";
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size() || !is_hex(text[i + 1]) || !is_hex(text[i + 2])) return false;
    } else if (!is_letter(text[i]) && !is_digit(text[i]) &&
               marks.find(text[i]) == std::string_view::npos) {
      return false;
    }
  }
  const auto hash = text.find('#');
  if (hash != std::string_view::npos && text.find('#', hash + 1) != std::string_view::npos)
    return false;
  const auto colon = text.find_first_of(":/?#");
  if (colon != std::string_view::npos && text[colon] == ':') {
    const std::string_view scheme = text.substr(0, colon);
    if (scheme.empty() || !is_letter(scheme[0]) || !std::ranges::all_of(scheme, [](char c) {
          return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
        }))
      return false;
    text.remove_prefix(colon + 1);
  } else if (needs_scheme) {
    return false;
  }
  if (text.starts_with("//")) {
    text.remove_prefix(2);
    const auto end = std::min(text.find_first_of("/?#"), text.size());
    if (!is_authority(text.substr(0, end))) return false;
    text.remove_prefix(end);
  }
  return text.find_first_of("[]") == std::string_view::npos;
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !is_hex(text[i])) return false;
  }
  return true;
}

bool is_json_pointer(std::string_view text) {
  if (text.empty()) return true;
  if (text[0] != '/') return false;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] == '~' && (i + 1 >= text.size() || (text[i + 1] != '0' && text[i + 1] != '1')))
      return false;
  return true;
}

constexpr std::array<std::pair<std::string_view, Format>, 13> formats = {{
    {"date", Format::date},
    {"time", Format::time},
    {"date-time", Format::date_time},
    {"duration", Format::duration},
    {"email", Format::email},
    {"hostname", Format::hostname},
    {"ipv4", Format::ipv4},
    {"ipv6", Format::ipv6},
    {"uri", Format::uri},
    {"uri-reference", Format::uri_reference},
    {"uuid", Format::uuid},
    {"json-pointer", Format::json_pointer},
    {"regex", Format::regex},
}};

}  // namespace

std::optional<Format> parse_format(std::string_view name) {
  const auto found = std::ranges::find(formats, name, [](const auto& row) { return row.first; });
  if (found == formats.end()) return std::nullopt;
  return found->second;
}

bool fits(Format format, std::string_view text) {
  switch (format) {
    case Format::date: return take_date(text) && text.empty();
    case Format::time: return take_time(text) && text.empty();
    case Format::date_time: return is_date_time(text);
    case Format::duration: return is_duration(text);
    case Format::email: return is_email(text);
    case Format::hostname: return is_hostname(text);
    case Format::ipv4: return is_ipv4(text);
    case Format::ipv6: return is_ipv6(text);
    case Format::uri: return is_uri(text, true);
    case Format::uri_reference: return is_uri(text, false);
    case Format::uuid: return is_uuid(text);
    case Format::json_pointer: return is_json_pointer(text);
    case Format::regex: {
      // One that cannot be checked is an expression all the same.
      const auto pattern = Pattern::compile(text);
      return pattern || pattern.error().code() != Errc::malformed;
    }
  }
  return true;
}

}  // namespace weir::contract::json_schema
