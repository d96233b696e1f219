// The first microservice: a stream application that adds up delays by airport and airline.
#pragma once

#include <weir/client.h>
#include <weir/streams.h>

#include <atomic>
#include <csignal>
#include <map>
#include <memory>
#include <string>

#include "streams.h"

namespace airport {

using Count = std::shared_ptr<std::atomic<std::size_t>>;

/// The application "delay-board":
///
///   departures ─> by tail number ─> with the plane ─> by origin and airline ─> sums ─> delay_board
///   planes ───────────────────────────┘
///
/// It uses the codecs of `streams`. `counted` is raised with each departure that is added to the
/// sums; once more if that was not committed.
weir::streams::Topology delay_board(const Streams& streams, Count counted);

/// `more` was counted too.
void add(DelayFigures& sum, const DelayFigures& more);

struct InstanceOptions {
  std::string bootstrap;
  /// Of this instance alone; empty: in memory.
  std::string state_dir;
  /// End when the application has counted what is there now.
  bool once = false;
};
/// One instance; any number of them share the work. Runs until `stop`, or its end if `once`. Gives
/// how many departures it has counted.
weir::Result<std::size_t> run_delay_board(weir::Client& client, const Streams& streams,
                                          const InstanceOptions& options,
                                          const volatile std::sig_atomic_t& stop);

/// What stands in the stream of the board, by its keys.
using Board = std::map<std::string, DelayFigures>;
weir::Result<Board> read_board(weir::Client& client, const Streams& streams);

}  // namespace airport
