// Deflate and snappy without the framing of Kafka's codecs, as Avro's container files have them.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "compress/compress.h"

namespace weir::compress {

/// Appends a raw deflate stream (RFC 1951), without header or checksum.
Result<void> deflate_raw(std::string_view in, std::string& out);
/// The whole output; Errc::invalid_record if `in` begins with no such stream or is over the caps.
/// What stands behind its end is ignored: some writers leave parts of a checksum there.
Result<std::string> inflate_raw(std::string_view in, Caps caps = {});

/// Appends one block of snappy's block format.
Result<void> snappy_raw(std::string_view in, std::string& out);
/// The whole output; Errc::invalid_record if `in` is no such block or is over the caps.
Result<std::string> unsnappy_raw(std::string_view in, Caps caps = {});

/// The CRC-32 of gzip and zip (not CRC-32C).
std::uint32_t crc32(std::string_view bytes);

}  // namespace weir::compress
