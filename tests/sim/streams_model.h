// What a run of stream processing must have written, given its inputs in the order of the log.
#pragma once

#include <weir/streams.h>

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "streams_case.h"

namespace weir::tests {

/// What there is in the end.
struct StreamsFound {
  /// Of a topic's partition, in the order of the log.
  std::function<const std::vector<Record>&(const std::string& topic, std::int32_t partition)>
      records;
  /// The repartition was deleted behind what was read of it.
  bool purged = false;
  /// What readers of the running tasks see.
  std::map<std::string, std::int64_t> letters = {};
  std::map<std::pair<std::string, streams::Window>, std::int64_t> visits = {};
  std::map<std::string, std::string> ruled = {};
};

struct StreamsChecked {
  std::vector<std::string> anomalies = {};
  std::uint64_t inputs = 0;
  std::uint64_t outputs = 0;
  std::uint64_t ticks = 0;
  std::uint64_t merged = 0;  // sessions that became one
  std::uint64_t joined = 0;  // pairs
  std::uint64_t alone = 0;   // without a partner
  std::uint64_t closed = 0;  // windows that were told of when they closed
  std::uint64_t ruled = 0;   // rows of the join by foreign key
};

StreamsChecked check_streams(const StreamsFound& found);

}  // namespace weir::tests
