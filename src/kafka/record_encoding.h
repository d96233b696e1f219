// What the makers of batches share: sizes of a record's parts, and deltas that may wrap.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/varint.h"

namespace weir::kafka {

/// Bytes of a key or value with its length in front; null takes one.
inline std::size_t run_size(const std::optional<std::string_view>& run) {
  if (!run) return 1;
  return uvarint_size(zigzag(static_cast<std::int64_t>(run->size()))) + run->size();
}

/// Timestamps are a client's: their difference may leave 64 bits, and wraps then, as in Kafka.
inline std::int64_t wrapping_subtract(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

}  // namespace weir::kafka
