#include "registry/settings.h"

#include <algorithm>
#include <array>

#include "base/log.h"
#include "contract/compatibility.h"
#include "registry/json_read.h"

namespace weir::registry {
namespace {

enum class MemberKind : std::uint8_t { text, flag, level, policy, metadata, rules };

struct Member {
  std::string_view name;
  MemberKind kind;
};

constexpr std::array<Member, 13> members = {{{"alias", MemberKind::text},
                                             {"aliasForDeks", MemberKind::text},
                                             {"normalize", MemberKind::flag},
                                             {"validateFields", MemberKind::flag},
                                             {"validateNewSchemas", MemberKind::flag},
                                             {"validateRules", MemberKind::flag},
                                             {"compatibilityLevel", MemberKind::level},
                                             {"compatibilityPolicy", MemberKind::policy},
                                             {"compatibilityGroup", MemberKind::text},
                                             {"defaultMetadata", MemberKind::metadata},
                                             {"overrideMetadata", MemberKind::metadata},
                                             {"defaultRuleSet", MemberKind::rules},
                                             {"overrideRuleSet", MemberKind::rules}}};

constexpr std::string_view level_in_request = "compatibility";

std::string_view name_in_request(const Member& member) {
  return member.kind == MemberKind::level ? level_in_request : member.name;
}

/// The value as it is kept.
Answer<json::Value> checked(const Member& member, const json::Value& value) {
  const std::string name(name_in_request(member));
  const auto* text = value.as_string();
  switch (member.kind) {
    case MemberKind::text:
      if (text != nullptr) return value;
      return refuse(Code::unprocessable, "\"" + name + "\" must be a string");
    case MemberKind::flag:
      if (value.as_bool() != nullptr) return value;
      return refuse(Code::unprocessable, "\"" + name + "\" must be true or false");
    case MemberKind::level: {
      const auto level = text == nullptr ? std::nullopt : contract::parse_level(*text);
      if (level) return json::Value(contract::name_of(*level));
      return refuse(Code::invalid_compatibility,
                    "the compatibility must be NONE, BACKWARD, FORWARD or FULL, the last three "
                    "also with _TRANSITIVE");
    }
    case MemberKind::policy:
      if (text != nullptr && (*text == "STRICT" || *text == "LENIENT")) return value;
      return refuse(
          Code::invalid_compatibility,
          "the compatibility policy must be STRICT or LENIENT; others, LOGICAL among them, "
          "are not supported");
    case MemberKind::metadata: {
      auto metadata = metadata_from(value);
      if (!metadata) return refuse(metadata.error());
      return to_json(*metadata);
    }
    case MemberKind::rules: {
      auto rules = rules_from(value);
      if (!rules) return refuse(rules.error());
      if (auto r = check_rules(*rules); !r) return refuse(r.error());
      return to_json(*rules);
    }
  }
  return value;
}

}  // namespace

Answer<Config> updated(const Config& old, const json::Value& request) {
  const auto* given = request.as_object();
  if (given == nullptr) return refuse(Code::unprocessable, "the request must be a JSON object");
  for (const auto& [name, _] : *given)
    if (std::ranges::none_of(members, [&](const Member& m) { return name_in_request(m) == name; }))
      return refuse(Code::unprocessable, "unknown member \"" + escape_for_log(name, 64) + "\"");
  Config out;
  for (const Member& member : members) {
    const json::Value* value = given->find(name_in_request(member));
    if (value == nullptr) {
      if (const auto* before = old.find(member.name)) out.append(std::string(member.name), *before);
    } else if (!value->is_null()) {
      auto kept = checked(member, *value);
      if (!kept) return refuse(kept.error());
      out.append(std::string(member.name), std::move(*kept));
    }
  }
  return out;
}

json::Value as_request(const Config& config) {
  json::Object out;
  for (const Member& member : members)
    if (const auto* value = config.find(member.name))
      out.append(std::string(name_in_request(member)), *value);
  return out;
}

Config config_from_record(const json::Value& value) {
  Config out;
  for (const Member& member : members) {
    const auto* found = value.find(member.name);
    if (found == nullptr || found->is_null()) continue;
    if (auto kept = checked(member, *found)) out.append(std::string(member.name), std::move(*kept));
  }
  return out;
}

Config put_over(const Config& low, const Config& high) {
  Config out;
  for (const Member& member : members) {
    const auto* value = high.find(member.name);
    if (value == nullptr) value = low.find(member.name);
    if (value != nullptr) out.append(std::string(member.name), *value);
  }
  return out;
}

std::string text_in(const Config& config, std::string_view member) {
  const auto* value = config.find(member);
  const auto* text = value == nullptr ? nullptr : value->as_string();
  return text == nullptr ? std::string() : *text;
}

bool flag_in(const Config& config, std::string_view member, bool otherwise) {
  const auto* value = config.find(member);
  const auto* flag = value == nullptr ? nullptr : value->as_bool();
  return flag == nullptr ? otherwise : *flag;
}

std::optional<Metadata> metadata_in(const Config& config, std::string_view member) {
  const auto* value = config.find(member);
  if (value == nullptr) return std::nullopt;
  auto read = metadata_from(*value);
  return read ? std::optional(std::move(*read)) : std::nullopt;
}

std::optional<RuleSet> rules_in(const Config& config, std::string_view member) {
  const auto* value = config.find(member);
  if (value == nullptr) return std::nullopt;
  auto read = rules_from(*value);
  return read ? std::optional(std::move(*read)) : std::nullopt;
}

std::optional<std::string> parse_mode(std::string_view text) {
  std::string upper(text);
  for (char& c : upper)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  for (const std::string_view mode :
       {"READWRITE", "READONLY", "READONLY_OVERRIDE", "IMPORT", "FORWARD"})
    if (upper == mode) return upper;
  return std::nullopt;
}

}  // namespace weir::registry
