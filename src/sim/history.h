// What clients of a log asked for, were told and saw: the input of the checker.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"

namespace weir::sim {

/// "topic-3"
using PartitionName = std::string;

enum class Outcome : std::uint8_t {
  ok,       // acknowledged, with its base offset
  failed,   // refused for good: its values may never be seen
  unknown,  // no answer, or one that says neither
};

/// One batch that a producer sent, with all its retries.
struct Send {
  int producer = 0;
  bool idempotent = false;
  PartitionName partition;
  std::vector<std::string> values;  // each unique in the run
  MonoTime invoked{};
  MonoTime completed{};
  Outcome outcome = Outcome::unknown;
  std::int64_t base_offset = -1;
  std::uint64_t invoked_life = 0;  // of the broker, which ends with each crash
  std::uint64_t completed_life = 0;
};

/// One record that a consumer saw.
struct Seen {
  int consumer = 0;
  PartitionName partition;
  std::int64_t offset = 0;
  std::string value;
};

/// One high watermark that a reply showed; `epoch` tells lives of the broker apart.
struct Watermark {
  PartitionName partition;
  std::int64_t offset = 0;
};

struct History {
  std::vector<Send> sends;
  std::vector<Seen> seen;
  std::vector<Watermark> watermarks;
  /// Every partition read from its start when all faults were over.
  std::map<PartitionName, std::map<std::int64_t, std::string>> final_read;
  /// Offsets of the final read follow each other: no markers, no compaction.
  bool gapless = false;
  /// The leader epoch that the values of that were written in.
  std::map<std::string, std::int32_t> epochs;
};

/// One line for each broken promise; empty: none is. The names are those of Jepsen's Kafka tests
/// where it has one.
///
/// | name | broken when |
/// |---|---|
/// | lost-write | an acknowledged value is not at its offset in the end |
/// | durable-prefix | what was written behind it survived, and it did not |
/// | inconsistent-offsets | one offset ever meant two values |
/// | HW | a value that a reader saw, or a high watermark, is not reached by the log in the end |
/// | duplicate | a value of an idempotent producer stands at two offsets |
/// | producer-order | values of an idempotent producer stand in another order than they were sent |
/// | real-time-order | B was sent after A was acknowledged, and stands before it |
/// | aborted-read | a value whose send was refused for good was seen |
/// | epoch | what was written after a crash has no higher epoch than what was before it |
std::vector<std::string> check_history(const History& history);

}  // namespace weir::sim
