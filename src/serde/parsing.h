// A registered schema, parsed together with everything that it uses.
#pragma once

#include <weir/schema_registry.h>

#include "contract/schema.h"

namespace weir::serde {

contract::Language language_of(SchemaType type);

/// What it refers to is asked for by subject and version, depth first, each name once. What the
/// registry says; Errc::malformed, limit_exceeded for more than limits::references.
Result<contract::SchemaPtr> parse_complete(SchemaRegistry& registry, const weir::Schema& schema);

}  // namespace weir::serde
