// Protobuf schemas into C++: headers with plain structs, sources with straight-line codecs.
#pragma once

#include <weir/result.h>

#include <span>
#include <string>
#include <vector>

namespace weir::contract::protobuf {

struct SchemaFile {
  std::string name;  // "contracts/order.proto"
  std::string text;
};

struct GeneratedFile {
  std::string path;  // "shop/order.h": the package, the name of its file
  std::string text;
};

struct GenerateOptions {
  /// Of files without a package.
  std::string default_namespace = "contracts";
  /// Each struct keeps the fields that its schema lacks, and writes them again.
  bool keep_unknown = true;
};

/// A header and a source for each file; a file may import those before it, by their names or by the
/// last parts of these. What is built in and used comes too, in namespace weir::known. The same
/// input gives the same bytes. Errc::malformed for a schema that is none, unsupported for what has
/// no form in C++.
///
/// | Protobuf                          | C++ |
/// |-----------------------------------|-----------------------------------------------------------|
/// | message, message inside another   | struct A, struct A_B with A::B as another name of it | |
/// scalar of proto3 without a label  | a member; zero is not written                             |
/// | optional, a message               | std::optional; weir::protobuf::Box inside itself | |
/// required                          | a member; always written, refused if it is not there      |
/// | repeated, map                     | std::vector, std::map | | oneof |
/// std::variant<std::monostate, Member<number, type>...>     | | enum | enum class; a number that
/// proto2 does not know is unknown | | Timestamp, Duration               | sys_time and duration of
/// nanoseconds                      | | Int32Value ...                    | std::optional of what
/// they wrap                           | | group                             | none: it is kept
/// among the unknown fields                 |
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
