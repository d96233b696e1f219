// Reading and printing as a member of a group: weir consume --group.
#pragma once

#include <weir/client.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/interrupt.h"
#include "cli/record_printer.h"

namespace weir::cli {

struct GroupReading {
  std::string group;
  std::vector<TopicPartition> places;  // all partitions of the topics
  bool from_latest = false;            // where nothing is committed
  bool follow = false;
  std::optional<std::int64_t> count = {};
  std::chrono::milliseconds timeout{};
};

/// Reads what comes to this member, up to the ends as they are now unless it follows, and commits
/// what was printed, record for record. Leaves the group at the end.
Result<Exit> read_as_member(Client& client, RecordPrinter& printer, const GroupReading& wanted,
                            const Interrupts& interrupts);

}  // namespace weir::cli
