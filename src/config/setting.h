// One setting is a row of a table; parsing, validation, help and DescribeConfigs are made from
// rows.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace weir::config {

/// The numbers are those of Kafka's DescribeConfigs answer.
enum class SettingType : std::int8_t {
  boolean = 1,
  string = 2,
  int32 = 3,
  int16 = 4,
  int64 = 5,
  real = 6,
  list = 7,
  password = 9,  // never shown
};

enum class Scope : std::uint8_t { topic, broker, client };

/// How far weir acts by a setting. What it would ignore it refuses, with invalid_config.
enum class Honoured : std::uint8_t {
  yes,           // any valid value
  some,          // the values of `honoured_values`
  default_only,  // the default alone, until something obeys it
};

inline constexpr std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
inline constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();

/// A row. Texts live as long as the program. Numbers: [min, max]; for `real` in whole numbers.
struct Setting {
  std::string_view name;
  SettingType type = SettingType::string;
  std::string_view default_value;  // as text; of a list, separated by commas
  std::string_view doc;            // one sentence
  std::int64_t min = lowest;
  std::int64_t max = highest;
  std::string_view values{};  // of a string or list, separated by commas; empty: any
  Honoured honoured = Honoured::yes;
  std::string_view honoured_values{};  // with Honoured::some
  std::string_view broker_name{};      // of a topic setting: the broker's setting for its default
  bool fixed = false;                  // cannot be changed while the broker runs
  bool empty_default = false;          // there is no default; unset reads as "" or 0
};

using SettingValue =
    std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>>;

/// How a value may be written.
enum class Notation : std::uint8_t {
  plain,  // as Kafka's clients send it: numbers only
  human,  // in files, environment and flags: also 7d, 90s for *.ms and 64MiB for *.bytes
};

/// Rows of one scope, in the order of their names. Immutable; any thread.
class SettingsTable {
 public:
  /// `rows` outlives the table. A row that contradicts itself (a default out of range, a wrong
  /// order) is a bug and is found by check() here.
  SettingsTable(Scope scope, std::span<const Setting> rows);

  Scope scope() const { return scope_; }
  std::span<const Setting> rows() const { return rows_; }
  std::span<const std::string_view> names() const { return names_; }
  /// nullptr if there is no such setting.
  const Setting* find(std::string_view name) const;
  /// The row, or invalid_setting: `retention.msx: no such topic setting; did you mean ...?`
  Result<const Setting*> require(std::string_view name) const;

 private:
  Scope scope_;
  std::span<const Setting> rows_;
  std::vector<std::string_view> names_;
};

/// A valid value of `setting` from its text, or invalid_setting with what would be valid.
Result<SettingValue> parse_value(const Setting& setting, std::string_view text,
                                 Notation notation = Notation::plain);
/// invalid_config if weir would not act by `value`; the message names what it does act by.
Result<void> check_honoured(const Setting& setting, const SettingValue& value);
/// As Kafka writes it: true, 604800000, 0.5, a,b. What parse_value reads back.
std::string to_text(const SettingValue& value);

std::string_view name_of(SettingType type);
std::string_view name_of(Scope scope);
/// `[0, 17]`, `>= 1`, `one of delete, compact`; "" if every value of the type is valid.
std::string describe_valid(const Setting& setting);

/// "1h" or "250ms" or "250" (ms) in milliseconds; units ms s m h d.
Result<std::int64_t> parse_duration_ms(std::string_view text);
/// "64MiB", "1GB" or "512" in bytes; units B, KiB MiB GiB TiB, and kB MB GB TB by thousands.
Result<std::int64_t> parse_size_bytes(std::string_view text);
/// The parts of "a, b" without the blanks around them; none for "".
std::vector<std::string> split_list(std::string_view text);

}  // namespace weir::config
