// The log alone, without a socket or a protocol: appends made durable, and what a checkpoint costs.
#pragma once

#include <string>

namespace weir::log_cost {

/// Prints a line of JSON for each number of partitions and of waiting appends:
/// 1, 16 and `most_partitions`.
void measure_cycles(const std::string& folder, double scale, int most_partitions);
/// Prints lines of JSON: appends while a checkpoint runs, and appends while none does.
void measure_checkpoints(const std::string& folder, double scale, int most_partitions);

}  // namespace weir::log_cost
