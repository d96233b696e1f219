// Avro IDL (.avdl): a friendlier spelling of schemas.
#pragma once

#include <weir/result.h>

#include <string_view>

#include "contract/avro/schema.h"

namespace weir::contract::avro {

/// Reads a protocol, or a file of declarations with `namespace` and `schema`. All named types are
/// in the schema. Its root is what `schema` names, if all others lie in it, else a union of them.
/// Messages are skipped. Imports are skipped, too: what they bring must be among the references.
/// Types may be used before they are declared. Errc::malformed with the line.
Result<SchemaPtr> parse_idl(std::string_view text, const ParseOptions& options = {});

}  // namespace weir::contract::avro
