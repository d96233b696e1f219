// The streams of the airport: what they are called, what their events are, how they are coded.
#pragma once

#include <weir/topic.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace airport {

/// One scheduled departure; its record's time is the scheduled departure in UTC.
struct Departure {
  std::string origin;
  std::string destination;
  std::string carrier;
  std::int64_t flight = 0;
  std::string tail_number;                // empty: not known
  bool cancelled = false;                 // it has no departure time
  std::optional<std::int64_t> delay_min;  // of the departure; absent if not known
};

struct Plane {
  std::string manufacturer;
  std::string model;
  std::optional<std::int64_t> year;
  std::int64_t seats = 0;
};

struct Airport {
  std::string name;
};

struct Airline {
  std::string name;
};

/// What the delay board knows of one airport and airline, from one partition of the departures.
/// It stands for all departures of that partition below `source_offset`: publishing it twice
/// changes nothing, and of several records of a key the one with the highest source offset counts.
struct DelayFigures {
  std::int64_t source_offset = 0;
  std::int64_t flights = 0;
  std::int64_t cancelled = 0;
  std::int64_t with_delay = 0;     // flown flights whose delay is known
  std::int64_t delay_minutes = 0;  // their sum
  std::optional<std::int64_t> largest_delay;
  std::int64_t seats = 0;  // flown
};

/// The key of the delay board. `*` for both: the figures of the whole partition, published last of
/// all its keys, so that its source offset says where to go on after a restart.
struct BoardKey {
  std::string origin;
  std::string carrier;
  std::int32_t partition = 0;
  auto operator<=>(const BoardKey&) const = default;
};

template <class T>
class JsonCodec final : public weir::Codec<T> {
 public:
  constexpr ~JsonCodec() override {}

  weir::Result<void> encode(const T& value, std::string& out) const override;
  weir::Result<T> decode(std::string_view bytes) const override;
};

inline constexpr JsonCodec<Departure> departure_codec{};
inline constexpr JsonCodec<Plane> plane_codec{};
inline constexpr JsonCodec<Airport> airport_codec{};
inline constexpr JsonCodec<Airline> airline_codec{};
inline constexpr JsonCodec<DelayFigures> figures_codec{};
inline constexpr JsonCodec<BoardKey> board_key_codec{};  // "EWR UA 3"

inline constexpr weir::Topic<std::string, Departure> departures{.name = "flights.departures",
                                                                .value_codec = &departure_codec,
                                                                .key_codec = &weir::string_codec};
inline constexpr weir::EntityTopic<std::string, Plane> planes{
    .name = "fleet.planes", .value_codec = &plane_codec, .key_codec = &weir::string_codec};
inline constexpr weir::EntityTopic<std::string, Airport> airports{
    .name = "reference.airports", .value_codec = &airport_codec, .key_codec = &weir::string_codec};
inline constexpr weir::EntityTopic<std::string, Airline> airlines{
    .name = "reference.airlines", .value_codec = &airline_codec, .key_codec = &weir::string_codec};
inline constexpr weir::EntityTopic<BoardKey, DelayFigures> delay_board{
    .name = "operations.delay-board", .value_codec = &figures_codec, .key_codec = &board_key_codec};

}  // namespace airport
