#include "streams.h"

#include "flat_json.h"

namespace airport {
namespace {

using weir::Result;

/// Takes a value or remembers the first error, so that a decoder reads as a list of its fields.
class Fields {
 public:
  explicit Fields(std::string_view json) : reader_(json) {}
  void text(std::string_view name, std::string& out) { take(reader_.text(name), out); }
  void number(std::string_view name, std::optional<std::int64_t>& out) {
    take(reader_.number(name), out);
  }
  void number(std::string_view name, std::int64_t& out) {
    std::optional<std::int64_t> value;
    take(reader_.number(name), value);
    out = value.value_or(0);
  }
  void boolean(std::string_view name, bool& out) { take(reader_.boolean(name), out); }
  template <class T>
  Result<T> finish(T value) {
    if (error_) return weir::fail(*error_);
    return value;
  }

 private:
  template <class T>
  void take(Result<T> result, T& out) {
    if (result) {
      out = std::move(*result);
    } else if (!error_) {
      error_ = result.error();
    }
  }
  JsonReader reader_;
  std::optional<weir::Error> error_;
};

}  // namespace

template <>
Result<void> JsonCodec<Departure>::encode(const Departure& d, std::string& out) const {
  JsonWriter json(out);
  json.text("origin", d.origin);
  json.text("destination", d.destination);
  json.text("carrier", d.carrier);
  json.number("flight", d.flight);
  json.text("tail_number", d.tail_number);
  json.boolean("cancelled", d.cancelled);
  json.number("delay_min", d.delay_min);
  json.end();
  return {};
}

template <>
Result<Departure> JsonCodec<Departure>::decode(std::string_view bytes) const {
  Fields fields(bytes);
  Departure d;
  fields.text("origin", d.origin);
  fields.text("destination", d.destination);
  fields.text("carrier", d.carrier);
  fields.number("flight", d.flight);
  fields.text("tail_number", d.tail_number);
  fields.boolean("cancelled", d.cancelled);
  fields.number("delay_min", d.delay_min);
  return fields.finish(std::move(d));
}

template <>
Result<void> JsonCodec<Plane>::encode(const Plane& p, std::string& out) const {
  JsonWriter json(out);
  json.text("manufacturer", p.manufacturer);
  json.text("model", p.model);
  json.number("year", p.year);
  json.number("seats", p.seats);
  json.end();
  return {};
}

template <>
Result<Plane> JsonCodec<Plane>::decode(std::string_view bytes) const {
  Fields fields(bytes);
  Plane p;
  fields.text("manufacturer", p.manufacturer);
  fields.text("model", p.model);
  fields.number("year", p.year);
  fields.number("seats", p.seats);
  return fields.finish(std::move(p));
}

template <>
Result<void> JsonCodec<Airport>::encode(const Airport& a, std::string& out) const {
  JsonWriter json(out);
  json.text("name", a.name);
  json.end();
  return {};
}

template <>
Result<Airport> JsonCodec<Airport>::decode(std::string_view bytes) const {
  Fields fields(bytes);
  Airport a;
  fields.text("name", a.name);
  return fields.finish(std::move(a));
}

template <>
Result<void> JsonCodec<Airline>::encode(const Airline& a, std::string& out) const {
  JsonWriter json(out);
  json.text("name", a.name);
  json.end();
  return {};
}

template <>
Result<Airline> JsonCodec<Airline>::decode(std::string_view bytes) const {
  Fields fields(bytes);
  Airline a;
  fields.text("name", a.name);
  return fields.finish(std::move(a));
}

template <>
Result<void> JsonCodec<DelayFigures>::encode(const DelayFigures& f, std::string& out) const {
  JsonWriter json(out);
  json.number("source_offset", f.source_offset);
  json.number("flights", f.flights);
  json.number("cancelled", f.cancelled);
  json.number("with_delay", f.with_delay);
  json.number("delay_minutes", f.delay_minutes);
  json.number("largest_delay", f.largest_delay);
  json.number("seats", f.seats);
  json.end();
  return {};
}

template <>
Result<DelayFigures> JsonCodec<DelayFigures>::decode(std::string_view bytes) const {
  Fields fields(bytes);
  DelayFigures f;
  fields.number("source_offset", f.source_offset);
  fields.number("flights", f.flights);
  fields.number("cancelled", f.cancelled);
  fields.number("with_delay", f.with_delay);
  fields.number("delay_minutes", f.delay_minutes);
  fields.number("largest_delay", f.largest_delay);
  fields.number("seats", f.seats);
  return fields.finish(f);
}

template <>
Result<void> JsonCodec<BoardKey>::encode(const BoardKey& key, std::string& out) const {
  out += key.origin + " " + key.carrier + " " + std::to_string(key.partition);
  return {};
}

template <>
Result<BoardKey> JsonCodec<BoardKey>::decode(std::string_view bytes) const {
  const std::size_t first = bytes.find(' ');
  const std::size_t second = first == std::string_view::npos ? first : bytes.find(' ', first + 1);
  BoardKey key;
  if (second != std::string_view::npos) {
    const auto [end, error] =
        std::from_chars(bytes.data() + second + 1, bytes.data() + bytes.size(), key.partition);
    if (error == std::errc{} && end == bytes.data() + bytes.size()) {
      key.origin = bytes.substr(0, first);
      key.carrier = bytes.substr(first + 1, second - first - 1);
      return key;
    }
  }
  return weir::fail(weir::Errc::malformed,
                    "board key '" + std::string(bytes) + "': want ORIGIN AIRLINE PARTITION");
}

}  // namespace airport
