// Payloads of registered schemas, in whatever language, as JSON for people.
#pragma once

#include <weir/schema_registry.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "contract/schema.h"

namespace weir::serde {

/// A payload that was read, and by which schema it was written.
struct ReadPayload {
  json::Value value;
  contract::SchemaPtr schema;
  std::string name;       // of the schema, as people say it: "17", or its GUID
  std::size_t bytes = 0;  // of the payload alone
};

/// Asks the registry once a schema. Threads: its owner's.
class PayloadReader {
 public:
  explicit PayloadReader(SchemaRegistry registry) : registry_(std::move(registry)) {}

  /// Nothing: the bytes name no schema. Errc::not_found: the registry does not have it; malformed:
  /// the payload does not fit; invalid_schema: the schema is not understood. `header` is the value
  /// of the record's header_of(), if it has one.
  Result<std::optional<ReadPayload>> read(std::string_view bytes,
                                          std::optional<std::string_view> header);

 private:
  Result<contract::SchemaPtr> known_by(const std::string& name);

  SchemaRegistry registry_;
  std::map<std::string, Result<contract::SchemaPtr>> known_;
};

}  // namespace weir::serde
