// What the system says of the process, as metrics.
#pragma once

#include "metrics/exposition.h"

namespace weir::metrics {

/// `usage`: an io::ProcessUsage, which this module does not know.
template <class Usage>
void expose_process(Exposition& out, const Usage& usage) {
  out.value(Metric::cpu, usage.cpu_seconds);
  if (usage.resident_bytes) out.value(Metric::resident_memory, *usage.resident_bytes);
  if (usage.virtual_bytes) out.value(Metric::virtual_memory, *usage.virtual_bytes);
  if (usage.open_fds) out.value(Metric::open_fds, *usage.open_fds);
  out.value(Metric::max_fds, usage.max_fds);
  out.begin(Metric::heap);
  out.sample({"used"}, usage.heap_used);
  out.sample({"free"}, usage.heap_free);
}

}  // namespace weir::metrics
