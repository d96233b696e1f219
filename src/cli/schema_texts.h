// Keys and values that name a schema of a registry, as JSON for people.
#pragma once

#include <weir/schema_registry.h>

#include <map>
#include <optional>
#include <string>

#include "cli/command.h"
#include "cli/record_format.h"
#include "contract/avro/plan.h"
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
  struct Known {
    SchemaType type = SchemaType::avro;
    contract::avro::PlanPtr plan;  // nullptr: not understood
  };
  Result<const Known*> known_by(const std::string& name);
  Known understood(const std::string& name, const RegisteredSchema& schema);

  SchemaRegistry registry_;
  std::map<std::string, Known> known_;
  contract::avro::Arena arena_;
};

}  // namespace weir::cli
