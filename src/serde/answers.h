// What a registry has answered, from JSON to values.
//
// Another program wrote it: each gives Errc::protocol_error with what is wrong. Members that nobody
// asks for are passed over.
#pragma once

#include <weir/schema_registry.h>

#include <string>
#include <vector>

#include "json/json.h"

namespace weir::serde {

/// What reads and registrations answer; what is missing is empty or zero: a registry of before
/// Confluent's 8.0 answers a registration with the id alone.
Result<RegisteredSchema> schema_in(const json::Value& value);
Result<std::vector<std::int32_t>> versions_in(const json::Value& value);
Result<std::vector<std::string>> subjects_in(const json::Value& value);
Result<SchemaVerdict> verdict_in(const json::Value& value);
/// The string at a member; "" if there is none.
std::string text_at(const json::Value& value, std::string_view member);

}  // namespace weir::serde
