// The events of Nexmark as they lie in a topic, and rows of the queries' tables and results:
// numbers of eight bytes, texts behind their length, two bytes; big-endian.
#pragma once

#include <weir/topic.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

namespace weir::nexmark {

/// There and back.
inline std::uint64_t big_endian(std::uint64_t number) {
  return std::endian::native == std::endian::little ? std::byteswap(number) : number;
}

/// Appends what a row is made of.
class RowWriter {
 public:
  explicit RowWriter(std::string& out) : out_(out) {}
  RowWriter& operator<<(std::int64_t number) {
    const std::uint64_t word = big_endian(static_cast<std::uint64_t>(number));
    char bytes[sizeof word];
    std::memcpy(bytes, &word, sizeof word);
    out_.append(bytes, sizeof bytes);
    return *this;
  }
  /// Of at most 65,535 bytes.
  RowWriter& operator<<(std::string_view text) {
    out_ += static_cast<char>(text.size() >> 8U);
    out_ += static_cast<char>(text.size());
    out_ += text;
    return *this;
  }

 private:
  std::string& out_;
};

/// The bytes of a row of these fields.
template <class... Fields>
std::string row(const Fields&... fields) {
  std::string out;
  RowWriter writer(out);
  (writer << ... << fields);
  return out;
}

/// Takes it apart again; what is missing is 0 or empty, and ok() is false then.
class RowReader {
 public:
  explicit RowReader(std::string_view bytes) : rest_(bytes) {}
  RowReader& operator>>(std::int64_t& number) {
    std::uint64_t word = 0;
    const std::string_view bytes = take(sizeof word);
    if (!bytes.empty()) std::memcpy(&word, bytes.data(), sizeof word);
    number = static_cast<std::int64_t>(big_endian(word));
    return *this;
  }
  RowReader& operator>>(std::string_view& text) {
    std::size_t size = 0;
    for (const char byte : take(2)) size = size << 8U | static_cast<unsigned char>(byte);
    text = take(size);
    return *this;
  }
  RowReader& operator>>(std::string& text) {
    std::string_view view;
    *this >> view;
    text = view;
    return *this;
  }
  /// Whether it was all there, and no more.
  bool ok() const { return ok_ && rest_.empty(); }

 private:
  std::string_view take(std::size_t size) {
    ok_ = ok_ && size <= rest_.size();
    if (!ok_) return {};
    const std::string_view out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }
  std::string_view rest_;
  bool ok_ = true;
};

/// Of a struct that says its fields: `void each(auto&& field)`, twice, const and not.
template <class Row>
class RowCodec final : public Codec<Row> {
 public:
  constexpr ~RowCodec() override {}
  Result<void> encode(const Row& row, std::string& out) const override {
    RowWriter writer(out);
    row.each([&](const auto& field) { writer << field; });
    return {};
  }
  Result<Row> decode(std::string_view bytes) const override {
    Row row;
    RowReader reader(bytes);
    row.each([&](auto& field) { reader >> field; });
    if (!reader.ok()) return fail(Errc::malformed, "a row of Nexmark cannot be read");
    return row;
  }
};
template <class Row>
inline constexpr RowCodec<Row> row_codec{};

// Views: they live as long as the bytes that they were read from.
struct PersonView {
  std::int64_t id = 0;
  std::string_view name, email, card, city, state;
  std::int64_t time_ms = 0;
  std::string_view extra;
  void each(auto field) { all(*this, field); }
  void each(auto field) const { all(*this, field); }

 private:
  static void all(auto& self, auto& field) {
    field(self.id), field(self.name), field(self.email), field(self.card), field(self.city);
    field(self.state), field(self.time_ms), field(self.extra);
  }
};
struct AuctionView {
  std::int64_t id = 0;
  std::string_view item, description;
  std::int64_t initial_bid = 0, reserve = 0, time_ms = 0, expires_ms = 0, seller = 0, category = 0;
  std::string_view extra;
  void each(auto field) { all(*this, field); }
  void each(auto field) const { all(*this, field); }

 private:
  static void all(auto& self, auto& field) {
    field(self.id), field(self.item), field(self.description), field(self.initial_bid);
    field(self.reserve), field(self.time_ms), field(self.expires_ms), field(self.seller);
    field(self.category), field(self.extra);
  }
};
struct BidView {
  std::int64_t auction = 0, bidder = 0, price = 0, time_ms = 0;
  std::string_view extra;
  void each(auto field) { all(*this, field); }
  void each(auto field) const { all(*this, field); }

 private:
  static void all(auto& self, auto& field) {
    field(self.auction), field(self.bidder), field(self.price), field(self.time_ms);
    field(self.extra);
  }
};
using EventView = std::variant<PersonView, AuctionView, BidView>;

/// A byte that says what it is, 0 person, 1 auction, 2 bid, and its fields.
class EventCodec final : public Codec<EventView> {
 public:
  constexpr ~EventCodec() override {}
  Result<void> encode(const EventView& event, std::string& out) const override {
    out += static_cast<char>(event.index());
    return std::visit(
        [&](const auto& one) {
          return row_codec<std::remove_cvref_t<decltype(one)>>.encode(one, out);
        },
        event);
  }
  Result<EventView> decode(std::string_view bytes) const override {
    if (bytes.empty()) return fail(Errc::malformed, "an event of Nexmark is empty");
    const std::string_view fields = bytes.substr(1);
    switch (bytes.front()) {
      case 0: return as_event(row_codec<PersonView>.decode(fields));
      case 1: return as_event(row_codec<AuctionView>.decode(fields));
      case 2: return as_event(row_codec<BidView>.decode(fields));
      default: return fail(Errc::malformed, "an event of Nexmark is of no known kind");
    }
  }

 private:
  template <class View>
  static Result<EventView> as_event(Result<View> view) {
    if (!view) return fail(std::move(view.error()));
    return EventView(*view);
  }
};
inline constexpr EventCodec event_codec{};

}  // namespace weir::nexmark
