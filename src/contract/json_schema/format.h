// The values of `format` that can be asserted: dates, addresses, identifiers of RFCs.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::contract::json_schema {

enum class Format : std::uint8_t {
  date,       // RFC 3339 full-date
  time,       // RFC 3339 full-time
  date_time,  // RFC 3339
  duration,   // RFC 3339, appendix A
  email,      // RFC 5321
  hostname,   // RFC 1123
  ipv4,       // RFC 2673
  ipv6,       // RFC 4291
  uri,        // RFC 3986, with a scheme
  uri_reference,
  uuid,          // RFC 9562
  json_pointer,  // RFC 6901
  regex,         // ECMA-262
};
/// Absent for one that is not checked.
std::optional<Format> parse_format(std::string_view name);
bool fits(Format format, std::string_view text);

}  // namespace weir::contract::json_schema
