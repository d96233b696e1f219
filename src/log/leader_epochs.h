// Which leader epoch began at which offset: Kafka's leader-epoch-checkpoint of one partition.
#pragma once

#include <weir/result.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace weir::log {

/// Epochs and starts both rise. Owner: a PartitionLog.
class LeaderEpochs {
 public:
  struct Entry {
    LeaderEpoch epoch;
    Offset start;
  };
  struct End {
    LeaderEpoch epoch{-1};
    Offset end{-1};
  };

  /// Notes that `epoch` wrote at `start`, unless it or a later one is noted already.
  void add(LeaderEpoch epoch, Offset start);
  /// Forgets epochs that begin at or after `end`: the log was cut there.
  void cut(Offset end);
  /// The epoch that wrote at `offset`; -1: unknown.
  LeaderEpoch at(Offset offset) const;
  LeaderEpoch latest() const { return entries_.empty() ? LeaderEpoch(-1) : entries_.back().epoch; }
  /// Where the largest epoch at or below `epoch` ends; `log_end` for the latest. {-1, -1}: unknown.
  End end_of(LeaderEpoch epoch, Offset log_end) const;
  const std::vector<Entry>& entries() const { return entries_; }

  /// Forgets the last entries until the encoding has this CRC-32C. False, and nothing is forgotten,
  /// if it never has, with up to most_newer of them gone.
  bool go_back_to(std::uint32_t crc);
  static constexpr std::size_t most_newer = 64;

  /// "0\n<count>\n<epoch> <start>\n…", as Kafka writes it.
  std::string encode() const;
  static Result<LeaderEpochs> decode(std::string_view text);

 private:
  std::vector<Entry> entries_;
};

}  // namespace weir::log
