// Named bounds of the registry. Each says what happens when it is reached.
#pragma once

#include <cstddef>

namespace weir::registry::limits {

/// Body of a request; a longer one is refused with 413 before it is read.
inline constexpr std::size_t body_bytes = 1U << 20U;
/// A record of `_schemas`, its key apart; brokers take batches of 1 MiB by default. More is 42209.
inline constexpr std::size_t record_bytes = 1'000'000;
/// A schema's text in a record of changes; a longer one is left out.
inline constexpr std::size_t told_schema_bytes = 256U * 1024;
/// References of one schema; more is 42201.
inline constexpr std::size_t references = 1000;
/// Schemas that one schema needs, references of references included; more is 42201.
inline constexpr std::size_t resolved_references = 1000;
/// References inside each other; more is 42201.
inline constexpr std::size_t reference_depth = 64;
/// Parsed schemas that are kept; when there are as many the memory is emptied.
inline constexpr std::size_t cached_schemas = 1000;
/// Text of parsed schemas that are kept; when there is as much the memory is emptied.
inline constexpr std::size_t cached_bytes = 16U << 20U;
/// Text of the schemas that GET /schemas lists at once; more is 422.
inline constexpr std::size_t listed_bytes = 8U << 20U;
/// Schemas that GET /schemas lists at once; the rest has to be asked for with `offset`.
inline constexpr std::size_t listed_schemas = 1000;
/// Rules of one rule set; more is 42210.
inline constexpr std::size_t rules = 1000;
/// Writes that wait for their turn; one more is answered with 50301.
inline constexpr std::size_t waiting_writes = 1000;
/// Cut of an old schema in the message of an incompatibility.
inline constexpr std::size_t shown_schema_bytes = 10U * 1024;
/// An answer of the leader to a forwarded request; a longer one is 50003.
inline constexpr std::size_t forwarded_answer_bytes = 64U << 20U;
/// A file of users.
inline constexpr std::size_t users_file_bytes = 1U << 20U;
/// Passwords under test at once; one more is answered with 429.
inline constexpr std::size_t waiting_passwords = 32;
/// Credentials known to be right; when there are as many they are forgotten.
inline constexpr std::size_t known_credentials = 1000;

/// Groups and subjects that `_weir.readers` tells of; further ones are not looked at.
inline constexpr std::size_t known_readers = 10'000;

}  // namespace weir::registry::limits
