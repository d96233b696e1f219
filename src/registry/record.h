// Records of the stream `_schemas`: byte-stable keys and their values, as the Confluent registry
// has them. docs/formats/schemas-topic.md has the grammar.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "registry/entities.h"
#include "registry/subject.h"

namespace weir::registry {

/// A record to be appended. Without a value it deletes its key.
struct Record {
  std::string key;
  std::optional<std::string> value;
  bool operator==(const Record&) const = default;
};

/// A record as it stands in the stream.
struct StreamRecord {
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = 0;
};

enum class KeyKind : std::uint8_t {
  schema,
  config,
  mode,
  delete_subject,
  clear_subject,
  context,
  noop,
  other,  // kept in the stream, not looked into
};

struct Key {
  KeyKind kind = KeyKind::other;
  std::string subject;  // as it was written; "" for the global one
  std::string context;  // of `context`
  int version = 0;      // of `schema`
};
/// Errc::malformed if it is no key of a registry.
Result<Key> parse_key(std::string_view text);
/// Byte for byte what the Confluent registry writes.
std::string write_key(const Key& key);

/// One version of a subject, as its record says. Immutable: a change makes another.
struct Version {
  Place place;
  std::int32_t id = 0;
  SchemaContent content;
  Identity identity{};
  bool deleted = false;
  std::int64_t timestamp_ms = 0;
};
/// Shared by the store, its indexes and answers under way.
using VersionPtr = std::shared_ptr<const Version>;

/// Errc::malformed names the member. The text of the schema is not looked into.
Result<Version> parse_version(const Key& key, std::string_view value);
Record schema_record(const Version& version);
Record schema_tombstone(const Place& place);

/// Errc::malformed unless it is a JSON object.
Result<json::Value> parse_object(std::string_view value);

}  // namespace weir::registry
