// Times of records as text: ISO 8601 in UTC, and how long ago.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::cli {

/// "2013-01-01T10:00:00.250Z" from milliseconds since 1970-01-01 UTC; the number itself outside of
/// the years 0 to 9999.
std::string time_to_text(std::int64_t ms);

/// The reverse: `2013-01-01`, `2013-01-01T10:00`, `2013-01-01 10:00:00.25`, each with `Z`, `+02:00`
/// or nothing (UTC) behind a time of day. Errc::usage says what it should look like.
Result<std::int64_t> time_from_text(std::string_view text);

}  // namespace weir::cli
