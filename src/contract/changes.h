// What has changed between two schemas, field by field, for people.
//
// It says what is different; whether data still fits is asked of compatibility.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "contract/outline.h"

namespace weir::contract {

enum class What : std::uint8_t {
  added,    // a field, a symbol, a named type
  removed,  // the same
  changed,  // a type, a default, a size
  told,     // a doc, an alias, an order, a property: nothing that is in the data
};
std::string_view name_of(What what);

struct Change {
  What what = What::changed;
  /// "shop.Order.lines", "shop.Status.SENT", "shop.Order" for the type itself; empty for a root
  /// that has no name.
  std::string place;
  /// "type", "default", "doc", ...; what of the place.
  std::string part;
  std::string before;  // empty: there was none
  std::string after;
};

/// In the order of the newer schema's types and fields, what was removed last of each type. Types
/// are matched by their full names; the roots with each other whatever their names.
std::vector<Change> changes_between(const Outline& before, const Outline& after);

/// Of the record at the root, by name; changed: its type, its default, or a type that it uses.
struct FieldChanges {
  std::vector<std::string> added;
  std::vector<std::string> removed;
  std::vector<std::string> changed;
};
/// Empty unless both roots are records.
FieldChanges field_changes(const Outline& before, const Outline& after);

}  // namespace weir::contract
