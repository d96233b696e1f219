// Keys and values that name a schema of a registry, as JSON for people.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "cli/command.h"
#include "cli/record_format.h"
#include "json/json.h"
#include "serde/payload_reader.h"

namespace weir::cli {

/// Belongs to its command.
class SchemaTexts {
 public:
  explicit SchemaTexts(SchemaRegistry registry) : reader_(std::move(registry)) {}

  /// Nothing for bytes that name no schema, one that is not understood here, or one that they do
  /// not fit; a warning says why. Errc::schema_registry_unavailable, ….
  Result<std::optional<json::Value>> read(const RecordText& record, bool is_key);

 private:
  serde::PayloadReader reader_;
  std::set<std::string> told_;  // of schemas, each once
};

/// The value of the record's last header of that name.
std::optional<std::string_view> header_in(const RecordText& record, std::string_view name);

}  // namespace weir::cli
