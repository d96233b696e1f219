// The settings of one resource (a topic, the broker): values over a table, each with its source.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/setting.h"

namespace weir::config {

/// Where a value comes from, weakest first.
enum class Source : std::uint8_t { default_value, file, environment, flag, dynamic };
std::string_view name_of(Source source);

/// A copyable value; belongs to whoever holds it. The table outlives it.
class Settings {
 public:
  explicit Settings(const SettingsTable& table) : table_(&table) {}

  const SettingsTable& table() const { return *table_; }

  /// Sets `name`. invalid_setting: unknown name or invalid value; invalid_config: a value that weir
  /// would not act by. Then nothing is changed. A weaker source never replaces a stronger one.
  Result<void> set(std::string_view name, std::string_view text, Source source = Source::dynamic,
                   Notation notation = Notation::plain);
  /// Back to the default; fine if it was not set.
  void unset(std::string_view name) { set_.erase(std::string(name)); }
  bool is_set(std::string_view name) const { return set_.contains(name); }

  /// The value as text, the default if it is not set. The name must be one of the table (check).
  std::string text(std::string_view name) const;
  Source source(std::string_view name) const;

  /// Typed access; a name that the table lacks, or of another type, is a bug (check).
  bool get_bool(std::string_view name) const;
  std::int64_t get_int(std::string_view name) const;
  std::int32_t get_int32(std::string_view name) const;
  double get_real(std::string_view name) const;
  std::string get_string(std::string_view name) const;
  std::vector<std::string> get_list(std::string_view name) const;
  std::chrono::milliseconds get_ms(std::string_view name) const {
    return std::chrono::milliseconds(get_int(name));
  }

  /// What is set, by name, as text: what a metadata log keeps.
  std::map<std::string, std::string> overrides() const;

 private:
  struct Entry {
    SettingValue value;
    Source source;
  };
  SettingValue value(std::string_view name) const;

  const SettingsTable* table_;
  std::map<std::string, Entry, std::less<>> set_;
};

using NamedValues = std::vector<std::pair<std::string, std::string>>;

/// What a program starts with. Each source may be empty.
struct SettingsSources {
  std::string_view file_text{};
  std::string_view file_name{};
  NamedValues environment{};  // of the whole process; see weir_environment()
  NamedValues flags{};        // of `-X name=value` and the options that stand for one
  /// Of another program part, for which the same file and flags are: passed over.
  bool (*is_foreign)(std::string_view name) = nullptr;
};

/// Merges the sources over the defaults. The first mistake is the error; it names file and line,
/// variable or flag.
Result<Settings> load_settings(const SettingsTable& table, const SettingsSources& sources);

/// The variable of a setting: WEIR_NUM_PARTITIONS for num.partitions.
std::string environment_name(std::string_view setting);
/// The variables of `environ` that begin with WEIR_ and are settings: those in `reserved`, which
/// mean something else, are left out.
NamedValues weir_environment(const char* const* environ,
                             std::span<const std::string_view> reserved = {});

}  // namespace weir::config
