// One interface over the languages of schemas: Avro, Protobuf, JSON Schema.
//
// For whoever treats schemas alike: registry, commands, lint. Code that knows its language takes
// the types of `avro/`, `protobuf/` and `json_schema/`, which say more and cost less.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "contract/compatibility.h"
#include "contract/outline.h"
#include "json/json.h"

namespace weir::contract {

enum class Language : std::uint8_t { avro, protobuf, json };
/// "AVRO", "PROTOBUF", "JSON", as registries write it.
std::string_view name_of(Language language);
std::optional<Language> parse_language(std::string_view text);

/// A schema that another one uses, and the name by which it does: the full name of a type (Avro),
/// the path of an import (Protobuf), the URI of a `$ref` (JSON Schema).
struct Import {
  std::string name;
  SchemaPtr schema;
};

struct ParseOptions {
  /// A new schema is judged; text that was accepted before is read leniently, so that old data
  /// stays readable.
  bool strict = true;
  /// Everything that is used, directly or through others, each before what uses it. All of the
  /// schema's own language.
  std::span<const Import> imports{};
};

/// Which message of a Protobuf file a payload is: the index of a top-level message, then of one
/// inside it, and so on; empty is the first. The other languages pass over it.
using MessagePath = std::span<const std::int32_t>;

/// Immutable once parsed. Threads: any.
class Schema {
 public:
  /// Errc::malformed or limit_exceeded; the message names the language and the place.
  static Result<SchemaPtr> parse(Language language, std::string_view text,
                                 const ParseOptions& options = {});

  Schema() = default;
  Schema(const Schema&) = delete;
  Schema& operator=(const Schema&) = delete;
  virtual ~Schema() = default;

  virtual Language language() const = 0;
  /// The text under which registries keep it: one for all spellings that differ in space alone.
  virtual std::string text() const = 0;
  /// One text for all schemas that mean the same.
  virtual std::string normalized() const = 0;
  /// With the types of other schemas spelled out where the language can (Avro); else text().
  virtual std::string complete() const { return text(); }
  /// By the name of a registry's `format`: "resolved" (Avro), "serialized" and "ignore_extensions"
  /// (Protobuf); every other is text().
  virtual std::string formatted(std::string_view format) const = 0;
  /// What it describes, for lint and for people.
  virtual Outline outline() const = 0;

  /// Everything that keeps it from reading what `writer` writes; empty: they are compatible. Both
  /// are of one language: Errc::invalid_argument. limit_exceeded: too large to compare.
  virtual Result<std::vector<Difference>> unreadable(const Schema& writer, Policy policy) const = 0;

  /// A payload, without the name of its schema in front, as JSON for people: plain JSON of Avro,
  /// ProtoJSON of Protobuf, the document itself, validated. Errc::malformed names the place.
  virtual Result<json::Value> read(std::string_view payload, MessagePath message = {}) const = 0;
  /// The other way round.
  virtual Result<std::string> write(const json::Value& value, MessagePath message = {}) const = 0;
};

}  // namespace weir::contract
