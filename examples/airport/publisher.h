// Publishes a year of flights, with planes, airports and airlines, to their streams.
#pragma once

#include <weir/client.h>

#include <string>

#include "streams.h"

namespace airport {

/// Makes the streams that are missing. The flights are of 2013: nothing of them may age out.
weir::Result<void> create_streams(weir::Client& client, const Streams& streams);

/// Publishes what the streams do not hold yet, from the CSV files of `folder`, and gives how many
/// records that were. Each departure carries its row of the file as a header: after an end at any
/// moment the next run reads which rows are there and publishes the others.
weir::Result<std::size_t> publish_everything(weir::Client& client, const Streams& streams,
                                             const std::string& folder);

}  // namespace airport
