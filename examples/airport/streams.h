// The streams of the airport. What their events are stands in contracts/, from which their types
// are generated; which schema a record was written by is told by the schema registry.
#pragma once

#include <weir/serde.h>

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "airport/airline.h"
#include "airport/airport.h"
#include "airport/delay_figures.h"
#include "airport/departure.h"
#include "airport/plane.h"

namespace airport {

/// The key of the delay board. `*` for both: the figures of the whole partition, published last of
/// all its keys, so that its source offset says where to go on after a restart.
struct BoardKey {
  std::string origin;
  std::string carrier;
  std::int32_t partition = 0;
  auto operator<=>(const BoardKey&) const = default;
};

/// "EWR UA 3". A key must never change its bytes, or compaction would keep two: so it names no
/// schema.
class BoardKeyCodec final : public weir::Codec<BoardKey> {
 public:
  constexpr ~BoardKeyCodec() override {}
  weir::Result<void> encode(const BoardKey& key, std::string& out) const override;
  weir::Result<BoardKey> decode(std::string_view bytes) const override;
};
inline constexpr BoardKeyCodec board_key_codec{};

inline constexpr weir::EntityTopic<BoardKey, DelayFigures> operations_delay_board{
    .name = "operations.delay-board",
    .value_codec = &weir::avro_codec<DelayFigures>,
    .key_codec = &board_key_codec};

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
  weir::RegistryTopic<BoardKey, DelayFigures, weir::TopicKind::entity> delay_board;
};

}  // namespace airport
