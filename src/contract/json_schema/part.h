// Schemas in parts of one kind each, references replaced by what they name: what is compared.
//
// | written | seen as |
// |---|---|
// | `"type": ["string", "null"]` | anyOf of a string and null |
// | a type beside an enum, properties beside a oneOf, ... | allOf of one part a kind |
// | `$ref` | its target; with keywords beside it, allOf (2019-09 and later) |
// | keywords of one kind without a type | that kind |
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <deque>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "contract/json_schema/schema.h"

namespace weir::contract::json_schema {

enum class Form : std::uint8_t {
  any,    // true, {}
  never,  // false
  string,
  number,
  boolean,
  null,
  enumeration,
  constant,
  object,
  array,
  all_of,
  any_of,
  one_of,
  negation,
  condition,
};
/// "a string".
std::string_view name_of(Form form);
constexpr bool is_combined(Form form) {
  return form == Form::all_of || form == Form::any_of || form == Form::one_of;
}

using PartId = std::uint32_t;

struct Part {
  Form form = Form::any;
  bool integer = false;  // number
  const JsonSchema* schema = nullptr;
  Place place;                     // whose keywords it has
  std::vector<PartId> branches{};  // combined, negation

  const Document& document() const { return schema->resources().document(place.document); }
  /// The value of a keyword; nowhere if there is none.
  At find(std::string_view keyword) const { return document().find(place.at, keyword); }
  Draft draft() const;
};

/// Makes the parts of the schemas that are asked for, each once. Borrows the schemas.
class Parts {
 public:
  PartId of(const JsonSchema& schema, Place place);
  /// The schema that a keyword of a part has.
  PartId of(const Part& part, At at) { return of(*part.schema, {part.place.document, at}); }
  const Part& operator[](PartId id) const { return parts_[id]; }
  /// References lead on and on; what was asked for means nothing then.
  bool too_deep() const { return too_deep_; }

 private:
  using Key = std::pair<const JsonSchema*, Place>;
  PartId add(Part part);
  PartId make(const JsonSchema& schema, Place place);
  void types(const Part& base, std::vector<PartId>& parts);
  PartId type(const Part& base, std::string_view name);
  void combinations(const Part& base, std::vector<PartId>& parts);

  std::deque<Part> parts_;
  std::map<Key, PartId> known_;
  std::size_t depth_ = 0;
  bool too_deep_ = false;
};

}  // namespace weir::contract::json_schema
