// What <weir/json_codec.h> declares: reading and writing of single values.
#include <weir/json_codec.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "contract/avro/utf8.h"
#include "contract/json_schema/format.h"
#include "json/json.h"

namespace weir {
inline namespace v1 {
namespace json_schema::form {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The text of a number; empty if none is next.
std::string_view number_text(Parsing& in, bool& whole) {
  skip_space(in);
  const std::string_view text = in.text;
  std::size_t at = in.at;
  const auto digits = [&] {
    const std::size_t begin = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at - begin;
  };
  if (at < text.size() && text[at] == '-') ++at;
  const bool zero = at < text.size() && text[at] == '0';
  const std::size_t count = digits();
  if (count == 0 || (zero && count > 1)) return {};
  whole = true;
  if (at < text.size() && text[at] == '.') {
    ++at;
    whole = false;
    if (digits() == 0) return {};
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    whole = false;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (digits() == 0) return {};
  }
  const std::string_view out = text.substr(in.at, at - in.at);
  in.at = at;
  return out;
}

bool hex4(Parsing& in, std::uint32_t& code) {
  if (in.text.size() - in.at < 4) return false;
  const char* begin = in.text.data() + in.at;
  const auto [end, error] = std::from_chars(begin, begin + 4, code, 16);
  if (error != std::errc{} || end != begin + 4 || *begin == '-') return false;
  in.at += 4;
  return true;
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xc0U | code >> 6U);
  } else {
    if (code < 0x10000) {
      put(0xe0U | code >> 12U);
    } else {
      put(0xf0U | code >> 18U);
      put(0x80U | (code >> 12U & 0x3fU));
    }
    put(0x80U | (code >> 6U & 0x3fU));
  }
  put(0x80U | (code & 0x3fU));
}

bool unicode_escape(Parsing& in, std::string& out) {
  std::uint32_t code = 0;
  if (!hex4(in, code)) return false;
  if (code >= 0xdc00 && code < 0xe000) return false;
  if (code >= 0xd800 && code < 0xdc00) {
    std::uint32_t low = 0;
    if (!in.text.substr(in.at).starts_with("\\u")) return false;
    in.at += 2;
    if (!hex4(in, low) || low < 0xdc00 || low >= 0xe000) return false;
    code = 0x10000U + ((code - 0xd800U) << 10U) + (low - 0xdc00U);
  }
  append_utf8(out, code);
  return true;
}

bool escape(Parsing& in, std::string& out) {
  constexpr std::string_view from = "\"\\/bfnrt";
  constexpr std::string_view to = "\"\\/\b\f\n\r\t";
  if (in.at >= in.text.size()) return false;
  const char c = in.text[in.at++];
  if (c == 'u') return unicode_escape(in, out);
  const auto known = from.find(c);
  if (known == std::string_view::npos) return false;
  out += to[known];
  return true;
}

/// The text of a string, without its quotes; `apart` is used if it has escapes.
bool string_text(Parsing& in, std::string& apart, std::string_view& out) {
  if (!take(in, '"')) return in.refuse("no string");
  const std::size_t begin = in.at;
  const auto ends = [](char c) {
    return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
  };
  while (in.at < in.text.size() && !ends(in.text[in.at])) ++in.at;
  if (in.at < in.text.size() && in.text[in.at] == '"') {
    out = in.text.substr(begin, in.at++ - begin);
    return true;
  }
  apart.assign(in.text.substr(begin, in.at - begin));
  while (in.at < in.text.size()) {
    const char c = in.text[in.at++];
    if (c == '"') {
      out = apart;
      return true;
    }
    if (static_cast<unsigned char>(c) < 0x20) return in.refuse("a control character in a string");
    if (c != '\\') {
      apart += c;
    } else if (!escape(in, apart)) {
      return in.refuse("an escape that is none");
    }
  }
  return in.refuse("a string without an end");
}

bool take_word(Parsing& in, std::string_view word) {
  skip_space(in);
  if (!in.text.substr(in.at).starts_with(word)) return false;
  in.at += word.size();
  return true;
}

template <class Step>
bool skip_inside(Parsing& in, char end, Step step) {
  if (++in.depth > max_depth) return in.refuse("too deep");
  if (!take(in, end)) {
    do {
      if (!step()) return false;
    } while (take(in, ','));
    if (!take(in, end)) return in.refuse("an array or object without an end");
  }
  --in.depth;
  return true;
}

int two(std::string_view text, std::size_t at) {
  return (text[at] - '0') * 10 + (text[at + 1] - '0');
}
std::chrono::sys_days day_of(std::string_view text) {
  using namespace std::chrono;
  return sys_days(year(two(text, 0) * 100 + two(text, 2)) /
                  month(static_cast<unsigned>(two(text, 5))) /
                  day(static_cast<unsigned>(two(text, 8))));
}

std::string date_text(std::chrono::sys_days value, Printing& out) {
  const std::chrono::year_month_day date(value);
  const int year = static_cast<int>(date.year());
  if (year < 0 || year > 9999) out.refuse("a year that RFC 3339 does not write");
  char text[32];
  std::snprintf(text, sizeof text, "%04d-%02u-%02u", year, static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()));
  return text;
}

}  // namespace

void skip_space(Parsing& in) {
  while (in.at < in.text.size() && (in.text[in.at] == ' ' || in.text[in.at] == '\n' ||
                                    in.text[in.at] == '\t' || in.text[in.at] == '\r'))
    ++in.at;
}

bool take(Parsing& in, char c) {
  skip_space(in);
  if (in.at >= in.text.size() || in.text[in.at] != c) return false;
  ++in.at;
  return true;
}

bool take_null(Parsing& in) { return take_word(in, "null"); }

bool read_boolean(Parsing& in, bool& out) {
  out = take_word(in, "true");
  return out || take_word(in, "false") || in.refuse("no boolean");
}

bool read_integer(Parsing& in, std::int64_t least, std::int64_t most, std::int64_t& out) {
  bool whole = false;
  const std::string_view text = number_text(in, whole);
  if (text.empty()) return in.refuse("no integer");
  if (whole) {
    if (std::from_chars(text.data(), text.data() + text.size(), out).ec != std::errc{})
      return in.refuse("an integer that is too large");
  } else {
    double real = 0;
    constexpr double exact = 9007199254740992.0;  // 2^53
    const bool read =
        std::from_chars(text.data(), text.data() + text.size(), real).ec == std::errc{};
    if (!read || real != std::floor(real) || std::fabs(real) > exact)
      return in.refuse("no integer");
    out = static_cast<std::int64_t>(real);
  }
  return (out >= least && out <= most) || in.refuse("an integer that is too large");
}

bool read_number(Parsing& in, double& out) {
  bool whole = false;
  const std::string_view text = number_text(in, whole);
  if (text.empty()) return in.refuse("no number");
  return std::from_chars(text.data(), text.data() + text.size(), out).ec == std::errc{} ||
         in.refuse("a number that no double holds");
}

bool read_string(Parsing& in, std::string& out) {
  std::string_view text;
  std::string apart;
  if (!string_text(in, apart, text)) return false;
  if (!contract::avro::is_utf8(text)) return in.refuse("a string that is not UTF-8");
  out.assign(text);
  return true;
}

bool read_name(Parsing& in, std::string_view& out) {
  return string_text(in, in.scratch, out) &&
         (contract::avro::is_utf8(out) || in.refuse("a string that is not UTF-8"));
}

bool skip(Parsing& in) {
  skip_space(in);
  if (in.at >= in.text.size()) return in.refuse("the text ends where a value should be");
  std::string_view name;
  bool whole = false;
  switch (in.text[in.at]) {
    case '{':
      ++in.at;
      return skip_inside(in, '}', [&] {
        return read_name(in, name) && (take(in, ':') || in.refuse("a name without a value")) &&
               skip(in);
      });
    case '[': ++in.at; return skip_inside(in, ']', [&] { return skip(in); });
    case '"': return read_name(in, name);
    case 't': return take_word(in, "true") || in.refuse("no value");
    case 'f': return take_word(in, "false") || in.refuse("no value");
    case 'n': return take_word(in, "null") || in.refuse("no value");
    default: return !number_text(in, whole).empty() || in.refuse("no value");
  }
}

void write_integer(Printing& out, std::int64_t value) {
  char text[24];
  out.text.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

void write_number(Printing& out, double value) {
  if (!std::isfinite(value)) return out.refuse("a number that JSON lacks: NaN or infinity");
  char text[32];
  out.text.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

void write_string(Printing& out, std::string_view value) {
  if (!contract::avro::is_utf8(value)) return out.refuse("text that is not UTF-8");
  json::write_string(out.text, value);
}

bool read_time(Parsing& in, Time& out) {
  using namespace std::chrono;
  using contract::json_schema::fits;
  std::string_view text;
  if (!read_name(in, text)) return false;
  if (!fits(contract::json_schema::Format::date_time, text)) return in.refuse("no date-time");
  out = day_of(text) + hours(two(text, 11)) + minutes(two(text, 14)) + seconds(two(text, 17));
  text.remove_prefix(19);
  if (text[0] == '.') {
    text.remove_prefix(1);
    // Digits beyond microseconds are dropped.
    microseconds unit(100'000);
    for (; is_digit(text[0]); text.remove_prefix(1), unit /= 10) out += (text[0] - '0') * unit;
  }
  if (text[0] == '+' || text[0] == '-') {
    const minutes offset = hours(two(text, 1)) + minutes(two(text, 4));
    out += text[0] == '+' ? -offset : offset;
  }
  return true;
}

void write_time(Printing& out, Time value) {
  using namespace std::chrono;
  const sys_days day = floor<days>(value);
  const hh_mm_ss time(value - day);
  char text[40];
  int length = std::snprintf(
      text, sizeof text, "T%02d:%02d:%02d", static_cast<int>(time.hours().count()),
      static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()));
  if (const auto micros = time.subseconds().count(); micros != 0) {
    const int more = std::snprintf(text + length, sizeof text - static_cast<std::size_t>(length),
                                   ".%06d", static_cast<int>(micros));
    length += more;
    while (text[length - 1] == '0') --length;
  }
  out.text += '"' + date_text(day, out);
  out.text.append(text, static_cast<std::size_t>(length)).append("Z\"");
}

bool read_date(Parsing& in, std::chrono::sys_days& out) {
  std::string_view text;
  if (!read_name(in, text)) return false;
  if (!contract::json_schema::fits(contract::json_schema::Format::date, text))
    return in.refuse("no date");
  out = day_of(text);
  return true;
}

void write_date(Printing& out, std::chrono::sys_days value) {
  out.text += '"' + date_text(value, out) + '"';
}

bool read_uuid(Parsing& in, Uuid& out) {
  std::string_view text;
  return read_name(in, text) && (Uuid::parse(text, out) || in.refuse("no UUID"));
}

Result<void> finish(const Parsing& in, bool read, std::string_view full_name) {
  std::string_view why = in.why;
  if (read) {
    if (in.at == in.text.size()) return {};
    why = "something stands behind the value";
  }
  return fail(Errc::malformed,
              "json: " + std::string(full_name) +
                  (in.member.empty() ? "" : (in.member[0] == '[' ? "" : ".") + in.member) +
                  ", byte " + std::to_string(in.at) + ": " +
                  std::string(why.empty() ? "a required member is missing" : why));
}

}  // namespace json_schema::form
}  // namespace v1
}  // namespace weir
