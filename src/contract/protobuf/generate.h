// Protobuf schemas into C++: headers with plain structs, sources with straight-line codecs.
#pragma once

#include <weir/result.h>

#include <span>
#include <string>
#include <vector>

#include "contract/generated.h"

namespace weir::contract::protobuf {

using contract::GeneratedFile;
using contract::SchemaFile;

struct GenerateOptions {
  /// Of files without a package.
  std::string default_namespace = "contracts";
  /// Each struct keeps the fields that its schema lacks, and writes them again.
  bool keep_unknown = true;
};

/// A header and a source for each file; a file may import those before it, by their names or by the
/// last parts of these. What is built in and imported comes too, in namespace weir::known. The same
/// input gives the same bytes. Errc::malformed for a schema that is none, unsupported for what has
/// no form in C++.
///
/// | Protobuf                        | C++                                             |
/// |---------------------------------|-------------------------------------------------|
/// | message                         | struct A                                        |
/// | message inside another          | struct A_B, with A::B as another name of it     |
/// | proto3 scalar without a label   | a member; zero is not written                   |
/// | optional, a message             | std::optional; Box inside itself                |
/// | required                        | a member; always written, refused if missing    |
/// | repeated, map                   | std::vector, std::map                           |
/// | oneof                           | std::variant of monostate and Member<number, T> |
/// | enum                            | enum class; unknown to proto2: an unknown field |
/// | Timestamp, Duration             | sys_time and duration of nanoseconds            |
/// | Int32Value and its likes        | std::optional of what they wrap                 |
/// | group                           | none: it is kept among the unknown fields       |
///
/// The option (confluent.message_meta) of a file's first message, or (confluent.file_meta), may
/// have the params `weir.topic`, `weir.key` and `weir.topic.kind`, as records of Avro have them.
/// Then the header ends with that stream's Topic.
///
/// A message that comes in pieces, which no writer but a joiner of payloads makes, must have what
/// it requires in each.
Result<std::vector<GeneratedFile>> generate(std::span<const SchemaFile> files,
                                            const GenerateOptions& options = {});

}  // namespace weir::contract::protobuf
