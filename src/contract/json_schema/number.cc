#include "contract/json_schema/number.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string>

namespace weir::contract::json_schema {
namespace {

/// digits * 10^exponent, without zeros at either end; zero has no digits.
struct Decimal {
  bool negative = false;
  std::string digits;
  std::int64_t exponent = 0;
};

// Exponents beyond this are one that is no number anybody means; they stay apart from all others.
constexpr std::int64_t most_exponent = 1'000'000'000'000;

Decimal decimal_of(std::string_view text) {
  Decimal out;
  if (text.starts_with('-')) {
    out.negative = true;
    text.remove_prefix(1);
  }
  const auto e = text.find_first_of("eE");
  if (e != std::string_view::npos) {
    std::string_view power = text.substr(e + 1);
    if (power.starts_with('+')) power.remove_prefix(1);
    const auto [end, error] =
        std::from_chars(power.data(), power.data() + power.size(), out.exponent);
    if (error != std::errc{})
      out.exponent = power.starts_with('-') ? -most_exponent : most_exponent;
    out.exponent = std::clamp(out.exponent, -most_exponent, most_exponent);
    text = text.substr(0, e);
  }
  const auto point = text.find('.');
  out.digits = text.substr(0, point);
  if (point != std::string_view::npos) {
    out.digits += text.substr(point + 1);
    out.exponent -= static_cast<std::int64_t>(text.size() - point - 1);
  }
  const auto last = out.digits.find_last_not_of('0');
  if (last == std::string::npos) return {};
  out.exponent += static_cast<std::int64_t>(out.digits.size() - last - 1);
  out.digits.resize(last + 1);
  out.digits.erase(0, out.digits.find_first_not_of('0'));
  return out;
}

/// Of the amounts, without their signs.
std::strong_ordering compare_amounts(const Decimal& a, const Decimal& b) {
  if (a.digits.empty() || b.digits.empty()) return a.digits.size() <=> b.digits.size();
  const auto top_a = static_cast<std::int64_t>(a.digits.size()) + a.exponent;
  const auto top_b = static_cast<std::int64_t>(b.digits.size()) + b.exponent;
  if (top_a != top_b) return top_a <=> top_b;
  // Both begin with a digit of the same weight, and no zeros are at their ends.
  return a.digits.compare(b.digits) <=> 0;
}

std::strong_ordering compare_texts(std::string_view a, std::string_view b) {
  const Decimal x = decimal_of(a);
  const Decimal y = decimal_of(b);
  const bool x_below = x.negative && !x.digits.empty();
  const bool y_below = y.negative && !y.digits.empty();
  if (x_below != y_below)
    return x_below ? std::strong_ordering::less : std::strong_ordering::greater;
  return x_below ? compare_amounts(y, x) : compare_amounts(x, y);
}

double approximate(const Number& number) {
  return number.kind == Kind::integer ? static_cast<double>(number.integer) : number.real;
}

}  // namespace

Number number_at(const Document& document, At at) {
  const Node& node = document[at];
  Number out{.kind = node.kind, .text = document.spelling(at)};
  if (node.kind == Kind::integer) {
    out.integer = node.integer;
  } else {
    out.real = node.real;
  }
  return out;
}

std::strong_ordering compare(const Number& a, const Number& b) {
  if (a.kind == Kind::integer && b.kind == Kind::integer) return a.integer <=> b.integer;
  const double x = approximate(a);
  const double y = approximate(b);
  // Far enough apart: no rounding can have turned them round.
  if (std::isfinite(x) && std::isfinite(y)) {
    const double margin = std::max(std::fabs(x), std::fabs(y)) * 1e-12;
    if (x < y - margin) return std::strong_ordering::less;
    if (x > y + margin) return std::strong_ordering::greater;
  }
  return compare_texts(a.text, b.text);
}

bool is_integer(const Number& number) {
  if (number.kind == Kind::integer) return true;
  const double real = number.real;
  constexpr double exact_up_to = 4503599627370496.0;  // 2^52
  if (std::fabs(real) < exact_up_to && real != std::floor(real)) return false;
  return decimal_of(number.text).exponent >= 0;
}

bool is_multiple(const Number& number, const Number& divisor) {
  if (number.kind == Kind::integer && divisor.kind == Kind::integer)
    return divisor.integer == 0 ? number.integer == 0 : number.integer % divisor.integer == 0;
  const Decimal x = decimal_of(number.text);
  const Decimal y = decimal_of(divisor.text);
  if (x.digits.empty()) return true;
  if (y.digits.empty()) return false;
  // Neither ends with a zero, so no number is a multiple of one that ends further left.
  if (x.exponent < y.exponent) return false;
  std::uint64_t by = 0;
  const auto [end, error] = std::from_chars(y.digits.data(), y.digits.data() + y.digits.size(), by);
  constexpr std::uint64_t most = 1ULL << 60U;  // ten times that, and nine more, fit 64 bits
  if (error != std::errc{} || by >= most)
    return std::fmod(approximate(number), approximate(divisor)) == 0;
  std::uint64_t rest = 0;
  for (const char digit : x.digits)
    rest = (rest * 10 + static_cast<std::uint64_t>(digit - '0')) % by;
  for (std::int64_t zeros = x.exponent - y.exponent; zeros > 0 && rest != 0; --zeros) {
    // After so many zeros no factor of 2 or 5 is left to be taken from the divisor.
    if (x.exponent - y.exponent - zeros > 64) return false;
    rest = rest * 10 % by;
  }
  return rest == 0;
}

int sign_of(const Number& number) {
  if (number.kind == Kind::integer) return number.integer < 0 ? -1 : number.integer > 0 ? 1 : 0;
  const Decimal x = decimal_of(number.text);
  return x.digits.empty() ? 0 : x.negative ? -1 : 1;
}

std::string canonical_number(std::string_view text) {
  const Decimal x = decimal_of(text);
  if (x.digits.empty()) return "0";
  return (x.negative ? "-" : "") + x.digits + 'e' + std::to_string(x.exponent);
}

}  // namespace weir::contract::json_schema
