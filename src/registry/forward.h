// Sends a request on to the leader and gives its answer back: one connection a request.
#pragma once

#include <weir/result.h>

#include <functional>
#include <optional>
#include <string>

#include "http/message.h"
#include "io/runtime.h"

namespace weir::registry {

/// On every answer: the offset up to which the node that answered knows the stream.
inline constexpr std::string_view offset_header = "Weir-Schemas-Offset";

/// Set on a request that was forwarded: it is not forwarded again.
inline constexpr std::string_view forwarded_header = "X-Forward";

using Forwarded = std::move_only_function<void(Result<http::Response>)>;

/// `url` as "http://HOST:PORT". `done` is told once, on the loop. Method, path, query, body and the
/// headers that matter (Authorization, Accept, Content-Type) are sent. Errc::invalid_argument,
/// connection_refused, timed_out, protocol_error, limit_exceeded, …. Threads: the loop's.
void forward(io::Runtime& runtime, const std::string& url, const http::Request& request,
             Duration timeout, Forwarded done);

/// Reads a whole answer of another registry: status line, a body whose length is said; of the
/// headers `offset_header` is kept.
/// Errc::protocol_error; an absent value: it is not whole yet.
Result<std::optional<http::Response>> parse_answer(std::string_view bytes);

}  // namespace weir::registry
