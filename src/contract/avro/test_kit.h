// A small vocabulary for tests: schemas, values and bytes as text.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "contract/avro/encode.h"
#include "contract/avro/json_codec.h"
#include "contract/avro/plan.h"
#include "contract/avro/schema.h"

namespace weir::contract::avro {

inline SchemaPtr schema(std::string_view text, ParseOptions options = {}) {
  auto parsed = Schema::parse(text, options);
  EXPECT_TRUE(parsed) << text << '\n' << parsed.error().message();
  return parsed ? *parsed : Schema::parse("\"null\"").value();
}

/// A record n.R with these fields.
inline std::string record_of(std::string_view fields) {
  return R"({"type":"record","name":"R","namespace":"n","fields":[)" + std::string(fields) + "]}";
}

/// The value as JSON that the reader gets from these bytes (hexadecimal), or the error.
inline std::string read_as(std::string_view writer, std::string_view reader, std::string_view hex,
                           ResolveOptions options = {}) {
  const auto plan =
      resolve(schema(writer, {.strict = false}), schema(reader, {.strict = false}), options);
  if (!plan) return plan.error().message();
  Arena arena;
  const std::string bytes = from_hex(hex);
  const auto value = decode(**plan, bytes, arena);
  return value ? json::write(to_json(*value, JsonForm::plain)) : value.error().message();
}
inline std::string read(std::string_view writer, std::string_view hex) {
  return read_as(writer, writer, hex);
}

/// The bytes (hexadecimal) of a value in Avro's JSON, or the error.
inline std::string written(std::string_view type, std::string_view json_text,
                           FromJsonOptions options = {}) {
  const SchemaPtr of = schema(type);
  Arena arena;
  const auto value = from_json(*of, json::parse(json_text).value(), arena, options);
  if (!value) return value.error().message();
  std::string out;
  const auto done = encode(*value, out);
  return done ? to_hex(out) : done.error().message();
}

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace weir::contract::avro
