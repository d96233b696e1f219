// A schema compiled for validation: flat nodes of rules.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "contract/json_schema/format.h"
#include "contract/json_schema/number.h"
#include "contract/json_schema/pattern.h"
#include "contract/json_schema/resources.h"

namespace weir::contract::json_schema {

/// Index of a compiled schema.
using SchemaId = std::uint32_t;
inline constexpr SchemaId no_schema = 0xffffffffU;

/// What a rule asks. `a` and `b` say what with; `more` is an index into the vector of the name.
enum class Op : std::uint8_t {
  never,        // the schema false
  type,         // a: bits of kinds, b: 1 if integers of draft 4 alone
  enumeration,  // strings: enum_strings[a .. b), others: the keyword's elements
  constant,     // the keyword's value
  minimum,      // numbers[a], as all of these
  maximum,
  exclusive_minimum,
  exclusive_maximum,
  multiple_of,
  min_length,  // a, as all of these
  max_length,
  pattern,         // patterns[a]
  format,          // a: Format
  members,         // objects[a]
  min_properties,  // a
  max_properties,
  property_names,          // schema a
  dependent,               // dependents[a .. b)
  unevaluated_properties,  // schema a
  items,                   // lists[a .. b) for the first ones, c for the rest
  contains,                // schema a, from b to c times
  min_items,               // a
  max_items,
  unique_items,
  unevaluated_items,  // schema a
  reference,          // schema a
  dynamic_reference,  // schema a, unless the dynamic scope has another for names[b]
  all_of,             // lists[a .. b), as all of these
  any_of,
  one_of,
  negation,   // schema a
  condition,  // schemas a (if), b (then), c (else)
};

struct Rule {
  Op op = Op::never;
  std::uint8_t kinds = 0x7f;  // bits of the kinds of values that it says something of
  bool counts_items = false;  // contains: what fits counts as evaluated
  std::uint32_t a = 0;
  std::uint32_t b = 0;
  std::uint32_t c = 0;
  At keyword = nowhere;  // its value, in the document of its schema
};

struct Property {
  std::string_view name;
  std::uint64_t hash = 0;
  SchemaId schema = no_schema;
  bool required = false;
};

/// properties, patternProperties, additionalProperties and required, looked at in one walk.
struct ObjectRule {
  std::vector<Property> properties;
  std::vector<std::uint32_t> slots;  // a table by hash: index + 1, 0 for none
  std::vector<std::pair<std::uint32_t, SchemaId>> patterns;  // patterns[first]
  std::vector<std::uint32_t> required;                       // of properties
  SchemaId additional = no_schema;
  At required_keyword = nowhere;
  At additional_keyword = nowhere;

  const Property* find(std::string_view name, std::uint64_t hash) const;
};

/// A member that asks for others, or for a schema of the whole.
struct Dependent {
  std::string_view name;
  SchemaId schema = no_schema;
  std::vector<std::string_view> names;
  At keyword = nowhere;
};

struct CompiledSchema {
  Place place;
  std::uint32_t first = 0;  // rules[first .. last)
  std::uint32_t last = 0;
  std::uint32_t resource = 0;
  bool gathers = false;  // has unevaluatedProperties or unevaluatedItems
};

/// Immutable once compiled. Threads: any. Lifetimes: borrows the documents of its Resources.
struct Program {
  std::vector<CompiledSchema> schemas;
  std::vector<Rule> rules;
  std::vector<SchemaId> lists;
  std::vector<Number> numbers;
  std::vector<Pattern> patterns;
  std::vector<ObjectRule> objects;
  std::vector<Dependent> dependents;
  /// The strings of enums, each enum's sorted by their hashes.
  std::vector<std::pair<std::uint64_t, std::string_view>> enum_strings;
  /// Names of dynamic anchors; "" for $recursiveAnchor.
  std::vector<std::string> names;
  /// (resource, name) -> the schema that has that anchor there.
  std::map<std::pair<std::uint32_t, std::uint32_t>, SchemaId> dynamic;
  std::map<Place, SchemaId> ids;
  /// Where the value of a `$ref`, or of a dynamic one, leads; of the latter what it leads to by
  /// itself.
  std::map<Place, Place> targets;
  /// Patterns that cannot be checked, and why: "#/properties/a/pattern: it looks ahead".
  std::vector<std::string> unchecked;
};

struct CompileOptions {
  /// False: a keyword whose value is wrong is passed over, a pattern that cannot be checked is not
  /// checked.
  bool strict = true;
};

/// Every schema of the first document and what it refers to; its root is schema 0. Errc::malformed
/// names the place, what is wrong and what would be right.
Result<Program> compile(Resources& resources, const CompileOptions& options);

}  // namespace weir::contract::json_schema
