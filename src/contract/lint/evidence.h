// What a sample of a stream shows of its fields: shares, ranges and counts. No value is kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "contract/outline.h"
#include "json/json.h"

namespace weir::contract::lint {

/// Samples beyond it are passed over.
inline constexpr std::size_t sampled_records = 10'000;
/// Distinct values of one field that are told apart; further ones count as one more.
inline constexpr std::size_t told_apart = 1'000;

struct FieldEvidence {
  std::size_t seen = 0;  // how often its record was there
  std::size_t nulls = 0;
  std::size_t texts = 0;
  std::size_t integers = 0;
  std::size_t reals = 0;
  // Of the texts:
  std::size_t uuids = 0;
  std::size_t times = 0;  // ISO 8601
  std::size_t json_objects = 0;
  std::size_t emails = 0;
  std::size_t booleans = 0;  // 0, 1, Y, N, true, false; of integers 0 and 1
  std::size_t magic = 0;     // "", "N/A", -1, 1970-01-01, 9999-12-31, ...
  // Of the integers:
  std::int64_t least = 0;
  std::int64_t most = 0;
  std::size_t epoch_seconds = 0;
  std::size_t epoch_millis = 0;
  std::size_t epoch_micros = 0;
  std::size_t fractions = 0;  // reals with a part behind the point
  std::size_t most_elements = 0;
  std::unordered_set<std::size_t> distinct;  // hashes

  std::size_t values() const { return seen - nulls; }
};

class Evidence {
 public:
  explicit Evidence(Outline outline) : outline_(std::move(outline)) {}

  /// A value as JSON for people, the size of its payload, and its key.
  void add(const json::Value& value, std::size_t bytes, std::string_view key);
  /// A record whose value does not fit, or that names no schema.
  void add_undecodable() { ++undecodable_; }
  /// The full name of the schema that a record was written by.
  void add_schema(std::string_view name) { schemas_.emplace(name); }

  std::size_t records() const { return records_; }
  std::size_t undecodable() const { return undecodable_; }
  std::size_t null_keys() const { return null_keys_; }
  std::size_t duplicates() const { return duplicates_; }
  const std::set<std::string>& schemas() const { return schemas_; }
  void add_null_key() { ++null_keys_; }
  /// nullptr: it was never there.
  const FieldEvidence* field(std::string_view record, std::string_view name) const;
  /// Of the payloads' sizes; 0 without records.
  std::size_t size_at(double quantile) const;

 private:
  void record(const std::string& type, const json::Value& value);
  void inside(const OutlineField& field, const json::Value& value);

  Outline outline_;
  std::map<std::string, FieldEvidence, std::less<>> fields_;
  std::vector<std::size_t> sizes_;
  std::unordered_set<std::size_t> events_;
  std::set<std::string> schemas_;
  std::size_t records_ = 0;
  std::size_t undecodable_ = 0;
  std::size_t null_keys_ = 0;
  std::size_t duplicates_ = 0;
};

}  // namespace weir::contract::lint
