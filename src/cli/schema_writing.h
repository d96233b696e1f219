// Records whose keys and values are given as JSON and written by schemas of a registry.
#pragma once

#include <optional>

#include "cli/command.h"
#include "cli/record_format.h"
#include "serde/payload_writer.h"

namespace weir::cli {

/// What --registry, --key-schema, --value-schema and --message of a command ask for.
class SchemaWriting {
 public:
  /// `topic` may be empty; then the value's schema must be named. Errc::usage for options that do
  /// not go together; what the registry says.
  static Result<SchemaWriting> open(const Context& context, std::string_view topic);

  bool any() const { return key_ || value_; }
  /// Of a record in JSON: what its members are to be.
  RecordMembers members() const;
  /// Of a line: its texts are JSON, and are replaced by what is written.
  Result<void> apply(ParsedRecord& record) const;

 private:
  std::optional<serde::PayloadWriter> key_;
  std::optional<serde::PayloadWriter> value_;
};

}  // namespace weir::cli
