// What a stream application shows of itself, as metrics.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "metrics/exposition.h"
#include "streams/thread_status.h"

namespace weir::streams {

/// Each thread of the application; absent: it did not answer in time.
using ThreadStatuses = std::vector<std::optional<ThreadStatus>>;

/// The rows of `streams` in docs/metrics.md.
void expose(metrics::Exposition& out, const std::string& application, const ThreadStatuses& threads,
            const GlobalStatuses& globals = {});

/// Why the application does not process yet, a line each; none: it does.
std::vector<std::string> not_ready(const ThreadStatuses& threads,
                                   const GlobalStatuses& globals = {});

}  // namespace weir::streams
