// The promises that simulated runs are held against, by name: every anomaly begins with one.
#pragma once

#include <algorithm>
#include <iterator>
#include <string_view>

namespace weir::tests {

/// As in Jepsen's tests of Kafka where it has the name. What each means: tests/README.md.
inline constexpr std::string_view invariants[] = {
    "lost-write",
    "durable-prefix",
    "inconsistent-offsets",
    "duplicate",
    "real-time-order",
    "producer-order",
    "aborted-read",
    "poll-skip",
    "nonmonotonic-poll",
    "int-poll-skip",
    "int-nonmonotonic-poll",
    "int-nonmonotonic-send",
    "precommitted-read",
    "G1c",
    "torn-transaction",
    "producer-sequence",
    "LSO",
    "HW",
    "list-offsets",
    "epoch",
    "group-offset",
    "one-owner",
    "EOS-pipeline",
    "bank",
    "compaction",
    "retention",
    "unseen",
    "real-time-lag",
    "progress",
    "no-crash-loop",
    "lawful-answer",
};

/// The name that a line "name: what" begins with; empty if it is none of them.
inline std::string_view invariant_of(std::string_view line) {
  const std::string_view name = line.substr(0, line.find(':'));
  const auto* found = std::find(std::begin(invariants), std::end(invariants), name);
  return found == std::end(invariants) ? std::string_view{} : *found;
}

}  // namespace weir::tests
