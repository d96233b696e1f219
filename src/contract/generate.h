// Schemas of any language into C++, each by its own generator.
#pragma once

#include <weir/result.h>

#include <span>
#include <string>
#include <vector>

#include "contract/generated.h"

namespace weir::contract {

/// What the generators of the languages take; each passes over what is another's.
struct GenerateOptions {
  /// Of types that have no namespace.
  std::string default_namespace = "contracts";
  bool views = true;         // Avro: twins of structs that borrow strings and bytes
  bool keep_unknown = true;  // Protobuf: fields that the schema lacks are written again
};

/// A header and a source for each file, known by its end: .avsc, .avdl, .proto or .json. A file may
/// use those of its language before it. The same input gives the same bytes. Errc::invalid_argument
/// for another end; else what avro/generate.h and its likes say.
Result<std::vector<GeneratedFile>> generate(std::span<const SchemaFile> files,
                                            const GenerateOptions& options = {});

}  // namespace weir::contract
