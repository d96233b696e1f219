// The streams of the airport. What their events are stands in contracts/, from which their types
// are generated; which schema a record was written by is told by the schema registry.
#pragma once

#include <weir/serde.h>

#include <string>

#include "airport/airline.h"
#include "airport/airport.h"
#include "airport/delay_figures.h"
#include "airport/departure.h"
#include "airport/plane.h"

namespace airport {

/// The streams with the registry that their records go by. Outlives everything that uses them.
struct Streams {
  explicit Streams(const weir::SchemaRegistry& registry)
      : departures(flights_departures, registry),
        planes(fleet_planes, registry),
        airports(reference_airports, registry),
        airlines(reference_airlines, registry),
        delay_board(operations_delay_board, registry) {}

  weir::RegistryTopic<std::string, Departure, weir::TopicKind::keyed> departures;
  weir::RegistryTopic<std::string, Plane, weir::TopicKind::entity> planes;
  weir::RegistryTopic<std::string, Airport, weir::TopicKind::entity> airports;
  weir::RegistryTopic<std::string, Airline, weir::TopicKind::entity> airlines;
  weir::RegistryTopic<std::string, DelayFigures, weir::TopicKind::entity> delay_board;
};

}  // namespace airport
