#include "sim/fault_plan.h"

#include <algorithm>

namespace weir::sim {

std::vector<PlannedFault> plan_faults(Rng& rng, MonoTime from, Duration length, int crashes) {
  constexpr Fault crash_kinds[] = {Fault::power_cut,     Fault::power_cut,
                                   Fault::kill,          Fault::crash_at_call,
                                   Fault::crash_at_sync, Fault::crash_at_sync};
  constexpr Fault other_kinds[] = {Fault::failed_wal_sync, Fault::failed_segment_sync,
                                   Fault::failed_write,    Fault::cut_connections,
                                   Fault::cut_connections, Fault::disk_full};
  std::vector<PlannedFault> plan;
  const auto when = [&] { return from + Duration(rng.between(1, length.count())); };
  for (int i = 0; i < crashes; ++i) {
    PlannedFault fault{.at = when(),
                       .fault = crash_kinds[rng.below(std::size(crash_kinds))],
                       .number = 0,
                       .crashes_in_recovery = 0};
    fault.number = 1 + rng.below(40);
    while (rng.one_in(3)) ++fault.crashes_in_recovery;
    plan.push_back(fault);
    plan.push_back({.at = when(),
                    .fault = other_kinds[rng.below(std::size(other_kinds))],
                    .number = 0,
                    .crashes_in_recovery = 0});
  }
  std::sort(plan.begin(), plan.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  return plan;
}

}  // namespace weir::sim
