// Where to begin and to end reading a partition, as a person says it.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "client/bounds.h"

namespace weir::cli {

/// A place in every partition.
///
///   text                        kind        value
///   earliest                    earliest
///   latest                      latest
///   17                          offset      17
///   -10                         before_end  10: the last ten of each partition
///   2013-01-01T10:00:00Z        time        milliseconds since 1970
///   1h, 90s ago                 time        that long before now
struct Position {
  enum class Kind : std::uint8_t { earliest, latest, offset, before_end, time };
  Kind kind = Kind::earliest;
  std::int64_t value = 0;
};

/// Errc::usage says what there is. `now_ms`: the time from which "1h ago" counts.
Result<Position> position_from(std::string_view text, std::int64_t now_ms);

using client::Bounds;

/// The offset of a position in a partition, limited to its bounds. `by_time`: of a time the first
/// offset that is not before it; absent if there is none, which is the end.
std::int64_t offset_of(const Position& position, const Bounds& bounds,
                       std::optional<std::int64_t> by_time);

}  // namespace weir::cli
