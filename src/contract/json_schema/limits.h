// Named bounds of JSON Schema. Each says what happens when it is reached.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weir::contract::json_schema::limits {

/// Text of a schema; more is limit_exceeded.
inline constexpr std::size_t schema_bytes = 1U << 20U;
/// Objects and arrays inside each other in a schema; more is limit_exceeded.
inline constexpr std::size_t schema_depth = 128;
/// Schemas that one schema is made of, those of other documents included; more is limit_exceeded.
inline constexpr std::size_t schema_nodes = 100'000;
/// Text of one pattern; more is a pattern that cannot be checked.
inline constexpr std::size_t pattern_bytes = 8192;
/// Patterns of one schema, equal ones counted once; more is limit_exceeded.
inline constexpr std::size_t patterns = 1000;
/// Memory of one compiled pattern; more is a pattern that cannot be checked.
inline constexpr std::int64_t pattern_memory = 4 << 20;
/// Text of a document that is validated; more is limit_exceeded.
inline constexpr std::size_t document_bytes = 256U << 20U;
/// Objects and arrays inside each other in a document; more is limit_exceeded.
inline constexpr std::size_t document_depth = 512;
/// Schemas inside each other while a document is validated; more is limit_exceeded.
inline constexpr std::size_t validation_depth = 2048;
/// Schemas that are looked at for one document: so many, and so many more for each of its values;
/// more is limit_exceeded. What is compared or matched against patterns counts by its size.
inline constexpr std::size_t validation_steps = 1'000'000;
inline constexpr std::size_t validation_steps_a_value = 64;
/// The first violations of a document are listed, the rest is left out.
inline constexpr std::size_t listed_violations = 100;
/// The first differences of a pair of schemas are listed, the rest is left out.
inline constexpr std::size_t listed_differences = 200;
/// Pairs of schemas looked at while two schemas are compared; more is limit_exceeded.
inline constexpr std::size_t compared_pairs = 400'000;
/// Schemas inside each other while two schemas are compared; more is limit_exceeded.
inline constexpr std::size_t compared_depth = 1000;
/// Branches of one combination that are matched with those of another; more is limit_exceeded.
inline constexpr std::size_t compared_branches = 1000;

}  // namespace weir::contract::json_schema::limits
