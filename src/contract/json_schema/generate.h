// JSON Schemas into C++: headers with plain structs, sources with straight-line codecs.
#pragma once

#include <weir/result.h>

#include <span>
#include <string>
#include <vector>

#include "contract/generated.h"

namespace weir::contract::json_schema {

// | JSON Schema | C++ |
// |---|---|
// | an object with properties | a struct |
// | an object with additionalProperties alone; any other | `std::map<std::string, T>`; `Json` |
// | array with items; without | `std::vector<T>`; `std::vector<Json>` |
// | string; boolean; number | `std::string`; `bool`; `double` |
// | integer; within 32 bits by minimum and maximum | `std::int64_t`; `std::int32_t` |
// | format date-time, date, uuid | `sys_time<microseconds>`, `sys_days`, `Uuid` |
// | enum of strings | `enum class` |
// | a type or null; a property that is not required, without default | `std::optional<T>` |
// | a struct inside itself | `Box<T>` |
// | a choice of several types, allOf of several, tuples, no type | `Json`: the text, kept |
//
// A property that is not required and has a default is a plain member: where it is left out it has
// the default, and it is always written. Members that a struct does not name: refused if the
// object is closed, kept in a map `others` if they have a schema, else passed over.

struct GenerateOptions {
  /// Of schemas without a property "weir.namespace": "shop.eu".
  std::string default_namespace = "contracts";
};

using contract::GeneratedFile;
using contract::SchemaFile;

/// A header and a source for each file; a file may refer to those before it by their names
/// without folders. The same input gives the same bytes. Errc::malformed for a schema that is
/// none, unsupported, with the place, for what has no form in C++: a root that is no object with
/// properties, a struct that requires itself.
///
/// Structs are called by their title, else by the last step of the pointer to them, the root by
/// its file. A schema may say, at its root: `weir.topic`, the name of the stream it is the value
/// of; `weir.key`, "string" or "long"; `weir.topic.kind`, "keyed", "entity" or "unkeyed". Then the
/// header ends with that stream's Topic. The text that the types have of their schema lacks these,
/// and `weir.namespace`: strict validators refuse keywords that they do not know.
Result<std::vector<GeneratedFile>> generate(std::span<const SchemaFile> files,
                                            const GenerateOptions& options = {});

}  // namespace weir::contract::json_schema
