// Whether data written with one Protobuf schema can be read with another, and what to change if
// not.
//
// The verdicts are those by which registries decide. Messages and enumerations are found by name,
// each level of nesting for itself, fields by number in the whole message, members of oneofs too.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <set>
#include <span>
#include <string_view>
#include <vector>

#include "contract/compatibility.h"

namespace weir::contract::protobuf {

class ProtobufSchema;

/// The first ones refuse, the others accept what would be refused without them.
enum class Rule : std::uint8_t {
  package_changed,
  message_removed,
  field_kind_changed,
  field_scalar_kind_changed,
  field_label_changed,
  field_message_type_changed,
  imported_type_changed,
  map_key_changed,
  map_value_changed,
  required_field_added,
  required_field_removed,
  oneof_member_removed,
  fields_joined_in_oneof,
  // What accepts.
  scalars_of_one_group,
  text_label_may_change,
  labels_not_written,
  names_relative_to_packages,
  whole_oneof_deleted,
  one_field_into_new_oneof,
  types_made_by_fields,
};

struct RuleText {
  Rule rule = Rule::package_changed;
  std::string_view name;     // "FIELD_KIND_CHANGED", as Difference::rule
  std::string_view meaning;  // one sentence
};
/// All rules, those that refuse first.
std::span<const RuleText> rules();
std::string_view name_of(Rule rule);
/// True if it refuses; false if it accepts.
bool refuses(Rule rule);

struct CompareOptions {
  /// Rules that do not hold: for the proof that something notices.
  std::set<Rule> without = {};
};

/// Everything that keeps `reader` from reading what `writer` writes, at most
/// limits::listed_differences. Errc::limit_exceeded if they are too large to compare.
Result<std::vector<Difference>> compare(const ProtobufSchema& reader, const ProtobufSchema& writer,
                                        const CompareOptions& options = {});

}  // namespace weir::contract::protobuf
