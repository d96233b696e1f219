// What a schema describes, alike for all languages: records, fields, enumerations.
//
// For rules about events, documentation and comparison by eye. What it leaves out decides nothing
// there.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::contract {

enum class Shape : std::uint8_t {
  null,
  boolean,
  integer,
  number,
  bytes,
  string,
  enumeration,
  record,
  array,
  map,
  one_of,  // a union, a oneOf: several shapes beside null
  any,     // whatever JSON there is, google.protobuf.Any
};
/// "integer".
std::string_view name_of(Shape shape);

/// Rules that a schema asks to be passed over, with the written reason: {"EV012": "..."}. In Avro
/// and JSON Schema the property "weir.lint.ignore", in Protobuf comments `weir:ignore EV012 ...`.
using Waivers = std::map<std::string, std::string, std::less<>>;

/// What else a schema says of a part, by the language's word: {"order": "descending"}. Options,
/// properties, keywords of validation. Shown when it changes.
using Notes = std::map<std::string, std::string, std::less<>>;

struct OutlineField {
  std::string name;
  /// Of a value that is not null.
  Shape shape = Shape::any;
  /// integer and number: 32 or 64; 0: no bound is said (JSON Schema).
  unsigned bits = 0;
  /// As people write it: "array<shop.Line>".
  std::string type;
  /// The full name of the record or enumeration that it is, or that its elements are.
  std::string type_name;
  /// array, map: what is inside.
  std::optional<Shape> element;
  /// The names of the records among the alternatives of one_of.
  std::vector<std::string> alternatives;
  /// A narrower meaning: "timestamp-millis", "uuid", "decimal", "date"; the well-known types of
  /// Protobuf by full name; the `format` of JSON Schema. Empty: none.
  std::string logical;
  bool nullable = false;  // null, or left out
  /// As JSON text; absent if there is none.
  std::optional<std::string> default_json;
  std::string doc;
  std::vector<std::string> tags;  // "PII"
  /// array, map, string, bytes: a most is written down (maxItems, maxLength, "weir.max.items").
  bool bounded = false;
  /// The oneof that it belongs to.
  std::string group;
  /// The number on the wire (Protobuf).
  std::int32_t number = 0;
  std::vector<std::string> aliases;  // earlier names (Avro)
  Notes notes;
  Waivers waivers;
};

struct OutlineRecord {
  std::string name;  // full
  std::string doc;
  std::vector<OutlineField> fields;
  std::vector<std::string> tags;
  bool imported = false;  // defined by another schema
  /// Takes fields that it does not describe (an open content model of JSON Schema).
  bool open = false;
  std::vector<std::string> aliases;
  Notes notes;
  Waivers waivers;

  /// nullptr if there is none.
  const OutlineField* field(std::string_view name) const;
};

struct OutlineEnum {
  std::string name;  // full
  std::string doc;
  std::vector<std::string> symbols;  // in order
  /// The symbol that stands for those which a reader does not know; empty: there is none.
  std::string default_symbol;
  bool imported = false;
  std::vector<std::string> aliases;
  Notes notes;
  Waivers waivers;
};

/// Of a full name the part behind the last dot.
std::string_view short_name(std::string_view full_name);
/// A field's name as ProtoJSON has it: "tail_number" is "tailNumber".
std::string proto_json_name(std::string_view name);

struct Outline {
  Shape root = Shape::any;
  /// As people write it; of a record its name.
  std::string root_type;
  /// Of the record that the root is, or of the first message.
  std::string root_name;
  std::vector<OutlineRecord> records;
  std::vector<OutlineEnum> enums;
  /// What the properties "weir.topic", "weir.key" and "weir.topic.kind" say of the stream that it
  /// is for; empty: nothing.
  std::string topic;
  std::string key;
  std::string topic_kind;

  /// nullptr if there is none.
  const OutlineRecord* record(std::string_view name) const;
  const OutlineEnum* enumeration(std::string_view name) const;
};

}  // namespace weir::contract
