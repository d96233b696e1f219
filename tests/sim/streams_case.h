// The application of a simulated run of stream processing: its topics, and every kind of operator
// that keeps state.
#pragma once

#include <weir/streams.h>

#include <string>
#include <vector>

#include "base/rng.h"

namespace weir::tests {

namespace streams_case {

using Text = std::string;

inline constexpr std::int32_t partitions = 2;  // of each topic
inline constexpr std::int64_t window_ms = 1000;
inline constexpr std::int64_t grace_ms = 500;
inline constexpr std::int64_t gap_ms = 300;    // of sessions
inline constexpr std::int64_t apart_ms = 200;  // of records that are joined

inline constexpr streams::WindowedCodec<Text> window_codec(string_codec,
                                                           std::chrono::milliseconds(window_ms));
inline constexpr streams::SessionCodec<Text> session_codec(string_codec);

/// Of the outside, by name. "in" is what the streams are of; "people" and "places" are tables, the
/// first letter of a person names the place; "names" is a global table, of letters, which is
/// written before anything is read. The others are written:
///   counts    of each letter, behind a repartition
///   windows   of each key
///   finals    the same, of each window when it has closed
///   sessions  of each key
///   pairs     of values of letters a and b with those of c and d of the same key, or alone
///   ruled     of each person, with its place
///   named     each value, with the name of its first letter
///   ticks     by the wall clock
std::vector<std::string> topics();

/// `ticking` and `rng` outlive it.
streams::Topology make_topology(const bool& ticking, Rng& rng);

/// Whether a value is one of the left side of the pairs.
inline bool is_left(const Text& value) { return value.front() <= 'b'; }

/// Tables that are read beside the processing.
streams::TableRef<Text, std::int64_t> letters();
streams::WindowsRef<Text, std::int64_t> visits();
streams::TableRef<Text, Text> ruled();

}  // namespace streams_case
}  // namespace weir::tests
