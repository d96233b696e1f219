#include "delay_board.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "caught_up.h"
#include "progress.h"
#include "stream_reader.h"

namespace airport {
namespace {

using namespace std::chrono_literals;
using weir::Result;

constexpr auto look_interval = 50ms;
constexpr auto stop_timeout = 60s;
/// An instance that is not heard of: its tasks go to others, and what it has written and not
/// committed is taken back, for which they wait.
constexpr auto given_up_after = 6s;

/// The figures of one departure, with their key on the board.
using Counted = std::pair<std::string, DelayFigures>;

Counted count(const Departure& departure, const Plane* plane) {
  Counted counted{departure.origin + " " + departure.carrier, {.flights = 1}};
  DelayFigures& figures = counted.second;
  if (departure.cancelled) {
    figures.cancelled = 1;
    return counted;
  }
  figures.seats = plane == nullptr ? 0 : plane->seats;
  if (departure.delay_min) {
    figures.with_delay = 1;
    figures.delay_minutes = *departure.delay_min;
    figures.largest_delay = *departure.delay_min;
  }
  return counted;
}

/// What is known of a plane holds for departures of any time: it comes before them.
Result<weir::Timestamp> since_ever(const std::optional<std::string>&, const std::optional<Plane>&,
                                   weir::Timestamp) {
  return weir::Timestamp(0ms);
}

}  // namespace

void add(DelayFigures& sum, const DelayFigures& more) {
  sum.flights += more.flights;
  sum.cancelled += more.cancelled;
  sum.with_delay += more.with_delay;
  sum.delay_minutes += more.delay_minutes;
  sum.seats += more.seats;
  if (more.largest_delay)
    sum.largest_delay =
        std::max(sum.largest_delay.value_or(*more.largest_delay), *more.largest_delay);
}

weir::streams::Topology delay_board(const Streams& streams, Count counted) {
  weir::streams::Topology topology{"delay-board"};
  const auto planes = topology.table(streams.planes, "planes", {.timestamp = since_ever});
  topology.stream(streams.departures)
      .map_key([](const Departure& departure) { return departure.tail_number; })
      .left_join(planes, count, "by-plane")
      .map([](const Counted& one) { return one; })
      .coded({.value = streams.delay_board.value_codec})
      .group_by_key("by-origin-and-airline", {.partitions = 6})
      .aggregate(
          DelayFigures{},
          [counted](DelayFigures& sum, const DelayFigures& one) {
            add(sum, one);
            ++*counted;
          },
          "figures", streams.delay_board.value_codec)
      .to(streams.delay_board);
  return topology;
}

Result<std::size_t> run_delay_board(weir::Client& client, const Streams& streams,
                                    const InstanceOptions& options,
                                    const volatile std::sig_atomic_t& stop) {
  if (auto r = streams.departures.check_readable(); !r) return weir::fail(r.error());
  if (auto r = streams.planes.check_readable(); !r) return weir::fail(r.error());
  const auto counted = std::make_shared<std::atomic<std::size_t>>(0);
  auto caught_up =
      CaughtUp::open(client, "delay-board",
                     {std::string(streams.departures.name), "delay-board-by-plane-repartition",
                      "delay-board-by-origin-and-airline-repartition"});
  if (!caught_up) return weir::fail(caught_up.error());
  auto application =
      weir::streams::Application::start(delay_board(streams, counted), options.bootstrap,
                                        {.state_dir = options.state_dir,
                                         .session_timeout = given_up_after,
                                         .heartbeat_interval = 100ms,
                                         .transaction_timeout = given_up_after});
  if (!application) return weir::fail(application.error());

  Progress progress("delay-board", caught_up->events());
  while (stop == 0) {
    if (auto ended = application->wait_for(look_interval); !ended) return weir::fail(ended.error());
    progress.at(*counted);
    if (!options.once) continue;
    auto over = caught_up->look();
    if (!over) return weir::fail(over.error());
    if (*over) break;
  }
  if (auto r = application->stop(stop_timeout); !r) return weir::fail(r.error());
  progress.at(*counted);
  return counted->load();
}

Result<Board> read_board(weir::Client& client, const Streams& streams) {
  Board board;
  const auto take = [&](const weir::Batch& batch) -> Result<void> {
    for (const auto& [key, value, record] : batch.as(streams.delay_board)) {
      if (!key || !value) return weir::fail(key ? value.error() : key.error());
      if (*value)
        board[*key] = **value;
      else
        board.erase(*key);
    }
    return {};
  };
  auto read = read_to_end(client, std::string(streams.delay_board.name), take,
                          weir::Isolation::read_committed);
  if (!read) return weir::fail(read.error());
  return board;
}

}  // namespace airport
