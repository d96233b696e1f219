// Avro schemas into C++: headers with plain structs, sources with straight-line codecs.
#pragma once

#include <weir/result.h>

#include <span>
#include <string>
#include <vector>

#include "contract/generated.h"

namespace weir::contract::avro {

struct GenerateOptions {
  /// Of types without a namespace.
  std::string default_namespace = "contracts";
  /// For each struct a twin that borrows strings and bytes: OrderView.
  bool views = true;
};

using contract::GeneratedFile;
using contract::SchemaFile;

/// A header and a source for each file; a file may use types of those before it. The same input
/// gives the same bytes. Errc::malformed for a schema that is none, unsupported for what has no
/// form in C++.
///
/// A record may say, as properties: `weir.topic`, the name of the stream it is the value of;
/// `weir.key`, "string", "long" or the full name of a record; `weir.topic.kind`, "keyed", "entity"
/// or "unkeyed". Then the header ends with that stream's Topic.
Result<std::vector<GeneratedFile>> generate(std::span<const SchemaFile> files,
                                            const GenerateOptions& options = {});

}  // namespace weir::contract::avro
