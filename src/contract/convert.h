// One contract in another language, as near as that comes, and its values with it. For comparing.
#pragma once

#include <weir/result.h>

#include <string>

#include "contract/schema.h"

namespace weir::contract {

/// A schema of the same records, fields and documentation. Numbers of Protobuf are those of the
/// outline, else counted from 1. Times become the language's own. Errc::unsupported, with the
/// place, for what there is no common form of: choices of several types, anything at all.
Result<std::string> convert(const Outline& outline, Language to);

/// A value as JSON for people, from one language to another. What does not fit the outline is left
/// as it is.
json::Value convert_value(const Outline& outline, const json::Value& value, Language from,
                          Language to);

}  // namespace weir::contract
