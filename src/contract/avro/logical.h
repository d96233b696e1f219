// Which logical type a type's properties name.
#pragma once

#include "contract/avro/schema.h"
#include "json/json.h"

namespace weir::contract::avro {

/// None if there is none, if it is unknown, or if it does not fit the type.
Logical logical_of(const Type& type, const json::Object& properties);

}  // namespace weir::contract::avro
