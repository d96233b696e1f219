// What a task notes beside each offset that it commits: the partition's time, and the times of its
// operators. Kafka Streams' form, version 2:
//
//   base64( i8 2 | i64 partition time | i32 n | n x (i32 length, name, i64 time) )
//
// So whoever takes a task over goes on with the times of the one before, and a record that was late
// stays late.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace weir::streams {

struct OffsetNote {
  std::int64_t partition_time_ms = -1;
  std::map<std::string, std::int64_t> operator_times = {};
  bool operator==(const OffsetNote&) const = default;
};

/// Stands in place of a note while the application is reset (reset.h): no task may begin there. The
/// second one: nothing was committed before. Neither is base64.
inline constexpr std::string_view reset_mark = "weir:reset";
inline constexpr std::string_view reset_mark_of_none = "weir:reset:none";
constexpr bool is_reset_mark(std::string_view text) { return text.starts_with(reset_mark); }

std::string encode(const OffsetNote& note);
/// Errc::malformed. An empty text and an older version (1: without operators) are notes as well.
Result<OffsetNote> decode_note(std::string_view text);

}  // namespace weir::streams
