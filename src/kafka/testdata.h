// Reads the golden files of testdata/; for tests and benchmarks.
#pragma once

#include <string_view>
#include <vector>

#include "json/json.h"

namespace weir::kafka {

/// One JSON value a line of a file compressed with zstd. Aborts if the file cannot be read: that
/// is a broken checkout.
std::vector<json::Value> read_testdata(std::string_view name);

}  // namespace weir::kafka
