// Values into Avro's binary encoding, and the single-object encoding around it.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "contract/avro/value.h"

namespace weir::contract::avro {

struct EncodeOptions {
  /// Blocks of arrays and maps say their size in bytes, so that readers can skip them at once.
  bool sized_blocks = false;
};

/// Appends the value. Errc::invalid_argument, and `out` as it was, if the value does not fit its
/// type (an int beyond 32 bits, a fixed of another size) or lies deeper than limits::value_depth.
Result<void> encode(const View& value, std::string& out, EncodeOptions options = {});

/// The single-object encoding: C3 01, the writer's fingerprint, the value.
Result<void> encode_single_object(const View& value, std::string& out);

struct SingleObject {
  std::uint64_t fingerprint = 0;  // CRC-64-AVRO of the writer's schema
  std::string_view value;         // in its binary encoding; borrows
};
/// Errc::malformed if `bytes` do not begin as one.
Result<SingleObject> parse_single_object(std::string_view bytes);

}  // namespace weir::contract::avro
