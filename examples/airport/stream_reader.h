// Reads a stream from its start to the end that it has now.
#pragma once

#include <weir/client.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace airport {

/// Of partitions.
using Offsets = std::map<weir::TopicPartition, std::int64_t>;

/// Where the next records would be written.
weir::Result<Offsets> ends_of(weir::Client& client, const std::vector<std::string>& topics);

/// Calls `each` with the batches of every partition up to the ends at the time of the call. With
/// `read_committed` it waits for transactions that are open before them.
weir::Result<void> read_to_end(weir::Client& client, const std::string& topic,
                               const std::function<weir::Result<void>(const weir::Batch&)>& each,
                               weir::Isolation isolation = weir::Isolation::read_uncommitted);

}  // namespace airport
