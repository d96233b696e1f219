// The value of a field's default.
#pragma once

#include "contract/avro/arena.h"
#include "contract/avro/schema.h"
#include "contract/avro/value.h"

namespace weir::contract::avro {

/// Makes the value of a default that is there and fits its type. Strings and bytes point into the
/// schema, the rest lies in `arena`. False if the arena is full.
bool read_image(const Schema& schema, const Field& field, Arena& arena, Cell& out);

}  // namespace weir::contract::avro
