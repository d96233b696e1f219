// The normalised form of an Avro schema: one text for all schemas that mean the same.
#pragma once

#include <string>

#include "contract/avro/schema.h"

namespace weir::contract::avro {

/// Full names, a fixed order of members, aliases and properties sorted; docs, defaults and
/// properties stay. Types of other schemas are written as names. Clients of registries compute it
/// too, byte for byte.
std::string normalized_text(const Schema& schema);

}  // namespace weir::contract::avro
