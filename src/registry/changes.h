// The stream `_weir.schema-changes`: what records are about to change, said for people and
// programs that own or read the streams. docs/registry.md has its shape.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "registry/formats.h"

namespace weir::registry {

/// One for each record that changes something, keyed by the subject (or the context's text, "" for
/// the global scope). `before` is the store without the records.
std::vector<Record> changes_of(const Store& before, Formats& formats,
                               std::span<const Record> records, std::int64_t wall_ms);

}  // namespace weir::registry
