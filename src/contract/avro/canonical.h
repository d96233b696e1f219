// The parsing canonical form of a schema.
#pragma once

#include <optional>
#include <string>

#include "contract/avro/schema.h"

namespace weir::contract::avro {

/// Of one type of a schema: what decides the encoding, in one spelling: full names, no
/// documentation, defaults, aliases or properties, members in a fixed order, no white space. Absent
/// if types lie inside each other deeper than limits::spelled_depth.
std::optional<std::string> canonical_form(const Schema& schema, TypeId type);

}  // namespace weir::contract::avro
