// What a schema has beside its text: references, metadata, rules; and the identity made of all.
//
// The shapes are those of the Confluent REST API and of the records of `_schemas`.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "json/json.h"
#include "registry/problem.h"

namespace weir::registry {

/// A use of another schema. `subject` as it was written: one without a context is of the context
/// of the schema that refers.
struct Reference {
  std::string name;
  std::string subject;
  std::int32_t version = -1;  // -1: the latest, until it is registered
  bool operator==(const Reference&) const = default;
};

struct Metadata {
  std::map<std::string, std::set<std::string>> tags;
  std::map<std::string, std::string> properties;
  std::set<std::string> sensitive;
  bool operator==(const Metadata&) const = default;
};

/// Enumerations are kept as they are spelled, in upper case; absent members are not written.
struct Rule {
  std::optional<std::string> name{};
  std::optional<std::string> doc{};
  std::string kind = "TRANSFORM";
  std::string mode = "WRITEREAD";
  std::optional<std::string> type{};
  std::set<std::string> tags{};
  std::map<std::string, std::string> params{};
  std::optional<std::string> expr{};
  std::optional<std::string> on_success{};
  std::optional<std::string> on_failure{};
  bool disabled = false;
  bool operator==(const Rule&) const = default;
};

struct RuleSet {
  std::vector<Rule> migration;
  std::vector<Rule> domain;
  std::vector<Rule> encoding;
  std::optional<std::string> enable_at{};
  bool operator==(const RuleSet&) const = default;
};

inline constexpr std::string_view version_property = "confluent:version";
/// Names that no field may have, parted by commas; minded with `validateFields`.
inline constexpr std::string_view reserved_property = "confluent:reserved";
inline constexpr std::string_view avro_type = "AVRO";
inline constexpr std::string_view json_type = "JSON";
inline constexpr std::string_view protobuf_type = "PROTOBUF";

/// All that a schema is known by.
struct SchemaContent {
  std::string type{avro_type};
  std::string text;
  std::vector<Reference> references;
  std::optional<Metadata> metadata;
  std::optional<RuleSet> rules;
  bool operator==(const SchemaContent&) const = default;
};

/// MD5 over text, references, metadata and rules. The type is no part of it.
using Identity = std::array<std::uint8_t, 16>;
Identity identity_of(const SchemaContent& content);
/// The identity as a UUID: "0a1b2c3d-…". It is what wire formats call the GUID.
std::string guid_text(const Identity& identity);
/// Nothing unless it is 32 hexadecimal digits with the four dashes.
std::optional<Identity> parse_guid(std::string_view text);

// Readers name the member that is wrong (`422`); writers leave out what is empty or absent.
Answer<std::vector<Reference>> references_from(const json::Value& value);
json::Value to_json(const std::vector<Reference>& references);
Answer<Metadata> metadata_from(const json::Value& value);
json::Value to_json(const Metadata& metadata);
Answer<RuleSet> rules_from(const json::Value& value);
json::Value to_json(const RuleSet& rules);

/// 42210 names the first rule that breaks a rule of rules.
Answer<void> check_rules(const RuleSet& rules);

/// `low` with what `high` has put over it, member by member; rules by their names.
std::optional<Metadata> merged(const std::optional<Metadata>& low,
                               const std::optional<Metadata>& high);
std::optional<RuleSet> merged(const std::optional<RuleSet>& low,
                              const std::optional<RuleSet>& high);

}  // namespace weir::registry
