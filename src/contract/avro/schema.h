// Avro schemas: an immutable graph of types, parsed from the schema language (Avro 1.12).
//
// Types lie in one vector and refer to each other by index, so that recursion is a number and a
// schema is one object. Named types appear once, however often they are used.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "json/json.h"

namespace weir::contract::avro {

enum class Kind : std::uint8_t {
  null,
  boolean,
  int32,    // "int"
  int64,    // "long"
  float32,  // "float"
  float64,  // "double"
  bytes,
  string,
  fixed,
  enumeration,  // "enum"
  array,
  map,
  record,
  union_type,  // a JSON array of types
};
/// Avro's word: "long" for int64.
std::string_view name_of(Kind kind);
/// record, enum and fixed have names and aliases.
constexpr bool is_named(Kind kind) {
  return kind == Kind::record || kind == Kind::enumeration || kind == Kind::fixed;
}

enum class LogicalKind : std::uint8_t {
  none,
  decimal,      // bytes or fixed
  big_decimal,  // bytes
  uuid,         // string or fixed(16)
  date,         // int
  time_millis,  // int
  time_micros,  // long, as all that follow but the last
  timestamp_millis,
  timestamp_micros,
  timestamp_nanos,
  local_timestamp_millis,
  local_timestamp_micros,
  local_timestamp_nanos,
  duration,  // fixed(12)
};
/// "timestamp-millis"; "" for none.
std::string_view name_of(LogicalKind kind);

/// What a type means beyond its encoding. One that is unknown, or does not fit its type, is none,
/// as the specification asks; its text stays among the properties.
struct Logical {
  LogicalKind kind = LogicalKind::none;
  std::int32_t precision = 0;  // decimal
  std::int32_t scale = 0;
  bool operator==(const Logical&) const = default;
};

/// Index of a type in its schema.
using TypeId = std::uint32_t;

enum class Order : std::uint8_t { ascending, descending, ignore };

struct Field {
  std::string name;
  TypeId type = 0;
  Order order = Order::ascending;
  std::optional<std::string> doc;
  std::vector<std::string> aliases;
  std::optional<json::Value> default_json;
  /// The default in the binary encoding; absent if there is none, or if it does not fit the type
  /// (which only lenient parsing lets through).
  std::optional<std::string> default_bytes;
  json::Object properties;
};

/// One type. Which members mean something depends on its kind.
struct Type {
  Kind kind = Kind::null;
  Logical logical{};
  bool is_error = false;             // a record written as "error"
  bool imported = false;             // defined by another schema: printed as a name
  TypeId element = 0;                // array, map
  std::size_t size = 0;              // fixed
  std::int32_t default_symbol = -1;  // enum: index of its default, -1 if it has none
  /// The fewest bytes that a value takes.
  std::size_t least_bytes = 0;
  std::string name{};  // full name of a named type
  std::optional<std::string> doc{};
  std::vector<std::string> aliases{};  // full names
  std::vector<Field> fields{};
  std::vector<std::string> symbols{};
  std::vector<TypeId> branches{};
  json::Object properties{};

  /// The name without its namespace.
  std::string_view short_name() const;
  /// "" for none.
  std::string_view name_space() const;
  /// -1 if there is none.
  std::int32_t find_field(std::string_view field) const;
  std::int32_t find_symbol(std::string_view symbol) const;
};

class Schema;
/// Shared, because plans, caches and many owners of values keep one schema.
using SchemaPtr = std::shared_ptr<const Schema>;

struct ParseOptions {
  /// A new schema is judged: a default must fit its type, that of a union its first branch. Text
  /// that was accepted before is read leniently, so that old data stays readable: such a default
  /// may fit any branch, or none until somebody needs it.
  bool strict = true;
  /// Whose named types may be used as if they were defined before this schema.
  std::span<const SchemaPtr> references{};
};

/// Immutable once parsed. Threads: any.
class Schema {
 public:
  /// Errc::malformed or limit_exceeded; the message names the type and field:
  /// `avro: shop.Order.lines: an array has no "items"`.
  static Result<SchemaPtr> parse(std::string_view text, const ParseOptions& options = {});
  static Result<SchemaPtr> from_json(const json::Value& text, const ParseOptions& options = {});

  TypeId root_id() const { return root_; }
  const Type& root() const { return types_[root_]; }
  const Type& type(TypeId id) const { return types_[id]; }
  std::size_t size() const { return types_.size(); }
  /// The named type of that full name; nullptr if there is none.
  const Type* find(std::string_view full_name) const;
  const std::map<std::string, TypeId, std::less<>>& names() const { return names_; }

  /// Everything, documentation and properties included, on one line: the text that Java's library
  /// prints, by which registries know a schema.
  std::string text() const;
  /// The same of one of its types, complete in itself: types of other schemas are spelled out.
  std::string complete_text(TypeId type) const;
  /// The parsing canonical form: what decides the encoding, and nothing else.
  const std::string& canonical() const { return canonical_; }
  /// CRC-64-AVRO of the canonical form.
  std::uint64_t fingerprint() const { return fingerprint_; }

 private:
  friend class Parser;
  Schema() = default;

  std::vector<Type> types_;
  std::map<std::string, TypeId, std::less<>> names_;
  TypeId root_ = 0;
  std::string canonical_;
  std::uint64_t fingerprint_ = 0;
};

/// The name of a union's branch in JSON and in messages: "long", "shop.Order".
std::string_view branch_name(const Type& type);

}  // namespace weir::contract::avro
