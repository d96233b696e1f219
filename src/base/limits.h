// Named bounds on what comes from outside. Each says what happens when it is reached.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weir::limits {

/// A frame of the Kafka protocol; longer ones close the connection with a log line (Kafka: 100
/// MiB).
inline constexpr std::size_t frame_bytes = 100U * 1024 * 1024;
/// Decompressed size of one record batch; more is INVALID_RECORD.
inline constexpr std::size_t decompressed_batch_bytes = 64U * 1024 * 1024;
/// Decompressed : compressed above 1 MiB of output; more is INVALID_RECORD.
inline constexpr std::size_t decompression_ratio = 1000;
/// Memory a zstd frame may ask for: log2 of its window (8 MiB); more is refused.
inline constexpr int zstd_window_log = 23;
/// Partitions named in one request; more is INVALID_REQUEST.
inline constexpr std::size_t partitions_per_request = 10'000;
/// Topics of a data folder; one more is POLICY_VIOLATION.
inline constexpr std::size_t topics = 100'000;
/// Partitions of one topic; more is INVALID_PARTITIONS.
inline constexpr std::int32_t partitions_per_topic = 10'000;

}  // namespace weir::limits
