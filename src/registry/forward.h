// Sends a request on to the leader and gives its answer back.
#pragma once

#include <weir/result.h>

#include <functional>
#include <string>

#include "http/client.h"

namespace weir::registry {

/// On every answer: the offset up to which the node that answered knows the stream.
inline constexpr std::string_view offset_header = "Weir-Schemas-Offset";

/// Set on a request that was forwarded: it is not forwarded again.
inline constexpr std::string_view forwarded_header = "X-Forward";

using Forwarded = std::move_only_function<void(Result<http::Response>)>;

/// `url` is where the leader is reached. Method, path, query, body and the headers that matter
/// (Authorization, Accept, Content-Type) are sent; of the answer's headers `offset_header` is kept.
/// `done` is told once, on the loop: what went wrong is an error of http::Client::send. Threads:
/// the loop's.
void forward(http::Client& client, const std::string& url, http::Request request, Duration timeout,
             Forwarded done);

}  // namespace weir::registry
