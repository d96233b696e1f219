#include "config/setting.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "config/suggest.h"

namespace weir::config {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n\f";
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return "";
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

bool equal_without_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

template <class Number>
bool parse_number(std::string_view text, Number& out) {
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

struct Unit {
  std::string_view name;
  std::int64_t factor;
};
constexpr std::array duration_units = {Unit{"", 1},          Unit{"ms", 1},
                                       Unit{"s", 1000},      Unit{"m", 60'000},
                                       Unit{"h", 3'600'000}, Unit{"d", 86'400'000}};
constexpr std::array size_units = {Unit{"", 1},
                                   Unit{"B", 1},
                                   Unit{"KiB", 1LL << 10},
                                   Unit{"MiB", 1LL << 20},
                                   Unit{"GiB", 1LL << 30},
                                   Unit{"TiB", 1LL << 40},
                                   Unit{"kB", 1000},
                                   Unit{"MB", 1'000'000},
                                   Unit{"GB", 1'000'000'000},
                                   Unit{"TB", 1'000'000'000'000}};

Result<std::int64_t> parse_with_unit(std::string_view text, std::span<const Unit> units,
                                     std::string_view example) {
  const std::string_view whole = trimmed(text);
  const std::size_t digits = std::min(whole.find_first_not_of("+-0123456789"), whole.size());
  const std::string_view unit = trimmed(whole.substr(digits));
  const auto known = std::ranges::find(units, unit, &Unit::name);
  std::int64_t number = 0;
  std::int64_t product = 0;
  if (known == units.end() || !parse_number(whole.substr(0, digits), number) ||
      __builtin_mul_overflow(number, known->factor, &product))
    return fail(Errc::invalid_setting,
                fmt::format("\"{}\" is not like {}", escape_for_log(text, 64), example));
  return product;
}

bool is_whole(SettingType type) {
  return type == SettingType::int16 || type == SettingType::int32 || type == SettingType::int64;
}

std::pair<std::int64_t, std::int64_t> bounds_of(const Setting& setting) {
  std::int64_t low = setting.min;
  std::int64_t high = setting.max;
  if (setting.type == SettingType::int32) {
    low = std::max<std::int64_t>(low, std::numeric_limits<std::int32_t>::min());
    high = std::min<std::int64_t>(high, std::numeric_limits<std::int32_t>::max());
  } else if (setting.type == SettingType::int16) {
    low = std::max<std::int64_t>(low, std::numeric_limits<std::int16_t>::min());
    high = std::min<std::int64_t>(high, std::numeric_limits<std::int16_t>::max());
  }
  return {low, high};
}

tl::unexpected<Error> invalid(const Setting& setting, std::string_view text,
                              std::string_view want) {
  return fail(Errc::invalid_setting, fmt::format("{}: \"{}\" is not valid: {}", setting.name,
                                                 escape_for_log(text, 64), want));
}

Result<SettingValue> parse_whole(const Setting& setting, std::string_view text, Notation notation) {
  std::int64_t number = 0;
  if (!parse_number(text, number)) {
    Result<std::int64_t> with_unit = fail(Errc::invalid_setting, "a whole number is wanted");
    if (notation == Notation::human && setting.name.ends_with(".ms"))
      with_unit = parse_duration_ms(text);
    if (notation == Notation::human && setting.name.ends_with(".bytes"))
      with_unit = parse_size_bytes(text);
    if (!with_unit) return invalid(setting, text, with_unit.error().message());
    number = *with_unit;
  }
  const auto [low, high] = bounds_of(setting);
  if (number < low || number > high) return invalid(setting, text, describe_valid(setting));
  return SettingValue(number);
}

Result<SettingValue> parse_real(const Setting& setting, std::string_view text) {
  double number = 0;
  if (!parse_number(text, number) || !std::isfinite(number))
    return invalid(setting, text, "a number is wanted");
  if ((setting.min != lowest && number < static_cast<double>(setting.min)) ||
      (setting.max != highest && number > static_cast<double>(setting.max)))
    return invalid(setting, text, describe_valid(setting));
  return SettingValue(number);
}

Result<SettingValue> parse_list(const Setting& setting, std::string_view text) {
  std::vector<std::string> parts = split_list(text);
  const std::vector<std::string> valid = split_list(setting.values);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!valid.empty() && std::ranges::find(valid, parts[i]) == valid.end())
      return invalid(setting, parts[i], describe_valid(setting));
    if (std::find(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(i), parts[i]) !=
        parts.begin() + static_cast<std::ptrdiff_t>(i))
      return invalid(setting, text, fmt::format("{} comes twice", parts[i]));
  }
  if (parts.empty() && !valid.empty()) return invalid(setting, text, describe_valid(setting));
  return SettingValue(std::move(parts));
}

void check_row(const Setting& row) {
  if (row.empty_default) return;
  const Result<SettingValue> value = parse_value(row, row.default_value);
  check(value.has_value(), row.name);
  if (row.honoured == Honoured::some) check(check_honoured(row, *value).has_value(), row.name);
}

}  // namespace

SettingsTable::SettingsTable(Scope scope, std::span<const Setting> rows)
    : scope_(scope), rows_(rows) {
  names_.reserve(rows.size());
  for (const Setting& row : rows) {
    check(names_.empty() || names_.back() < row.name, row.name);
    check_row(row);
    names_.push_back(row.name);
  }
}

const Setting* SettingsTable::find(std::string_view name) const {
  const auto at = std::ranges::lower_bound(names_, name);
  if (at == names_.end() || *at != name) return nullptr;
  return &rows_[static_cast<std::size_t>(at - names_.begin())];
}

Result<const Setting*> SettingsTable::require(std::string_view name) const {
  if (const Setting* row = find(name)) return row;
  return fail(Errc::invalid_setting,
              fmt::format("{}: no such {} setting{}", escape_for_log(name, 128), name_of(scope_),
                          did_you_mean(name, names_)));
}

Result<SettingValue> parse_value(const Setting& setting, std::string_view text, Notation notation) {
  const std::string_view value = trimmed(text);
  switch (setting.type) {
    case SettingType::boolean:
      if (equal_without_case(value, "true")) return SettingValue(true);
      if (equal_without_case(value, "false")) return SettingValue(false);
      return invalid(setting, text, "true or false is wanted");
    case SettingType::int16:
    case SettingType::int32:
    case SettingType::int64: return parse_whole(setting, value, notation);
    case SettingType::real: return parse_real(setting, value);
    case SettingType::list: return parse_list(setting, value);
    case SettingType::password: return SettingValue(std::string(text));
    case SettingType::string: break;
  }
  const std::vector<std::string> valid = split_list(setting.values);
  if (!valid.empty() && std::ranges::find(valid, value) == valid.end())
    return invalid(setting, text, describe_valid(setting));
  return SettingValue(std::string(value));
}

Result<void> check_honoured(const Setting& setting, const SettingValue& value) {
  const std::string text = to_text(value);
  const auto refuse = [&](std::string_view accepted) {
    return fail(Errc::invalid_config,
                fmt::format("{}: \"{}\" is not supported yet; supported: {}", setting.name,
                            escape_for_log(text, 64), accepted));
  };
  if (setting.honoured == Honoured::default_only) {
    const Result<SettingValue> only = parse_value(setting, setting.default_value);
    if (setting.empty_default ? !text.empty() : !only || *only != value)
      return refuse(setting.default_value.empty() ? "none" : setting.default_value);
  } else if (setting.honoured == Honoured::some) {
    const std::vector<std::string> accepted = split_list(setting.honoured_values);
    const auto* parts = std::get_if<std::vector<std::string>>(&value);
    for (const std::string& part : parts != nullptr ? *parts : std::vector{text})
      if (std::ranges::find(accepted, part) == accepted.end())
        return refuse(setting.honoured_values);
  }
  return {};
}

std::string to_text(const SettingValue& value) {
  struct Visitor {
    std::string operator()(bool b) const { return b ? "true" : "false"; }
    std::string operator()(std::int64_t n) const { return std::to_string(n); }
    std::string operator()(double d) const { return fmt::format("{}", d); }
    std::string operator()(const std::string& s) const { return s; }
    std::string operator()(const std::vector<std::string>& parts) const {
      std::string out;
      for (const std::string& part : parts) {
        if (!out.empty()) out += ',';
        out += part;
      }
      return out;
    }
  };
  return std::visit(Visitor{}, value);
}

std::string_view name_of(SettingType type) {
  switch (type) {
    case SettingType::boolean: return "boolean";
    case SettingType::string: return "string";
    case SettingType::int32: return "int";
    case SettingType::int16: return "short";
    case SettingType::int64: return "long";
    case SettingType::real: return "double";
    case SettingType::list: return "list";
    case SettingType::password: return "password";
  }
  return "";
}

std::string_view name_of(Scope scope) {
  switch (scope) {
    case Scope::topic: return "topic";
    case Scope::broker: return "broker";
    case Scope::client: return "client";
  }
  return "";
}

std::string describe_valid(const Setting& setting) {
  if (!setting.values.empty()) {
    std::string out;
    for (const std::string& value : split_list(setting.values)) {
      out += out.empty() ? "one of " : ", ";
      out += value;
    }
    return out;
  }
  if (!is_whole(setting.type) && setting.type != SettingType::real) return "";
  const auto [low, high] = bounds_of(setting);
  if (high == highest) return low == lowest ? "" : fmt::format("at least {}", low);
  return low == lowest ? fmt::format("at most {}", high) : fmt::format("from {} to {}", low, high);
}

Result<std::int64_t> parse_duration_ms(std::string_view text) {
  return parse_with_unit(text, duration_units, "250ms, 90s, 15m, 12h or 7d");
}

Result<std::int64_t> parse_size_bytes(std::string_view text) {
  return parse_with_unit(text, size_units, "512, 64KiB, 16MiB or 1GiB");
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  if (trimmed(text).empty()) return parts;
  for (;;) {
    const std::size_t comma = text.find(',');
    parts.emplace_back(trimmed(text.substr(0, comma)));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace weir::config
