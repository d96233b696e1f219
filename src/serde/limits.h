// Bounds of the serialisers and of the registry's client.
#pragma once

#include <cstddef>

namespace weir::serde::limits {

/// A longer answer of a registry is refused.
inline constexpr std::size_t answer_bytes = std::size_t{16} << 20U;
/// Calls of one registry that wait for a connection; one more gets Errc::queue_full.
inline constexpr std::size_t waiting_requests = 256;
inline constexpr std::size_t connections = 4;
/// Schemas that one schema may use, directly and through others.
inline constexpr std::size_t references = 200;
/// Schemas that a codec keeps resolved. Records of further ones are read too, each resolved anew.
inline constexpr std::size_t resolved_schemas = 1'000;
/// Names of schemas that a registry does not have, which a codec keeps for a moment. When there are
/// more, all are asked for again.
inline constexpr std::size_t missing_schemas = 1'000;
/// Messages of Protobuf inside each other in the name of one; more is malformed.
inline constexpr std::size_t message_depth = 100;
/// Of a registry's message in an error.
inline constexpr std::size_t told_bytes = 2'000;

}  // namespace weir::serde::limits
