// Values as JSON, by the rules of the Avro specification.
//
// A union is null or {"branch": value}; bytes and fixed are strings of the characters U+0000 to
// U+00FF; an enum is its symbol. Numbers that JSON lacks are "NaN", "Infinity" and "-Infinity".
#pragma once

#include <weir/result.h>

#include "contract/avro/arena.h"
#include "contract/avro/value.h"
#include "json/json.h"

namespace weir::contract::avro {

enum class JsonForm : std::uint8_t {
  avro,   // what from_json reads back
  plain,  // for people and tools: no name around a union's value, bytes in base64
};

/// Of equal keys of a map the last counts.
json::Value to_json(const View& value, JsonForm form = JsonForm::avro);

struct FromJsonOptions {
  /// A field that is missing takes its default; else it is an error.
  bool fill_defaults = false;
  /// plain: a union takes the first of its branches that the value fits, bytes are base64.
  JsonForm form = JsonForm::avro;
};

/// Errc::malformed, with the place: `avro: shop.Order.lines[2].price: "x" is no long`. The value
/// lives in `arena`; strings are copied.
Result<View> from_json(const Schema& schema, const json::Value& json, Arena& arena,
                       FromJsonOptions options = {});

}  // namespace weir::contract::avro
