// Named bounds of Protobuf. Each says what happens when it is reached.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weir::contract::protobuf::limits {

/// Text of a schema, or its descriptor in base64; more is limit_exceeded.
inline constexpr std::size_t schema_bytes = 1U << 20U;
/// Braces, brackets and messages inside each other in one schema; more is limit_exceeded.
inline constexpr std::size_t schema_depth = 64;
/// Descriptors of a schema and of all that it imports, in bytes; more is limit_exceeded.
inline constexpr std::size_t linked_bytes = 16U << 20U;
/// Messages and enumerations of a schema and of all that it imports; more is limit_exceeded.
inline constexpr std::size_t schema_types = 20'000;
/// Files that a schema imports, directly or through others; more is limit_exceeded.
inline constexpr std::size_t imports = 1000;
/// Reserved and extension ranges of one type, each of which libprotobuf compares with each other
/// and with each field; more is limit_exceeded.
inline constexpr std::size_t ranges = 1000;
/// A full name, its package included; longer ones are malformed.
inline constexpr std::size_t name_bytes = 1024;
/// Messages and groups inside each other in one payload; deeper ones are malformed.
inline constexpr std::size_t value_depth = 100;
/// Indexes of one path to a message; more is malformed.
inline constexpr std::size_t path_length = schema_depth;
/// The first differences of a pair of schemas are listed, the rest is left out.
inline constexpr std::size_t listed_differences = 200;
/// Fields and types looked at while two schemas are compared; more is limit_exceeded.
inline constexpr std::size_t compared_steps = 1'000'000;
/// Types of imports inside each other while two schemas are compared; more is limit_exceeded.
inline constexpr std::size_t compared_depth = 500;

}  // namespace weir::contract::protobuf::limits
