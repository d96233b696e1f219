// Named bounds of the Avro codecs. Each says what happens when it is reached.
#pragma once

#include <cstddef>

namespace weir::contract::avro::limits {

/// Text of a schema; more is limit_exceeded.
inline constexpr std::size_t schema_bytes = 1U << 20U;
/// Types defined inside each other in one schema; more is limit_exceeded.
inline constexpr std::size_t schema_depth = 64;
/// Types of one schema, those imported from other schemas included; more is limit_exceeded.
inline constexpr std::size_t schema_types = 100'000;
/// A full name, namespace included; longer ones are malformed.
inline constexpr std::size_t name_bytes = 1024;
/// Branches of one union; more is limit_exceeded.
inline constexpr std::size_t union_branches = 10'000;
/// Size of a fixed type; more is malformed.
inline constexpr std::size_t fixed_bytes = 16U << 20U;
/// Values looked at while the defaults of one schema are judged. Defaults of records are filled
/// from the defaults of their fields, which may double at each level; more is limit_exceeded.
inline constexpr std::size_t default_steps = 100'000;
/// The first differences of a pair of schemas are listed, the rest is left out.
inline constexpr std::size_t listed_differences = 200;
/// Pairs of types visited while two schemas are compared; more is limit_exceeded.
inline constexpr std::size_t compared_pairs = 100'000;
/// Types inside each other while two schemas are compared, named ones included; more is
/// limit_exceeded.
inline constexpr std::size_t compared_depth = 500;
/// Types inside each other in the canonical form, where imported types are spelled out; more is
/// limit_exceeded.
inline constexpr std::size_t spelled_depth = 500;
/// Instructions of one plan; more is limit_exceeded.
inline constexpr std::size_t plan_ops = 1U << 20U;
/// Plans of one cache; when it is full it is emptied.
inline constexpr std::size_t cached_plans = 1000;
/// Arrays, maps and records inside each other in one value; deeper ones are malformed.
inline constexpr std::size_t value_depth = 256;
/// Values looked at while one is read from plain JSON, where each branch of a union is tried; more
/// is limit_exceeded.
inline constexpr std::size_t json_steps = 10'000'000;
/// Elements that take no bytes (of null, of an empty record) in one array; more is malformed.
inline constexpr std::size_t empty_elements = 1U << 16U;
/// Memory of the rows that one value is decoded into; more is limit_exceeded.
inline constexpr std::size_t arena_bytes = 256U << 20U;
/// Entries of a container file's header; more is malformed.
inline constexpr std::size_t container_metadata = 1000;
/// One block of a container file, decompressed; more is malformed.
inline constexpr std::size_t container_block_bytes = 64U << 20U;

}  // namespace weir::contract::avro::limits
