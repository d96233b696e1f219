#include "kafka/partitioner.h"

#include <bit>
#include <cstring>

#include "base/check.h"

namespace weir::kafka {

std::int32_t murmur2(std::string_view bytes) noexcept {
  static_assert(std::endian::native == std::endian::little);
  constexpr std::uint32_t seed = 0x9747b28c;
  constexpr std::uint32_t m = 0x5bd1e995;
  constexpr unsigned r = 24;
  std::uint32_t h = seed ^ static_cast<std::uint32_t>(bytes.size());
  for (; bytes.size() >= 4; bytes.remove_prefix(4)) {
    std::uint32_t k;
    std::memcpy(&k, bytes.data(), sizeof k);
    k *= m;
    k ^= k >> r;
    k *= m;
    h *= m;
    h ^= k;
  }
  if (!bytes.empty()) {
    std::uint32_t tail = 0;
    std::memcpy(&tail, bytes.data(), bytes.size());
    h ^= tail;
    h *= m;
  }
  h ^= h >> 13U;
  h *= m;
  h ^= h >> 15U;
  return static_cast<std::int32_t>(h);
}

std::int32_t partition_for_key(std::string_view key, std::int32_t partition_count) {
  check(partition_count > 0, "partition_for_key: no partitions");
  return (murmur2(key) & 0x7fffffff) % partition_count;
}

}  // namespace weir::kafka
