#include "config/settings.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "config/properties.h"
#include "config/suggest.h"

namespace weir::config {
namespace {

/// The same failure with what it is about in front.
tl::unexpected<Error> within(std::string_view where, const Error& error) {
  return fail(error.code(), fmt::format("{}: {}", where, error.message()));
}

Result<void> load_file(Settings& settings, const SettingsSources& sources) {
  const auto properties = read_properties(sources.file_text, sources.file_name);
  if (!properties) return fail(properties.error());
  for (const Property& property : *properties) {
    if (sources.is_foreign != nullptr && sources.is_foreign(property.name)) continue;
    const auto done = settings.set(property.name, property.value, Source::file, Notation::human);
    if (!done) return within(fmt::format("{}:{}", sources.file_name, property.line), done.error());
  }
  return {};
}

Result<void> load_environment(Settings& settings, const NamedValues& environment) {
  const SettingsTable& table = settings.table();
  std::vector<std::string> variables;
  variables.reserve(table.rows().size());
  for (const Setting& row : table.rows()) variables.push_back(environment_name(row.name));
  for (const auto& [variable, text] : environment) {
    const auto at = std::ranges::find(variables, variable);
    if (at == variables.end()) {
      const std::vector<std::string_view> known(variables.begin(), variables.end());
      return fail(Errc::invalid_setting,
                  fmt::format("environment: {} is no {} setting{}", variable,
                              name_of(table.scope()), did_you_mean(variable, known)));
    }
    const auto& row = table.rows()[static_cast<std::size_t>(at - variables.begin())];
    const auto done = settings.set(row.name, text, Source::environment, Notation::human);
    if (!done) return within(fmt::format("environment: {}", variable), done.error());
  }
  return {};
}

}  // namespace

std::string_view name_of(Source source) {
  switch (source) {
    case Source::default_value: return "default";
    case Source::file: return "file";
    case Source::environment: return "environment";
    case Source::flag: return "flag";
    case Source::dynamic: return "dynamic";
  }
  return "";
}

Result<void> Settings::set(std::string_view name, std::string_view text, Source source,
                           Notation notation) {
  const auto row = table_->require(name);
  if (!row) return fail(row.error());
  auto parsed = parse_value(**row, text, notation);
  if (!parsed) return fail(std::move(parsed.error()));
  if (auto honoured = check_honoured(**row, *parsed); !honoured)
    return fail(std::move(honoured.error()));
  const auto at = set_.find(name);
  if (at == set_.end()) {
    set_.emplace(std::string(name), Entry{std::move(*parsed), source});
  } else if (source >= at->second.source) {
    at->second = Entry{std::move(*parsed), source};
  }
  return {};
}

SettingValue Settings::value(std::string_view name) const {
  if (const auto at = set_.find(name); at != set_.end()) return at->second.value;
  const Setting* row = table_->find(name);
  check(row != nullptr, name);
  if (row->empty_default) {
    switch (row->type) {
      case SettingType::boolean: return false;
      case SettingType::real: return 0.0;
      case SettingType::list: return std::vector<std::string>{};
      case SettingType::string:
      case SettingType::password: return std::string();
      default: return std::int64_t{0};
    }
  }
  auto parsed = parse_value(*row, row->default_value);
  check(parsed.has_value(), name);
  return std::move(*parsed);
}

std::string Settings::text(std::string_view name) const {
  const Setting* row = table_->find(name);
  check(row != nullptr, name);
  return row->empty_default && !is_set(name) ? "" : to_text(value(name));
}

Source Settings::source(std::string_view name) const {
  const auto at = set_.find(name);
  return at == set_.end() ? Source::default_value : at->second.source;
}

namespace {
template <class T>
T typed(SettingValue value, std::string_view name) {
  T* held = std::get_if<T>(&value);
  check(held != nullptr, name);
  return std::move(*held);
}
}  // namespace

bool Settings::get_bool(std::string_view name) const { return typed<bool>(value(name), name); }
std::int64_t Settings::get_int(std::string_view name) const {
  return typed<std::int64_t>(value(name), name);
}
std::int32_t Settings::get_int32(std::string_view name) const {
  const std::int64_t wide = get_int(name);
  check(wide == static_cast<std::int32_t>(wide), name);
  return static_cast<std::int32_t>(wide);
}
double Settings::get_real(std::string_view name) const { return typed<double>(value(name), name); }
std::string Settings::get_string(std::string_view name) const {
  return typed<std::string>(value(name), name);
}
std::vector<std::string> Settings::get_list(std::string_view name) const {
  return typed<std::vector<std::string>>(value(name), name);
}

std::map<std::string, std::string> Settings::overrides() const {
  std::map<std::string, std::string> out;
  for (const auto& [name, entry] : set_) out.emplace(name, to_text(entry.value));
  return out;
}

Result<Settings> load_settings(const SettingsTable& table, const SettingsSources& sources) {
  Settings settings(table);
  if (auto done = load_file(settings, sources); !done) return fail(std::move(done.error()));
  if (auto done = load_environment(settings, sources.environment); !done)
    return fail(std::move(done.error()));
  for (const auto& [name, text] : sources.flags) {
    if (sources.is_foreign != nullptr && sources.is_foreign(name)) continue;
    const auto done = settings.set(name, text, Source::flag, Notation::human);
    if (!done) return within("flag", done.error());
  }
  return settings;
}

std::string environment_name(std::string_view setting) {
  std::string out = setting.starts_with("weir.") ? "" : "WEIR_";
  for (const char c : setting)
    out += c == '.' || c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return out;
}

NamedValues weir_environment(const char* const* environ,
                             std::span<const std::string_view> reserved) {
  NamedValues found;
  for (; environ != nullptr && *environ != nullptr; ++environ) {
    const std::string_view entry = *environ;
    const std::size_t equals = entry.find('=');
    if (!entry.starts_with("WEIR_") || equals == std::string_view::npos) continue;
    const std::string_view name = entry.substr(0, equals);
    if (std::ranges::find(reserved, name) == reserved.end())
      found.emplace_back(name, entry.substr(equals + 1));
  }
  return found;
}

}  // namespace weir::config
