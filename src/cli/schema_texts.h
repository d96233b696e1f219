// Keys and values that name a schema of a registry, as JSON for people.
#pragma once

#include <weir/schema_registry.h>

#include <map>
#include <optional>
#include <string>

#include "cli/command.h"
#include "cli/record_format.h"
#include "contract/schema.h"
#include "json/json.h"

namespace weir::cli {

/// Belongs to its command.
class SchemaTexts {
 public:
  explicit SchemaTexts(SchemaRegistry registry) : registry_(std::move(registry)) {}

  /// Nothing for bytes that name no schema, one that is not understood here, or one that they do
  /// not fit; a warning says why. Errc::schema_registry_unavailable, ….
  Result<std::optional<json::Value>> read(const RecordText& record, bool is_key);

 private:
  using SchemaPtr = contract::SchemaPtr;  // nullptr: not understood
  Result<SchemaPtr> known_by(const std::string& name);
  SchemaPtr understood(const std::string& name, const RegisteredSchema& schema);

  SchemaRegistry registry_;
  std::map<std::string, SchemaPtr> known_;
};

}  // namespace weir::cli
