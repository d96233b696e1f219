// What is set for subjects, contexts and all: configuration and mode.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "json/json.h"
#include "registry/entities.h"

namespace weir::registry {

/// Members as GET /config prints them, in their order, none null: `compatibilityLevel`,
/// `normalize`, `alias`, `defaultMetadata`, ….
using Config = json::Object;

/// What a PUT has made of `old`: an absent member keeps its value, null clears it. The level is
/// called `compatibility` there. 42203, 42210, 422.
Answer<Config> updated(const Config& old, const json::Value& request);
/// As PUT answers it: `compatibility` in place of `compatibilityLevel`.
json::Value as_request(const Config& config);
/// Of a record, whose members were checked by whoever wrote it; the unknown are left out.
Config config_from_record(const json::Value& value);
/// `high` put over `low` member by member.
Config put_over(const Config& low, const Config& high);

std::string text_in(const Config& config, std::string_view member);
bool flag_in(const Config& config, std::string_view member, bool otherwise);
std::optional<Metadata> metadata_in(const Config& config, std::string_view member);
std::optional<RuleSet> rules_in(const Config& config, std::string_view member);

/// "READONLY": upper case, or nothing if it is no mode.
std::optional<std::string> parse_mode(std::string_view text);
inline bool is_read_only(std::string_view mode) {
  return mode == "READONLY" || mode == "READONLY_OVERRIDE";
}
/// Takes over what another registry has: ids and versions are given, nothing is judged.
inline bool is_import(std::string_view mode) { return mode == "IMPORT" || mode == "FORWARD"; }

}  // namespace weir::registry
