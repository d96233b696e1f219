// Reads a stream from its start to the end that it has now.
#pragma once

#include <weir/client.h>

#include <functional>
#include <map>
#include <string>

namespace airport {

/// Of partitions.
using Offsets = std::map<weir::TopicPartition, std::int64_t>;

/// Where the next records would be written.
weir::Result<Offsets> ends_of(weir::Client& client, const std::string& topic);

/// Calls `each` with the batches of every partition, as far as they are committed, up to the ends
/// at the time of the call; waits for transactions that are open before them.
weir::Result<void> read_to_end(weir::Client& client, const std::string& topic,
                               const std::function<weir::Result<void>(const weir::Batch&)>& each);

}  // namespace airport
