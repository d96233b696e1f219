// What a rule sees of one stream, and where it tells what it found.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "contract/lint/rule.h"

namespace weir::contract::lint {

/// A stream with the outlines of all its schemas.
struct Prepared {
  const StreamContract* contract = nullptr;
  std::vector<Outline> values;  // oldest first
  std::vector<Outline> keys;

  const Outline& value() const { return values.back(); }
  /// nullptr: no schema of the key is known.
  const Outline* key() const { return keys.empty() ? nullptr : &keys.back(); }
  /// nullptr: the root is no record.
  const OutlineRecord* root() const { return value().record(value().root_name); }
  bool is_entity() const { return value().topic_kind == "entity"; }
  Language language() const { return contract->value_versions.back()->language(); }
};

class Inspection {
 public:
  Inspection(const Rule& rule, const Prepared& stream, std::span<const Prepared> all,
             std::vector<Finding>& out)
      : rule_(rule), stream_(stream), all_(all), out_(out) {}

  const Prepared& stream() const { return stream_; }
  std::span<const Prepared> all() const { return all_; }

  /// Calls `each(record, field, evidence)` for every field of records that the value's schema
  /// defines itself; evidence is nullptr where there is none.
  template <class Each>
  void fields(Each each) {
    for (const OutlineRecord& record : stream_.value().records) {
      if (record.imported) continue;
      for (const OutlineField& field : record.fields)
        each(record, field, evidence_of(record, field));
    }
  }

  void tell_stream(std::string what);
  void tell(const OutlineRecord& record, std::string what);
  void tell(const OutlineRecord& record, const OutlineField& field, std::string what);
  void tell(const OutlineEnum& type, std::string what);
  void tell_key(std::string place, std::string what);

 private:
  const FieldEvidence* evidence_of(const OutlineRecord& record, const OutlineField& field) const;
  void add(std::string place, std::string what, std::initializer_list<const Waivers*> waivers);

  const Rule& rule_;
  const Prepared& stream_;
  std::span<const Prepared> all_;
  std::vector<Finding>& out_;
};

}  // namespace weir::contract::lint
