// The price of write + fdatasync into a file, by how its space came to be.
#pragma once

#include <string>

namespace weir::log_cost {

/// Prints a line of JSON for each kind of space and size of write. `folder` must exist. `scale` is
/// the share of the full number of writes.
void measure_space(const std::string& folder, double scale);

}  // namespace weir::log_cost
