// Whether the records of a batch are well formed, as fast as that can be known.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir::client {

/// True if `records` are `count` records and nothing else: each as long as it says, its runs inside
/// of it. What kafka::RecordReader accepts, without making views; walking a Batch relies on it.
bool records_are_well_formed(std::string_view records, std::int32_t count);

}  // namespace weir::client
