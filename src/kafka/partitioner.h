// Which partition a key belongs to, exactly as Kafka's clients decide it.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir::kafka {

/// MurmurHash2 (Austin Appleby, public domain) with Kafka's seed 0x9747b28c, as Java's signed int.
std::int32_t murmur2(std::string_view bytes) noexcept;

/// In [0, partition_count), which must be above 0: the sign bit of the hash is dropped.
std::int32_t partition_for_key(std::string_view key, std::int32_t partition_count);

}  // namespace weir::kafka
