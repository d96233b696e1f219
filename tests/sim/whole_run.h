// What the actors of the whole world share.
#pragma once

#include <deque>
#include <map>
#include <string>

#include "actor.h"
#include "group_history.h"
#include "sim/history.h"
#include "topics.h"
#include "transaction_history.h"

namespace weir::tests {

inline constexpr int whole_topics = 4;
inline constexpr std::int32_t whole_partitions = 2;  // of each topic
inline constexpr int plain_topics = 2;               // the first: everybody writes to them
inline constexpr int compacted_topic = 2;            // owners write to it, with keys
inline constexpr int output_topic = 3;               // of the stream, whose input is topic 0
inline constexpr const char* stream_group = "stream";

struct WholeRun {
  explicit WholeRun(World& machine) : world(machine), groups(machine.anomalies) {}

  /// A frame that somebody else may send again.
  void keep_frame(const ScriptedClient& client) {
    if (world.rng.one_in(2)) return;
    frames.push_back(client.last_frame());
    if (frames.size() > 64) frames.pop_front();
  }
  TransactionRun& begin(const std::string& id, std::int64_t producer) {
    auto& run = history.runs.emplace_back();
    run.id = id;
    run.producer = producer;
    run.number = ++last_number[id];
    return run;
  }
  void acknowledge(TransactionalSend& send, std::int64_t base_offset) {
    send.acknowledged = true;
    send.base_offset = base_offset;
    auto& end = acknowledged_ends[send.partition];
    end = std::max(end, base_offset + static_cast<std::int64_t>(send.values.size()));
  }

  World& world;
  TransactionHistory history;
  sim::History sends;  // of producers without transactions
  GroupHistory groups;
  std::map<std::string, int> last_number;  // of each transactional id
  std::map<PartitionName, std::int64_t> acknowledged_ends;
  std::deque<std::string> frames;  // of ended or open transactions, to be sent again
};

/// Errors after which the same request may be sent again.
bool is_passing(Errc code);
/// Errors after which what a transactional producer holds is worth nothing.
bool is_loss(Errc code);

}  // namespace weir::tests
