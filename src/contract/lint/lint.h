// Rules for good events: what is told of schemas, of their history, and of what is in a stream.
//
// Source of the rules: Bellemare, Building Event-Driven Microservices, the chapter on
// communication and data contracts. Pure: whoever asks brings schemas and samples.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "contract/lint/evidence.h"
#include "contract/schema.h"

namespace weir::contract::lint {

enum class Severity : std::uint8_t { info, warn, error };
std::string_view name_of(Severity severity);
/// Absent if it is none.
std::optional<Severity> parse_severity(std::string_view text);

/// A schema that a consumer reads a stream with.
struct ReaderSchema {
  std::string group;
  SchemaPtr schema;
};

/// A stream's contract as rules see it.
struct StreamContract {
  std::string name;                       // of the stream; of a file that names none, the file
  std::vector<SchemaPtr> value_versions;  // oldest first; at least one
  std::vector<SchemaPtr> key_versions;    // oldest first; empty: no schema of the key is known
  /// Where the parts were read, for messages: "orders-value", "order.avsc".
  std::string value_source;
  std::string key_source;
  /// Tags that some rule of the contract acts on: encryption, masking, retention.
  std::set<std::string> guarded_tags;
  std::vector<ReaderSchema> readers;
  /// False: the name is a record's, and nothing is known of a stream or a key.
  bool of_topic = true;
  /// Of a sample of the stream; nullptr: only the schemas are looked at.
  const Evidence* evidence = nullptr;
};

struct Finding {
  std::string_view rule;  // "EV012"
  std::string_view name;  // "narrow-money"
  Severity severity = Severity::info;
  std::string stream;
  std::string source;
  std::string place;  // "shop.Order.total"; empty: the stream
  std::string what;   // what is wrong there
  std::string_view mend;
  /// The written reason of a waiver, if the schema has one.
  std::optional<std::string> waived;
};

/// In the order of the streams, of the rules, and of the fields. Rules that compare streams with
/// each other see all of them.
std::vector<Finding> lint(std::span<const StreamContract> streams);

}  // namespace weir::contract::lint
