// Reads a stream from its start (or from given offsets) to the end that it has now.
#pragma once

#include <weir/client.h>

#include <functional>
#include <map>
#include <string>

namespace airport {

/// Calls `each` with the batches of every partition up to the end offsets at the time of the call.
/// Gives those end offsets. `from`: where to start; partitions that it lacks start at the
/// beginning.
weir::Result<std::map<weir::TopicPartition, std::int64_t>> read_to_end(
    weir::Client& client, const std::string& topic,
    const std::function<weir::Result<void>(const weir::Batch&)>& each,
    const std::map<weir::TopicPartition, std::int64_t>& from = {});

}  // namespace airport
