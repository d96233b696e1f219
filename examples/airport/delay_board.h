// The first microservice: a plain consumer that keeps delays by airport and airline, and publishes
// what it knows to a stream of entities, from which it also goes on after a restart.
#pragma once

#include <weir/client.h>

#include <map>
#include <string>
#include <unordered_map>

#include "streams.h"

namespace airport {

/// Consumes the departures up to the end they have now; owner: the program.
class DelayBoard {
 public:
  explicit DelayBoard(weir::Client& client) : client_(client) {}

  /// Reads the planes and what was published before; the state is then that of an earlier run.
  weir::Result<void> restore();
  /// Consumes departures from where the state stands to their present end, publishing on the way.
  /// Gives how many departures that were.
  weir::Result<std::size_t> run();

 private:
  weir::Result<void> consume(const weir::Batch& batch);
  void apply(std::int32_t partition, std::int64_t offset, const Departure& departure);
  weir::Result<void> publish(std::int32_t partition);
  weir::Result<void> publish_all();

  /// What stands for one partition of the departures.
  struct PartitionState {
    std::int64_t next_offset = 0;  // of the departures consumed
    std::int64_t published = 0;    // up to which the marker was published
    std::map<BoardKey, DelayFigures> figures;
    std::map<BoardKey, bool> changed;
  };

  weir::Client& client_;
  std::unordered_map<std::string, std::int64_t> seats_;  // by tail number
  std::map<std::int32_t, PartitionState> partitions_;
};

/// The board as a reader of its stream sees it: of each key the record with the highest source
/// offset, summed over the source partitions. Keys are (origin, airline code).
using Board = std::map<std::pair<std::string, std::string>, DelayFigures>;
weir::Result<Board> read_board(weir::Client& client);

}  // namespace airport
