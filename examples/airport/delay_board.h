// The first microservice: a member of a group that keeps delays by airport and airline, and
// publishes what it knows to a stream of entities, from which whoever comes to a partition goes on.
#pragma once

#include <weir/client.h>

#include <csignal>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "streams.h"

namespace airport {

/// One instance; any number of them share the partitions of the departures. Owner: the program.
///
/// Of each partition it publishes figures, then a marker that says up to where they go, then
/// commits that offset. Whoever gets the partition next, be it after a kill, reads figures and
/// marker and goes on behind them: so each departure counts once, whatever was not published
/// before.
class DelayBoard {
 public:
  /// Asks whether it can read what stands in the streams, reads the planes, and joins the group.
  static weir::Result<DelayBoard> open(weir::Client& client, const Streams& streams);
  DelayBoard(DelayBoard&&) = default;

  /// Consumes until `stop`, or, if `once`, until the group has consumed all that is there now.
  /// Publishes on the way and at the end, and leaves the group. Gives how many departures came.
  weir::Result<std::size_t> run(bool once, const volatile std::sig_atomic_t& stop);

 private:
  /// What stands for one partition of the departures.
  struct PartitionState {
    std::int64_t next_offset = 0;  // of the departures consumed
    std::int64_t published = 0;    // up to which the marker was published
    std::map<BoardKey, DelayFigures> figures;
    std::map<BoardKey, bool> changed;
  };
  class Observer;
  /// Shared with the observer, which the consumer keeps; it outlives neither.
  struct State {
    State(weir::Client& c, const Streams& s, weir::Producer p)
        : client(c), streams(s), producer(std::move(p)) {}
    weir::Client& client;
    const Streams& streams;
    weir::Producer producer;
    std::unordered_map<std::string, std::int64_t> seats;  // by tail number
    std::map<std::int32_t, PartitionState> partitions;
    std::optional<weir::Error> failed;  // in a callback

    weir::Result<void> read_planes();
    weir::Result<void> take_over(weir::Consumer& consumer,
                                 const std::vector<weir::TopicPartition>& partitions);
    void apply(std::int32_t partition, std::int64_t offset, const Departure& departure);
    weir::Result<void> publish(std::int32_t partition);
    /// Publishes, then commits, what is further than the last time.
    weir::Result<void> publish_and_commit(weir::Consumer& consumer,
                                          const std::vector<weir::TopicPartition>& partitions);
  };

  DelayBoard(std::shared_ptr<State> state, weir::Consumer consumer)
      : state_(std::move(state)), consumer_(std::move(consumer)) {}
  weir::Result<void> consume(const weir::Batch& batch);
  weir::Result<bool> finished(const std::map<weir::TopicPartition, std::int64_t>& ends);

  std::shared_ptr<State> state_;
  weir::Consumer consumer_;
};

/// The board as a reader of its stream sees it: of each key the record with the highest source
/// offset, summed over the source partitions. Keys are (origin, airline code).
using Board = std::map<std::pair<std::string, std::string>, DelayFigures>;
weir::Result<Board> read_board(weir::Client& client, const Streams& streams);

}  // namespace airport
