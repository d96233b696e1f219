// Whether what one JSON Schema takes another one takes too, and what to change if not.
//
// By the rules of the registries of the field, which judge the schemas and not the documents: they
// refuse some changes that would do no harm, and let some through that do; decision 44 names them.
#pragma once

#include <weir/result.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "contract/compatibility.h"
#include "contract/json_schema/schema.h"

namespace weir::contract::json_schema {

/// Why a reader does not take what a writer's schema allows. "Lenient" marks those that the policy
/// of that name passes over.
enum class Broken : std::uint8_t {
  type_changed,
  type_narrower,
  schema_new,
  no_branch_fits,
  no_part_fits,
  combination_other,
  sum_fewer,
  product_more,
  branches_other,
  not_wider,
  condition_other,
  enum_narrower,
  enum_other,
  const_other,
  max_length_new,
  max_length_tighter,
  min_length_new,
  min_length_tighter,
  pattern_new,
  pattern_other,
  maximum_new,
  maximum_tighter,
  minimum_new,
  minimum_tighter,
  exclusive_maximum_new,
  exclusive_maximum_tighter,
  exclusive_minimum_new,
  exclusive_minimum_tighter,
  multiple_of_new,
  multiple_of_tighter,
  multiple_of_other,
  required_without_default,
  property_new_required,
  property_new_in_open,
  property_new_not_covered,
  property_gone_from_closed,
  property_gone_not_covered,
  additional_properties_closed,
  additional_properties_narrower,
  max_properties_new,
  max_properties_tighter,
  min_properties_new,
  min_properties_tighter,
  dependency_new,
  dependency_longer,
  dependent_schema_new,
  item_new_in_open,
  item_new_not_covered,
  item_gone_from_closed,
  item_gone_not_covered,
  additional_items_closed,
  additional_items_narrower,
  max_items_new,
  max_items_tighter,
  min_items_new,
  min_items_tighter,
  max_contains_new,
  max_contains_tighter,
  min_contains_tighter,
  unique_items_new,
};

struct BrokenText {
  std::string_view name;  // as a Difference has it
  std::string_view means;
  bool lenient = false;
};

/// In the order of Broken. "Old" is the writer's schema, "new" the reader's.
inline constexpr std::array<BrokenText, 60> broken_texts = {{
    {"TYPE_CHANGED", "new asks for another type, or for one where old took anything"},
    {"TYPE_NARROWER", "a number became an integer"},
    {"SCHEMA_NEW", "items, contains or propertyNames has a schema where old had none"},
    {"NO_BRANCH_FITS", "no branch of new's anyOf or oneOf takes what old allowed"},
    {"NO_PART_FITS", "new is none of the parts of old's allOf, nor wider than one"},
    {"COMBINATION_OTHER", "allOf, anyOf or oneOf became another of them, and not anyOf"},
    {"SUM_FEWER", "anyOf or oneOf lost a branch"},
    {"PRODUCT_MORE", "allOf has one part more"},
    {"BRANCHES_OTHER", "the branches cannot be paired so that each new one takes its old one"},
    {"NOT_WIDER", "new's not rules out more than old's"},
    {"CONDITION_OTHER", "if differs, or then or else asks for more"},
    {"ENUM_NARROWER", "enum lost values"},
    {"ENUM_OTHER", "enum lost values and has others"},
    {"CONST_OTHER", "const has another value"},
    {"MAX_LENGTH_NEW", "maxLength is new"},
    {"MAX_LENGTH_TIGHTER", "maxLength is lower"},
    {"MIN_LENGTH_NEW", "minLength is new"},
    {"MIN_LENGTH_TIGHTER", "minLength is higher"},
    {"PATTERN_NEW", "pattern is new"},
    {"PATTERN_OTHER", "pattern is another one"},
    {"MAXIMUM_NEW", "maximum is new"},
    {"MAXIMUM_TIGHTER", "maximum is lower"},
    {"MINIMUM_NEW", "minimum is new"},
    {"MINIMUM_TIGHTER", "minimum is higher"},
    {"EXCLUSIVE_MAXIMUM_NEW", "exclusiveMaximum is new"},
    {"EXCLUSIVE_MAXIMUM_TIGHTER", "exclusiveMaximum is lower"},
    {"EXCLUSIVE_MINIMUM_NEW", "exclusiveMinimum is new"},
    {"EXCLUSIVE_MINIMUM_TIGHTER", "exclusiveMinimum is higher"},
    {"MULTIPLE_OF_NEW", "multipleOf is new"},
    {"MULTIPLE_OF_TIGHTER", "multipleOf is a multiple of the old one"},
    {"MULTIPLE_OF_OTHER", "multipleOf has nothing to do with the old one"},
    {"REQUIRED_WITHOUT_DEFAULT", "a property that could be left out is required, without default"},
    {"PROPERTY_NEW_REQUIRED", "a new property is required and has no default"},
    {"PROPERTY_NEW_IN_OPEN", "a new property, where old took any value of that name", true},
    {"PROPERTY_NEW_NOT_COVERED",
     "a new property does not take all that old's schema for others allowed", true},
    {"PROPERTY_GONE_FROM_CLOSED", "a property is gone, and new takes no others", true},
    {"PROPERTY_GONE_NOT_COVERED",
     "a property is gone, and new's schema for others does not take what it had", true},
    {"ADDITIONAL_PROPERTIES_CLOSED", "new takes no properties that it does not name", true},
    {"ADDITIONAL_PROPERTIES_NARROWER", "new's schema for others takes less", true},
    {"MAX_PROPERTIES_NEW", "maxProperties is new"},
    {"MAX_PROPERTIES_TIGHTER", "maxProperties is lower"},
    {"MIN_PROPERTIES_NEW", "minProperties is new"},
    {"MIN_PROPERTIES_TIGHTER", "minProperties is higher"},
    {"DEPENDENCY_NEW", "a property asks for others where it did not"},
    {"DEPENDENCY_LONGER", "a property asks for more others than before"},
    {"DEPENDENT_SCHEMA_NEW", "a property brings a schema of the whole where it did not"},
    {"ITEM_NEW_IN_OPEN", "a new place of a tuple, where old took any element", true},
    {"ITEM_NEW_NOT_COVERED",
     "a new place of a tuple does not take all that old's schema for others allowed", true},
    {"ITEM_GONE_FROM_CLOSED", "a place of a tuple is gone, and new takes no others", true},
    {"ITEM_GONE_NOT_COVERED",
     "a place of a tuple is gone, and new's schema for others does not take what it had", true},
    {"ADDITIONAL_ITEMS_CLOSED", "new takes no elements behind its tuple", true},
    {"ADDITIONAL_ITEMS_NARROWER", "new's schema for the elements behind its tuple takes less",
     true},
    {"MAX_ITEMS_NEW", "maxItems is new"},
    {"MAX_ITEMS_TIGHTER", "maxItems is lower"},
    {"MIN_ITEMS_NEW", "minItems is new"},
    {"MIN_ITEMS_TIGHTER", "minItems is higher"},
    {"MAX_CONTAINS_NEW", "maxContains is new"},
    {"MAX_CONTAINS_TIGHTER", "maxContains is lower"},
    {"MIN_CONTAINS_TIGHTER", "minContains is higher"},
    {"UNIQUE_ITEMS_NEW", "uniqueItems is new"},
}};

struct CompareOptions {
  Policy policy = Policy::strict;
  /// For tests: a rule that is not applied.
  std::optional<Broken> without{};
};

/// Everything that keeps `reader` from taking what `writer` allows, at most
/// limits::listed_differences; empty: they are compatible. A difference's `at` is where it is in
/// the reader's schema: "#/properties/a/maxLength", or where something is missing there.
/// limit_exceeded if the schemas are too large to compare.
Result<std::vector<Difference>> compare(const JsonSchema& reader, const JsonSchema& writer,
                                        const CompareOptions& options = {});

}  // namespace weir::contract::json_schema
