#include "publisher.h"

#include <charconv>
#include <set>
#include <vector>

#include "csv.h"
#include "progress.h"
#include "stream_reader.h"
#include "streams.h"

namespace airport {
namespace {

using namespace std::chrono_literals;
using weir::Result;

constexpr auto flush_timeout = 60s;

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{}) return std::nullopt;
  return value;
}

/// "2013-01-01T10:00:00Z" and the minute of the scheduled departure.
std::optional<weir::Timestamp> scheduled_time(std::string_view hour, std::string_view minute) {
  const auto part = [&](std::size_t at, std::size_t size) {
    return number<int>(hour.substr(at, size));
  };
  if (hour.size() != 20 || !number<int>(minute)) return std::nullopt;
  const auto year = part(0, 4);
  const auto month = number<unsigned>(hour.substr(5, 2));
  const auto day = number<unsigned>(hour.substr(8, 2));
  const auto hours = part(11, 2);
  if (!year || !month || !day || !hours) return std::nullopt;
  const std::chrono::sys_days date{std::chrono::year(*year) / std::chrono::month(*month) /
                                   std::chrono::day(*day)};
  return weir::Timestamp(date.time_since_epoch() + std::chrono::hours(*hours) +
                         std::chrono::minutes(*number<int>(minute)));
}

Departure departure_of(const CsvFile& row, weir::Timestamp scheduled) {
  Departure d;
  d.origin = row["origin"];
  d.destination = row["dest"];
  d.carrier = row["carrier"];
  d.flight = number<std::int32_t>(row["flight"]).value_or(0);
  d.scheduled_at = scheduled;
  if (!row["tailnum"].empty()) d.tail_number = row["tailnum"];
  d.cancelled = row["dep_time"].empty();
  d.delay_min = number<std::int32_t>(row["dep_delay"]);
  return d;
}

/// The rows of the file that the stream holds already.
Result<std::vector<bool>> published_rows(weir::Client& client, const std::string& topic,
                                         std::size_t rows) {
  std::vector<bool> there(rows, false);
  auto read = read_to_end(client, topic, [&](const weir::Batch& batch) -> Result<void> {
    for (const weir::RecordView& record : batch) {
      const auto row = number<std::size_t>(record.headers().last("row").value_or(""));
      if (row && *row < rows) there[*row] = true;
    }
    return {};
  });
  if (!read) return weir::fail(read.error());
  return there;
}

Result<std::size_t> publish_departures(weir::Client& client, weir::Producer& producer,
                                       const Streams& streams, const std::string& folder) {
  const auto& departures = streams.departures;
  auto csv = CsvFile::open(folder, "flights");
  if (!csv) return weir::fail(csv.error());
  auto there = published_rows(client, std::string(departures.name), csv->rows());
  if (!there) return weir::fail(there.error());
  Progress progress("publishing departures", csv->rows());
  std::size_t count = 0;
  std::string value;
  for (std::size_t row = 0; csv->next(); ++row) {
    progress.at(row + 1);
    if (row < there->size() && (*there)[row]) continue;
    const auto time = scheduled_time((*csv)["time_hour"], (*csv)["minute"]);
    if (!time)
      return weir::fail(weir::Errc::malformed, folder + "/flights.csv: row " +
                                                   std::to_string(row + 2) +
                                                   ": time_hour or minute is no time");
    value.clear();
    if (auto r = departures.value_codec->encode(departure_of(*csv, *time), value); !r)
      return weir::fail(r.error());
    const std::string key = std::string((*csv)["carrier"]) + std::string((*csv)["flight"]);
    const std::string number_of_row = std::to_string(row);
    const weir::Header header{.key = "row", .value = number_of_row};
    auto sent = producer.send({.topic = departures.name,
                               .key = key,
                               .value = value,
                               .headers = {&header, 1},
                               .timestamp = time});
    if (!sent) return weir::fail(sent.error());
    ++count;
  }
  if (auto r = producer.flush(flush_timeout); !r) return weir::fail(r.error());
  return count;
}

/// Publishes the entities whose keys the stream lacks.
template <class Value>
Result<std::size_t> publish_entities(weir::Client& client, weir::Producer& producer,
                                     const weir::EntityTopic<std::string, Value>& topic,
                                     CsvFile& csv, std::string_view key_column,
                                     const std::function<Value(const CsvFile&)>& make) {
  std::set<std::string, std::less<>> there;
  auto read =
      read_to_end(client, std::string(topic.name), [&](const weir::Batch& batch) -> Result<void> {
        for (const weir::RecordView& record : batch)
          there.insert(std::string(record.key().value_or("")));
        return {};
      });
  if (!read) return weir::fail(read.error());
  std::size_t count = 0;
  while (csv.next()) {
    const std::string key(csv[key_column]);
    if (there.contains(key)) continue;
    if (auto r = producer.send(topic, key, make(csv)); !r) return weir::fail(r.error());
    ++count;
  }
  if (auto r = producer.flush(flush_timeout); !r) return weir::fail(r.error());
  return count;
}

}  // namespace

Result<void> create_streams(weir::Client& client, const Streams& of) {
  struct Stream {
    std::string_view name;
    int partitions;
    weir::Cleanup cleanup;
  };
  // Of entities the newest record of each key is enough.
  const Stream streams[] = {{of.departures.name, 6, weir::Cleanup::remove},
                            {of.planes.name, 3, weir::Cleanup::compact},
                            {of.airports.name, 1, weir::Cleanup::compact},
                            {of.airlines.name, 1, weir::Cleanup::compact},
                            {of.delay_board.name, 3, weir::Cleanup::compact}};
  for (const Stream& stream : streams) {
    auto made = client.admin().create_topic({.name = std::string(stream.name),
                                             .partitions = stream.partitions,
                                             .cleanup = stream.cleanup,
                                             .settings = {{"retention.ms", "-1"}}});
    if (!made && made.error().code() != weir::Errc::topic_already_exists) return made;
  }
  return {};
}

Result<std::size_t> publish_everything(weir::Client& client, const Streams& streams,
                                       const std::string& folder) {
  auto producer = client.producer({.compression = weir::Compression::lz4});
  if (!producer) return weir::fail(producer.error());
  auto plane_file = CsvFile::open(folder, "planes");
  auto airport_file = CsvFile::open(folder, "airports");
  auto airline_file = CsvFile::open(folder, "airlines");
  for (const auto* file : {&plane_file, &airport_file, &airline_file})
    if (!*file) return weir::fail(file->error());
  std::size_t total = 0;
  const auto add = [&](Result<std::size_t> count) -> Result<void> {
    if (!count) return weir::fail(count.error());
    total += *count;
    return {};
  };
  if (auto r = add(publish_entities<Plane>(
          client, *producer, streams.planes, *plane_file, "tailnum",
          [](const CsvFile& row) {
            return Plane{.manufacturer = std::string(row["manufacturer"]),
                         .model = std::string(row["model"]),
                         .year = number<std::int32_t>(row["year"]),
                         .seats = number<std::int32_t>(row["seats"]).value_or(0)};
          }));
      !r)
    return weir::fail(r.error());
  if (auto r = add(publish_entities<Airport>(
          client, *producer, streams.airports, *airport_file, "faa",
          [](const CsvFile& row) { return Airport{.name = std::string(row["name"])}; }));
      !r)
    return weir::fail(r.error());
  if (auto r = add(publish_entities<Airline>(
          client, *producer, streams.airlines, *airline_file, "carrier",
          [](const CsvFile& row) { return Airline{.name = std::string(row["name"])}; }));
      !r)
    return weir::fail(r.error());
  if (auto r = add(publish_departures(client, *producer, streams, folder)); !r)
    return weir::fail(r.error());
  return total;
}

}  // namespace airport
